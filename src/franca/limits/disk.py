"""Limits for all processes of one host: ledgers in the database of a diskcache directory."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from franca.errors import FrancaError, MissingExtraError, SettingsError, TimeoutError
from franca.limits.bell import Bell, ring
from franca.limits.codec import decode, encode, rebase
from franca.limits.ledger import Ledger
from franca.limits.memory import monotonic
from franca.limits.model import (
    SECOND,
    Answer,
    Ask,
    Lease,
    Look,
    Reserve,
    Rules,
    Settle,
    Standing,
    Verdict,
)

_TABLE = "CREATE TABLE IF NOT EXISTS franca_limits (scope TEXT PRIMARY KEY, state BLOB NOT NULL)"
_READ = "SELECT state FROM franca_limits WHERE scope = ?"
_WRITE = "INSERT INTO franca_limits VALUES (?, ?) ON CONFLICT DO UPDATE SET state = excluded.state"


_CHANGE = "UPDATE franca_limits SET state = ? WHERE scope = ? AND state = ?"
_STALE: Any = object()
_Execute = Callable[..., sqlite3.Cursor]
_Decide = Callable[[Ledger, int], Answer]


class _Scope:
    """What this process knows of a scope: its ledger as of `state`, and the leases here."""

    __slots__ = ("alone", "leases", "ledger", "name", "rules", "state")

    def __init__(self, name: str, rules: Rules) -> None:
        self.name, self.rules = name, rules
        self.state: bytes | None = None  # what the database holds, None: nobody knows
        self.ledger = Ledger(rules)
        self.alone = False  # nobody else has written of late
        self.leases: weakref.WeakValueDictionary[str, Lease] = weakref.WeakValueDictionary()


class DiskStore:
    """Counts for the processes of one host, each decision in one transaction.

    The time is the host's monotonic clock, so that nobody who sets a clock changes a limit. After
    a reboot, when it begins anew, what was used before counts as just used: nobody waits for it
    longer than a window, and leases have ended with their processes. A directory that several
    hosts mount, or containers with time namespaces of their own, holds no limits.

    Args:
        directory: a diskcache directory, made where there is none. It may hold a cache as well.
        clock: microseconds that only grow, the same for all processes.
        timeout: for how many seconds a decision waits where another process stopped within one.

    Raises:
        MissingExtraError: diskcache is not installed.
        SettingsError: (from a decision) the directory cannot be used, or what it holds.
        TimeoutError: (from a decision) the database was busy for too long.
    """

    local = False

    def __init__(
        self,
        directory: str | Path,
        *,
        clock: Callable[[], int] = monotonic,
        timeout: float = 60.0,
    ) -> None:
        try:
            import diskcache  # noqa: F401 - not when the first call is made, but now
        except ImportError as error:
            raise MissingExtraError("diskcache", "diskcache") from error
        self.directory = Path(directory).expanduser().absolute()
        self._clock, self._timeout = clock, timeout
        self._lock = threading.RLock()
        self._deciding = False
        self._late: deque[Settle] = deque()
        self._scopes: dict[tuple[str, str], _Scope] = {}
        self._made = False
        self._database: sqlite3.Connection | None = None
        self._closing: weakref.finalize | None = None
        self._bell: Bell | None = None
        self._worker: ThreadPoolExecutor | None = None
        self._tended = time.monotonic()
        _stores.add(self)

    def perform(self, ask: Ask) -> Answer:
        """Decide."""
        with self._lock:
            if self._deciding:  # the owner of a lease was collected meanwhile and settles it
                assert isinstance(ask, Settle)
                self._late.append(ask)
                return None
            answer = self._decide(ask)
            self._catch_up()
        return answer

    async def aperform(self, ask: Ask) -> Answer:
        """Decide, in a thread; one after the other, so that what settles a lease comes after what
        reserves it, whoever was cancelled meanwhile."""
        if self._worker is None:
            with self._lock:
                self._worker = self._worker or ThreadPoolExecutor(1, "franca-limits")
        return await asyncio.get_running_loop().run_in_executor(self._worker, self.perform, ask)

    def close(self) -> None:
        """End its thread and its connection; whoever uses it again opens it again."""
        with self._lock:
            bell, self._bell = self._bell, None
            worker, self._worker = self._worker, None
            self._disconnect()
        if bell is not None:
            bell.close()
        if worker is not None:
            worker.shutdown(wait=False)

    def hear(self, id_: str) -> None:
        """Wake who sleeps on this lease, if it is of this process."""
        for scope in list(self._scopes.values()):
            if (lease := scope.leases.get(id_)) is not None:
                lease.ring()

    def tend(self) -> float:
        """Renew this process's leases when it is time; when it will be next, in seconds."""
        scopes = list(self._scopes.values())
        period = min((scope.rules.lease for scope in scopes), default=30 * SECOND) / SECOND / 3
        if (left := self._tended + period - time.monotonic()) > 0:
            return left
        for scope in scopes:
            with suppress(FrancaError), self._lock:  # whoever decides next hears of it
                self._renew(scope)
                self._catch_up()
        self._tended = time.monotonic()
        return period

    def _decide(self, ask: Ask) -> Answer:
        scope, rules = self._scope(ask), ask.rules
        if isinstance(ask, Reserve):
            return self._reserve(scope, ask)
        if isinstance(ask, Look):
            return self._transact(scope, lambda ledger, now: ledger.look(now, rules))
        id_ = ask.lease.id
        if scope.leases.pop(id_, None) is None:  # a forked parent's, or settled
            if not (ask.seen or ask.hold):
                return None
            id_ = ""
        return self._transact(
            scope,
            lambda ledger, now: ledger.settle(now, rules, id_, ask.billed, ask.seen, ask.hold),
        )

    def _reserve(self, scope: _Scope, ask: Reserve) -> Answer:
        lease = ask.lease
        scope.leases[lease.id] = lease  # before: what is interrupted must be settled
        port = (self._bell or self._listen()).port
        verdict = self._transact(
            scope,
            lambda ledger, now: ledger.reserve(
                now, ask.rules, lease.id, lease.amounts, lease.margins, ask.patience, port
            ),
        )
        if _refused(verdict):
            del scope.leases[lease.id]
        return verdict

    def _catch_up(self) -> None:
        while self._late:
            self._decide(self._late.popleft())

    def _renew(self, scope: _Scope) -> None:
        if ids := list(scope.leases.keys()):
            self._transact(scope, lambda ledger, now: ledger.renew(now, scope.rules, ids))

    def _transact(self, scope: _Scope, decide: _Decide) -> Answer:
        """Decide on the scope's ledger as all processes have left it, in one transaction."""
        self._deciding = True
        try:
            execute = (self._database or self._connect()).execute
            answer = self._unread(execute, scope, decide) if scope.alone else _STALE
            if answer is _STALE:
                answer = self._read(execute, scope, decide)
        except BaseException as error:
            scope.state, scope.alone = None, False  # its ledger may be ahead of the database
            scope.ledger.rung.clear()
            self._disconnect()  # which rolls back
            self._made = self._made and _busy(error)
            if isinstance(error, (sqlite3.Error, OSError)):
                raise self._unusable(error) from error
            raise
        finally:
            self._deciding = False
        if rung := scope.ledger.rung:
            self._ring(rung)
            rung.clear()
        return answer

    def _ring(self, rung: list[tuple[str, int]]) -> None:
        port = self._bell.port if self._bell is not None else None
        for id_, owner in rung:
            if owner == port:
                self.hear(id_)
        if others := [each for each in rung if each[1] != port]:
            ring(others)

    def _unread(self, execute: _Execute, scope: _Scope, decide: _Decide) -> Any:
        """Decide on what this process left last, in one statement that finds it so; else STALE.

        This halves the cost where one process has a scope for itself, and a refusal locks nothing.
        """
        before, now = scope.state, self._clock()
        if scope.ledger.now > now:
            return _STALE
        answer, state = _decided(scope, decide, now)
        try:
            if state is before:
                found = execute(_READ, (scope.name,)).fetchone() == (before,)
            else:
                found = execute(_CHANGE, (state, scope.name, before)).rowcount == 1
        except sqlite3.OperationalError as error:
            if not _busy(error):
                raise
            found = False
        if found:
            scope.state = state
            return answer
        scope.state, scope.alone = None, False
        scope.ledger.rung.clear()
        return _STALE

    def _read(self, execute: _Execute, scope: _Scope, decide: _Decide) -> Answer:
        """Decide on what the database holds, in one transaction."""
        self._begin(execute)
        now = self._clock()
        row = execute(_READ, (scope.name,)).fetchone()
        scope.alone = row is not None and row[0] == scope.state
        if not scope.alone:
            self._load(scope, row)
        if scope.ledger.now > now + SECOND:
            rebase(scope.ledger, now)
            scope.state = None
        answer, state = _decided(scope, decide, now)
        if state is not scope.state:
            execute(_WRITE, (scope.name, state))
        execute("COMMIT")
        scope.state = state
        return answer

    def _begin(self, execute: _Execute) -> None:
        """Lock the database.

        Sqlite itself would nap for 1 to 100 ms, and the busiest process would have it all.
        """
        ends, nap = 0.0, 50e-6
        while True:
            try:
                execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                now = time.monotonic()
                ends = ends or now + self._timeout
                if not _busy(error) or now > ends:
                    raise
            else:
                return
            time.sleep(nap)
            nap = min(nap * 1.5, 2e-3)

    def _load(self, scope: _Scope, row: tuple[bytes] | None) -> None:
        if row is None:
            scope.state, scope.ledger = None, Ledger(scope.rules)
            return
        try:
            scope.ledger = decode(row[0], scope.rules)
        except (ValueError, TypeError) as error:
            raise self._unusable(error) from error
        scope.state = row[0]

    def _scope(self, ask: Ask) -> _Scope:
        place = (ask.key, ask.rules.shape)
        if (scope := self._scopes.get(place)) is None:
            scope = self._scopes[place] = _Scope("|".join(place), ask.rules)
            if self._bell is not None:  # its leases may be shorter
                ring([("", self._bell.port)])
        scope.rules = ask.rules
        return scope

    def _listen(self) -> Bell:
        self._bell = Bell(self)
        return self._bell

    def _connect(self) -> sqlite3.Connection:
        from diskcache import Cache
        from diskcache.core import DBNAME

        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not self._made:
            Cache(str(self.directory)).close()
            self._made = True
        database = sqlite3.connect(
            self.directory / DBNAME, self._timeout, isolation_level=None, check_same_thread=False
        )
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        database.execute("PRAGMA wal_autocheckpoint = 4000")
        database.execute(_TABLE)
        database.execute("PRAGMA busy_timeout = 0")  # from here on it is `_begin` that waits
        self._database, self._closing = database, weakref.finalize(self, database.close)
        self._closing.atexit = False  # its thread may be in a decision then
        return database

    def _disconnect(self) -> None:
        self._database = None
        if self._closing is not None:
            self._closing()
            self._closing = None

    def _unusable(self, error: Exception) -> FrancaError:
        if _busy(error):
            return TimeoutError(
                f"the limits in {self.directory}: another process has kept the database busy for "
                f"{self._timeout:g} s"
            )
        return SettingsError([f"the limits cannot be kept there: {error}"], str(self.directory))

    def forking(self) -> None:
        """Nothing of sqlite's may be in the child: neither a connection nor a transaction."""
        self._lock.acquire()
        self._disconnect()

    def forked(self, *, child: bool) -> None:
        """The child holds none of its parent's leases, and has its own thread and socket."""
        if not child:
            self._lock.release()
            return
        self._lock = threading.RLock()
        self._worker = None
        bell, self._bell = self._bell, None
        if bell is not None:
            bell.forked()
        for scope in self._scopes.values():
            scope.leases.clear()


def _decided(scope: _Scope, decide: _Decide, now: int) -> tuple[Answer, bytes]:
    """The answer, and the state after it: the same one where nothing changed but the time."""
    ledger, state = scope.ledger, scope.state
    still = not ledger.queue  # else the time alone may grant something
    answer = decide(ledger, now)
    if still and state is not None and (_refused(answer) or isinstance(answer, Standing)):
        return answer, state
    return answer, encode(ledger)


def _busy(error: BaseException) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY


def _refused(answer: Answer) -> bool:
    return isinstance(answer, Verdict) and not (answer.granted or answer.queued)


_stores: weakref.WeakSet[DiskStore] = weakref.WeakSet()
_forking: list[DiskStore] = []


def _before_fork() -> None:
    for store in sorted(_stores, key=id):
        store.forking()
        _forking.append(store)


def _after_fork(*, child: bool) -> None:
    while _forking:
        _forking.pop().forked(child=child)


os.register_at_fork(
    before=_before_fork,
    after_in_parent=lambda: _after_fork(child=False),
    after_in_child=lambda: _after_fork(child=True),
)

"""Limits over hosts: ledgers in a Redis, each decision one script."""

from __future__ import annotations

import os
import time
import weakref
from collections.abc import Callable, Generator
from typing import Literal

from franca.errors import ConnectionError, SettingsError
from franca.limits.drive import adrive, drive
from franca.limits.model import Answer, Ask, Look, Reserve, Settle, Standing
from franca.limits.redis import scripts
from franca.limits.redis.held import Held, own_clock
from franca.limits.redis.link import Away, Link
from franca.limits.redis.listener import Listener
from franca.limits.redis.scripts import Command, Known, Reply
from franca.limits.rules import SECOND, Rules, Verdict

__all__ = ["RedisStore"]

Exchange = Generator[Command, Reply | Away, Reply]
_LOOKS = 5  # a person who looks has more patience than a call


class _Lost(Away):
    """The server has forgotten this scope, or another member is having it put back."""


class RedisStore:
    """Counts for all hosts that share a Redis; the time is the server's.

    Args:
        url: `redis://`, `rediss://`, `unix://`, `redis+sentinel://host:port,host:port/service/db`
            or `redis+cluster://host:port,host:port`; with user and password where it wants them.
        prefix: what the names of its keys and channels begin with.
        on_unavailable: what holds while the server is away: `share` (this process's part of the
            limits), `open` (none) or `closed` (nobody is granted anything).

    Raises:
        MissingExtraError: redis is not installed.
        SettingsError: the URL is of no known form; from a decision: the server refuses us.
    """

    local = False

    def __init__(
        self,
        url: str | None = "redis://localhost:6379/0",
        *,
        prefix: str = "franca",
        on_unavailable: Literal["share", "open", "closed"] = "share",
    ) -> None:
        if on_unavailable not in ("share", "open", "closed"):
            raise ValueError("on_unavailable is 'share', 'open' or 'closed'")
        self.prefix, self.on_unavailable = prefix, on_unavailable
        self._link = Link(url or "redis://localhost:6379/0")
        self._begin()
        _stores.add(self)

    def __repr__(self) -> str:
        return f"RedisStore({self.place!r}, prefix={self.prefix!r})"

    @property
    def place(self) -> str:
        """Where the server is: the URL without what is secret."""
        return str(self._link.place)

    def standing(self, key: str, rules: Rules) -> Standing:
        """How a scope stands in Redis itself; `perform` answers for this process where it is away.

        Raises:
            ConnectionError: Redis does not answer.
            SettingsError: the server refuses us.
        """
        command = scripts.look(scripts.scope_of(self.prefix, key, rules))
        for _ in range(_LOOKS):
            if not isinstance(reply := self._link.call(command), Away):
                return scripts.standing(reply)
        raise ConnectionError(str(reply))

    def perform(self, ask: Ask) -> Answer:
        """Answer, blocking."""
        return drive(self._flow(ask), self._link.call)

    async def aperform(self, ask: Ask) -> Answer:
        """Answer, for asyncio."""
        return await adrive(self._flow(ask), self._link.acall)

    def close(self) -> None:
        """Close the connections and end the thread; leases that are held expire."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        self._link.close()

    async def aclose(self) -> None:
        """Close the running event loop's connections too."""
        self.close()
        await self._link.aclose()

    def forked(self) -> None:
        """The child is a member of its own, and holds none of its parent's leases."""
        self._begin()

    def _begin(self) -> None:
        self.member = os.urandom(8).hex()
        self.channel = f"{self.prefix}:ring:{self.member}"
        self._all = f"{self.prefix}:members"  # where all hear of a scope whose members change
        self._held: dict[tuple[str, str], Held] = {}
        self._listener: Listener | None = None
        self._refused: SettingsError | None = None

    def _flow(self, ask: Ask) -> Generator[Command, Reply | Away, Answer]:
        """One answer, whoever drives: Redis', or where it is away this process's own."""
        if self._refused is not None:
            raise self._refused
        held = self._scope(ask.key, ask.rules)
        if isinstance(ask, Reserve):
            held.leases[ask.lease.id] = ask.lease  # before it is asked for: it may ring at once
        elif isinstance(ask, Settle):
            held.settled(ask)
        answer: Answer = None
        decided = False
        while not decided:
            decided, answer = held.decide(ask)
            if not decided:
                try:
                    decided, answer = True, (yield from self._ask(held, ask))
                except _Lost:
                    _wake(held)
                except Away:
                    self._listen()  # or nobody would notice when it is back
                    self.lost()
        if isinstance(ask, Settle) or (isinstance(ask, Reserve) and _refused(answer)):
            held.leases.pop(ask.lease.id, None)
        return answer

    def _ask(self, held: Held, ask: Ask) -> Generator[Command, Reply | Away, Answer]:
        if isinstance(ask, Look):
            reply = yield from self._exchange(held, lambda _: scripts.look(held.scope))
            return scripts.standing(reply)
        if isinstance(ask, Settle):
            yield from self._exchange(held, lambda known: scripts.settle(held.scope, known, ask))
            return None
        if not held.known.epoch:
            yield from self._join(held)
        sent = own_clock()
        reply = yield from self._exchange(
            held, lambda known: scripts.reserve(held.scope, known, ask, self.channel)
        )
        verdict = scripts.verdict(reply)
        held.decided(ask.lease, verdict, sent)
        return verdict

    def _exchange(self, held: Held, ask: Callable[[Known], Command]) -> Exchange:
        """One round trip, and what is learnt by it."""
        outcome = yield ask(held.known)
        if isinstance(outcome, Away):
            raise outcome
        if outcome.lost:
            held.go_away(self.on_unavailable)
            raise _Lost(f"{self.place} has lost its memory")
        held.learn(outcome)
        return outcome

    def _join(self, held: Held) -> Generator[Command, Reply | Away, None]:
        """Be a member of the scope, renew what is held there."""
        self._listen()
        ids = [lease.id for lease in held.live()]
        held.due = time.monotonic() + held.rules.lease / SECOND / 3
        reply = yield from self._exchange(
            held, lambda known: scripts.renew(held.scope, known, self.member, ids, self._all)
        )
        held.renewed(scripts.members(reply))

    def _listen(self) -> None:
        if self._listener is None:
            self._listener = Listener(self, self._link, (self.channel, self._all))

    def _restore(self, held: Held) -> None:
        """Redis is back: put back what this process was granted, then go on with it."""
        reply = self._link.call(held.restoring(self.member, self._all))
        if isinstance(reply, Away):
            held.failed()
            raise reply
        for ask in held.restored(reply):
            self.perform(ask)
        _wake(held)

    def _scope(self, key: str, rules: Rules) -> Held:
        held = self._held.get((key, rules.shape))
        if held is None:
            held = self._held.setdefault((key, rules.shape), Held(self.prefix, key, rules))
        if held.rules is not rules and held.rules != rules:
            held.rules, held.scope = rules, scripts.scope_of(self.prefix, key, rules)
        return held

    def tend(self) -> float:
        """Put back what is to be put back; renew each scope a third of the lease's time before
        the last two thirds are over."""
        soonest = float("inf")
        for held in list(self._held.values()):
            try:
                soonest = min(soonest, self._tend(held))
            except _Lost:
                soonest = 0
        return max(soonest, 0)

    def _tend(self, held: Held) -> float:
        now = time.monotonic()
        if held.away:
            self._restore(held)
            held.due = now
        if not held.known.epoch:
            return float("inf")
        if held.due <= now:
            drive(self._join(held), self._link.call)
        return held.due - now

    def hear(self, id_: str) -> None:
        """A queued lease was granted; or a scope's book has a new member, or is being put back."""
        for held in list(self._held.values()):
            if (lease := held.leases.get(id_)) is not None:
                lease.ring()
            elif held.scope.book == id_:
                held.due = 0.0

    def back(self) -> None:
        """Rings may have been lost: all who wait ask again."""
        self._refused = None
        for held in list(self._held.values()):
            _wake(held)

    def lost(self) -> None:
        """Redis is away: this process decides for itself, and whoever waits asks again."""
        for held in list(self._held.values()):
            if not held.away:
                held.go_away(self.on_unavailable)
                _wake(held)

    def refused(self, error: SettingsError) -> None:
        """Callers are to hear of it; who waits asks again."""
        self._refused = error
        for held in list(self._held.values()):
            _wake(held)


def _wake(held: Held) -> None:
    for lease in held.live():
        if not lease.at:
            lease.ring()


def _refused(answer: Answer) -> bool:
    return isinstance(answer, Verdict) and not (answer.granted or answer.queued)


_stores: weakref.WeakSet[RedisStore] = weakref.WeakSet()


def _forked() -> None:
    for store in list(_stores):
        store.forked()


os.register_at_fork(after_in_child=_forked)

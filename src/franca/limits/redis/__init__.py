"""Limits over hosts: ledgers in a Redis, each decision one script."""

from __future__ import annotations

import os
import time
import weakref
from collections.abc import Callable, Generator
from typing import Literal

from franca.limits.drive import adrive, drive
from franca.limits.model import Answer, Ask, Lease, Look, Reserve, Settle
from franca.limits.redis import scripts
from franca.limits.redis.link import Away, Link
from franca.limits.redis.listener import Listener
from franca.limits.redis.scripts import Command, Known, Reply, Scope
from franca.limits.rules import SECOND, Rules

__all__ = ["RedisStore"]

Exchange = Generator[Command, Reply | Away, Reply]


class Held:
    """What this process knows of a scope, and its leases there."""

    __slots__ = ("due", "key", "known", "leases", "rules", "scope")

    def __init__(self, prefix: str, key: str, rules: Rules) -> None:
        self.key, self.rules = key, rules
        self.scope: Scope = scripts.scope_of(prefix, key, rules)
        self.known = Known(proposal=os.urandom(8).hex())
        self.leases: weakref.WeakValueDictionary[str, Lease] = weakref.WeakValueDictionary()
        self.due = 0.0  # when it is to be renewed, on the monotonic clock

    def learn(self, reply: Reply) -> None:
        """The state is this one, and has granted so much."""
        known = self.known
        if reply.epoch and reply.epoch != known.epoch:
            self.known = Known(reply.epoch, reply.seq)
        elif reply.seq > known.seen:
            self.known = Known(known.epoch, reply.seq)

    def live(self) -> list[Lease]:
        """The leases that somebody still holds."""
        return [lease for each in self.leases.valuerefs() if (lease := each()) is not None]


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
        return f"RedisStore({str(self._link.place)!r}, prefix={self.prefix!r})"

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
        self._held: dict[tuple[str, str], Held] = {}
        self._listener: Listener | None = None

    def _flow(self, ask: Ask) -> Generator[Command, Reply | Away, Answer]:
        """One answer, whoever drives."""
        held = self._scope(ask.key, ask.rules)
        if isinstance(ask, Look):
            return scripts.standing(
                (yield from self._exchange(held, lambda _: scripts.look(held.scope)))
            )
        if isinstance(ask, Settle):
            yield from self._exchange(held, lambda known: scripts.settle(held.scope, known, ask))
            held.leases.pop(ask.lease.id, None)
            return None
        assert isinstance(ask, Reserve)
        if not held.known.epoch:
            yield from self._join(held)
        held.leases[ask.lease.id] = ask.lease  # before it is asked for: it may ring at once
        verdict = scripts.verdict(
            (
                yield from self._exchange(
                    held, lambda known: scripts.reserve(held.scope, known, ask, self.channel)
                )
            )
        )
        if not (verdict.granted or verdict.queued):
            held.leases.pop(ask.lease.id, None)
        return verdict

    def _exchange(self, held: Held, ask: Callable[[Known], Command]) -> Exchange:
        """One round trip, and what is learnt by it."""
        outcome = yield ask(held.known)
        if isinstance(outcome, Away):
            raise outcome
        if outcome.lost:
            raise Away(f"{self._link.place} has lost its memory")
        held.learn(outcome)
        return outcome

    def _join(self, held: Held) -> Generator[Command, Reply | Away, list[str]]:
        """Be a member of the scope, renew what is held there; the members."""
        if self._listener is None:
            self._listener = Listener(self, self._link, self.channel)
        ids = [lease.id for lease in held.live()]
        held.due = time.monotonic() + held.rules.lease / SECOND / 3
        reply = yield from self._exchange(
            held, lambda known: scripts.renew(held.scope, known, self.member, ids)
        )
        return scripts.members(reply)

    def _scope(self, key: str, rules: Rules) -> Held:
        held = self._held.get((key, rules.shape))
        if held is None:
            held = self._held.setdefault((key, rules.shape), Held(self.prefix, key, rules))
        if held.rules is not rules and held.rules != rules:
            held.rules, held.scope = rules, scripts.scope_of(self.prefix, key, rules)
        return held

    def tend(self) -> float:
        """Renew each scope a third of the lease's time before the last two thirds are over."""
        now, soonest = time.monotonic(), float("inf")
        for held in list(self._held.values()):
            if held.known.epoch and held.due <= now:
                drive(self._join(held), self._link.call)
            if held.known.epoch:
                soonest = min(soonest, held.due - now)
        return max(soonest, 0)

    def hear(self, id_: str) -> None:
        """A queued lease was granted."""
        for held in list(self._held.values()):
            if (lease := held.leases.get(id_)) is not None:
                lease.ring()

    def back(self) -> None:
        """Rings may have been lost: all who wait ask again."""
        for held in list(self._held.values()):
            for lease in held.live():
                if not lease.at:
                    lease.ring()

    def lost(self) -> None:
        """Nothing will ring for a while."""


_stores: weakref.WeakSet[RedisStore] = weakref.WeakSet()


def _forked() -> None:
    for store in list(_stores):
        store.forked()


os.register_at_fork(after_in_child=_forked)

"""One scope's book: who was granted what, who waits, and for how long. Pure: the time is given."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from itertools import chain, takewhile
from typing import Any

from franca.limits.rules import FOREVER, Rules, Seen, Standing, Verdict
from franca.limits.window import RING, Ring


@dataclass(slots=True)
class Granted:
    """A lease that holds: until when unless it is renewed, since when, of how much, and whose.

    `used` is what was used of each window then, this lease included.
    """

    expires: int
    at: int
    amounts: tuple[int, ...]
    used: tuple[int, ...]
    owner: Any = None


@dataclass(slots=True)
class Waiting:
    """A lease in the queue: `due` is when it was promised, a guess where that is not `known`."""

    expires: int
    due: int
    known: bool
    amounts: tuple[int, ...]
    margins: tuple[int, ...]
    owner: Any = None


class Ledger:
    """First come, first served, whatever a lease waits for: a slot, a window, the end of a hold.

    `rung` collects the queued that were granted before they were promised, as (id, owner):
    whoever keeps the book rings them and empties it.

    Args:
        alive: whether the owner of a lease whose time has passed still has it.
    """

    __slots__ = ("alive", "expiry", "granted", "hold", "kept", "now", "queue", "rings", "rung")

    def __init__(self, rules: Rules, alive: Callable[[Any], bool] | None = None) -> None:
        self.rings = [Ring(window.width) for window in rules.windows]
        self.granted: dict[str, Granted] = {}
        self.queue: dict[str, Waiting] = {}
        self.now = self.hold = self.kept = 0  # kept: how long a slot is, on the average
        self.expiry = FOREVER  # nothing expires before
        self.alive = alive
        self.rung: list[tuple[str, Any]] = []

    def reserve(
        self,
        now: int,
        rules: Rules,
        id_: str,
        amounts: tuple[int, ...],
        margins: tuple[int, ...],
        patience: int = FOREVER,
        owner: Any = None,
    ) -> Verdict:
        """Grant, or queue where the wait is within `patience`, or refuse."""
        if busy := self.at_once(now, rules, id_, amounts, margins, owner):
            return Verdict(True, self.now, 0, True, False, busy)
        now = self._advance(now, rules)
        if (held := self.granted.get(id_)) is not None:
            return Verdict(True, held.at, busy=len(self.granted))
        if (waiting := self.queue.get(id_)) is not None:
            waiting.expires = now + rules.lease
            due, known = self._due(now, rules, waiting.amounts, waiting.margins, id_)
            waiting.due, waiting.known = due, known
            return Verdict(False, now, due - now, known, queued=True)
        if not self.queue and self._fits(now, rules, amounts, margins):
            self._grant(now, rules, id_, amounts, owner)
            return Verdict(True, now, 0, True, False, len(self.granted))
        due, known = self._due(now, rules, amounts, margins)
        if due - now > patience or patience <= 0:
            return Verdict(False, now, due - now, known)
        self.queue[id_] = Waiting(now + rules.lease, due, known, amounts, margins, owner)
        self.expiry = min(self.expiry, now + rules.lease)
        return Verdict(False, now, due - now, known, queued=True)

    def at_once(
        self,
        now: int,
        rules: Rules,
        id_: str,
        amounts: tuple[int, ...],
        margins: tuple[int, ...],
        owner: Any = None,
    ) -> int:
        """Grant where there is nothing to think about; how many are granted then, else 0."""
        if now < self.now:
            now = self.now
        if self.queue or now >= self.expiry or id_ in self.granted:
            return 0
        if not self._fits(now, rules, amounts, margins):
            return 0
        self.now = now
        self._grant(now, rules, id_, amounts, owner)
        return len(self.granted)

    def settle(
        self,
        now: int,
        rules: Rules,
        id_: str,
        billed: tuple[int, ...] | None,
        seen: Collection[Seen] = (),
        hold: int = 0,
    ) -> None:
        """End a lease; what it did not use is free again, and goes to who waits."""
        if now < self.now:
            now = self.now
        self.now = now
        if self.queue or seen or now >= self.expiry:
            self._advance(now, rules, pump=False)
            self.queue.pop(id_, None)
        if (held := self.granted.pop(id_, None)) is not None:
            self.kept += (now - held.at - self.kept) >> 3 if self.kept else now - held.at
            for place, ring in enumerate(self.rings):
                more = (billed[place] if billed else 0) - held.amounts[place]
                if more:
                    ring.add(more, held.at)
        if seen:
            self._lower(now, rules, seen, held)
        if hold:
            self.hold = max(self.hold, now + hold) if hold > 0 else 0
        if self.queue:
            self._pump(now, rules)

    def renew(self, now: int, rules: Rules, ids: Iterable[str]) -> None:
        """Their owners live."""
        for id_ in ids:
            if (held := self.granted.get(id_)) is not None:
                held.expires = max(held.expires, now + rules.keep)
            elif (waiting := self.queue.get(id_)) is not None:
                waiting.expires = now + rules.lease

    def look(self, now: int, rules: Rules) -> Standing:
        """How it stands."""
        now = self._advance(now, rules)
        return Standing(
            now,
            tuple(ring.used for ring in self.rings),
            tuple(r.limit(w.limit, now) for r, w in zip(self.rings, rules.windows, strict=True)),
            len(self.granted),
            len(self.queue),
            max(self.hold - now, 0),
        )

    def _advance(self, now: int, rules: Rules, *, pump: bool = True) -> int:
        """The time, which never goes back; the rings, the dead and the due, brought up to it."""
        if now < self.now:
            now = self.now
        self.now = now
        for ring in self.rings:
            if (bucket := now // ring.width) != ring.last:
                ring.advance(bucket)
        if now >= self.expiry:
            self._bury(now, rules)
        if pump and self.queue:
            self._pump(now, rules)
        return now

    def _fits(
        self, now: int, rules: Rules, amounts: tuple[int, ...], margins: tuple[int, ...]
    ) -> bool:
        if self.hold > now or (rules.slots and len(self.granted) >= rules.slots):
            return False
        for place, ring in enumerate(self.rings):
            if (bucket := now // ring.width) != ring.last:
                ring.advance(bucket)
            limit = rules.windows[place].limit
            if ring.cap_until > now and ring.cap < limit:
                limit = ring.cap
            # more than the limit, as after it was lowered, goes alone
            need = amounts[place] + margins[place]
            if ring.used + (need if need < limit else limit) > limit:
                return False
        return True

    def _grant(
        self, now: int, rules: Rules, id_: str, amounts: tuple[int, ...], owner: Any
    ) -> None:
        used = []
        for place, ring in enumerate(self.rings):
            ring.counts[ring.last % RING] += amounts[place]
            ring.used = total = ring.used + amounts[place]
            used.append(total)
        expires = now + rules.keep
        self.granted[id_] = Granted(expires, now, amounts, tuple(used), owner)
        if expires < self.expiry:
            self.expiry = expires

    def _pump(self, now: int, rules: Rules) -> None:
        """Grant from the head of the queue what fits."""
        while self.queue:
            id_, head = next(iter(self.queue.items()))
            if not self._fits(now, rules, head.amounts, head.margins):
                return
            del self.queue[id_]
            self._grant(now, rules, id_, head.amounts, head.owner)
            if head.due > now or not head.known:  # else it comes by itself
                self.rung.append((id_, head.owner))

    def _due(
        self,
        now: int,
        rules: Rules,
        amounts: tuple[int, ...],
        margins: tuple[int, ...],
        id_: str | None = None,
    ) -> tuple[int, bool]:
        """When it will be granted, and whether that is known: behind all the queue, or behind
        those who stand before `id_`."""
        ahead = list(takewhile(lambda item: item[0] != id_, self.queue.items()))
        before = [waiting for _, waiting in ahead]
        due = max([now, self.hold] + [w.due for w in before[-1:]])
        if before and before[-1].due <= now:  # and waits still: more was billed than reserved
            first, head = ahead[0]
            head.due, head.known = self._due(now, rules, head.amounts, head.margins, first)
            due = max(due, head.due)
        for place, ring in enumerate(self.rings):
            limit = ring.limit(rules.windows[place].limit, now)
            need = min(amounts[place] + margins[place], limit) - limit + ring.used
            queued = [(w.due, w.amounts[place]) for w in before]
            need += sum(amount for _, amount in queued)
            if need > 0:
                due = max(due, ring.freed(need, queued))
        over = len(self.granted) + len(before) - rules.slots
        if not rules.slots or over < 0:
            return due, True
        return max(due, now + self.kept * (over + 1) // rules.slots), False

    def _lower(self, now: int, rules: Rules, seen: Iterable[Seen], held: Granted | None) -> None:
        """Leave no more room than the vendor does; its newest word replaces the one before.

        The word is about the time when the lease was granted: a slow answer brings it late.
        """
        for word in seen:
            ring, window = self.rings[word.window], rules.windows[word.window]
            ring.add(-ring.foreign, ring.foreign_at)
            ring.cap, ring.cap_until = word.limit, now + window.span
            used, at = (held.used[word.window], held.at) if held else (ring.used, now)
            room = ring.limit(window.limit, now) - used
            ring.foreign, ring.foreign_at = max(room - word.remaining, 0), at
            ring.add(ring.foreign, at)

    def _bury(self, now: int, rules: Rules) -> None:
        """Drop what nobody renewed and whose owner does not live here."""
        for book, more in ((self.granted, rules.keep), (self.queue, rules.lease)):
            for id_, each in [item for item in book.items() if item[1].expires <= now]:
                if self.alive is not None and self.alive(each.owner):
                    each.expires = now + more
                else:
                    del book[id_]
        both = chain(self.granted.values(), self.queue.values())
        self.expiry = min((each.expires for each in both), default=FOREVER)

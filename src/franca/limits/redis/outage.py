"""What one process does while Redis is away, and what it remembers for when it is back. Pure.

While it is away, under `share`, a process is granted no more than

- what it held of each window when Redis went, until that window has passed: it takes again only
  what it gives up itself, so that the sum of all processes does not grow;
- then its part of the limit, over the members that were last known.

One whose membership the others cannot have heard of yet is granted nothing. When Redis is back,
each process puts back what it was granted, and none is granted more until all have.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from franca.limits.ledger import Granted, Ledger
from franca.limits.rules import BUCKETS, FOREVER, SECOND, Rules, Standing, Verdict

Mode = Literal["share", "open", "closed"]
_SOON = SECOND // 4  # when to ask again, where nobody can say how long an outage lasts


@dataclass(slots=True)
class Note:
    """A lease that was granted: when, of how much (in the end of what was billed), and whether by
    this process alone, so that Redis has not heard of it."""

    at: int
    amounts: tuple[int, ...]
    settled: bool = False
    alone: bool = False


@dataclass(slots=True)
class Membership:
    """Who shares a scope, as Redis last said: `joined` is since when this process does,
    `heard` when it was last told."""

    members: list[str] = field(default_factory=list)
    joined: int = 0
    heard: int = 0

    def told(self, members: list[str], now: int, lease: int) -> None:
        """Redis has renewed this process's membership."""
        if not self.heard or now - self.heard > lease:
            self.joined = now
        self.members, self.heard = members, now

    def share(self, now: int, lease: int) -> int:
        """Over how many a limit is shared; 0 where this process may not count on its part: the
        others hear of a member within a third of the lease."""
        sure = self.heard - self.joined >= lease // 2 and now - self.heard < lease
        return len(self.members) if sure else 0


class Journal:
    """What this process was granted of one scope in the last window, and what it still holds."""

    __slots__ = ("_size", "notes", "span")

    def __init__(self, rules: Rules) -> None:
        self.notes: dict[str, Note] = {}
        self.span = span_of(rules)
        self._size = 64

    def grant(self, id_: str, at: int, amounts: tuple[int, ...], *, alone: bool = False) -> None:
        """It was granted this."""
        if id_ not in self.notes:
            self.notes[id_] = Note(at, amounts, alone=alone)
        if len(self.notes) > self._size:
            self.prune(at)
            self._size = max(2 * len(self.notes), 64)

    def settle(self, id_: str, billed: tuple[int, ...] | None) -> None:
        """It ended; None: nothing of it was used."""
        if (note := self.notes.get(id_)) is not None and not note.settled:
            note.amounts = billed or (0,) * len(note.amounts)
            note.settled = True

    def end(self, id_: str, at: int, windows: int) -> None:
        """It is over; where its grant was never heard of, nothing of it was used."""
        self.notes.setdefault(id_, Note(at, (0,) * windows, settled=True))

    def prune(self, now: int) -> None:
        """Forget what has ended and left the window."""
        self.notes = {
            id_: note
            for id_, note in self.notes.items()
            if not note.settled or note.at > now - self.span
        }

    def recent(self, now: int) -> Iterator[tuple[str, Note]]:
        """What counts now."""
        self.prune(now)
        return iter(list(self.notes.items()))


def span_of(rules: Rules) -> int:
    """After how long all that was granted is forgotten."""
    return max((w.width * (BUCKETS + 1) for w in rules.windows), default=rules.lease)


class Outage:
    """One scope's limits from when Redis went to when it is back.

    Args:
        now: when it was found to be away, on Redis' own clock as far as that is known.
        share: over how many processes the limits are shared; 0: nothing is granted.
    """

    __slots__ = ("_began", "_held", "_ledger", "_mode", "_share", "_slots")

    def __init__(
        self, rules: Rules, mode: Mode, now: int, journal: Journal, share: int, owners: Any = None
    ) -> None:
        self._mode, self._began, self._share = mode, now, share
        self._ledger = Ledger(rules, lambda owner: owner is None or owner() is not None)
        self._ledger.look(now, rules)
        for id_, note in journal.recent(now):
            for ring, amount in zip(self._ledger.rings, note.amounts, strict=True):
                ring.add(amount, note.at)
            if not note.settled:
                self._ledger.granted[id_] = Granted(FOREVER, note.at, note.amounts, note.amounts)
        self._held = [ring.used for ring in self._ledger.rings]
        self._slots = len(self._ledger.granted)

    def reserve(
        self,
        now: int,
        rules: Rules,
        id_: str,
        amounts: tuple[int, ...],
        margins: tuple[int, ...],
        patience: int,
        owner: Any,
    ) -> Verdict:
        """As the mode has it; who must wait without knowing how long asks again soon."""
        if self._mode == "open":
            self._ledger.granted.setdefault(id_, Granted(FOREVER, now, amounts, amounts))
            return Verdict(True, now)
        if id_ in self._ledger.granted:
            return Verdict(True, self._ledger.granted[id_].at)
        part = self._part(now, rules)
        fits = part is not None and all(
            amount <= window.limit for amount, window in zip(amounts, part.windows, strict=True)
        )
        if self._mode == "closed" or part is None or not fits:
            self._ledger.queue.pop(id_, None)
            return Verdict(False, now, _SOON, known=False, queued=patience > 0, away=True)
        return self._ledger.reserve(now, part, id_, amounts, margins, patience, owner)

    def settle(self, now: int, rules: Rules, id_: str, billed: tuple[int, ...] | None) -> None:
        """As a ledger's."""
        part = self._part(now, rules)
        if part is None or self._mode != "share":
            self._ledger.queue.clear()  # they ask again: nobody is to be granted anything here
        self._ledger.settle(now, part or rules, id_, billed)

    def look(self, now: int, rules: Rules) -> Standing:
        """How this process stands."""
        part = self._part(now, rules)
        if part is None:
            self._ledger.queue.clear()
        return self._ledger.look(now, part or rules)

    def rung(self) -> list[Any]:
        """The owners of those who were granted before they were promised."""
        owners = [owner for _, owner in self._ledger.rung]
        self._ledger.rung.clear()
        return owners

    def _part(self, now: int, rules: Rules) -> Rules | None:
        """This process's part of the limits; None where a part of a slot is none."""
        share = self._share
        if not share:
            return None
        windows = []
        for window, held in zip(rules.windows, self._held, strict=True):
            limit = window.limit // share
            if now < self._began + window.width * (BUCKETS + 1):
                limit = min(limit, held)
            windows.append(replace(window, limit=limit))
        slots = rules.slots
        if slots:
            slots = self._slots if now < self._began + rules.lease else slots // share
            if not slots:
                return None
        return replace(rules, windows=tuple(windows), slots=slots)

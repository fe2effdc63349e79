"""Limits within one process: its threads and event loops, all its clients."""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Callable
from weakref import ref

from franca.limits.ledger import Ledger
from franca.limits.model import Answer, Ask, Lease, Reserve, Settle
from franca.limits.rules import Rules, Seen, Standing, Verdict


def monotonic() -> int:
    """Microseconds of a clock that nobody sets."""
    return time.monotonic_ns() // 1000


class Book:
    """One scope's ledger and its lock; the ledger's owners are weak references to leases."""

    __slots__ = ("_clock", "ledger", "lock")

    def __init__(self, rules: Rules, clock: Callable[[], int]) -> None:
        self._clock = clock
        self.lock = threading.RLock()  # a collected lease's owner may settle another meanwhile
        self.ledger = Ledger(rules, lambda owner: owner() is not None)

    def grant(self, rules: Rules, lease: Lease) -> bool:
        """Grant the lease where it need not wait: most calls end here, for a third of the price."""
        with self.lock:
            busy = self.ledger.at_once(
                self._clock(), rules, lease.id, lease.amounts, lease.margins, ref(lease)
            )
            if busy:
                lease.at, lease.busy = self.ledger.now, busy
        return busy > 0

    def reserve(self, ask: Reserve) -> Verdict:
        """See `Reserve`."""
        lease = ask.lease
        with self.lock:
            verdict = self.ledger.reserve(
                self._clock(),
                ask.rules,
                lease.id,
                lease.amounts,
                lease.margins,
                ask.patience,
                ref(lease),
            )
            if self.ledger.rung:
                self._ring()
        return verdict

    def settle(
        self,
        rules: Rules,
        lease: Lease,
        billed: tuple[int, ...] | None,
        seen: tuple[Seen, ...] = (),
        hold: int = 0,
    ) -> None:
        """See `Settle`."""
        with self.lock:
            self.ledger.settle(self._clock(), rules, lease.id, billed, seen, hold)
            if self.ledger.rung:
                self._ring()

    def look(self, rules: Rules) -> Standing:
        """See `Look`."""
        with self.lock:
            standing = self.ledger.look(self._clock(), rules)
            if self.ledger.rung:
                self._ring()
        return standing

    def _ring(self) -> None:
        for _, owner in self.ledger.rung:
            if (sleeper := owner()) is not None:
                sleeper.ring()
        self.ledger.rung.clear()


class MemoryStore:
    """Counts in this process.

    Args:
        clock: microseconds that only grow.
    """

    local = True

    def __init__(self, clock: Callable[[], int] = monotonic) -> None:
        self._clock = clock
        self._books: dict[tuple[str, str], Book] = {}
        _stores.add(self)

    def book(self, key: str, rules: Rules) -> Book:
        """A scope's own."""
        place = key, rules.shape
        return self._books.get(place) or self._books.setdefault(place, Book(rules, self._clock))

    def perform(self, ask: Ask) -> Answer:
        """Answer at once."""
        book = self.book(ask.key, ask.rules)
        if isinstance(ask, Reserve):
            return book.reserve(ask)
        if isinstance(ask, Settle):
            return book.settle(ask.rules, ask.lease, ask.billed, ask.seen, ask.hold)
        return book.look(ask.rules)

    async def aperform(self, ask: Ask) -> Answer:
        """Answer at once."""
        return self.perform(ask)

    def forked(self) -> None:
        """The child has used what its parent has, and holds none of its leases."""
        for book in self._books.values():
            book.lock = threading.RLock()
            book.ledger.granted.clear()
            book.ledger.queue.clear()


_stores: weakref.WeakSet[MemoryStore] = weakref.WeakSet()


def _forked() -> None:
    for store in list(_stores):
        store.forked()


os.register_at_fork(after_in_child=_forked)

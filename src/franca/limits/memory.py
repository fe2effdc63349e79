"""Limits within one process: its threads and event loops, all its clients."""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Callable
from weakref import ref

from franca.limits.ledger import Ledger
from franca.limits.model import Answer, Ask, Look, Reserve, Rules, Settle


def monotonic() -> int:
    """Microseconds of a clock that nobody sets."""
    return time.monotonic_ns() // 1000


class _Book:
    """A ledger and its lock; owners are weak references to leases."""

    __slots__ = ("ledger", "lock")

    def __init__(self, rules: Rules) -> None:
        self.lock = threading.RLock()  # a collected lease's owner may settle another meanwhile
        self.ledger = Ledger(rules, lambda owner: owner() is not None)


class MemoryStore:
    """Counts in this process.

    Args:
        clock: microseconds that only grow.
    """

    local = True

    def __init__(self, clock: Callable[[], int] = monotonic) -> None:
        self._clock = clock
        self._books: dict[tuple[str, str], _Book] = {}
        _stores.add(self)

    def perform(self, ask: Ask) -> Answer:
        """Answer at once."""
        rules = ask.rules
        book = self._books.get((ask.key, rules.shape)) or self._book(ask)
        ledger = book.ledger
        with book.lock:
            now = self._clock()
            if isinstance(ask, Reserve):
                lease = ask.lease
                answer: Answer = ledger.reserve(
                    now, rules, lease.id, lease.amounts, lease.margins, ask.patience, ref(lease)
                )
            elif isinstance(ask, Settle):
                ledger.settle(now, rules, ask.lease.id, ask.billed, ask.seen, ask.hold)
                answer = None
            else:
                assert isinstance(ask, Look)
                answer = ledger.look(now, rules)
            if ledger.rung:
                for _, owner in ledger.rung:
                    if (sleeper := owner()) is not None:
                        sleeper.ring()
                ledger.rung.clear()
        return answer

    async def aperform(self, ask: Ask) -> Answer:
        """Answer at once."""
        return self.perform(ask)

    def forked(self) -> None:
        """The child has used what its parent has, and holds none of its leases."""
        for book in self._books.values():
            book.lock = threading.RLock()
            book.ledger.granted.clear()
            book.ledger.queue.clear()

    def _book(self, ask: Ask) -> _Book:
        return self._books.setdefault((ask.key, ask.rules.shape), _Book(ask.rules))


_stores: weakref.WeakSet[MemoryStore] = weakref.WeakSet()


def _forked() -> None:
    for store in list(_stores):
        store.forked()


os.register_at_fork(after_in_child=_forked)

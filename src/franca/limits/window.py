"""The arithmetic of one sliding window: exact, in constant memory."""

from __future__ import annotations

from collections.abc import Iterable

from franca.limits.rules import BUCKETS

RING = BUCKETS + 1
"""A span that starts inside a bucket touches this many."""


class Ring:
    """What was granted in the last 257 buckets, and its sum.

    A bucket's place is taken again by the one 257 later: just when it may be forgotten.
    """

    __slots__ = ("cap", "cap_until", "counts", "foreign", "foreign_at", "last", "used", "width")

    def __init__(self, width: int) -> None:
        self.width = width
        self.counts = [0] * RING
        self.last = self.used = 0
        self.cap = self.cap_until = 0  # a lower limit than the rules', and until when it holds
        self.foreign = self.foreign_at = 0  # what others used, in the vendor's word, counted when

    def advance(self, bucket: int) -> None:
        """Forget what is 257 buckets before this one, or earlier."""
        if bucket - self.last >= RING:
            self.counts, self.used = [0] * RING, 0
        else:
            for place in range(self.last + 1, bucket + 1):
                self.used -= self.counts[place % RING]
                self.counts[place % RING] = 0
        self.last = bucket

    def add(self, amount: int, at: int) -> None:
        """Count so much (or, negative, so much less) at a time; what is forgotten stays so."""
        bucket = at // self.width
        if self.last - bucket < RING:
            self.counts[bucket % RING] += amount
            self.used += amount

    def limit(self, limit: int, now: int) -> int:
        """The rules' limit, or the lower one that the vendor named."""
        return min(limit, self.cap) if self.cap_until > now else limit

    def freed(self, amount: int, queued: Iterable[tuple[int, int]]) -> int:
        """When so much will have been forgotten of what is counted.

        Args:
            queued: (when, how much) will be counted until then, by time.
        """
        for bucket in range(self.last - RING + 1, self.last + 1):
            amount -= self.counts[bucket % RING]
            if amount <= 0:
                return (bucket + RING) * self.width
        for at, more in queued:
            amount -= more
            if amount <= 0:
                return (at // self.width + RING) * self.width
        raise ValueError("more than the limit")

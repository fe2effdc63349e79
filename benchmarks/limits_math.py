"""What is computed of a run's records: the fullest window, what was surely in one, shares."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Sequence


def fullest(grants: Iterable[tuple[int, int]], span: int) -> int:
    """The most that lies in any interval of length `span`, its end left out.

    Args:
        grants: (when, how much).
    """
    by_time = sorted(grants)
    most = inside = oldest = 0
    for at, weight in by_time:
        inside += weight
        while by_time[oldest][0] <= at - span:
            inside -= by_time[oldest][1]
            oldest += 1
        most = max(most, inside)
    return most


def surely(tries: Iterable[tuple[int, int, int]], span: int) -> int:
    """The most that must have been granted in some interval of length `span`, its end left out,
    whenever between its asking and its answer each was decided.

    Args:
        tries: (asked, answered, how much).
    """
    by_asking = sorted(tries, reverse=True)
    answers = sorted({answered for _, answered, _ in by_asking})
    tree = [0] * (len(answers) + 1)  # sums over the answers (Fenwick), of what was asked since
    most = 0
    for asked, answered, weight in by_asking:
        place = bisect_left(answers, answered) + 1
        while place < len(tree):
            tree[place] += weight
            place += place & -place
        place, inside = bisect_left(answers, asked + span), 0
        while place:
            inside += tree[place]
            place -= place & -place
        most = max(most, inside)
    return most


def settled_use(grants: Sequence[tuple[int, int]], span: int, end: int) -> float:
    """What is granted in two spans, per span: the median of those that end in the last one.

    Grants come in bunches a span apart, so that one place of the two spans would be a lottery.
    """
    ends = [end - span * step // 100 for step in range(100)]
    sums = [sum(w for at, w in grants if last - 2 * span <= at < last) for last in ends]
    return quantile(sums, 0.5) / 2


def quantile(values: Sequence[float], share: float) -> float:
    """The value that this share of them does not exceed; not a number where there is none."""
    if not values:
        return math.nan
    return sorted(values)[max(math.ceil(share * len(values)) - 1, 0)]


def luck(workers: Iterable[object], everyone: int) -> float:
    """How often the luckiest of `everyone` stands in `workers`, by the unluckiest."""
    counts: dict[object, int] = {}
    for worker in workers:
        counts[worker] = counts.get(worker, 0) + 1
    if not counts or len(counts) < everyone:
        return math.inf
    return max(counts.values()) / min(counts.values())


def peak(spells: Iterable[tuple[int, int]]) -> int:
    """How many were there at once, at the most; who ends makes room for who begins then.

    Args:
        spells: (begins, ends).
    """
    steps = sorted(step for begins, ends in spells for step in ((begins, 1), (ends, -1)))
    most = there = 0
    for _, step in steps:
        there += step
        most = max(most, there)
    return most

"""In which order a model's endpoints are tried."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from franca.settings.target import Target


def order(targets: Sequence[Target], random: Callable[[], float] | None) -> tuple[Target, ...]:
    """Tiers of `priority`, lowest first; inside one at random after `weight`, or as they stand.

    Args:
        random: a source of numbers in [0, 1); None keeps the settings' order.
    """
    if random is None:
        return tuple(sorted(targets, key=lambda t: t.priority))
    return tuple(sorted(targets, key=lambda t: (t.priority, -_draw(random(), t.weight))))


def _draw(chance: float, weight: float) -> float:
    """Efraimidis and Spirakis: sorting by u^(1/w) draws without replacement after the weights."""
    return chance ** (1 / weight) if weight > 0 else -1.0

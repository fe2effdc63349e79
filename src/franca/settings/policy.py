"""How calls are tried again, spread over endpoints, and kept from those that are down: data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, get_args

if TYPE_CHECKING:
    from franca.settings.schema import FrancaSettings

Strategy = Literal[
    "random", "weighted", "round_robin", "least_busy", "latency", "cost", "usage", "first"
]
"""Which of a tier's endpoints goes first.

`random`: drawn after the weights. `weighted`: in turn, each as often as its weight says.
`round_robin`: in turn. `least_busy`: the one with the fewest of this process's calls. `latency`:
the quicker of two drawn at random. `cost`: the cheapest. `usage`: the one with most room under its
limits. `first`: as the settings have them.
"""
STRATEGIES: tuple[str, ...] = get_args(Strategy)


@dataclass(slots=True, frozen=True)
class Policy:
    """Times are in seconds.

    Args:
        max_retries: tries after the first. An endpoint that was not tried yet is tried all the
            same.
        retry_delay, max_retry_delay: the n-th wait is drawn between 0 and `retry_delay · 2ⁿ⁻¹`, at
            most the latter; a vendor's Retry-After beyond that is not waited for.
        budget: how many retries an endpoint that never answered may get from all calls together.
        timeout: of each try. deadline: of the whole call. idle_timeout: of a stream's silence.
        strategy: see `Strategy`.
        failure_threshold: failures in a row that take an endpoint out, 0 for none.
        recovery_time, max_recovery_time: how long it is out the first time; the n-th time n times
            that, up to the latter.
        error_rate: the share of failures in the last `window` seconds that takes it out, from
            `min_calls` calls on; 1 for none.
        max_ejection: the share of a tier's endpoints that may be out.
        fallbacks: by model (`backend/model`, or the model's name alone), where its calls go when
            its own endpoints fail. context_fallbacks: the same where the prompt is too long.
        rates: how much of a currency a US dollar buys, for comparing prices.
    """

    max_retries: int = 3
    retry_delay: float = 1.0
    max_retry_delay: float = 60.0
    budget: float = 10.0
    timeout: float | None = None
    deadline: float | None = None
    idle_timeout: float | None = None
    strategy: Strategy = "random"
    failure_threshold: int = 3
    recovery_time: float = 30.0
    max_recovery_time: float = 300.0
    error_rate: float = 0.5
    window: float = 60.0
    min_calls: int = 20
    max_ejection: float = 1.0
    fallbacks: Mapping[str, tuple[str, ...]] = field(
        default_factory=lambda: MappingProxyType({}), compare=False
    )
    context_fallbacks: Mapping[str, tuple[str, ...]] = field(
        default_factory=lambda: MappingProxyType({}), compare=False
    )
    rates: Mapping[str, Decimal] = field(
        default_factory=lambda: MappingProxyType({}), compare=False
    )


DEFAULT = Policy()


def policy_of(section: FrancaSettings | None) -> Policy:
    """What the settings' `franca` section says of it, the rest by default."""
    if section is None:
        return DEFAULT
    said: dict[str, Any] = {}
    for part in (section.retry, section.routing, section.breaker):
        said.update(part.model_dump(exclude_none=True) if part else {})
    for name in ("fallbacks", "context_fallbacks"):
        if models := getattr(section, name):
            said[name] = MappingProxyType({m: tuple(to) for m, to in models.items()})
    if section.rates:
        said["rates"] = MappingProxyType(section.rates)
    return Policy(**said) if said else DEFAULT

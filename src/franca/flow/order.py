"""In which order a model's endpoints are tried."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from hashlib import blake2b
from itertools import groupby
from typing import TYPE_CHECKING, Any

from franca.errors import SettingsError
from franca.flow.effects import Effect
from franca.flow.health import Health, health_of
from franca.settings.policy import Strategy
from franca.settings.target import Target
from franca.types import ChatRequest

if TYPE_CHECKING:
    from franca.limits.model import Standing

_BLEND = (3000, 1000)  # tokens in and out at which endpoints' prices are compared


@dataclass(slots=True)
class Turns:
    """Whose turn it is in one client: by model and endpoint, what it has saved."""

    saved: dict[tuple[str, str], float] = field(default_factory=dict)

    def order(self, tier: Sequence[Target], weights: Sequence[float]) -> list[Target]:
        """Smooth weighted round robin: the one with most saved goes, and pays for all."""
        names = [(t.model, t.endpoint_id) for t in tier]
        for name, weight in zip(names, weights, strict=True):
            self.saved[name] = self.saved.get(name, 0.0) + weight
        order = sorted(range(len(tier)), key=lambda i: -self.saved[names[i]])
        self.saved[names[order[0]]] -= sum(weights)
        return [tier[i] for i in order]


def order(
    targets: Sequence[Target],
    request: ChatRequest,
    strategy: Strategy,
    now: float,
    random: Callable[[], float],
    turns: Turns,
) -> Generator[Effect, Any, list[Target]]:
    """Those that may be called, best first; where all are out, the one that is due first leads.

    Tiers of `priority`, lowest first; in a tier one that is due to be probed, then by strategy.
    A conversation with an affinity key keeps its order for as long as the endpoints are the same.
    """
    if len(targets) == 1:
        return list(targets)
    called = fit(targets, now)
    if not called:
        return sorted(targets, key=lambda t: health_of(t).until)
    ordered: list[Target] = []
    for _, members in groupby(sorted(called, key=lambda t: t.priority), lambda t: t.priority):
        tier = list(members)
        if len(tier) > 1:
            ranked = yield from _ranked(tier, request, strategy, now, random, turns)
            tier = sorted(ranked, key=lambda t: health_of(t).until == 0)
        ordered += tier
    return ordered


def fit(targets: Sequence[Target], now: float) -> list[Target]:
    """Those that are not out; of a tier no more may be out than the policy's share."""
    out = [t for t in targets if health_of(t).open(now)]
    if out and (share := targets[0].policy.max_ejection) < 1:
        kept: list[Target] = []
        for priority in {t.priority for t in out}:
            most = int(share * sum(t.priority == priority for t in targets))
            worst = sorted((t for t in out if t.priority == priority), key=_until, reverse=True)
            kept += worst[:most]
        out = kept
    return [t for t in targets if t not in out] if out else list(targets)


def _until(target: Target) -> float:
    return health_of(target).until


def _ranked(
    tier: list[Target],
    request: ChatRequest,
    strategy: Strategy,
    now: float,
    random: Callable[[], float],
    turns: Turns,
) -> Generator[Effect, Any, list[Target]]:
    if strategy != "first" and (key := request.affinity_key) is not None:
        return sorted(tier, key=lambda t: -_draw(_chance(key, t.endpoint_id), t.weight))
    if strategy == "usage":
        rooms = yield from _rooms(tier)
        return _sorted(tier, [-room for room in rooms], random)
    match strategy:
        case "first":
            return tier
        case "weighted":
            return turns.order(tier, [t.weight for t in tier])
        case "round_robin":
            return turns.order(tier, [1.0] * len(tier))
        case "least_busy":
            return _sorted(tier, [len(health_of(t).busy) for t in tier], random)
        case "latency":
            return _quicker(tier, request.stream, now, random)
        case "cost":
            return _sorted(tier, [_price(t) for t in tier], random)
    return sorted(tier, key=lambda t: -_draw(random(), t.weight))


def _draw(chance: float, weight: float) -> float:
    """Efraimidis and Spirakis: sorting by u^(1/w) draws without replacement after the weights."""
    return chance ** (1 / weight) if weight > 0 else -1.0


def _chance(key: str, endpoint_id: str) -> float:
    """The same in every process: a conversation's draw for an endpoint."""
    digest = blake2b(f"{key}\0{endpoint_id}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64


def _sorted(tier: list[Target], keys: Sequence[Any], random: Callable[[], float]) -> list[Target]:
    """By the keys; equal ones at random."""
    order = sorted(range(len(tier)), key=lambda i: (keys[i], random()))
    return [tier[i] for i in order]


def _quicker(
    tier: list[Target], stream: bool, now: float, random: Callable[[], float]
) -> list[Target]:
    """Of two drawn at random the one with less latency times calls in flight, then the others."""
    drawn = sorted(tier, key=lambda t: -_draw(random(), t.weight))
    one, other = drawn[:2]
    if _load(health_of(other), stream, now) < _load(health_of(one), stream, now):
        drawn[:2] = other, one
    return drawn


def _load(health: Health, stream: bool, now: float) -> float:
    average = health.first if stream else health.whole
    return average.load(now) * (len(health.busy) + 1)


def _price(target: Target) -> tuple[int, Decimal]:
    """What a call of usual size costs there: in US dollars, after those in a currency whose rate is
    not known, last what is not known at all."""
    if "price" not in target.kept:
        target.kept["price"] = _priced(target)
    return target.kept["price"]


def _priced(target: Target) -> tuple[int, Decimal]:
    from franca.tokens.prices import estimate_cost, total

    model, region = target.model_id, target.endpoint.region
    cost = estimate_cost(*_BLEND, model, target.backend, prices=target.prices, region=region)
    if cost is None:
        return 2, Decimal(0)
    try:
        dollars = total([cost], "USD", target.policy.rates)
    except SettingsError:
        return 1, cost.amount
    return (2, Decimal(0)) if dollars is None else (0, dollars.amount)


def _rooms(tier: list[Target]) -> Generator[Effect, Any, list[float]]:
    """Of each target, the share of its tightest limit that is free."""
    from franca.limits.model import Look
    from franca.limits.scopes import scope

    rooms: list[float] = []
    for target in tier:
        if (found := scope(target)) is None:
            rooms.append(1.0)
            continue
        standing: Standing = yield Look(found.store, found.key, found.rules)
        rooms.append(_room(standing, found.rules.slots))
    return rooms


def _room(standing: Standing, slots: int) -> float:
    if standing.hold > 0:
        return -1.0
    used = [use / limit for use, limit in zip(standing.used, standing.limits, strict=True)]
    busy = [(standing.busy + standing.waiting) / slots] if slots else []
    return 1.0 - max([*used, *busy], default=0.0)

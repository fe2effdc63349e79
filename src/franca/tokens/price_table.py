"""What a model's tokens cost, and where that is written.

Three sources, the first that knows the model wins: the caller's own prices, franca's dated
tables of what Chinese vendors publish in their own currency, and genai-prices (in USD).
"""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time
from decimal import Decimal
from importlib.resources import files
from typing import Any

from franca.backends import BACKENDS
from franca.settings.price_form import EXACT, RATES, Prices, Tier, read_prices

BATCH = {"processing": "batch"}


def find_prices(
    backend: str,
    *models: str,
    at: date | None = None,
    region: str | None = None,
    context: Mapping[str, str] | None = None,
    prices: Mapping[str, Any] | None = None,
) -> Prices | None:
    """The prices that hold for a call, None where no source knows the model.

    Args:
        models: the model's names, the surest first; the caller's own prices for any of them win.
        at: the day of the call, UTC (a bare date is taken at noon), or its moment, for prices
            that change with the hour; None: now. Only genai-prices keeps past prices.
        region: of the endpoint, `cn` or `intl`; one that the backend has not is its first.
        context: what else the price hangs on: `{"service_tier": "flex"}`, `{"speed": "fast"}`,
            `{"processing": "batch"}`.
        prices: the caller's own, as `read_prices` takes or gives them.

    Raises:
        SettingsError: `prices` is not of the form; every problem is named by its path.
    """
    context = context or {}
    own = own_table().get((backend, home_region(backend, region)), {})
    found = next(filter(None, (_match(own, model) for model in models)), None)
    if prices:
        found = _custom(read_prices(prices), backend, models) or found
    if found is not None:
        return _discounted(found) if BATCH.items() <= context.items() else found
    moment = _moment(at)
    sought = (_genai(backend, model, moment, region, context) for model in models)
    return next((prices for prices in sought if prices), None)


def home_region(backend: str, region: str | None = None) -> str:
    """The region, where the backend has it, else the first of the backend's row."""
    urls = next((row.urls for name, row in BACKENDS.items() if name == backend), {})
    return region if region in urls and region else next(iter(urls), "")


def _custom(table: Mapping[str, Prices], backend: str, models: Iterable[str]) -> Prices | None:
    """The entry for this backend, else the one for every backend."""
    for model in models:
        head = f"{backend}/".lower()
        found = _match(table, head + model, head) or _match(table, model)
        if found is not None:
            return found
    return None


def _match(table: Mapping[str, Prices], name: str, head: str = "") -> Prices | None:
    """The entry of a name: spelt out, or else by the longest `prefix*` that begins with `head`."""
    name = name.lower()
    if name in table:
        return table[name]
    tails = [k for k in table if k.endswith("*") and k.startswith(head) and name.startswith(k[:-1])]
    return table[max(tails, key=len)] if tails else None


def _discounted(prices: Prices) -> Prices:
    factor = Decimal(1) if prices.batch is None else prices.batch

    def part(rates: Mapping[str, Decimal]) -> dict[str, Decimal]:
        return {k: EXACT.multiply(v, factor) if k in RATES else v for k, v in rates.items()}

    tiers = tuple(replace(tier, rates=part(tier.rates)) for tier in prices.tiers)
    return replace(prices, rates=part(prices.rates), tiers=tiers)


def _moment(at: date | None) -> datetime:
    if at is None:
        return datetime.now(UTC)
    if isinstance(at, datetime):
        return at
    return datetime.combine(at, time(12), UTC)


# Our own tables.


@functools.cache
def own_table() -> dict[tuple[str, str], dict[str, Prices]]:
    """franca's own rows: (backend, region) → model → prices."""
    text = files("franca.tokens").joinpath("data/prices.toml").read_text("utf-8")
    table: dict[tuple[str, str], dict[str, Prices]] = {}
    for row in tomllib.loads(text, parse_float=Decimal)["rows"]:
        place = (row.pop("backend"), row.pop("region"))
        entries = read_prices(dict.fromkeys(row.pop("models"), row), "/".join(place))
        table.setdefault(place, {}).update(entries)
    return table


# genai-prices.

_PROVIDERS = {
    "openai": "openai",
    "anthropic": "anthropic",
    "deepseek": "deepseek",
    "gemini": "google",
    "groq": "groq",
    "mistral": "mistral",
    "xai": "x-ai",
    "moonshot": "moonshotai",
    "minimax": "minimax",
    "zhipuai": "zhipuai",
    "openrouter": "openrouter",
}
_REGIONAL = {("zhipuai", "intl"): "zai"}
_UNITS = {
    "input_mtok": "input",
    "cache_read_mtok": "cache_read",
    "cache_write_mtok": "cache_write",
    "cache_write_1h_mtok": "cache_write_1h",
    "input_audio_mtok": "input_audio",
    "input_image_mtok": "input_image",
    "output_mtok": "output",
    "output_reasoning_mtok": "reasoning",
    "output_audio_mtok": "output_audio",
    "output_image_mtok": "output_image",
    "requests_kcount": "request",
    "web_searches_kcount": "web_search",
}


def _snapshot() -> Any:
    # At use: it loads pydantic. What its user may have updated by hand is taken; we never do.
    from genai_prices.data_snapshot import get_snapshot

    return get_snapshot()


def _provider(backend: str, region: str | None = None) -> Any:
    name = _REGIONAL.get((backend, region or ""), _PROVIDERS.get(backend, backend))
    return next((p for p in _snapshot().providers if p.id == name), None)


def _genai(
    backend: str, model: str, at: datetime, region: str | None, context: Mapping[str, str]
) -> Prices | None:
    provider = _provider(backend, region)
    if provider is None:
        return None
    for name in dict.fromkeys((model, model.rpartition("/")[2])):  # `models/gemini-2.5-pro`
        try:
            _, info = _snapshot().find_provider_model(name, provider, None, None)
        except LookupError:
            continue
        return _converted(info.get_prices(at, context))
    return None


def _converted(priced: Any) -> Prices | None:
    rates: dict[str, Decimal] = {}
    tiers: dict[int, dict[str, Decimal]] = {}
    for unit, name in _UNITS.items():
        price = getattr(priced, unit)
        if price is None:
            continue
        rates[name] = getattr(price, "base", price)
        for tier in getattr(price, "tiers", ()):
            tiers.setdefault(tier.start, {})[name] = tier.price
    if "input" not in rates:
        return None
    steps = tuple(Tier(start, -1, tiers[start]) for start in sorted(tiers))
    return Prices("USD", rates, steps, source=_genai_source())


@functools.cache
def _genai_source() -> str:
    from importlib.metadata import version

    return f"genai-prices {version('genai-prices')}"


# Names.


def backend_of(model: str, prices: Mapping[str, Any] | None = None) -> tuple[str, str]:
    """The backend that a bare model name most likely means, and the name without it.

    The backend is empty where none is known: a model that several hosts serve has no price of
    its own.
    """
    head, _, rest = model.partition("/")
    if rest and head in BACKENDS:
        return head, rest
    wanted = f"/{model.lower()}"
    for name in prices or ():
        if name.lower().endswith(wanted):
            return name[: -len(wanted)], model
    for (backend, region), table in own_table().items():
        if region == home_region(backend) and _match(table, model):
            return backend, model
    return _by_pattern(model), model


def _by_pattern(model: str) -> str:
    providers = _snapshot().providers
    matches = (p.id for p in providers if p.model_match and p.model_match.is_match(model.lower()))
    found = next(matches, None)
    return next((backend for backend, name in _PROVIDERS.items() if name == found), "")


@functools.cache
def known_models() -> dict[str, tuple[str, str]]:
    """Name → (backend, model), of our own tables and of genai-prices for backends of ours.

    A vendor's own models stand under their bare names, those of hosts under `backend/name`.
    """
    known: dict[str, tuple[str, str]] = {}
    for (backend, region), table in own_table().items():
        if region == home_region(backend):
            known |= {model: (backend, model) for model in table if not model.endswith("*")}
    for backend in _PROVIDERS:
        provider = _provider(backend)
        for info in provider.models if provider else ():
            name = info.id if provider.model_match else f"{backend}/{info.id}"
            if find_prices(backend, info.id):
                known.setdefault(name.lower(), (backend, info.id))
    return known

"""What a model's tokens cost, and where that is written.

Three sources, the first that knows the model wins: the caller's own prices, franca's dated
tables of what Chinese vendors publish in their own currency, and genai-prices (in USD).
"""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from importlib.resources import files
from typing import Any

from franca.backends import BACKENDS
from franca.errors import SettingsError

RATES = (
    *("input", "cache_read", "cache_write", "cache_write_1h", "input_audio", "input_image"),
    *("output", "output_thinking", "reasoning", "output_audio", "output_image"),
)
FEES = ("request", "web_search")
_NAMED = (*RATES, *FEES)
_KEYS = ("currency", *_NAMED, "tiers", "up_to", "batch", "source", "seen", "note")
_TIER_KEYS = ("above", "output_above", *RATES)
BATCH = {"processing": "batch"}


@dataclass(slots=True, frozen=True)
class Tier:
    """Rates that hold for the whole request when it is longer than this.

    Args:
        above: prompt tokens; the tier begins with the next one.
        output_above: completion tokens, the same way.
        rates: those that differ from the tier below.
    """

    above: int
    output_above: int
    rates: Mapping[str, Decimal]


@dataclass(slots=True, frozen=True)
class Prices:
    """The prices of one model.

    Args:
        currency: of all the rates, as ISO 4217 writes it.
        rates: per million tokens, by the names in `RATES`; per thousand, by those in `FEES`.
        tiers: for long requests, the later over the earlier.
        up_to: prompt tokens above which no price is known; None: there is no such bound.
        batch: what a batch costs as a part of the plain price; None: no discount is known.
        source: where the rates are from.
        seen: when they were read there, None where the source dates itself.
    """

    currency: str
    rates: Mapping[str, Decimal] = field(hash=False)
    tiers: tuple[Tier, ...] = field(default=(), hash=False)
    up_to: int | None = None
    batch: Decimal | None = None
    source: str = ""
    seen: date | None = None

    def at(self, prompt_tokens: int, completion_tokens: int) -> dict[str, Decimal]:
        """The rates for a request of this size; empty where none is known for it."""
        if self.up_to is not None and prompt_tokens > self.up_to:
            return {}
        rates = dict(self.rates)
        for tier in self.tiers:
            if prompt_tokens > tier.above and completion_tokens > tier.output_above:
                rates.update(tier.rates)
        return rates


def find_prices(
    backend: str,
    model: str,
    *,
    at: date | None = None,
    region: str | None = None,
    context: Mapping[str, str] | None = None,
    prices: Mapping[str, Any] | None = None,
) -> Prices | None:
    """The prices that hold for a call, None where no source knows the model.

    Args:
        at: the day of the call, UTC (a bare date is taken at noon), or its moment, for prices
            that change with the hour; None: now. Only genai-prices keeps past prices.
        region: of the endpoint, `cn` or `intl`; None: the backend's first.
        context: what else the price hangs on: `{"service_tier": "flex"}`, `{"speed": "fast"}`,
            `{"processing": "batch"}`.
        prices: the caller's own, as `read_prices` takes or gives them.

    Raises:
        SettingsError: `prices` is not of the form; every problem is named by its path.
    """
    context = context or {}
    found = _match(read_prices(prices), (f"{backend}/{model}", model)) if prices else None
    if found is None:
        found = _match(own_table().get((backend, region or home_region(backend)), {}), (model,))
    if found is not None:
        return _discounted(found) if BATCH.items() <= context.items() else found
    return _genai(backend, model, _moment(at), region, context)


def home_region(backend: str) -> str:
    """The region of a backend where none is named: its row's first."""
    rows = (row for name, row in BACKENDS.items() if name == backend)
    return next((next(iter(row.urls), "") for row in rows), "")


def _match(table: Mapping[str, Prices], names: Iterable[str]) -> Prices | None:
    """The entry of the first of these names: spelt out, or else by the longest `prefix*`."""
    for name in (name.lower() for name in names):
        if name in table:
            return table[name]
        heads = [k for k in table if k.endswith("*") and name.startswith(k[:-1])]
        if heads:
            return table[max(heads, key=len)]
    return None


def _discounted(prices: Prices) -> Prices:
    factor = prices.batch
    if factor is None:
        return prices
    rates = {name: rate * factor for name, rate in prices.rates.items() if name in RATES}
    tiers = tuple(
        replace(tier, rates={name: rate * factor for name, rate in tier.rates.items()})
        for tier in prices.tiers
    )
    return replace(prices, rates={**prices.rates, **rates}, tiers=tiers)


def _moment(at: date | None) -> datetime:
    if at is None:
        return datetime.now(UTC)
    if isinstance(at, datetime):
        return at
    return datetime.combine(at, time(12), UTC)


# The caller's form, and that of our own tables.


def read_prices(data: Mapping[str, Any], place: str = "prices") -> dict[str, Prices]:
    """Custom prices, checked.

    Args:
        data: an entry for each `backend/model`, or `model` for every backend; a name may end in
            `*`. An entry: `currency`, `input`, and where they are known `output`, `cache_read`,
            `cache_write`, `cache_write_1h`, `reasoning`, `output_thinking` (all of an answer that
            has reasoning), `input_audio`, `output_audio`, `input_image`, `output_image` (per
            million tokens), `request`, `web_search` (per thousand), `batch` (0.5: a batch costs
            half), `tiers` (`above`: prompt tokens, `output_above`: completion tokens, and the rates
            that change), `up_to` (prompt tokens; no price above), `source`.
            Numbers may be text, which keeps them exact in every file format.
        place: the path of `data`, for the messages.

    Raises:
        SettingsError: every problem, named by its path.
    """
    problems: list[str] = []
    table: dict[str, Prices] = {}
    for name, entry in data.items():
        if isinstance(entry, Prices):
            table[name.lower()] = entry
        elif isinstance(entry, Mapping):
            table[str(name).lower()] = _entry(entry, f'{place}."{name}"', problems)
        else:
            problems.append(f'{place}."{name}": expected a table of prices')
    if problems:
        raise SettingsError(problems)
    return table


def _entry(entry: Mapping[str, Any], place: str, problems: list[str]) -> Prices:
    _unknown(entry, _KEYS, place, problems)
    currency = entry.get("currency")
    if not (isinstance(currency, str) and len(currency) == 3 and currency.isupper()):
        problems.append(f"{place}.currency: expected a code of three capitals, such as USD")
    if "input" not in entry:
        problems.append(f"{place}.input: missing")
    batch = _number(entry["batch"], f"{place}.batch", problems) if "batch" in entry else None
    return Prices(
        str(currency),
        _rates(entry, _NAMED, place, problems),
        tuple(_tiers(entry.get("tiers", ()), f"{place}.tiers", problems)),
        _tokens(entry, "up_to", place, problems) if "up_to" in entry else None,
        batch,
        str(entry.get("source", "settings")),
        entry.get("seen"),
    )


def _tiers(tiers: Any, place: str, problems: list[str]) -> Iterator[Tier]:
    if not isinstance(tiers, (list, tuple)):
        problems.append(f"{place}: expected a list")
        return
    last = (0, 0)
    for number, tier in enumerate(tiers):
        here = f"{place}[{number}]"
        if not isinstance(tier, Mapping):
            problems.append(f"{here}: expected a table")
            continue
        _unknown(tier, _TIER_KEYS, here, problems)
        start = tuple(_tokens(tier, key, here, problems) for key in ("above", "output_above"))
        if start <= last:
            problems.append(f"{here}: begins no later than the tier before it")
        last = start
        yield Tier(*start, _rates(tier, RATES, here, problems))


def _tokens(tier: Mapping[str, Any], key: str, place: str, problems: list[str]) -> int:
    value = tier.get(key, 0)
    if type(value) is int and value >= 0:
        return value
    problems.append(f"{place}.{key}: expected a number of tokens")
    return 0


def _unknown(
    entry: Mapping[str, Any], known: tuple[str, ...], place: str, problems: list[str]
) -> None:
    for key in entry:
        if key not in known:
            problems.append(f"{place}.{key}: unknown; expected one of {', '.join(known)}")


def _rates(
    entry: Mapping[str, Any], names: tuple[str, ...], place: str, problems: list[str]
) -> dict[str, Decimal]:
    return {
        name: _number(entry[name], f"{place}.{name}", problems) for name in names if name in entry
    }


def _number(value: Any, place: str, problems: list[str]) -> Decimal:
    try:
        # by way of text: a float of a JSON file means the digits that were written
        number = Decimal(str(value)) if type(value) in (int, float, str, Decimal) else None
    except InvalidOperation:
        number = None
    if number is None or not number.is_finite() or number < 0:
        problems.append(f"{place}: expected a number that is not negative")
        return Decimal(0)
    return number


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
    try:
        _, info = _snapshot().find_provider_model(model, provider, None, None)
    except LookupError:
        return None
    return _converted(info.get_prices(at, context))


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
    steps = tuple(Tier(start, 0, tiers[start]) for start in sorted(tiers))
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
        if region == home_region(backend) and _match(table, (model,)):
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

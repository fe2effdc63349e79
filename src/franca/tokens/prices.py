"""What a call cost, or would cost. Exact decimals; what is not known is None, never 0."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation, localcontext
from typing import Any

from franca.errors import SettingsError
from franca.settings.price_form import EXACT, Prices
from franca.tokens.price_table import BATCH, backend_of, find_prices, known_models
from franca.types import ChatCompletion, Usage

_ZERO = Decimal(0)
_PICO = Decimal("1e-12")


@dataclass(slots=True, frozen=True)
class Cost:
    """An amount of money and what it is made of.

    The buckets are disjoint, and their sum is `amount` exactly.

    Args:
        amount: of the whole call.
        currency: the vendor's, as ISO 4217 writes it.
        input: the prompt, less the four below.
        cache_read: of the prompt, read from the cache.
        cache_write: of the prompt, written to it.
        input_audio, input_image: of the prompt, where they have a price of their own.
        output: the answer, less the three below.
        reasoning: of the answer, spent on reasoning.
        output_audio, output_image: of the answer, where they have a price of their own.
        fees: what is billed per request and per search.
        source: where the prices are from.
    """

    amount: Decimal
    currency: str
    input: Decimal = _ZERO
    cache_read: Decimal = _ZERO
    cache_write: Decimal = _ZERO
    input_audio: Decimal = _ZERO
    input_image: Decimal = _ZERO
    output: Decimal = _ZERO
    reasoning: Decimal = _ZERO
    output_audio: Decimal = _ZERO
    output_image: Decimal = _ZERO
    fees: Decimal = _ZERO
    source: str = ""

    @property
    def buckets(self) -> dict[str, Decimal]:
        """What the amount is made of, by name."""
        return {name: getattr(self, name) for name in _BUCKETS}


_BUCKETS = tuple(f.name for f in fields(Cost) if f.name not in ("amount", "currency", "source"))


def cost(
    usage: Usage | None,
    *,
    backend: str,
    model: str,
    at: date | None = None,
    prices: Mapping[str, Any] | None = None,
    region: str | None = None,
    context: Mapping[str, str] | None = None,
) -> Cost | None:
    """What a usage cost, None where the model, a price that it needs, or a count is not known.

    A count of cached, written or reasoning tokens that the vendor does not give is taken as none,
    and what has no price of its own costs what its kind does: cached tokens as other input,
    reasoning as other output. Counts that contradict each other have no cost.

    Args:
        at, prices, region, context: as `find_prices` takes them.

    Raises:
        SettingsError: `prices` is not of the form.
    """
    found = find_prices(backend, model, at=at, region=region, context=context, prices=prices)
    return None if found is None or usage is None else bill(usage, found)


def result_cost(
    result: ChatCompletion,
    *,
    model: str | None = None,
    prices: Mapping[str, Any] | None = None,
    region: str | None = None,
) -> Cost | None:
    """What an answer cost: its own backend, model, time and service tier count.

    Args:
        model: the name that was asked for: the vendor's own may have no price.
        prices, region: as `find_prices` takes them.
    """
    found = find_prices(
        result.backend or "",
        *dict.fromkeys(name for name in (result.model, model) if name),
        at=_when(result.created),
        region=region,
        context=_context(result),
        prices=prices,
    )
    return bill(result.usage, found) if found and result.usage else None


def _when(created: int | None) -> datetime | None:
    """The moment of a result; None for what cannot be one."""
    plausible = isinstance(created, int) and 1_500_000_000 < created < 10_000_000_000
    return datetime.fromtimestamp(created, UTC) if plausible else None


def _context(result: ChatCompletion) -> dict[str, str]:
    counts = (result.usage.extra if result.usage else None) or {}
    told = {
        "service_tier": (result.extra or {}).get("service_tier"),
        "speed": counts.get("speed"),
    }
    if told["service_tier"] == "batch":
        return dict(BATCH)
    return {name: value for name, value in told.items() if isinstance(value, str)}


def bill(usage: Usage, prices: Prices) -> Cost | None:
    """What a usage costs at these prices; as `cost`."""
    counts = _split(usage)
    if counts is None:
        return None
    rates = prices.at(usage.prompt_tokens or 0, counts["output"] + counts["reasoning"])
    unsaid = usage.completion_tokens is None and "output" in rates  # embeddings have no output
    if not rates or unsaid:
        return None
    if counts["reasoning"] and "output_thinking" in rates:
        rates["output"] = rates["output_thinking"]
    _carve(counts, "input", usage, rates)
    _carve(counts, "output", usage, rates)
    with localcontext(EXACT):
        parts = {name: _part(count, name, rates) for name, count in counts.items()}
        parts["fees"] = _fees(usage, rates)
        return _whole(parts, prices)


_AS = {"cache_read": "input", "cache_write": "input", "again": "input", "reasoning": "output"}
_HOUR = "cache_creation.ephemeral_1h_input_tokens"
_IMAGES = {
    "input": "prompt_tokens_details.image_tokens",
    "output": "completion_tokens_details.image_tokens",
}
_SEARCHES = (
    "server_tool_use.web_search_requests",
    "server_tool_use_details.web_search_requests",
)


def _split(usage: Usage) -> dict[str, int] | None:
    """The tokens by what they are, disjoint; None where the counts contradict each other."""
    prompt, completion = usage.prompt_tokens, usage.completion_tokens
    if prompt is None:
        return None
    read, written = usage.cached_tokens or 0, usage.cache_write_tokens or 0
    hour = _extra(usage, _HOUR)
    answer, thought = _answer(usage, prompt, completion) if completion is not None else (0, 0)
    # OpenRouter counts what a Gemini call wrote and read again in both, and bills it as read,
    # and what writing costs more than plain input.
    apart = read + written if read + written <= prompt else max(read, written)
    counts = {
        "input": prompt - apart,
        "again": read + written - apart,
        "cache_read": read,
        "cache_write": written - hour,
        "cache_write_1h": hour,
        "output": answer - thought,
        "reasoning": thought,
    }
    return counts if min(counts.values()) >= 0 else None


def _answer(usage: Usage, prompt: int, completion: int) -> tuple[int, int]:
    """All of the answer's tokens, and those of reasoning.

    Some vendors leave reasoning out of the answer's count, and only the total has it: Gemini says
    nothing else of it, xAI gives its number.
    """
    beside = (usage.total_tokens or 0) - prompt - completion
    if beside > 0 and usage.reasoning_tokens in (None, beside):
        return completion + beside, beside
    return completion, usage.reasoning_tokens or 0


def _extra(usage: Usage, name: str) -> int:
    value = (usage.extra or {}).get(name)
    return value if type(value) is int else 0


def _carve(counts: dict[str, int], kind: str, usage: Usage, rates: Mapping[str, Decimal]) -> None:
    """Takes sound and pictures out of the plain tokens, where they have a price of their own."""
    sound = usage.prompt_audio_tokens if kind == "input" else usage.completion_audio_tokens
    pictures = _extra(usage, _IMAGES[kind])
    for name, count in ((f"{kind}_audio", sound or 0), (f"{kind}_image", pictures)):
        if name in rates and count > 0:
            counts[name] = min(count, counts[kind])
            counts[kind] -= counts[name]


def _part(count: int, name: str, rates: Mapping[str, Decimal]) -> Decimal | None:
    """The price of so many tokens, None where they need one that is not known."""
    if not count:
        return _ZERO
    rate = rates.get(name, rates.get(_AS.get(name, "")))
    return None if rate is None else (rate * count).scaleb(-6)


def _fees(usage: Usage, rates: Mapping[str, Decimal]) -> Decimal | None:
    searches = sum(_extra(usage, name) for name in _SEARCHES)
    if searches and "web_search" not in rates:
        return None
    fees = rates.get("request", _ZERO) + rates.get("web_search", _ZERO) * searches
    return fees.scaleb(-3) if fees else _ZERO


def _whole(parts: Mapping[str, Decimal | None], prices: Prices) -> Cost | None:
    known = {name: part for name, part in parts.items() if part is not None}
    if len(known) < len(parts):
        return None
    known["cache_write"] += known.pop("cache_write_1h") - known.pop("again")
    if known["cache_write"] < 0:
        return None
    return Cost(sum(known.values(), _ZERO), prices.currency, source=prices.source, **known)


def estimate_cost(
    prompt_tokens: int,
    completion_tokens: int = 0,
    model: str = "",
    backend: str | None = None,
    *,
    cached_tokens: int | None = None,
    at: date | None = None,
    prices: Mapping[str, Any] | None = None,
    region: str | None = None,
    context: Mapping[str, str] | None = None,
) -> Cost | None:
    """What a call of this size would cost, None where no price is known.

    Args:
        prompt_tokens: all of the prompt. completion_tokens: all of the answer.
        model: a name, or `backend/name`.
        backend: None: the vendor that the name belongs to; a model that several hosts serve has
            no price without it.
        cached_tokens: of the prompt, read from the cache.
        at, prices, region, context: as `find_prices` takes them.
    """
    if backend is None:
        backend, model = backend_of(model, prices)
    usage = Usage(prompt_tokens, completion_tokens, cached_tokens=cached_tokens)
    return cost(
        usage, backend=backend, model=model, at=at, prices=prices, region=region, context=context
    )


def estimate_batch_cost(
    items: Iterable[tuple[int, int]],
    model: str,
    backend: str | None = None,
    *,
    at: date | None = None,
    prices: Mapping[str, Any] | None = None,
    region: str | None = None,
) -> Cost | None:
    """What a batch would cost, at the vendor's batch price where the source has one.

    Where it has none the plain price is taken, which is at least what is billed.

    Args:
        items: for each request, its prompt tokens and completion tokens.
        model, backend, at, prices, region: as in `estimate_cost`.
    """
    if backend is None:
        backend, model = backend_of(model, prices)
    found = find_prices(backend, model, at=at, region=region, context=BATCH, prices=prices)
    if found is None:
        return None
    return total((bill(Usage(*item), found) for item in items), found.currency)


def total(
    costs: Iterable[Cost | None],
    currency: str = "USD",
    rates: Mapping[str, Decimal | int | str] | None = None,
) -> Cost | None:
    """The sum of costs; None where one of them is not known.

    What is converted is rounded to 1e-12, half to even, bucket by bucket.

    Args:
        currency: of the sum.
        rates: how much of a currency one US dollar buys: `{"CNY": Decimal("7.1")}`. Needed only
            for currencies that differ from the sum's. None: those of the process's settings.

    Raises:
        SettingsError: a rate is missing or not positive; it is named.
    """
    sums = dict.fromkeys(_BUCKETS, _ZERO)
    sources: dict[str, None] = {}
    with localcontext(EXACT):
        for one in costs:
            if one is None:
                return None
            sources[one.source] = None
            for name, amount in one.buckets.items():
                sums[name] += _converted(amount, one.currency, currency, rates)
        source = ", ".join(filter(None, sources))
        return Cost(sum(sums.values(), _ZERO), currency, source=source, **sums)


def _converted(
    amount: Decimal, source: str, target: str, rates: Mapping[str, Decimal | int | str] | None
) -> Decimal:
    if source == target or not amount:
        return amount
    if rates is None:
        from franca.settings import settings

        rates = settings.rates
    return (amount * _rate(target, rates) / _rate(source, rates)).quantize(_PICO)


def _rate(currency: str, rates: Mapping[str, Decimal | int | str]) -> Decimal:
    if currency == "USD":
        return Decimal(1)
    if currency not in rates:
        raise SettingsError([f"franca.rates.{currency}: missing; how much of it a dollar buys"])
    try:
        rate = Decimal(str(rates[currency]))
    except InvalidOperation:
        rate = _ZERO
    if not (rate.is_finite() and rate > 0):
        raise SettingsError([f"franca.rates.{currency}: expected a positive number"])
    return rate


class ModelPricing(Mapping[str, Prices]):
    """Every model whose price is known → its prices of today; read when it is first asked.

    Names are the vendor's, or `backend/name`, in small letters; those of hosts that serve other
    vendors' models are always the latter. What genai-prices matches by a pattern is found too.

    Args:
        own: gives the caller's own prices, which win; as `read_prices` takes them.
    """

    def __init__(self, own: Callable[[], Mapping[str, Any]] = dict) -> None:
        self._own = own

    def __getitem__(self, name: str) -> Prices:
        own = self._own()
        place = known_models().get(name.lower()) or backend_of(name, own)
        found = find_prices(*place, prices=own)
        if found is None:
            raise KeyError(name)
        return found

    def __iter__(self) -> Iterator[str]:
        own = (name.lower() for name in self._own() if not name.endswith("*"))
        return iter(dict.fromkeys((*own, *known_models())))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return "MODEL_PRICING"


MODEL_PRICING = ModelPricing()

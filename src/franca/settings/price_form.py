"""The prices of a model as data: their form, and how it is read and checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Context, Decimal, FloatOperation, InvalidOperation
from typing import Any

from franca.errors import SettingsError

# The caller's own context may be set to few digits; and no float may slip in.
EXACT = Context(prec=60, traps=[InvalidOperation, FloatOperation])
RATES = (
    *("input", "cache_read", "cache_write", "cache_write_1h", "input_audio", "input_image"),
    *("output", "output_thinking", "reasoning", "output_audio", "output_image"),
)
FEES = ("request", "web_search")
_NAMED = (*RATES, *FEES)
_KEYS = ("currency", *_NAMED, "tiers", "up_to", "batch", "source", "seen", "note")
_TIER_KEYS = ("above", "output_above", *RATES)


@dataclass(slots=True, frozen=True)
class Tier:
    """Rates that hold for the whole request when it is longer than this.

    Args:
        above: prompt tokens; the tier begins with the next one. -1: however short the prompt.
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

    def __getitem__(self, name: str) -> Decimal:
        """A rate for a single token, request or search: `MODEL_PRICING["gpt-5"]["input"]`.

        Raises:
            KeyError: it is not known.
        """
        return EXACT.scaleb(self.rates[name], -3 if name in FEES else -6)

    def at(self, prompt_tokens: int, completion_tokens: int) -> dict[str, Decimal]:
        """The rates for a request of this size; empty where none is known for it."""
        if self.up_to is not None and prompt_tokens > self.up_to:
            return {}
        rates = dict(self.rates)
        for tier in self.tiers:
            if prompt_tokens > tier.above and completion_tokens > tier.output_above:
                rates.update(tier.rates)
        return rates


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
    last = (-1, -1)
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
    if key not in tier:
        return -1
    value = tier[key]
    if type(value) is not int or value < 0:
        problems.append(f"{place}.{key}: expected a number of tokens")
        return -1
    return value


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

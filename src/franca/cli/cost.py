"""`franca cost`: what a call costs, and what the calls in a file did."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field, fields
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import typer

from franca.cli import table
from franca.cli.answer import money, plain, priced
from franca.cli.command import ReadError, emit, note
from franca.cli.source import opened
from franca.cli.table import Columns
from franca.cli.tokens import vendors_name
from franca.tokens import Cost, estimate_cost, result_cost
from franca.tokens.price_table import BATCH, backend_of
from franca.types import ChatCompletion, Usage

_COLUMNS = Columns(("model",), ("calls", "in", "cached", "out", "cost"), right=5)
_COUNTS = tuple(f.name for f in fields(Usage))


@dataclass(slots=True, frozen=True)
class Call:
    """A call as its options tell it. `cached` are of the prompt's tokens."""

    model: str
    backend: str | None
    prompt_tokens: int
    completion_tokens: int
    cached: int | None = None
    batch: bool = False


def of_call(call: Call, path: Path | None) -> Cost | None:
    """What it costs, None where its price is not known.

    Raises:
        SettingsError: the settings cannot be used, or there is no such backend.
    """
    settings = opened(path)
    backend, model = vendors_name(settings, call.backend, call.model)
    return estimate_cost(
        call.prompt_tokens,
        call.completion_tokens,
        model or call.model,
        backend,
        cached_tokens=call.cached,
        prices=settings.prices,
        context=BATCH if call.batch else None,
    )


def show_call(call: Call, bill: Cost | None, *, as_json: bool) -> None:
    """Print the amount and what it is made of, or JSON."""
    parts = {name: plain(part) for name, part in bill.buckets.items() if part} if bill else {}
    if as_json:
        cost = {**priced(bill), "parts": parts, "source": bill.source} if bill else None
        emit({"model": call.model, "cost": cost})
        return
    typer.echo(money(bill))
    for name, part in parts.items():
        typer.echo(f"  {name:<12} {part}")
    if bill is not None:
        typer.echo(f"  prices: {bill.source}")


@dataclass(slots=True)
class Sum:
    """What one model's calls come to: tokens, and money by currency.

    Args:
        unpriced: how many of the calls have no known cost.
    """

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    amounts: dict[str, Decimal] = field(default_factory=dict)
    unpriced: int = 0

    def add(self, usage: Usage, bill: tuple[Decimal, str] | None) -> None:
        """One call more."""
        self.calls += 1
        self.prompt_tokens += usage.prompt_tokens or 0
        self.completion_tokens += usage.completion_tokens or 0
        self.cached_tokens += usage.cached_tokens or 0
        if bill is None:
            self.unpriced += 1
        else:
            amount, currency = bill
            self.amounts[currency] = self.amounts.get(currency, Decimal(0)) + amount

    def join(self, other: Sum) -> None:
        """Another's calls too."""
        for name in ("calls", "prompt_tokens", "completion_tokens", "cached_tokens", "unpriced"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for currency, amount in other.amounts.items():
            self.amounts[currency] = self.amounts.get(currency, Decimal(0)) + amount


@dataclass(slots=True)
class Whole:
    """What a file's calls come to.

    Args:
        models: by (backend, model).
        unreadable: the numbers of lines that are no record with a usage.
    """

    models: dict[tuple[str, str], Sum] = field(default_factory=dict)
    unreadable: list[int] = field(default_factory=list)

    @property
    def known(self) -> bool:
        """Whether all of it could be read and priced."""
        return not self.unreadable and not any(one.unpriced for one in self.models.values())

    @property
    def total(self) -> Sum:
        whole = Sum()
        for one in self.models.values():
            whole.join(one)
        return whole


def of_file(path: Path, settings: Path | None, *, batch: bool) -> Whole:
    """The sums of a file of results, one a line.

    A record that says what it cost is believed; the others are priced by the day that they tell,
    or today's prices.

    Args:
        path: `-` is stdin.

    Raises:
        ReadError: there is no such file.
        SettingsError: the settings cannot be used.
    """
    prices, whole = opened(settings).prices, Whole()
    try:
        with nullcontext(sys.stdin.buffer) if str(path) == "-" else path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    _add(whole, number, line, prices, batch)
    except OSError as error:
        raise ReadError(f"{path}: {error.strerror}") from None
    return whole


def _add(
    whole: Whole, number: int, line: bytes, prices: Mapping[str, Any] | None, batch: bool
) -> None:
    result, said = _read(line)
    if result is None or result.usage is None:
        whole.unreadable.append(number)
        return
    if batch:
        result.extra = {"service_tier": "batch"}
    if said is None and (bill := result_cost(result, prices=prices)):
        said = bill.amount, bill.currency
    place = (result.backend or "", result.model or "")
    whole.models.setdefault(place, Sum()).add(result.usage, said)


def _read(line: bytes) -> tuple[ChatCompletion | None, tuple[Decimal, str] | None]:
    """(the result as far as its price hangs on it, the cost that it says)."""
    try:
        data = json.loads(line)
    except ValueError:  # UnicodeDecodeError is one
        return None, None
    data = next((d for d in _inner(data) if isinstance(d.get("usage"), dict)), None)
    if data is None:
        return None, None
    told, counts = data["usage"], {}
    for name in _COUNTS:
        if _is_count(told.get(name)):
            counts[name] = told[name]
    model, backend = _text(data, "model"), _text(data, "backend")
    result = ChatCompletion(
        model=model,
        backend=backend or backend_of(model)[0],
        created=data.get("created"),
        usage=Usage(**counts),
        extra=data["extra"] if isinstance(data.get("extra"), dict) else None,
    )
    return result, _said(data.get("cost"))


def _text(data: Mapping[str, Any], name: str) -> str:
    value = data.get(name)
    return value if isinstance(value, str) else ""


def _inner(data: Any) -> Iterator[dict[str, Any]]:
    """A record, and the result that it may hold."""
    if isinstance(data, dict):
        yield data
        for name in ("result", "response"):
            yield from _inner(data.get(name))


def _is_count(value: Any) -> bool:
    return isinstance(value, dict) or (type(value) is int and value >= 0)


def _said(cost: Any) -> tuple[Decimal, str] | None:
    if not (isinstance(cost, dict) and isinstance(cost.get("currency"), str)):
        return None
    try:
        amount = Decimal(str(cost.get("amount")))
    except InvalidOperation:
        return None
    return (amount, cost["currency"]) if amount.is_finite() else None


def show_file(whole: Whole, *, as_json: bool) -> None:
    """Print a table with a line for each model, or JSON; on stderr, which lines are no records."""
    if as_json:
        rows = [
            {"backend": backend, "model": model, **_told(one)}
            for (backend, model), one in whole.models.items()
        ]
        emit({"models": rows, "total": _told(whole.total), "unreadable": whole.unreadable})
    else:
        rows = [
            (f"{backend}/{model}" if backend else model, *_cells(one))
            for (backend, model), one in whole.models.items()
        ]
        table.show(_COLUMNS, rows, ("all", *_cells(whole.total)) if len(rows) > 1 else ())
    if whole.unreadable:
        lines = ", ".join(map(str, whole.unreadable[:10]))
        more = " …" if len(whole.unreadable) > 10 else ""
        note(f"franca: no record with a usage: line {lines}{more}")


def _told(one: Sum) -> dict[str, Any]:
    return {
        "calls": one.calls,
        "prompt_tokens": one.prompt_tokens,
        "completion_tokens": one.completion_tokens,
        "cached_tokens": one.cached_tokens,
        "cost": {currency: plain(amount) for currency, amount in one.amounts.items()},
        "unpriced": one.unpriced,
    }


def _cells(one: Sum) -> tuple[str, ...]:
    counts = (one.calls, one.prompt_tokens, one.cached_tokens, one.completion_tokens)
    costs = [f"{currency} {plain(amount)}" for currency, amount in one.amounts.items()]
    costs += [f"{one.unpriced:,} not known"] if one.unpriced else []
    return (*(f"{count:,}" for count in counts), ", ".join(costs))

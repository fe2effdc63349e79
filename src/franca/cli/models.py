"""`franca models`: what the catalogue and the settings know, and what endpoints really serve."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from franca.backends import BACKENDS
from franca.backends.catalogue import Model, find, models
from franca.cli.command import emit, printable
from franca.cli.source import backend_named
from franca.errors import SettingsError
from franca.settings import Settings
from franca.settings.build import implicit_endpoint, make_target
from franca.settings.target import Target
from franca.types import BackendType

if TYPE_CHECKING:
    from franca.cli.served import Listing

_STATES = {"configured": "green", "known": "", "unknown": "yellow", "not served": "red"}


@dataclass(frozen=True, slots=True)
class Line:
    """A model as it stands before any call; None is what nobody knows.

    Args:
        configured: whether the settings list it; what they say of it is here in the place of what
            the catalogue says.
        catalogued: whether the catalogue has it.
        endpoints: where the settings send it.
        date, source: of the catalogue's row.
    """

    backend: str
    model: str
    configured: bool
    catalogued: bool
    context_length: int | None = None
    max_output_tokens: int | None = None
    tools: bool | None = None
    structured_output: str | None = None
    input_modalities: tuple[str, ...] | None = None
    output_modalities: tuple[str, ...] | None = None
    reasoning: bool | None = None
    reasoning_efforts: tuple[str, ...] | None = None
    thinking: str | None = None
    aliases: tuple[str, ...] = ()
    deprecated: str | None = None
    endpoints: tuple[str, ...] = ()
    date: str | None = None
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Served:
    """A model at one endpoint, or why the endpoint lists none.

    Args:
        state: `configured`, it is served and in the settings; `known`, served and in the catalogue
            alone; `unknown`, served and in neither; `not served`, in the settings alone; `failed`.
        error: scrubbed of keys; None where the endpoint answered.
    """

    backend: str
    endpoint_id: str
    model: str
    state: str
    error: str | None = None


def show(
    settings: Settings | None, backend: str | None = None, remote: bool = False,
    as_json: bool = False,
) -> bool:  # fmt: skip
    """Print the models: of the settings' backends, or without settings of all.

    Args:
        settings: None, or without a model, leaves the catalogue, and for `remote` the vendors
            whose keys are in the environment.
        backend: only this one.
        remote: ask the endpoints what they serve.

    Returns:
        Whether every endpoint that was asked answered.

    Raises:
        SettingsError: there is no such backend, or no endpoint to ask.
    """
    backend = backend_named(backend)
    listed = list(settings.targets()) if settings else []
    targets = [target for target in listed if backend in (None, target.backend)]
    if remote:
        found = compared(targets or _keyed(backend), configured=bool(targets))
        _print_served(found, as_json)
        return not any(row.error for row in found)
    _print_lines(lines(targets, backend), as_json)
    return True


def lines(targets: Sequence[Target], backend: str | None = None) -> list[Line]:
    """The settings' models and the catalogue's, by backend; of all backends without settings."""
    wanted = {backend} if backend else {t.backend for t in targets} or {b.value for b in BACKENDS}
    found = []
    for name in sorted(wanted):
        own = [target for target in targets if target.backend == name]
        listed = [_configured(list(group)) for _, group in groupby(own, lambda t: t.model)]
        rows = [find(name, t.model_id) or find(name, t.model) for t in own]
        found += listed + [_catalogued(name, row) for row in models(name) if row not in rows]
    return found


def _configured(targets: list[Target]) -> Line:
    target = targets[0]
    row = find(target.backend, target.model_id) or find(target.backend, target.model)
    line = Line(target.backend, target.model, configured=True, catalogued=row is not None)
    base = _catalogued(target.backend, row) if row else line
    said: dict[str, Any] = {
        "model": target.model,
        "configured": True,
        "context_length": target.context_length,
        "max_output_tokens": target.max_output_tokens,
        "tools": target.function_call_available,
        "thinking": target.quirks.thinking,
        "structured_output": _form(target, base.structured_output),
        "input_modalities": _takes(target, base.input_modalities),
        "endpoints": tuple(t.endpoint_id for t in targets),
    }
    return replace(base, **said)


def _takes(target: Target, known: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """The kinds of input, with pictures or without them as the settings say."""
    if target.native_multimodal is None or known is None:
        return known
    others = tuple(kind for kind in known if kind != "image")
    return known if ("image" in known) is target.native_multimodal else others


def _form(target: Target, known: str | None) -> str | None:
    if target.response_format_available is None:
        return known
    if not target.response_format_available:
        return "none"
    return "json_schema" if target.quirks.json_schema else "json_object"


def _catalogued(backend: str, row: Model) -> Line:
    shared: dict[str, Any] = {n: v for n, v in asdict(row).items() if n in Line.__slots__}
    shared["thinking"] = row.thinking or BACKENDS[BackendType(backend)].quirks.thinking
    return Line(backend, row.name, configured=False, catalogued=True, **shared)


def _keyed(backend: str | None) -> list[Target]:
    """The vendors' own endpoints, of those whose key is in the environment."""
    rows = [r for r in BACKENDS.values() if backend in (None, r.backend.value)]
    ready = [(r.backend.value, implicit_endpoint(r)) for r in rows if backend or _has_key(r.key)]
    targets = [make_target(name, "", "", place) for name, place in ready if place]
    if not targets:
        raise SettingsError(["no endpoint to ask: give --settings FILE, or set a vendor's key"])
    return targets


def _has_key(variable: str | None) -> bool:
    return bool(variable and os.environ.get(variable))


def compared(targets: Iterable[Target], *, configured: bool = True) -> list[Served]:
    """What each endpoint serves, against the settings and the catalogue."""
    from franca.cli.served import listings

    found: list[Served] = []
    for listing in listings(targets):
        names = [t.model_id for t in listing.targets] if configured else []
        found += _against(listing, names)
    return found


def _against(listing: Listing, configured: list[str]) -> list[Served]:
    place = (listing.backend, listing.endpoint_id)
    if listing.error is not None:
        return [Served(*place, "", "failed", listing.error)]
    wanted = {_sameness(listing.backend, name) for name in configured}
    served = {_sameness(listing.backend, name) for name in listing.names}
    rows = [Served(*place, n, _state(listing.backend, n, wanted)) for n in listing.names]
    missing = [n for n in configured if _sameness(listing.backend, n) not in served]
    return [Served(*place, name, "not served") for name in missing] + rows


def _sameness(backend: str, name: str) -> str:
    """What two names have in common where they are one model's: an alias and its snapshot."""
    row = find(backend, name)
    return row.name if row else name.lower().removeprefix("models/")


def _state(backend: str, name: str, configured: set[str]) -> str:
    if _sameness(backend, name) in configured:
        return "configured"
    return "known" if find(backend, name) else "unknown"


# printing


def _print_lines(found: Sequence[Line], as_json: bool) -> None:
    if as_json:
        emit([asdict(line) for line in found])
        return
    console = Console(highlight=False)
    for backend, group in groupby(found, lambda line: line.backend):
        console.print(_table(backend, list(group), console.width))
    console.print("[bold]*[/] in the settings; – not known", style="dim")


def _table(backend: str, found: Sequence[Line], width: int) -> Table:
    """As many columns as a terminal of that width has room for."""
    table = Table(title=backend, title_justify="left", box=None, pad_edge=False)
    table.add_column("", no_wrap=True)
    table.add_column("model", overflow="fold", ratio=1)
    table.add_column("context", justify="right", no_wrap=True)
    table.add_column("output", justify="right", no_wrap=True)
    more = [("tools", 60), ("JSON", 70), ("input", 84), ("thinking", 108), ("as of", 122)]
    for name, least in more:
        if width >= least:
            table.add_column(name, overflow="fold")
    for line in found:
        cells = (_yes(line.tools), _json(line), _kinds(line), _thought(line), line.date or "–")
        shown = [cell for cell, (_, least) in zip(cells, more, strict=True) if width >= least]
        mark, name = "*" if line.configured else "", Text(printable(line.model))
        if line.deprecated:
            name.append(f" (until {line.deprecated})", "dim")
        table.add_row(mark, name, _count(line.context_length), _count(line.max_output_tokens),
                      *shown)  # fmt: skip
    return table


def _count(tokens: int | None) -> str:
    return "–" if tokens is None else f"{tokens:,}"


def _yes(value: bool | None) -> str:
    return "–" if value is None else "yes" if value else "no"


def _json(line: Line) -> str:
    return (line.structured_output or "–").removeprefix("json_")


def _kinds(line: Line) -> str:
    return ", ".join(line.input_modalities) if line.input_modalities else "–"


def _thought(line: Line) -> str:
    return "/".join(line.reasoning_efforts) if line.reasoning_efforts else line.thinking or "–"


def _print_served(found: Sequence[Served], as_json: bool) -> None:
    if as_json:
        emit([asdict(row) for row in found])
        return
    console = Console(highlight=False)
    for (backend, endpoint), group in groupby(found, lambda r: (r.backend, r.endpoint_id)):
        table = Table(title=f"{backend} at {endpoint}", title_justify="left", box=None,
                      pad_edge=False)  # fmt: skip
        table.add_column("model", overflow="fold")
        table.add_column("", overflow="fold")
        for row in group:
            said = Text(row.error, "red") if row.error else Text(row.state, _STATES[row.state])
            table.add_row(Text(printable(row.model)), said)
        console.print(table)

"""`franca settings check` and `show`: what a settings file says, and what is wrong with it."""

from __future__ import annotations

import json
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import typer

from franca.cli import table
from franca.cli.command import emit
from franca.cli.source import given
from franca.cli.table import Columns
from franca.errors import SettingsError
from franca.settings import Settings, SettingsWarning, Target
from franca.settings.target import place

_COLUMNS = Columns(("backend", "model", "endpoint"), ("address", "key"))
ANY = "${model}"
"""The model of a default endpoint: any that is not listed."""


@dataclass(slots=True, frozen=True)
class Report:
    """What a check found.

    Args:
        source: the file; None where the environment names none.
        problems, warnings: lines, each with its path.
        targets: how many ways to a model the settings have.
    """

    source: str | None
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    targets: int = 0

    @property
    def ok(self) -> bool:
        return not self.problems


def check(path: Path | None, *, strict: bool = False) -> Report:
    """Load them; nothing is called.

    Args:
        path: None: what the environment names.
        strict: what would only warn is a problem.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            settings = given(path, strict=strict)
        except SettingsError as error:
            return Report(error.source, error.problems)
    odd = [str(one.message) for one in caught if issubclass(one.category, SettingsWarning)]
    lines = tuple(line.strip() for text in odd for line in text.splitlines()[1:])
    return Report(settings.snapshot.source, (), lines, sum(1 for _ in settings.targets()))


def show_check(report: Report, *, as_json: bool) -> None:
    """Print it: a line for each problem, or JSON."""
    if as_json:
        emit({"ok": report.ok, **asdict(report)})
        return
    for line in report.problems:
        typer.echo(line)
    for line in report.warnings:
        typer.echo(f"warning: {line}")
    source = report.source or "the environment"
    count = len(report.problems)
    good = f"good, {report.targets} target{'s' * (report.targets != 1)}"
    said = f"{count} problem{'s' * (count != 1)}" if count else good
    typer.echo(f"{source}: {said}")


def show(settings: Settings, *, as_json: bool) -> None:
    """Print the document with its keys hidden, and where each model is."""
    patterns = settings.snapshot.patterns.values()
    targets = [*settings.targets(), *(target for pattern in patterns for target in pattern)]
    document = settings.export()
    if as_json:
        emit({"document": document, "targets": [_told(target) for target in targets]})
        return
    typer.echo(json.dumps(document, indent=2, ensure_ascii=False))
    table.show(_COLUMNS, map(_row, targets))


def _told(target: Target) -> dict[str, Any]:
    unlisted = target.model == ANY
    return {
        "backend": target.backend,
        "model": None if unlisted else target.model,
        "endpoint": target.endpoint_id,
        "model_id": None if unlisted else target.model_id,
        "wire": target.wire,
        "type": target.endpoint.type.value,
        "url": place(target.endpoint.url),
        "priority": target.priority,
        "weight": target.weight,
        "key": target.endpoint.api_key is not None,
    }


def _row(target: Target) -> tuple[str, ...]:
    key = "yes" if target.endpoint.api_key else "none"
    url = place(target.endpoint.url) or "the SDK's own"
    return (target.backend, _name(target), target.endpoint_id, url, key)


def _name(target: Target) -> str:
    if target.model == ANY:
        return "any other"
    return (
        target.model if target.model == target.model_id else f"{target.model} as {target.model_id}"
    )

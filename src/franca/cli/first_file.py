"""`franca settings init`: a first settings file, from the keys found in the environment."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer

from franca.backends import BACKENDS, Row
from franca.cli.command import emit
from franca.errors import FrancaError

_ENDINGS = (".json", ".yaml", ".yml")


class WriteError(FrancaError):
    """The file cannot be written."""


def keyed() -> list[Row]:
    """The backends whose key is in the environment."""
    return [row for row in BACKENDS.values() if row.key and os.environ.get(row.key)]


def document(rows: Sequence[Row]) -> dict[str, Any]:
    """Settings with an endpoint for each, its key by the variable's name, never by its text."""
    return {
        "VERSION": "2",
        "endpoints": [_endpoint(row) for row in rows],
        "backends": {row.backend.value: _backend(row) for row in rows},
    }


def _endpoint(row: Row) -> dict[str, Any]:
    endpoint = {"id": row.backend.value, "api_key": f"${{env:{row.key}}}"}
    if len(row.urls) > 1:
        endpoint["region"] = next(iter(row.urls))
    return endpoint


def _backend(row: Row) -> dict[str, Any]:
    name = row.backend.value
    models = {row.default_model: {"endpoints": [name]}} if row.default_model else {}
    return {"default_endpoint": name, **({"models": models} if models else {})}


def write(settings: dict[str, Any], path: Path, *, force: bool = False) -> None:
    """Write it whole or not at all.

    Args:
        path: its ending says how it is written.
        force: in place of a file that is there.

    Raises:
        WriteError: there is one already, the ending is none of ours, or the place takes no file.
    """
    if path.suffix.lower() not in _ENDINGS:
        raise WriteError(f"{path}: expected a name that ends in {', '.join(_ENDINGS)}")
    if path.exists() and not force:
        raise WriteError(f"{path} is there already; --force writes over it")
    try:
        _replace(path.resolve(), _text(settings, path.suffix.lower()))
    except OSError as error:
        raise WriteError(f"{path} cannot be written: {error.strerror}") from None


def _text(settings: dict[str, Any], ending: str) -> str:
    if ending == ".json":
        return json.dumps(settings, indent=2) + "\n"
    import yaml

    return yaml.safe_dump(settings, sort_keys=False)


def _replace(path: Path, text: str) -> None:
    """Beside it first, then in its place: whoever looks sees the old file or the new one."""
    handle, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        os.unlink(beside)
        raise


def show(rows: Sequence[Row], path: Path, *, as_json: bool) -> None:
    """Say what was written and what comes next; or, without keys, where they are looked for."""
    wanted = {row.backend.value: row.key for row in BACKENDS.values() if row.key}
    if as_json:
        found = {row.backend.value: row.key for row in rows}
        emit({"written": str(path) if rows else None, "found": found, "looked_for": wanted})
        return
    if not rows:
        typer.echo("No key is in the environment. Set one of these, and call it again:")
        for backend, key in wanted.items():
            typer.echo(f"  {key:<20} {backend}")
        return
    typer.echo(f"{path} is written; the keys stay in the environment.")
    for row in rows:
        model = row.default_model or "any model, by its name"
        typer.echo(f"  {row.key:<20} {row.backend.value}: {model}{_region(row)}")
    typer.echo("Next:")
    for line in _next(rows, path):
        typer.echo(f"  {line}")


def _region(row: Row) -> str:
    first, *others = row.urls
    return f" (region {first}; there is {', '.join(others)} too)" if others else ""


def _next(rows: Sequence[Row], path: Path) -> list[str]:
    first = next((row for row in rows if row.default_model), None)
    asked = "" if first else f" --backend {rows[0].backend.value} --model NAME"
    lines = [f"export FRANCA_SETTINGS={path}"]
    lines += ["franca check"] if first else []
    return [*lines, f'franca ask{asked} "Say hello."']

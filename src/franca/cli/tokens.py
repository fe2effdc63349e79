"""`franca tokens`: how many tokens a text has."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from os.path import isfile
from pathlib import Path

import typer

from franca import count_tokens
from franca.cli.command import ReadError, emit, piped
from franca.cli.source import backend_named, opened
from franca.settings import Settings
from franca.tokens import family_of


@dataclass(slots=True, frozen=True)
class Source:
    """A text, and the file that it is from."""

    text: str
    file: str | None = None


def read(given: str | None) -> Source:
    """The text; what the file of that name holds; what stdin says for `-` or for nothing.

    Raises:
        typer.BadParameter: nothing is given and stdin is a terminal.
        ReadError: the file cannot be read, or is no text.
    """
    if given is None and sys.stdin.isatty():
        raise typer.BadParameter("count what? Give a TEXT or a FILE, or pipe one in")
    if given in (None, "-"):
        return Source(piped())
    try:
        return Source(Path(given).read_text("utf-8"), given) if isfile(given) else Source(given)
    except OSError as error:
        raise ReadError(f"{given}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ReadError(f"{given}: not UTF-8 text") from None


def show(
    source: Source,
    model: str | None,
    backend: str | None,
    settings: Path | None,
    *,
    as_json: bool,
) -> None:
    """Count, here or at the settings' token server, and print.

    Args:
        model: a name of the settings, or a vendor's.

    Raises:
        SettingsError: the settings cannot be used, or there is no such backend.
    """
    known = opened(settings)
    place, name = vendors_name(known, backend, model)
    family = family_of(name or "", place)
    count = count_tokens(source.text, name or "", place, settings=known)
    if as_json:
        told = {"tokens": count, "characters": len(source.text), "file": source.file}
        told |= {"model": model, "family": family.name, "vocabulary": family.vocabulary}
        emit({**told, "exact": family.exact})
        return
    head = f"{source.file}: " if source.file else ""
    whose = f"{family.name}'s own vocabulary" if family.exact else f"an estimate for {family.name}"
    unknown = "an estimate: no known model is named" if family.name == "other" else whose
    tokens = "token" if count == 1 else "tokens"
    typer.echo(f"{head}{count:,} {tokens} ({unknown}, {family.vocabulary})")


def vendors_name(
    settings: Settings, backend: str | None, model: str | None
) -> tuple[str | None, str | None]:
    """(backend, the vendor's name of the model), where the settings list it; else as given.

    Raises:
        SettingsError: there is no such backend.
    """
    backend = backend_named(backend)
    for target in settings.targets():
        if target.model == model and backend in (None, target.backend):
            return target.backend, target.model_id
    return backend, model

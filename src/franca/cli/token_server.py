"""`franca token-server`: where it listens, by option, settings or default."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from franca.cli.command import emit
from franca.cli.source import opened

if TYPE_CHECKING:
    from franca.settings.schema import TokenServerSettings

HOST, PORT = "127.0.0.1", 8338


def place(path: Path | None, host: str | None, port: int | None) -> tuple[str, int]:
    """(host, port): an option, else the settings' `token_server`, else loopback's 8338.

    Raises:
        SettingsError: the settings cannot be used.
    """
    section = _section(path)
    named = (section.host, section.port) if section is not None else (HOST, PORT)
    return named[0] if host is None else host, named[1] if port is None else port


def key(path: Path | None) -> str | None:
    """The key that the settings' `token_server` names.

    Raises:
        SettingsError: the settings cannot be used.
    """
    section = _section(path)
    return section.api_key.reveal() if section is not None and section.api_key else None


def _section(path: Path | None) -> TokenServerSettings | None:
    document = opened(path).snapshot.document
    return document.token_server if document is not None else None


def announce(as_json: bool) -> Callable[[str], object]:
    """What tells the address: a line with it alone, or JSON."""
    return (lambda url: emit({"url": url})) if as_json else typer.echo

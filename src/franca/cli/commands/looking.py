"""`models`, `check`, `health` and `limits`."""

from __future__ import annotations

from typing import Annotated

import typer

from franca.cli.command import FAILED, clean
from franca.cli.options import (
    AsJson,
    AtOnce,
    OnlyBackend,
    OnlyModel,
    SettingsFile,
    Timeout,
)


@clean
def models(
    settings: SettingsFile = None,
    backend: OnlyBackend = None,
    remote: Annotated[
        bool, typer.Option("--remote", help="Ask each endpoint what it really serves.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List models and what they can do.

    Those of the settings' backends, or without settings of all that the catalogue has. Exit status
    1 if an endpoint does not say what it serves.
    """
    from franca.cli.models import show
    from franca.cli.source import opened

    if not show(opened(settings), backend=backend, remote=remote, as_json=as_json):
        raise typer.Exit(FAILED)


@clean
def check(
    settings: SettingsFile = None,
    backend: OnlyBackend = None,
    model: OnlyModel = None,
    timeout: Timeout = 30,
    at_once: AtOnce = 8,
    as_json: AsJson = False,
) -> None:
    """Call every model at every endpoint.

    Says which of the settings' answer, and how fast. Exit status 1 if one fails, 2 if the
    settings cannot be used.
    """
    from franca.cli import check as live
    from franca.cli.source import load

    outcomes = live.check(
        load(settings), backend=backend, model=model, timeout=timeout, at_once=at_once
    )
    live.show(outcomes, as_json=as_json)
    if not all(outcome.ok for outcome in outcomes):
        raise typer.Exit(FAILED)


@clean
def health(
    settings: SettingsFile = None,
    backend: OnlyBackend = None,
    model: OnlyModel = None,
    tries: Annotated[int, typer.Option(metavar="N", help="Questions to each.", min=1)] = 3,
    timeout: Timeout = 30,
    at_once: AtOnce = 8,
    as_json: AsJson = False,
) -> None:
    """Ask each endpoint a few tiny questions.

    One model of each endpoint is asked. Exit status 1 if an endpoint never answers, 2 if the
    settings cannot be used.
    """
    from franca.cli import health as asked
    from franca.cli.source import load

    rows = asked.survey(
        load(settings),
        backend=backend,
        model=model,
        tries=tries,
        timeout=timeout,
        at_once=at_once,
    )
    asked.show(rows, as_json=as_json)
    if any(row.state == "down" for row in rows):
        raise typer.Exit(FAILED)


@clean
def limits(
    settings: SettingsFile = None,
    backend: OnlyBackend = None,
    watch: Annotated[bool, typer.Option("--watch", help="Show it each second.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show how the limits stand.

    Use, queue and holds of each endpoint. Every process that shares the settings' store counts.
    Exit status 1 if the store cannot be reached, 2 if the settings cannot be used.
    """
    from rich.console import Console

    from franca.cli import limits as books
    from franca.cli.source import load

    found = books.limited(load(settings), backend=backend)
    console = Console(highlight=False)
    if watch:
        books.watch(found, console, as_json=as_json)
    else:
        books.show(books.look(found), console, as_json=as_json)

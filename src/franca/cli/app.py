"""The command line: its commands in their order. What they do is imported when they run."""

from __future__ import annotations

from typing import Annotated

import typer

from franca.cli.command import Group
from franca.cli.commands import counting, looking, serving, settings, talking
from franca.version import __version__

app = typer.Typer(
    cls=Group,
    help="One language for every LLM backend.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # drawn by rich, --help would take three times as long
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"franca {__version__}")
        raise typer.Exit


@app.callback()
def _franca(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """One language for every LLM backend."""


app.command()(serving.demo)
app.command()(talking.ask)
app.command()(talking.chat)
app.command()(looking.models)
app.add_typer(settings.app, name="settings")
app.command()(looking.check)
app.command()(looking.health)
app.command()(looking.limits)
app.command()(counting.tokens)
app.command()(counting.cost)
app.command()(serving.local)
app.command("token-server")(serving.token_server)

"""The commands and their options. What they do is imported when they run, so `--help` is quick."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, ParamSpec, TypeVar

import typer

from franca.errors import FrancaError, SettingsError
from franca.version import __version__

app = typer.Typer(
    help="One language for every LLM backend.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

FAILED, UNUSABLE = 1, 2
_P = ParamSpec("_P")
_R = TypeVar("_R")


def _clean(command: Callable[_P, _R]) -> Callable[_P, _R]:
    """The command, with franca's own errors shown as one message and told by the exit status."""

    @functools.wraps(command)
    def run(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        try:
            return command(*args, **kwargs)
        except FrancaError as error:
            print(f"franca: {error}", file=sys.stderr)  # noqa: T201 - the command line's own output
            raise typer.Exit(UNUSABLE if isinstance(error, SettingsError) else FAILED) from None

    return run


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


@app.command()
@_clean
def local(
    model: Annotated[
        Path | None,
        typer.Argument(metavar="[GGUF]", help="A GGUF file; without it, the demo's model."),
    ] = None,
    port: Annotated[int, typer.Option(help="0: any free one.", min=0, max=65535)] = 8080,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    api_key: Annotated[
        str | None,
        typer.Option(envvar="FRANCA_LOCAL_API_KEY", help="Ask callers for this key."),
    ] = None,
    alias: Annotated[str | None, typer.Option(help="The model's name to callers.")] = None,
    context: Annotated[int, typer.Option(help="Tokens for each call.", min=1)] = 2048,
    parallel: Annotated[int, typer.Option(help="Calls served at once.", min=1)] = 2,
    verbose: Annotated[bool, typer.Option(help="Show the server's own log.")] = False,
    exit_with_parent: Annotated[
        bool, typer.Option("--exit-with-parent", hidden=True, help="End when stdin does.")
    ] = False,
) -> None:
    """Serve a GGUF file on the OpenAI and Anthropic wires.

    Prints the address once the model is loaded; from then on /health answers 200.
    """
    from franca.cli import local as server

    server.serve(
        server.LocalModel(
            path=server.find(model),
            host=host,
            port=port,
            api_key=api_key,
            alias=alias,
            context=context,
            parallel=parallel,
            verbose=verbose,
        ),
        exit_with_parent=exit_with_parent,
    )


@app.command()
@_clean
def demo(
    wait: Annotated[
        float, typer.Option(help="The most seconds to spend on fetching the weights.", min=0)
    ] = 90,
    simulate: Annotated[
        bool, typer.Option("--simulate", help="Use the simulator, not a model.")
    ] = False,
) -> None:
    """Show a small real model answer through franca: no key, nothing to prepare."""
    from franca.cli import demo as show

    show.run(wait=wait, simulate=simulate)


@app.command()
@_clean
def check(
    settings: Annotated[
        Path | None,
        typer.Option(help="A settings file; without it, what FRANCA_SETTINGS names."),
    ] = None,
    backend: Annotated[str | None, typer.Option(help="Only this backend.")] = None,
    model: Annotated[str | None, typer.Option(help="Only this model.")] = None,
    timeout: Annotated[float, typer.Option(help="Seconds for each endpoint.", min=0.1)] = 30,
    at_once: Annotated[int, typer.Option(help="Endpoints tried at once.", min=1)] = 8,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False,
) -> None:
    """Call every model at every endpoint of the settings, and say which answer.

    Exit status 1 if one fails, 2 if the settings cannot be used.
    """
    from franca.cli import check as live

    outcomes = live.check(
        live.load(settings), backend=backend, model=model, timeout=timeout, at_once=at_once
    )
    live.show(outcomes, as_json=as_json)
    if not all(outcome.ok for outcome in outcomes):
        raise typer.Exit(FAILED)


@app.command()
@_clean
def limits(
    settings: Annotated[
        Path | None,
        typer.Option(help="A settings file; without it, what FRANCA_SETTINGS names."),
    ] = None,
    backend: Annotated[str | None, typer.Option(help="Only this backend.")] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Show it each second.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of text.")] = False,
) -> None:
    """Show how the limits of the settings stand: use, queue and holds.

    Every process that shares their store counts. Exit status 1 if the store cannot be reached,
    2 if the settings cannot be used.
    """
    from rich.console import Console

    from franca.cli import check as live
    from franca.cli import limits as books

    found = books.limited(live.load(settings), backend=backend)
    console = Console(highlight=False)
    if watch:
        books.watch(found, console, as_json=as_json)
    else:
        books.show(books.look(found), console, as_json=as_json)


@app.command("token-server")
@_clean
def token_server(
    host: Annotated[str | None, typer.Option(help="The address; 127.0.0.1 by default.")] = None,
    port: Annotated[
        int | None, typer.Option(help="8338 by default; 0: any free one.", min=0, max=65535)
    ] = None,
    api_key: Annotated[
        str | None,
        typer.Option(envvar="FRANCA_TOKEN_SERVER_KEY", help="Ask callers for this key."),
    ] = None,
    workers: Annotated[int, typer.Option(help="Processes that count.", min=1)] = 1,
    settings: Annotated[
        Path | None, typer.Option(help="A settings file: its token_server says host and port.")
    ] = None,
) -> None:
    """Count tokens over HTTP: POST /count_tokens, GET /health, documentation at /docs.

    Prints the address once connections are taken.
    """
    from franca.cli.token_server import place
    from franca.server import serve

    where = place(settings, host, port)
    serve(*where, api_key=api_key, workers=workers)

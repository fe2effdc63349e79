"""`demo`, `local` and `token-server`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from franca.cli.command import after_ctrl_c, clean
from franca.cli.options import AsJson, NoSettings, SettingsFile


@clean
def demo(
    wait: Annotated[
        float, typer.Option(help="The most seconds to spend on fetching the weights.", min=0)
    ] = 90,
    simulate: Annotated[
        bool, typer.Option("--simulate", help="Use the simulator, not a model.")
    ] = False,
    settings: NoSettings = None,
    as_json: AsJson = False,
) -> None:
    """Show franca at work: no key needed.

    Nothing to prepare: a small real model answers in four ways; where it cannot be had, the
    simulator does.
    """
    from franca.cli import demo as show

    show.run(wait=wait, simulate=simulate, as_json=as_json)


@clean
def local(
    model: Annotated[
        Path | None,
        typer.Argument(metavar="GGUF", help="A GGUF file; without it, the demo's model."),
    ] = None,
    port: Annotated[
        int | None, typer.Option(help="8080 by default; 0: any free one.", min=0, max=65535)
    ] = None,
    host: Annotated[str | None, typer.Option(help="The address; 127.0.0.1 by default.")] = None,
    api_key: Annotated[
        str | None,
        typer.Option(envvar="FRANCA_LOCAL_API_KEY", help="Ask callers for this key."),
    ] = None,
    alias: Annotated[str | None, typer.Option(help="The model's name to callers.")] = None,
    context: Annotated[int, typer.Option(help="Tokens for each call.", min=1)] = 2048,
    parallel: Annotated[int, typer.Option(help="Calls served at once.", min=1)] = 2,
    threads: Annotated[
        int | None, typer.Option(help="Threads that compute; else llama.cpp chooses.", min=1)
    ] = None,
    verbose: Annotated[bool, typer.Option(help="Show the server's own log.")] = False,
    exit_with_parent: Annotated[
        bool, typer.Option("--exit-with-parent", hidden=True, help="End when stdin does.")
    ] = False,
    settings: Annotated[
        Path | None,
        typer.Option("--settings", metavar="FILE", help="Their backend `local` says where."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Serve a GGUF file on both wires.

    OpenAI's is at /v1, Anthropic's at /. Prints the address once the model is loaded; from then
    on /health answers 200. With --settings the model is where, and as what, their backend `local`
    looks for it.
    """
    from franca.cli import local as server

    options: dict[str, Any] = {"host": host, "port": port, "api_key": api_key, "alias": alias}
    given = {name: value for name, value in options.items() if value is not None}
    placed = server.place(settings) if settings else {}
    server.serve(
        server.LocalModel(
            path=server.find(model),
            **{**placed, **given},
            context=context,
            parallel=parallel,
            threads=threads,
            verbose=verbose,
        ),
        exit_with_parent=exit_with_parent,
        as_json=as_json,
    )


@clean
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
    settings: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """Count tokens over HTTP.

    POST /count_tokens, GET /health, documentation at /docs. Prints the address once connections
    are taken. Host, port and key are the options', else those of the settings' token_server.
    """
    from franca.cli.token_server import announce, key, place
    from franca.server import serve

    where = place(settings, host, port)
    serve(*where, api_key=api_key or key(settings), workers=workers, announce=announce(as_json))
    after_ctrl_c()

"""`ask` and `chat`."""

from __future__ import annotations

from typing import Annotated

import typer

from franca.cli.command import clean
from franca.cli.options import AsJson, Backend, MaxTokens, Model, SettingsFile, System

_Image = Annotated[
    list[str] | None,
    typer.Option(metavar="PATH", help="A picture's file, or its URL; again for several."),
]
_Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Usage and cost too, on stderr.")]


@clean
def ask(
    text: Annotated[
        list[str] | None,
        typer.Argument(metavar="TEXT|-", help="The question; - is what stdin says."),
    ] = None,
    backend: Backend = None,
    model: Model = None,
    system: System = None,
    image: _Image = None,
    max_tokens: MaxTokens = None,
    stream: Annotated[
        bool, typer.Option("--stream/--no-stream", help="Show the answer as it comes, or whole.")
    ] = True,
    settings: SettingsFile = None,
    verbose: _Verbose = False,
    as_json: AsJson = False,
) -> None:
    """Ask a model, and print its answer.

    Without TEXT the question is what is piped in; `ask "What is wrong here?" - < log` has both.
    """
    from franca.cli import ask as asking
    from franca.cli.answer import Setup

    setup = Setup.of(settings, backend, model, system=system, max_tokens=max_tokens)
    question = asking.question(text or [], image or [])
    asking.run(setup, question, stream=stream, verbose=verbose, as_json=as_json)


@clean
def chat(
    backend: Backend = None,
    model: Model = None,
    system: System = None,
    image: _Image = None,
    max_tokens: MaxTokens = None,
    settings: SettingsFile = None,
    verbose: _Verbose = False,
    as_json: AsJson = False,
) -> None:
    """Talk with a model, turn by turn.

    /help says what else there is. Ctrl-C stops an answer and keeps what came of it; at the prompt
    it ends the chat, as Ctrl-D does. With --json each turn is a line of JSON.
    """
    from franca.cli import chat as chatting
    from franca.cli.answer import Setup

    setup = Setup.of(settings, backend, model, system=system, max_tokens=max_tokens)
    if chatting.run(setup, image or [], verbose=verbose, as_json=as_json):
        raise typer.Exit(1)

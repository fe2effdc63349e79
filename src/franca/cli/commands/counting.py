"""`tokens` and `cost`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from franca.cli.command import FAILED, clean
from franca.cli.options import AsJson, Backend, Model, SettingsFile

_Count = Annotated[int | None, typer.Option(metavar="N", min=0)]


@clean
def tokens(
    text: Annotated[
        str | None,
        typer.Argument(metavar="TEXT|FILE|-", help="A text, a file's name, or - for stdin."),
    ] = None,
    model: Model = None,
    backend: Backend = None,
    settings: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """Count the tokens of a text, offline.

    What is a file's name is read as one. The model may be one of the settings.
    """
    from franca.cli import tokens as counted

    counted.show(counted.read(text), model, backend, settings, as_json=as_json)


@clean
def cost(
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE.jsonl|-", help="Results, one a line, as --json writes them; - is stdin."
        ),
    ] = None,
    model: Model = None,
    backend: Backend = None,
    prompt_tokens: _Count = None,
    completion_tokens: _Count = None,
    cached: Annotated[
        int | None, typer.Option(metavar="N", help="Of the prompt, read from the cache.", min=0)
    ] = None,
    batch: Annotated[bool, typer.Option("--batch", help="At the vendor's batch price.")] = False,
    settings: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """Price a call, or the calls in a file.

    Of a call, by --model and its tokens; of a file, their sum for each model. Exit status 1
    where a price is not known, or a line of the file cannot be read.
    """
    from franca.cli import cost as costs

    if file is not None:
        whole = costs.of_file(file, settings, batch=batch)
        costs.show_file(whole, as_json=as_json)
        if not whole.known:
            raise typer.Exit(FAILED)
        return
    if model is None or prompt_tokens is None:
        raise typer.BadParameter("give a FILE.jsonl, or --model and --prompt-tokens")
    call = costs.Call(
        model, backend, prompt_tokens, completion_tokens or 0, cached=cached, batch=batch
    )
    bill = costs.of_call(call, settings)
    costs.show_call(call, bill, as_json=as_json)
    if bill is None:
        raise typer.Exit(FAILED)

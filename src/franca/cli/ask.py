"""`franca ask`: one question, one answer."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from typing import Any

import typer

from franca import create_async_chat_client
from franca.cli.answer import Answer, Screen, Setup, answered, record, remarks, user_turn
from franca.cli.command import emit, piped


def question(words: Sequence[str], pictures: Sequence[str]) -> dict[str, Any]:
    """The user's turn: the words, and what stdin says in the place of `-` or of no words at all.

    Raises:
        typer.BadParameter: there is no question.
        ReadError, InvalidRequestError: stdin or a picture cannot be read.
    """
    listens = "-" in words or (not words and not sys.stdin.isatty())
    spoken = " ".join(word for word in words if word != "-")
    text = "\n\n".join(filter(None, (spoken, piped().strip() if listens else "")))
    if not text:
        raise typer.BadParameter("ask what? Give a TEXT, or pipe one in")
    return user_turn(text, pictures)


def run(setup: Setup, turn: dict[str, Any], *, stream: bool, verbose: bool, as_json: bool) -> None:
    """Ask, and print the answer as it comes, or as one JSON object.

    Raises:
        CallError: the call failed.
        KeyboardInterrupt: Ctrl-C; what came of the answer is printed.
    """
    screen = Screen(shown=not as_json)
    answer = asyncio.run(_ask(setup, turn, screen, stream=stream and not as_json))
    if answer.stopped:
        raise KeyboardInterrupt
    if answer.error is not None:
        raise answer.error
    if as_json:
        emit(record(answer))
    remarks(answer, verbose=verbose)


async def _ask(setup: Setup, turn: dict[str, Any], screen: Screen, *, stream: bool) -> Answer:
    client = create_async_chat_client(setup.backend, model=setup.model, settings=setup.settings)
    async with client:
        return await answered(client, [turn], setup, screen, stream=stream)

"""`franca chat`: a conversation, turn by turn."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import typer

from franca import create_async_chat_client
from franca.cli.answer import Answer, Screen, Setup, answered, picture, record, remarks, user_turn
from franca.cli.command import after_ctrl_c, note, problem
from franca.errors import FrancaError
from franca.types import ChatCompletion

if TYPE_CHECKING:
    from franca import AsyncChatClient

_PROMPT = "> "


@dataclass(slots=True)
class Chat:
    """A conversation and where it stands.

    Args:
        turns: questions and answers, without the system's words.
        pictures: for the next question.
        clients: by backend, each made at its first question.
        results: the answers that came whole.
        failed: whether a turn or a command did.
    """

    setup: Setup
    verbose: bool = False
    as_json: bool = False
    turns: list[Any] = field(default_factory=list)
    pictures: list[str] = field(default_factory=list)
    clients: dict[str, AsyncChatClient] = field(default_factory=dict)
    results: list[ChatCompletion] = field(default_factory=list)
    failed: bool = False
    ended: bool = False


def run(setup: Setup, pictures: Sequence[str], *, verbose: bool, as_json: bool) -> bool:
    """Talk until the end of stdin, /exit, or Ctrl-C at the prompt.

    Returns:
        Whether something failed where nobody was there to see it: stdin is no terminal.

    Raises:
        FrancaError: the model cannot be called, or a picture not be read.
        KeyboardInterrupt: Ctrl-C at the prompt, or where stdin is no terminal.
    """
    from franca.cli.chat_commands import command

    chat = Chat(setup, verbose, as_json, pictures=list(pictures))
    for place in pictures:
        picture(place)
    (target, *_) = setup.settings.resolve(setup.backend, setup.model)
    if at_terminal():
        note(f"{target.backend} {target.model}. /help for help, Ctrl-D to end.")
    with asyncio.Runner() as runner:
        try:
            for line in lines(as_json):
                _guarded(chat, command if line.startswith("/") else _turn, line, runner)
                if chat.ended:
                    break
        finally:
            runner.run(_close(chat))
    return chat.failed and not at_terminal()


def at_terminal() -> bool:
    """Whether somebody types."""
    return sys.stdin.isatty()


def lines(as_json: bool) -> Iterator[str]:
    """What is typed, or piped in: without the blanks around it, and without empty lines."""
    return filter(None, map(str.strip, _typed(as_json) if at_terminal() else sys.stdin))


def _typed(as_json: bool) -> Iterator[str]:
    with suppress(ImportError):
        import readline  # noqa: F401 - gives input() its history and its keys
    beside = as_json or not sys.stdout.isatty()  # the prompt is no part of what is piped on
    while True:
        if beside:
            typer.echo(_PROMPT, nl=False, err=True)
        try:
            yield input("" if beside else _PROMPT)
        except EOFError:
            typer.echo(err=True)
            return
        except KeyboardInterrupt:
            typer.echo(err=True)
            raise


def _guarded(chat: Chat, action: Any, line: str, runner: asyncio.Runner) -> None:
    """One line's work; what fails is told, and the chat goes on."""
    try:
        action(chat, line, runner)
    except FrancaError as error:
        chat.failed = True
        note(f"franca: {error}")
        if chat.as_json:
            tell({"error": problem(error)})


def _turn(chat: Chat, text: str, runner: asyncio.Runner) -> None:
    """Ask; keep question and answer, or what came of it. A question without any is not kept."""
    question = user_turn(text, chat.pictures)
    screen = Screen(shown=not chat.as_json)
    turns = [*chat.turns, question]
    answer = runner.run(answered(_client(chat), turns, chat.setup, screen))
    cut = {"role": "assistant", "content": answer.text} if answer.text else None
    reply = answer.result if answer.result and answer.result.parts else cut
    if reply is not None:
        chat.turns += [question, reply]
        chat.pictures.clear()
    if answer.result is not None:
        chat.results.append(answer.result)
    _remark(chat, answer, kept=reply is not None)
    if answer.stopped and not at_terminal():
        raise KeyboardInterrupt


def _remark(chat: Chat, answer: Answer, *, kept: bool) -> None:
    if chat.as_json:
        error = None if answer.error is None else problem(answer.error)
        tell({**record(answer), "stopped": answer.stopped, "error": error})
    if answer.error is not None:
        chat.failed = True
        note(f"franca: {answer.error}")
    if answer.stopped and not answer.text:
        after_ctrl_c()
    if answer.stopped:
        note("(stopped; what came is kept)" if kept else "(stopped; the question is not kept)")
    elif answer.result is not None and not kept:
        note("(nothing came; the question is not kept)")
    remarks(answer, verbose=chat.verbose)


def tell(value: Any) -> None:
    """A line of JSON."""
    typer.echo(json.dumps(value, ensure_ascii=False, default=str))


def _client(chat: Chat) -> AsyncChatClient:
    setup = chat.setup
    if setup.backend not in chat.clients:
        made = create_async_chat_client(setup.backend, setup.model, settings=setup.settings)
        chat.clients[setup.backend] = made
    return chat.clients[setup.backend]


async def _close(chat: Chat) -> None:
    for client in chat.clients.values():
        await client.aclose()

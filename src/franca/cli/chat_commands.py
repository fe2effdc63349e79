"""What begins with a slash in `franca chat`."""

from __future__ import annotations

import asyncio
import shlex
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

from franca.cli.answer import picture, plain
from franca.cli.chat import Chat, tell
from franca.cli.command import note
from franca.errors import FrancaError


class CommandError(FrancaError):
    """A command that does not exist, or lacks what it needs."""


def command(chat: Chat, line: str, runner: asyncio.Runner) -> None:
    """Do what the line says.

    Raises:
        FrancaError: it cannot be done; the chat is as it was.
    """
    name, _, rest = line[1:].partition(" ")
    if name not in _COMMANDS:
        raise CommandError(
            f"no command /{name}; there are {', '.join(map('/'.__add__, _COMMANDS))}"
        )
    _COMMANDS[name][1](chat, rest.strip())


def _model(chat: Chat, name: str) -> None:
    """Another model: this backend's, else that of the backend that lists it, else this one's."""
    setup = chat.setup
    if name:
        listing = [t.backend for t in setup.settings.targets() if t.model == name]
        backend = listing[0] if listing and setup.backend not in listing else setup.backend
        setup.settings.resolve(backend, name)  # raises, and the chat is as it was
        setup.backend, setup.model = backend, name
    (target, *_) = setup.settings.resolve(setup.backend, setup.model)
    note(f"({target.backend} {target.model})")


def _system(chat: Chat, text: str) -> None:
    if text:
        chat.setup.system = None if text == "-" else text
    note(f"(system: {chat.setup.system or 'nothing'})")


def _image(chat: Chat, place: str) -> None:
    if not place:
        raise CommandError("/image PATH: name a picture's file, or its URL")
    place = _unquoted(place)
    picture(place)
    chat.pictures.append(place)
    note(f"({len(chat.pictures)} with the next question)")


def _unquoted(place: str) -> str:
    """The path that is meant where a terminal has pasted one quoted for a shell."""
    if Path(place).expanduser().exists():
        return place
    with suppress(ValueError):  # a quote that is left open
        words = shlex.split(place)
        return words[0] if len(words) == 1 else place
    return place


def _clear(chat: Chat, _: str) -> None:
    chat.turns.clear()
    chat.pictures.clear()
    note("(a new conversation)")


def _usage(chat: Chat, _: str) -> None:
    """Of all that was answered since the start, cleared or not."""
    tokens: Counter[str] = Counter()
    spent: dict[str, Decimal] = {}
    unpriced = 0
    for result in chat.results:
        if result.usage is not None:
            tokens["in"] += result.usage.prompt_tokens or 0
            tokens["out"] += result.usage.completion_tokens or 0
        bill = result.cost
        unpriced += bill is None
        if bill is not None:
            spent[bill.currency] = spent.get(bill.currency, Decimal(0)) + bill.amount
    sums = {currency: plain(amount) for currency, amount in spent.items()}
    if chat.as_json:
        told: dict[str, Any] = {"answers": len(chat.results), "prompt_tokens": tokens["in"]}
        told |= {"completion_tokens": tokens["out"], "cost": sums, "unpriced": unpriced}
        tell({"usage": told})
        return
    money = [f"{currency} {amount}" for currency, amount in sums.items()]
    money += [f"{unpriced} of unknown cost"] if unpriced else []
    counts = f"{len(chat.results)} whole answers, {tokens['in']:,} tokens in, {tokens['out']:,} out"
    note(f"({'; '.join([counts, *money])})")


def _help(chat: Chat, _: str) -> None:
    for name, (what, _action) in _COMMANDS.items():
        spelt, _, does = what.partition(": ")
        note(f"/{name} {spelt}".ljust(16) + does)
    note("Ctrl-C          stop the answer; at the prompt, end")


def _exit(chat: Chat, _: str) -> None:
    chat.ended = True


_COMMANDS: dict[str, tuple[str, Callable[[Chat, str], None]]] = {
    "model": ("NAME: go on with another model; without NAME, say which", _model),
    "system": ("TEXT: what the model is told first; - for nothing", _system),
    "image": ("PATH: a picture for the next question", _image),
    "clear": (": begin anew", _clear),
    "usage": (": tokens and cost so far", _usage),
    "help": (": this", _help),
    "exit": (": end, as Ctrl-D does", _exit),
}
"""By name: what `/help` says (its argument, what it does), and what does it."""

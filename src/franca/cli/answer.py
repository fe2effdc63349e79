"""One answer of a model on the terminal, for `ask` and `chat`."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from franca.cli.command import note, printable
from franca.cli.source import chosen, opened
from franca.errors import CallError, StreamInterrupted
from franca.media import image
from franca.media.sources import is_http
from franca.settings import Settings
from franca.types import ChatCompletion, ChatParams, ImagePart, TextPart

if TYPE_CHECKING:
    from franca import AsyncChatClient
    from franca.tokens import Cost

_ENDED = {
    "length": "the answer was cut at its token limit",
    "content_filter": "the vendor's filter ended the answer",
    "tool_calls": "the model asks for a tool, and there is none here",
}


@dataclass(slots=True)
class Setup:
    """Whom to ask, and how."""

    settings: Settings
    backend: str
    model: str | None
    system: str | None = None
    max_tokens: int | None = None

    @classmethod
    def of(
        cls,
        path: Path | None,
        backend: str | None,
        model: str | None,
        *,
        system: str | None,
        max_tokens: int | None,
    ) -> Self:
        """From the options.

        Raises:
            SettingsError: nothing to call.
        """
        settings = opened(path)
        return cls(settings, *chosen(settings, backend, model), system, max_tokens)

    @property
    def params(self) -> ChatParams:
        """Those of each call."""
        return {} if self.max_tokens is None else {"max_tokens": self.max_tokens}

    def messages(self, turns: Sequence[Any]) -> list[Any]:
        """The conversation as it is sent."""
        first = [] if self.system is None else [{"role": "system", "content": self.system}]
        return [*first, *turns]


@dataclass(slots=True)
class Answer:
    """What came.

    Args:
        text: all that was visible, of a broken or stopped answer too.
        result: the whole; None where the answer did not come to its end.
        error: what broke it.
        stopped: whether Ctrl-C did.
        first, whole: seconds until something was visible, and until the end.
    """

    text: str = ""
    result: ChatCompletion | None = None
    error: CallError | None = None
    stopped: bool = False
    first: float | None = None
    whole: float = 0.0


@dataclass(slots=True)
class Screen:
    """Where an answer is written as it comes; nowhere where it is not `shown`."""

    shown: bool = True
    _line: str = field(default="", init=False)

    def say(self, text: str) -> None:
        """A piece of it. Only a terminal is spared what would steer it."""
        if not self.shown or not text:
            return
        self._line = text
        sys.stdout.write(printable(text) if sys.stdout.isatty() else text)
        sys.stdout.flush()

    def end(self) -> None:
        """The end of its last line."""
        if self._line and not self._line.endswith("\n"):
            self.say("\n")
        self._line = ""


def user_turn(text: str, pictures: Sequence[str]) -> dict[str, Any]:
    """A question as a message.

    Args:
        pictures: files, or http(s) URLs.

    Raises:
        InvalidRequestError: one of them is no picture, or cannot be read.
    """
    if not pictures:
        return {"role": "user", "content": text}
    parts: list[ImagePart | TextPart] = [picture(one) for one in pictures]
    return {"role": "user", "content": [*parts, TextPart(text)]}


def picture(place: str) -> ImagePart:
    """A file's picture, or a URL's. Raises InvalidRequestError where it is none."""
    return image(place if is_http(place) else Path(place).expanduser())


async def answered(
    client: AsyncChatClient,
    turns: Sequence[Any],
    setup: Setup,
    screen: Screen,
    *,
    stream: bool = True,
) -> Answer:
    """Ask, and write what comes as it comes. Does not raise what ends an answer, but tells it.

    A cancelled task has its answer stopped, and what came of it is kept.
    """
    answer, start = Answer(), time.perf_counter()
    try:
        if stream:
            await _streamed(client, turns, setup, screen, answer)
        else:
            messages = setup.messages(turns)
            answer.result = await client.create_completion(
                messages, model=setup.model, **setup.params
            )
            answer.text = answer.result.content or answer.result.refusal or ""
            screen.say(answer.text)
    except asyncio.CancelledError:
        answer.stopped = True
    except CallError as error:
        answer.error = error
    finally:
        screen.end()
        answer.whole = time.perf_counter() - start
    return answer


async def _streamed(
    client: AsyncChatClient, turns: Sequence[Any], setup: Setup, screen: Screen, answer: Answer
) -> None:
    start, messages = time.perf_counter(), setup.messages(turns)
    async with client.create_stream(messages, model=setup.model, **setup.params) as stream:
        async for delta in stream:
            text = delta.content or delta.refusal or ""
            if text and answer.first is None:
                answer.first = time.perf_counter() - start
            answer.text += text
            screen.say(text)
        answer.result = await stream.result()


def record(answer: Answer) -> dict[str, Any]:
    """What `--json` tells of it: the result's fields and its cost, or what came of it."""
    result = answer.result
    if result is None:
        partial = answer.error.partial if isinstance(answer.error, StreamInterrupted) else None
        told = partial.model_dump() if partial else {"content": answer.text or None, "usage": None}
        return {**told, "cost": None}
    told, bill = result.model_dump(), result.cost
    if len(result.choices) < 2:  # the first one's fields stand beside it
        del told["choices"]
    return {**told, "cost": None if bill is None else priced(bill)}


def priced(bill: Cost) -> dict[str, str]:
    """A cost as JSON: exact decimals are text there."""
    return {"amount": plain(bill.amount), "currency": bill.currency}


def plain(amount: Decimal) -> str:
    """A decimal without exponent and trailing zeros."""
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def money(bill: Cost | None) -> str:
    """A cost for people."""
    return "cost not known" if bill is None else f"{bill.currency} {plain(bill.amount)}"


def remarks(answer: Answer, *, verbose: bool) -> None:
    """On stderr: why it ended, where that is not of itself; with -v what it took."""
    result = answer.result
    if result is None:
        return
    why = _ENDED.get(result.finish_reason or "")
    if why:
        note(f"({why})")
    if verbose:
        note(f"({_took(answer, result)})")


def _took(answer: Answer, result: ChatCompletion) -> str:
    usage: Mapping[str, Any] = result.usage.model_dump() if result.usage else {}
    counts = [f"{_count(usage.get('prompt_tokens'))} tokens in"]
    counts.append(f"{_count(usage.get('completion_tokens'))} out")
    for name, what in (("cached_tokens", "cached"), ("reasoning_tokens", "of reasoning")):
        if usage.get(name):
            counts.append(f"{usage[name]:,} {what}")
    first = "" if answer.first is None else f"first word {answer.first:.1f} s, "
    place = f"{result.backend}/{result.model} at {result.endpoint_id}"
    return "; ".join(
        [", ".join(counts), money(result.cost), f"{first}whole {answer.whole:.1f} s", place]
    )


def _count(tokens: int | None) -> str:
    return "?" if tokens is None else f"{tokens:,}"

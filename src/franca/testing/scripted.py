"""A chat client whose answers are written down beforehand: no network, no SDK, the rest is real."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal, Unpack, overload

from franca.backends import ANTHROPIC_MESSAGES, BACKENDS
from franca.chat_clients.aio import AnthropicAsyncChatClient, OpenAIAsyncChatClient
from franca.chat_clients.client import AnthropicChatClient, OpenAIChatClient
from franca.chat_clients.prepare import Config, renamed
from franca.errors import CallError
from franca.flow.effects import Reply, Send
from franca.settings.build import make_target
from franca.settings.target import Endpoint, Target
from franca.testing import replies
from franca.testing.rendering import chunk_of, completion_of, deltas_of
from franca.testing.rendering_anthropic import events_of, message_of
from franca.testing.seam import (
    Final,
    Told,
    afinal,
    areply_of,
    final,
    keys_in_place,
    reply_of,
    tapped,
)
from franca.transport import aio, blocking
from franca.types import (
    BackendType,
    ChatCompletion,
    ChatDelta,
    ChatParams,
    EndpointType,
    Message,
)
from franca.wire.stream import StreamReader

Said = str | ChatCompletion | Sequence[str | ChatDelta | Exception]
Scripted = Said | Exception
"""A text; a result; an error that the call raises, without another try; or the pieces of a stream,
an error among them breaking it.

Each serves `create_completion` and `create_stream` alike, of either wire. What the wire has no
place for (on OpenAI's a signature, a citation) is lost.
"""

_ANTHROPIC = Literal[BackendType.Anthropic, "anthropic"]
_END = b"data: [DONE]\n\n"


@dataclass(slots=True, frozen=True)
class Call:
    """A call that a script answered.

    Args:
        model: the model's name.
        messages: the conversation, in franca's own form.
        params: those that were given.
        stream: whether the answer was to come in pieces.
        body: the request as it would have gone out, in the wire's own form.
        backend: the backend's name.
    """

    model: str
    messages: list[Message]
    params: dict[str, Any]
    stream: bool
    body: dict[str, Any]
    backend: str = "scripted"


class Script:
    """The answers that are left, and the calls that were made.

    Attributes:
        answers: how many there were in all.
        calls: what was asked, oldest first.
    """

    def __init__(self, answers: Sequence[Scripted] = ()) -> None:
        self._answers: deque[Scripted] = deque()
        self.answers = 0
        self.calls: list[Call] = []
        self.add(*answers)

    def add(self, *answers: Scripted) -> None:
        """More answers, after those that are left.

        Raises:
            TypeError: one is of no kind that `Scripted` has.
        """
        for place, answer in enumerate(answers, self.answers + 1):
            if not isinstance(answer, str | ChatCompletion | Exception | list | tuple):
                kind = type(answer).__name__
                kinds = "a text, a ChatCompletion, an exception or a list of pieces"
                raise TypeError(f"answer {place}: expected {kinds}, got {kind}")
        self._answers.extend(answers)
        self.answers += len(answers)

    @property
    def left(self) -> int:
        """How many answers no call has asked for."""
        return len(self._answers)

    def assert_done(self) -> None:
        """AssertionError where an answer is left, or a call was made that had none."""
        if len(self.calls) != self.answers:
            raise AssertionError(
                f"{len(self.calls)} calls, and the script has {self.answers} answers"
            )

    def tell(self, send: Send) -> Told:
        """The next answer, as its vendor would say it.

        Raises:
            AssertionError: none is left.
            Final: the answer is an error.
        """
        __tracebackhide__ = True  # pytest shows the caller's own lines
        request, target = send.request, send.target
        self.calls.append(
            Call(
                target.model,
                request.messages,
                request.params,
                request.stream,
                {**send.body},
                target.backend,
            )
        )
        if not self._answers:
            raise AssertionError(
                f"call {len(self.calls)}, and the script has {self.answers} answers"
            )
        answer = self._answers.popleft()
        if isinstance(answer, Exception):
            raise Final(answer)
        return Told(packets=_stream(answer, send)) if request.stream else _whole(answer, send)


@contextmanager
def use_script(*answers: Scripted) -> Generator[Script]:
    """Every client of the process gives these answers, one a call, whatever its backend and model,
    sync and async; a vendor's key that the environment lacks is made up, and nothing is counted
    against a limit.

    Args:
        answers: see `Scripted`; one more call than there are raises AssertionError.
    """
    script = Script(answers)
    with keys_in_place(), tapped(script.tell):
        yield script


class _Blocking(blocking.BlockingTransport):
    def __init__(self, script: Script) -> None:
        super().__init__()
        self._script = script

    run, open = final(blocking.BlockingTransport.run), final(blocking.BlockingTransport.open)

    def _send(self, send: Send) -> Reply | CallError:
        return reply_of(self._script.tell(send))


class _Async(aio.AsyncTransport):
    def __init__(self, script: Script) -> None:
        super().__init__()
        self._script = script

    run, open = afinal(aio.AsyncTransport.run), afinal(aio.AsyncTransport.open)

    async def _send(self, send: Send) -> Reply | CallError:
        return areply_of(self._script.tell(send))


class _Told:
    """What a scripted client says of its script."""

    _script: Script

    @property
    def calls(self) -> list[Call]:
        """What it was asked, oldest first."""
        return self._script.calls

    @property
    def left(self) -> int:
        """How many answers no call has asked for."""
        return self._script.left

    def assert_done(self) -> None:
        """AssertionError where an answer is left, or a call was made that had none."""
        self._script.assert_done()


class ScriptedClient(_Told, OpenAIChatClient):
    """See `scripted_client`."""

    def __init__(self, config: Config, script: Script) -> None:
        super().__init__(config, _Blocking(script))
        self._script = script


class ScriptedAnthropicClient(_Told, AnthropicChatClient):
    """See `scripted_client`."""

    def __init__(self, config: Config, script: Script) -> None:
        super().__init__(config, _Blocking(script))
        self._script = script


class ScriptedAsyncClient(_Told, OpenAIAsyncChatClient):
    """See `scripted_async_client`."""

    def __init__(self, config: Config, script: Script) -> None:
        super().__init__(config, _Async(script))
        self._script = script


class ScriptedAnthropicAsyncClient(_Told, AnthropicAsyncChatClient):
    """See `scripted_async_client`."""

    def __init__(self, config: Config, script: Script) -> None:
        super().__init__(config, _Async(script))
        self._script = script


@overload
def scripted_client(
    *answers: Scripted, backend: _ANTHROPIC, model: str = ..., **defaults: Unpack[ChatParams]
) -> ScriptedAnthropicClient: ...
@overload
def scripted_client(
    *answers: Scripted, backend: str | None = None, model: str = ..., **defaults: Unpack[ChatParams]
) -> ScriptedClient: ...
def scripted_client(
    *answers: Scripted,
    backend: str | None = None,
    model: str = "scripted",
    **defaults: Unpack[ChatParams],
) -> ScriptedClient | ScriptedAnthropicClient:
    """A client that gives these answers, one a call, and keeps what it was asked in `.calls`.

    Args:
        answers: see `Scripted`; one more call than there are raises AssertionError.
        backend: whose wire and ways hold; without it OpenAI's wire, and no vendor's ways.
        model: the model's name.
        defaults: parameters that hold unless a call overrides them.

    Raises:
        ValueError: no such backend.
    """
    config, script = _config(backend, model, defaults), Script(answers)
    anthropic = config.wire == ANTHROPIC_MESSAGES
    return (ScriptedAnthropicClient if anthropic else ScriptedClient)(config, script)


@overload
def scripted_async_client(
    *answers: Scripted, backend: _ANTHROPIC, model: str = ..., **defaults: Unpack[ChatParams]
) -> ScriptedAnthropicAsyncClient: ...
@overload
def scripted_async_client(
    *answers: Scripted, backend: str | None = None, model: str = ..., **defaults: Unpack[ChatParams]
) -> ScriptedAsyncClient: ...
def scripted_async_client(
    *answers: Scripted,
    backend: str | None = None,
    model: str = "scripted",
    **defaults: Unpack[ChatParams],
) -> ScriptedAsyncClient | ScriptedAnthropicAsyncClient:
    """The same for asyncio; see `scripted_client`."""
    config, script = _config(backend, model, defaults), Script(answers)
    anthropic = config.wire == ANTHROPIC_MESSAGES
    return (ScriptedAnthropicAsyncClient if anthropic else ScriptedAsyncClient)(config, script)


def _config(backend: str | None, model: str, defaults: Mapping[str, Any]) -> Config:
    if backend is not None:
        row = BACKENDS[BackendType(backend.lower())]
        anthropic = row.wire == ANTHROPIC_MESSAGES
        endpoint = _endpoint(EndpointType.Anthropic if anthropic else EndpointType.OpenAI)
        target = make_target(row.backend.value, model, model, endpoint)
        return Config(row.backend.value, model, renamed((target,)), defaults)
    nobodys = Target("scripted", model, model, _endpoint(EndpointType.OpenAI))

    def resolve(name: str | None) -> tuple[Target]:
        other = name is not None and name != model
        return (replace(nobodys, model=name, model_id=name) if other else nobodys,)

    return Config("scripted", model, resolve, defaults)


def _endpoint(kind: EndpointType) -> Endpoint:
    return Endpoint("scripted", kind, "http://scripted.invalid/v1")


def _whole(answer: Said, send: Send) -> Told:
    target = send.target
    if isinstance(answer, str):
        reply = replies.whole(target.wire, replies.compose(send.body, answer))
        return Told(body=json.dumps(reply).encode())
    if not isinstance(answer, ChatCompletion):
        reader = StreamReader(target)
        for packet in _stream(answer, send, whole=True):
            reader.feed(packet)
        answer = reader.result()
    anthropic = target.wire == ANTHROPIC_MESSAGES
    reply = message_of(answer, target) if anthropic else completion_of(answer, target.model)
    return Told(body=json.dumps(reply).encode())


def _stream(answer: Said, send: Send, *, whole: bool = False) -> Iterator[bytes]:
    """The answer's packets. An error before anything is visible ends the call, and so does any in
    what is not streamed; a later one breaks the stream."""
    target, wire = send.target, send.target.wire
    if isinstance(answer, str):
        yield from replies.events(wire, replies.compose(send.body, answer), send.body)
        return
    if wire != ANTHROPIC_MESSAGES:
        events = (chunk_of(delta, target.model) for delta in _deltas(answer, whole))
    elif isinstance(answer, ChatCompletion):
        events = replies.anthropic_events(message_of(answer, target))
    else:
        events = events_of(_deltas(answer, whole), target.model)
    yield from (replies.frame(wire, event) for event in events)
    if wire != ANTHROPIC_MESSAGES:
        yield _END


def _deltas(
    answer: ChatCompletion | Sequence[str | ChatDelta | Exception], whole: bool
) -> Iterator[ChatDelta]:
    """The pieces as deltas, with an end for those that have none; raises the error among them."""
    visible = finished = False
    for piece in deltas_of(answer) if isinstance(answer, ChatCompletion) else answer:
        if isinstance(piece, Exception):
            raise piece if visible and not whole else Final(piece)
        delta = ChatDelta(content=piece) if isinstance(piece, str) else piece
        visible = visible or bool(delta.content or delta.reasoning_content or delta.tool_calls)
        finished = finished or delta.finish_reason is not None
        yield delta
    if not finished:
        yield ChatDelta(finish_reason="stop")

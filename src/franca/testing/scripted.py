"""A chat client whose answers are written down beforehand: no network, no SDK, the rest is real."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from franca.chat_clients.aio import OpenAIAsyncChatClient
from franca.chat_clients.client import OpenAIChatClient
from franca.chat_clients.prepare import Config, renamed
from franca.errors import CallError
from franca.flow.effects import Reply, Send
from franca.settings.target import Endpoint, Target
from franca.testing import replies
from franca.testing.rendering import chunk_of, completion_of, deltas_of
from franca.transport import aio, blocking
from franca.types import ChatCompletion, ChatDelta, EndpointType, Message
from franca.wire.stream import StreamReader

Told = str | ChatCompletion | Sequence[str | ChatDelta | Exception]
Scripted = Told | Exception
"""A text; a result; an error to raise; or the pieces of a stream, an error among them breaking it.

Each serves `create_completion` and `create_stream` alike. What OpenAI's wire has no place for (a
signature, a citation) is lost.
"""

_HEADERS = {"content-type": "application/json"}
_END = b"data: [DONE]\n\n"


@dataclass(slots=True, frozen=True)
class Call:
    """A call that a scripted client was asked for.

    Args:
        model: the model's name.
        messages: the conversation, in franca's own form.
        params: those that were given.
        stream: whether the answer was to come in pieces.
        body: the request as it would have gone out, in OpenAI's form.
    """

    model: str
    messages: list[Message]
    params: dict[str, Any]
    stream: bool
    body: dict[str, Any]


class Script:
    """The answers that are left, and the calls that were made."""

    def __init__(self, answers: Sequence[Scripted]) -> None:
        self._answers, self._many = deque(answers), len(answers)
        self.calls: list[Call] = []

    def take(self, send: Send) -> Scripted:
        """The next answer. AssertionError where none is left."""
        request = send.request
        call = Call(
            send.target.model, request.messages, request.params, request.stream, {**send.body}
        )
        self.calls.append(call)
        if not self._answers:
            raise AssertionError(f"call {len(self.calls)}, and the script has {self._many} answers")
        return self._answers.popleft()


class _Blocking(blocking.BlockingTransport):
    def __init__(self, script: Script) -> None:
        super().__init__()
        self._script = script

    def _send(self, send: Send) -> Reply | CallError:
        answer = self._script.take(send)
        if isinstance(answer, Exception) or not send.request.stream:
            return _whole(answer, send)
        handle = blocking.Handle(_nothing, _stream(answer, send))
        return Reply(200, _HEADERS, handle=handle)


class _Async(aio.AsyncTransport):
    def __init__(self, script: Script) -> None:
        super().__init__()
        self._script = script

    async def _send(self, send: Send) -> Reply | CallError:
        answer = self._script.take(send)
        if isinstance(answer, Exception) or not send.request.stream:
            return _whole(answer, send)
        return Reply(200, _HEADERS, handle=aio.Handle(_anothing, _astream(answer, send)))


class ScriptedClient(OpenAIChatClient):
    """See `scripted_client`."""

    def __init__(self, config: Config, script: Script) -> None:
        super().__init__(config, _Blocking(script))
        self.calls = script.calls


class ScriptedAsyncClient(OpenAIAsyncChatClient):
    """See `scripted_async_client`."""

    def __init__(self, config: Config, script: Script) -> None:
        super().__init__(config, _Async(script))
        self.calls = script.calls


def scripted_client(*answers: Scripted, model: str = "scripted", **defaults: Any) -> ScriptedClient:
    """A client that gives these answers, one a call, and keeps what it was asked in `.calls`.

    Args:
        answers: see `Scripted`; one more call than there are raises AssertionError.
        model: the model's name.
        defaults: parameters that hold unless a call overrides them.
    """
    return ScriptedClient(_config(model, defaults), Script(answers))


def scripted_async_client(
    *answers: Scripted, model: str = "scripted", **defaults: Any
) -> ScriptedAsyncClient:
    """The same for asyncio; see `scripted_client`."""
    return ScriptedAsyncClient(_config(model, defaults), Script(answers))


def _config(model: str, defaults: dict[str, Any]) -> Config:
    endpoint = Endpoint("scripted", EndpointType.OpenAI, "http://scripted.invalid/v1")
    return Config(
        "scripted", model, renamed((Target("scripted", model, model, endpoint),)), defaults
    )


def _whole(answer: Scripted, send: Send) -> Reply | CallError:
    if isinstance(answer, CallError):
        return answer
    if isinstance(answer, Exception):
        raise answer
    if isinstance(answer, str):
        reply = replies.whole(send.target.wire, replies.compose(send.body, answer))
    elif isinstance(answer, ChatCompletion):
        reply = completion_of(answer, send.target.model)
    else:
        reader = StreamReader(send.target)
        try:
            for packet in _stream(answer, send):
                reader.feed(packet)
        except CallError as error:
            return error
        reply = completion_of(reader.result(), send.target.model)
    return Reply(200, _HEADERS, json.dumps(reply).encode())


def _stream(answer: Told, send: Send) -> Iterator[bytes]:
    if isinstance(answer, str):
        reply = replies.compose(send.body, answer)
        yield from replies.events(send.target.wire, reply, send.body)
        return
    pieces = deltas_of(answer) if isinstance(answer, ChatCompletion) else answer
    finished = False
    for piece in pieces:
        if isinstance(piece, Exception):
            raise piece
        delta = ChatDelta(content=piece) if isinstance(piece, str) else piece
        finished = finished or delta.finish_reason is not None
        yield replies.frame(send.target.wire, chunk_of(delta, send.target.model))
    if not finished:
        last = ChatDelta(finish_reason="stop")
        yield replies.frame(send.target.wire, chunk_of(last, send.target.model))
    yield _END


async def _astream(answer: Told, send: Send) -> AsyncIterator[bytes]:
    for packet in _stream(answer, send):
        yield packet


def _nothing() -> None:
    """Nothing is open that could be closed."""


async def _anothing() -> None:
    """Nothing is open that could be closed."""

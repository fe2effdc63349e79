"""Vendors' wire formats, served on loopback over real HTTP."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections import deque
from collections.abc import Mapping
from typing import Any

from franca.testing import replies, server
from franca.testing.answers import Answer, Piece, Received, Scripted

_FRAMING = frozenset({"content-length", "transfer-encoding", "content-encoding", "connection"})
_END = b"0\r\n\r\n"
_ANTHROPIC_PATH = re.compile(
    r"/messages(/count_tokens)?$|:(raw|streamRaw)Predict$|/model/[^/]+/invoke"
)
_COUNTS = {
    "/count_tokens": lambda tokens: {"input_tokens": tokens},
    "/count-tokens:rawPredict": lambda tokens: {"input_tokens": tokens},
    "/tokenizers/estimate-token-count": lambda tokens: {"data": {"total_tokens": tokens}},
    "/tokenizer": lambda tokens: {"usage": {"prompt_tokens": tokens}},
}
"""How Anthropic's endpoints that count answer, Vertex's for it, Moonshot's and ZhiPuAI's."""
_COUNTING_PATH = "|".join(rf"{re.escape(path)}$" for path in _COUNTS)
_KNOWN = re.compile(rf"/chat/completions$|{_ANTHROPIC_PATH.pattern}|{_COUNTING_PATH}")


class Simulator:
    """A server that speaks both wires; use it as a context manager, or `start` and `stop` it.

    Any path that ends in `/chat/completions` is OpenAI's; one that ends in `/messages`, Vertex's
    `:rawPredict` and Bedrock's `/model/<id>/invoke` are Anthropic's; the paths where vendors count
    tokens answer with the words of the prompt; GET `…/models` is the list.

    Args:
        api_key: the key that requests must carry; None asks for none.
        port: 0 takes a free one.
        default: the answer when no scripted one is left; None echoes the question.
        record: whether `requests` is kept.

    Attributes:
        requests: what came in, oldest first.
        count: how many requests came in, whether or not they are kept.
        default: as the argument; may be changed while it runs.
    """

    def __init__(
        self,
        *,
        api_key: str | None = None,
        port: int = 0,
        default: Scripted | None = None,
        record: bool = True,
    ) -> None:
        self.api_key, self.default, self._first = api_key, default, default
        self.requests: list[Received] = []
        self.count = 0
        self._port, self._record = port, record
        self._script: deque[Scripted] = deque()
        self._open: set[server.Connection] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._server: asyncio.Server

    def __enter__(self) -> Simulator:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Its address; OpenAI's SDK wants `/v1` after it, Anthropic's does not."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def connections(self) -> int:
        """How many connections are open now."""
        return len(self._open)

    def script(self, *answers: Scripted) -> None:
        """Adds answers, given first come, first served; then `default` holds again.

        Raises:
            TypeError: one is of no kind that `Scripted` has.
        """
        for answer in answers:
            if not (isinstance(answer, str | Answer) or callable(answer)):
                kind = type(answer).__name__
                raise TypeError(
                    f"expected a text, an Answer or a function of a request, got {kind}"
                )
        self._script.extend(answers)

    @property
    def left(self) -> int:
        """How many scripted answers no request has asked for."""
        return len(self._script)

    def assert_done(self) -> None:
        """AssertionError where a scripted answer is left."""
        if self._script:
            raise AssertionError(
                f"{self.left} scripted answers are left after {self.count} requests"
            )

    def reset(self) -> None:
        """Forgets script and requests, and breaks what it is still answering; idle connections
        stay."""
        self._script.clear()
        self.requests, self.count, self.default = [], 0, self._first
        loop = self._loop
        if loop is not None:
            asyncio.run_coroutine_threadsafe(self._break(), loop).result()

    async def _break(self) -> None:
        for connection in list(self._open):
            if connection.busy:
                connection.transport.abort()

    def start(self) -> None:
        """Listens; after a `stop` on the same port. OSError where the port is taken."""
        loop = self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=loop.run_forever, name="simulator", daemon=True)
        self._thread.start()
        try:  # in its own thread: the caller's may be running a loop
            asyncio.run_coroutine_threadsafe(self._listen(loop), loop).result()
        except OSError:
            self._end()
            raise

    async def _listen(self, loop: asyncio.AbstractEventLoop) -> None:
        self._server = await loop.create_server(
            lambda: server.Connection(self._handle, wire_of, self._open),
            "127.0.0.1",
            self._port,
            backlog=1024,
        )
        self._port = self._server.sockets[0].getsockname()[1]

    def stop(self) -> None:
        """Breaks what is open and stops listening."""
        if self._loop is not None:
            asyncio.run_coroutine_threadsafe(self._shut(), self._loop).result()
            self._end()

    def _end(self) -> None:
        loop, thread = self._loop, self._thread
        if loop is None or thread is None:
            return
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
        self._loop = self._thread = None

    async def _shut(self) -> None:
        self._server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for connection in list(self._open):
            connection.transport.abort()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _handle(self, received: Received, connection: server.Connection) -> None:
        self.count += 1
        if self._record:
            self.requests.append(received)
        await _perform(self._answer(received), received, connection)

    def _answer(self, received: Received) -> Answer:
        if self.api_key and self.api_key not in _keys(received.headers):
            return Answer(401, text="the API key is missing or wrong")
        if received.method == "GET":
            known = received.path.endswith("/models")
            return Answer(body=replies.models()) if known else Answer(404)
        if self._script:
            return _resolved(self._script.popleft(), received)
        return _refused(received) or _resolved(self.default or Answer(), received)


def wire_of(path: str) -> str:
    """The wire whose path it is; OpenAI's where it is nobody's."""
    return replies.ANTHROPIC if _ANTHROPIC_PATH.search(path) else replies.OPENAI


def _keys(headers: Mapping[str, str]) -> set[str]:
    bearer = headers.get("authorization", "").removeprefix("Bearer ")
    return {bearer, headers.get("x-api-key", ""), headers.get("api-key", "")}


def _resolved(scripted: Scripted, received: Received) -> Answer:
    if isinstance(scripted, str):
        return Answer(text=scripted)
    return scripted if isinstance(scripted, Answer) else scripted(received)


def _refused(received: Received) -> Answer | None:
    """What the simulator cannot do, said as a vendor would."""
    if not _KNOWN.search(received.path):
        return Answer(404, text=f"no such path: {received.path}")
    if received.path.endswith("-stream"):
        return Answer(501, text="the simulator has no AWS event streams")
    if not isinstance(received.body, dict):
        return Answer(400, text="the body is not a JSON object")
    counts = next((make for path, make in _COUNTS.items() if received.path.endswith(path)), None)
    return Answer(body=counts(replies.prompt_tokens(received.body))) if counts else None


async def _perform(answer: Answer, received: Received, to: server.Connection) -> None:
    if answer.latency:
        await asyncio.sleep(answer.latency)
    broken = _is_broken(answer)
    if answer.hang and not broken:
        await asyncio.Event().wait()
    if answer.reset == "before_headers":
        return to.reset()
    await to.send(_packets(answer, received, broken), answer.gap)
    if answer.hang:
        await asyncio.Event().wait()
    if answer.reset:
        to.reset()
    elif broken or received.headers.get("connection", "").lower() == "close":
        to.close()
    return None


def _is_broken(answer: Answer) -> bool:
    """Whether the reply ends before its end: a fault's stream is whole, as HTTP goes."""
    cut = answer.cut_after is not None
    cut = cut or (answer.cut_events is not None and answer.fault is None)
    return cut or answer.reset == "after_headers"


def _packets(answer: Answer, received: Received, broken: bool) -> list[bytes]:
    """The reply as TCP writes: the head, the packets, the end of a chunked body."""
    content, streamed = _content(answer, received)
    headers = _headers(answer, received, sum(map(len, content)), streamed)
    if streamed:
        content = _some_events(content, answer, received.wire)
    body = _cut(_divided(content, answer.chunk), _most(answer, streamed))
    if streamed:
        body = server.framed(body) + ([] if broken else [_END])
    packets = [server.head(answer.status, headers), *body]
    one = answer.chunk == "whole" or (not streamed and answer.chunk == "event")
    return [b"".join(packets)] if one else packets


def _headers(answer: Answer, received: Received, size: int, streamed: bool) -> dict[str, str]:
    given = {name.lower(): value for name, value in answer.headers.items()}
    return {
        "content-type": "text/event-stream" if streamed else "application/json",
        **replies.rate_headers(received.wire, answer.status),
        **{name: value for name, value in given.items() if name not in _FRAMING},
        **({"transfer-encoding": "chunked"} if streamed else {"content-length": str(size)}),
    }


def _content(answer: Answer, received: Received) -> tuple[list[bytes], bool]:
    """The body, event by event, and whether it is an event stream."""
    if answer.sse is not None:
        return _events(answer.sse, received.wire), True
    if answer.body is not None:
        return [_bytes(answer.body)], False
    if answer.status >= 400:
        return [_bytes(replies.failure(received.wire, answer.status, answer.text))], False
    body: dict[str, Any] = received.body if isinstance(received.body, dict) else {}
    reply = replies.compose(body, answer.text, answer.reasoning, answer.tool_calls)
    if body.get("stream"):
        return replies.events(received.wire, reply, body), True
    return [_bytes(replies.whole(received.wire, reply))], False


def _events(sse: Any, wire: str) -> list[bytes]:
    if isinstance(sse, str | bytes):
        return re.findall(rb"(?s).+?(?:\r?\n\r?\n|\r\r|\Z)", _bytes(sse))
    return [_piece(piece, wire) for piece in sse]


def _piece(piece: Piece, wire: str) -> bytes:
    return replies.frame(wire, piece) if isinstance(piece, Mapping) else _bytes(piece)


def _bytes(value: Mapping[str, Any] | str | bytes) -> bytes:
    if isinstance(value, bytes):
        return value
    return value.encode() if isinstance(value, str) else json.dumps(value).encode()


def _divided(content: list[bytes], chunk: str | int) -> list[bytes]:
    if chunk == "event":
        return content
    joined = b"".join(content)
    size = chunk if isinstance(chunk, int) else len(joined) or 1
    return [joined[start : start + size] for start in range(0, len(joined), size)]


def _some_events(content: list[bytes], answer: Answer, wire: str) -> list[bytes]:
    """What a cut leaves of a stream, and the fault that ends it."""
    kept, fault = content[: answer.cut_events], answer.fault
    if fault is None:
        return kept
    event = replies.failure(wire, 500, fault) if isinstance(fault, str) else fault
    return [*kept, replies.frame(wire, event)]


def _most(answer: Answer, streamed: bool) -> int | None:
    """How many bytes of the body are sent; None for all that is left of it."""
    if answer.cut_after is not None or (streamed and answer.cut_events is not None):
        return answer.cut_after
    return 0 if answer.reset == "after_headers" else None


def _cut(packets: list[bytes], most: int | None) -> list[bytes]:
    """The packets' first `most` bytes; all of them for None."""
    if most is None:
        return packets
    kept: list[bytes] = []
    for packet in packets:
        kept.append(packet[:most])
        most = max(most - len(packet), 0)
    return [packet for packet in kept if packet]

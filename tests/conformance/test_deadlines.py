"""Servers that never quite stop answering: a call is over in time all the same."""

from __future__ import annotations

import asyncio
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import openai  # noqa: F401 - its loading is none of a call's time
import pytest
from servers import settings

from franca import create_async_chat_client, create_chat_client
from franca.errors import CallError, RateLimitError, StreamInterrupted, TimeoutError
from franca.testing import Answer, Simulator, error, rate_limited

GAP = 0.05  # seconds between two bytes, or two comments
LIMIT = 0.5
LONG = 20.0  # seconds: far over any limit here, and far less than the servers take
HELLO = 'data: {"choices":[{"index":0,"delta":{"content":"hello"}}]}\n\n'
COMMENTS = [": still here\n\n"] * 2000
BYTES: dict[str, Any] = {"chunk": 1, "gap": GAP}


class _Trickle(socketserver.BaseRequestHandler):
    """A head that takes a minute."""

    def handle(self) -> None:
        self.request.recv(65536)
        with suppress(OSError):
            for byte in b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n" + b"x" * 1000:
                self.request.sendall(bytes([byte]))
                time.sleep(GAP)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False


@pytest.fixture
def sim() -> Iterator[Simulator]:
    with Simulator() as running:
        yield running


@pytest.fixture
def trickle() -> Iterator[str]:
    with _Server(("127.0.0.1", 0), _Trickle) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def call(url: str, *, is_async: bool, stream: bool, **options: Any) -> tuple[str, CallError]:
    """(the text that was seen, how the call failed); it is over in time."""
    given = settings([url], retry={"retry_delay": 0.001})
    seen: list[str] = []
    began = time.monotonic()
    try:
        if is_async:
            asyncio.run(_acall(given, seen, stream, options))
        else:
            _call(given, seen, stream, options)
    except CallError as error:
        failed = error
    else:
        pytest.fail("it was answered")
    assert time.monotonic() - began < LONG
    return "".join(seen), failed


def _call(given: Any, seen: list[str], stream: bool, options: Any) -> None:
    with create_chat_client("local", "m", settings=given) as client:
        if not stream:
            client.create_completion("hi", **options)
            return
        for delta in client.create_stream("hi", **options):
            seen.append(delta.content or "")


async def _acall(given: Any, seen: list[str], stream: bool, options: Any) -> None:
    async with create_async_chat_client("local", "m", settings=given) as client:
        if not stream:
            await client.create_completion("hi", **options)
            return
        async for delta in client.create_stream("hi", **options):
            seen.append(delta.content or "")


WAYS = pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
KINDS = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
WORDS = pytest.mark.parametrize(
    "limit",
    [{"deadline": LIMIT}, {"timeout": LIMIT, "max_retries": 0}],
    ids=["deadline", "timeout"],
)


@WAYS
@KINDS
@WORDS
def test_a_head_that_trickles(trickle: str, is_async: bool, stream: bool, limit: Any) -> None:
    _, failed = call(trickle, is_async=is_async, stream=stream, **limit)
    assert type(failed) is TimeoutError


@WAYS
@KINDS
@WORDS
@pytest.mark.parametrize("status", [200, 500])
def test_a_body_that_trickles(
    sim: Simulator, status: int, is_async: bool, stream: bool, limit: Any
) -> None:
    sim.default = Answer(text="word " * 200, **BYTES) if status == 200 else error(500, **BYTES)
    _, failed = call(sim.url, is_async=is_async, stream=stream, **limit)
    assert type(failed) is TimeoutError


@WAYS
@WORDS
def test_a_stream_that_only_says_it_lives(sim: Simulator, is_async: bool, limit: Any) -> None:
    sim.default = Answer(sse=COMMENTS, gap=GAP)
    _, failed = call(sim.url, is_async=is_async, stream=True, **limit)
    assert type(failed) is TimeoutError


@WAYS
@pytest.mark.parametrize("rest", [COMMENTS, [HELLO] * 2000], ids=["comments", "answers"])
def test_the_deadline_is_for_all_of_a_stream(sim: Simulator, is_async: bool, rest: Any) -> None:
    sim.default = Answer(sse=[HELLO, *rest], gap=GAP)
    text, failed = call(sim.url, is_async=is_async, stream=True, deadline=8 * LIMIT)
    assert isinstance(failed, StreamInterrupted)
    assert isinstance(failed.__cause__, TimeoutError)
    assert text == failed.partial.content
    assert text.startswith("hello")


@WAYS
def test_a_stream_that_stops_late(sim: Simulator, is_async: bool) -> None:
    """What is left of the deadline counts, not the whole of it anew."""
    sim.default = Answer(sse=[HELLO] * 50, gap=GAP, cut_events=50, hang=True)
    _, failed = call(sim.url, is_async=is_async, stream=True, deadline=5.0)
    assert isinstance(failed, StreamInterrupted)


@WAYS
def test_the_first_event_has_no_more_time_for_all_that_may_be_silence(
    sim: Simulator, is_async: bool
) -> None:
    sim.default = Answer(sse=COMMENTS[:1], cut_events=1, hang=True)
    options: Any = {"timeout": LIMIT, "idle_timeout": 60.0, "max_retries": 0}
    _, failed = call(sim.url, is_async=is_async, stream=True, **options)
    assert type(failed) is TimeoutError


def test_a_connection_that_was_opened_without_a_limit_keeps_to_one(sim: Simulator) -> None:
    with create_chat_client("local", "m", settings=settings([sim.url])) as client:
        client.create_completion("hi")
        sim.script(Answer(text="word " * 200, **BYTES))
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            client.create_completion("hi", deadline=LIMIT)
        assert time.monotonic() - began < LONG


@WAYS
def test_a_stream_that_falls_silent(sim: Simulator, is_async: bool) -> None:
    sim.default = Answer(sse=[HELLO], cut_events=1, hang=True)
    text, failed = call(sim.url, is_async=is_async, stream=True, idle_timeout=4 * LIMIT)
    assert isinstance(failed, StreamInterrupted)
    assert text == failed.partial.content == "hello"
    assert len(sim.requests) == 1


@WAYS
def test_silence_before_anything_is_visible_is_tried_again(sim: Simulator, is_async: bool) -> None:
    sim.default = Answer(sse=COMMENTS[:1], cut_events=1, hang=True)
    options: Any = {"idle_timeout": 0.2, "max_retries": 2}
    _, failed = call(sim.url, is_async=is_async, stream=True, **options)
    assert type(failed) is TimeoutError
    assert len(sim.requests) == 3


@WAYS
@KINDS
def test_what_the_deadline_does_not_leave_room_for(
    sim: Simulator, is_async: bool, stream: bool
) -> None:
    sim.default = rate_limited("30")
    began = time.monotonic()
    _, failed = call(sim.url, is_async=is_async, stream=stream, deadline=20.0)
    assert type(failed) is RateLimitError
    assert time.monotonic() - began < 20  # it does not wait for what cannot be
    assert len(sim.requests) == 1


AZURE: dict[str, Any] = {"endpoint_type": "openai_azure", "api_key": "a-key"}
CLOUDS: dict[str, dict[str, Any]] = {
    "azure": AZURE,
    "vertex": {
        "endpoint_type": "anthropic_vertex",
        "api_key": "a-key",
        "credentials": {"project_id": "p", "location": "us-east5"},
    },
    "bedrock": {
        "endpoint_type": "anthropic_bedrock",
        "credentials": {
            "aws_access_key": "AKIAEXAMPLE",
            "aws_secret_key": "not-a-secret-at-all",
            "aws_region": "us-west-2",
        },
    },
}


@KINDS
@pytest.mark.parametrize("cloud", list(CLOUDS))
def test_a_head_that_trickles_to_an_sdk(trickle: str, cloud: str, stream: bool) -> None:
    given = {"model_id": "m", "api_base": trickle, **CLOUDS[cloud]}
    backend = "local" if cloud == "azure" else "anthropic"
    with create_chat_client(backend, "m", endpoints=[given]) as client:
        assert client.raw_client  # its loading is none of a call's time
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            client.create_completion("hi", stream=stream, deadline=2.0)
        assert time.monotonic() - began < 30, "the head takes a minute"


def test_a_connection_that_an_sdk_has_opened_without_a_limit_keeps_to_one(sim: Simulator) -> None:
    given = {"model_id": "m", "api_base": sim.url, **AZURE}
    with create_chat_client("local", "m", endpoints=[given]) as client:
        client.create_completion("hi")
        sim.script(Answer(text="word " * 400, **BYTES))
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            client.create_completion("hi", deadline=2.0)
        assert time.monotonic() - began < 60, "the body takes two minutes"
        assert sim.connections <= 1

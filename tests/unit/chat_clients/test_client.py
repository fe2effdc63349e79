"""Clients, blocking and asyncio alike, against the simulator over loopback."""

import asyncio
import builtins
import copy
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import openai
import pytest
from pydantic import TypeAdapter

from franca import create_async_chat_client, create_chat_client
from franca.errors import (
    APIError,
    CallError,
    ConnectionError,
    InvalidRequestError,
    ProviderError,
    SettingsError,
    StreamInterrupted,
    TimeoutError,
)
from franca.settings import Settings
from franca.testing import Answer, Simulator, error, text_reply
from franca.types import ChatCompletion, Message, ToolCall, ToolResult

HI = {"choices": [{"index": 0, "delta": {"content": "hi"}}]}
THERE = {"choices": [{"index": 0, "delta": {"content": " there"}}]}
STOP = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
DONE = "data: [DONE]\n\n"
TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}


@pytest.fixture
def sim():
    with Simulator() as simulator:
        yield simulator


class Sync:
    """The blocking client under the names that both have here."""

    def __init__(self, **options: Any) -> None:
        self.client = create_chat_client(**options)

    def ask(self, *args: Any, **params: Any) -> Any:
        return self.client.create_completion(*args, **params)

    def read(self, *args: Any, **params: Any) -> Any:
        """(deltas, result or error)"""
        deltas: list[Any] = []
        try:
            with self.client.create_stream(*args, **params) as stream:
                for delta in stream:
                    deltas.append(delta)
                return deltas, stream.result()
        except CallError as failed:
            return deltas, failed

    def close(self) -> None:
        self.client.close()


class Async:
    """The asyncio client, each call in a loop of its own."""

    def __init__(self, **options: Any) -> None:
        self.client = create_async_chat_client(**options)

    def ask(self, *args: Any, **params: Any) -> Any:
        async def call():
            return await self.client.create_completion(*args, **params)

        return asyncio.run(call())

    def read(self, *args: Any, **params: Any) -> Any:
        async def call():
            deltas = []
            try:
                async with self.client.create_stream(*args, **params) as stream:
                    async for delta in stream:
                        deltas.append(delta)
                    return deltas, await stream.result()
            except CallError as failed:
                return deltas, failed

        return asyncio.run(call())

    def close(self) -> None:
        asyncio.run(self.client.aclose())


@pytest.fixture(params=[Sync, Async])
def make(request, sim):
    made: list[Any] = []

    def build(backend: str = "local", model: str | None = "m", **options: Any) -> Any:
        if not {"base_url", "endpoints", "settings"} & set(options):
            options["base_url"] = sim.url if backend == "anthropic" else f"{sim.url}/v1"
        options.setdefault("api_key", None if "settings" in options else "k")
        options.setdefault("max_retries", 0)
        made.append(request.param(backend=backend, model=model, **options))
        return made[-1]

    yield build
    for each in made:
        each.close()


def body(sim) -> dict[str, Any]:
    return sim.requests[-1].body


def dead_url() -> str:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{sock.getsockname()[1]}/v1"


def fails(kind: type[Exception], call: Callable[..., Any], *args: Any, **params: Any) -> Any:
    with pytest.raises(kind) as caught:
        call(*args, **params)
    return caught.value


def gone(sim, most: int = 0, seconds: float = 2.0) -> bool:
    """Whether the simulator is soon left with at most so many connections."""
    end = time.monotonic() + seconds
    while sim.connections > most and time.monotonic() < end:
        time.sleep(0.01)
    return sim.connections <= most


# parameters


def test_defaults_hold_unless_overridden(make, sim):
    client = make(temperature=0.25, stop=["x"])
    client.ask("hello")
    assert (body(sim)["temperature"], body(sim)["stop"]) == (0.25, ["x"])
    client.ask("hello", temperature=0)
    assert (body(sim)["temperature"], body(sim)["stop"]) == (0, ["x"])
    client.ask("hello", temperature=None, max_tokens=None)
    assert body(sim)["temperature"] == 0.25
    assert "max_tokens" not in body(sim)
    client.ask("hello")
    assert body(sim)["temperature"] == 0.25, "a call changed its client"


def test_none_is_not_given(make, sim):
    make(temperature=None, tools=None).ask("hello", seed=None, stop=None)
    assert set(body(sim)) == {"model", "messages"}


def test_unknown_parameters_are_refused_with_a_hint(make, sim):
    client = make()
    with pytest.raises(TypeError, match="did you mean 'temperature'"):
        client.ask("hello", temprature=1)
    with pytest.raises(TypeError, match="extra_body"):
        client.ask("hello", qqqq=1)
    with pytest.raises(TypeError, match="did you mean 'max_tokens'"):
        make(max_token=1)
    assert not sim.requests


def test_model_per_call(make, sim):
    client = make()
    assert client.ask("hello", model="other").model == "other"
    assert client.ask("hello").model == "m"
    assert client.read("hello", model="third")[1].model == "third"


def test_extra_goes_out(make, sim):
    make().ask(
        "hello",
        extra_body={"top_k": 3},
        extra_headers={"X-Mine": "1"},
        extra_query={"q": "a b"},
    )
    received = sim.requests[-1]
    assert received.body["top_k"] == 3
    assert received.headers["x-mine"] == "1"
    assert received.query in {"q=a+b", "q=a%20b"}
    assert received.headers["authorization"] == "Bearer k"


# messages


def rain_for(call_id: str) -> Message:
    return Message("tool", [ToolResult(call_id, "rain")])


@pytest.mark.parametrize("backend", ["local", "anthropic"])
def test_what_is_the_callers_stays_as_it_is(make, sim, backend):
    messages: list[Any] = [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": [{"type": "text", "text": "what is the weather?"}]},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": "call_1",
                    "type": "function",
                    "function": {"name": "weather", "arguments": '{"city":"Bern"}'},
                }
            ],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "rain"},
    ]
    given = {"tools": [TOOL], "extra_body": {"a": {"b": 1}}, "stop": ["x"], "metadata": {}}
    before = copy.deepcopy((messages, given))
    client = make(backend)
    client.ask(messages, **given)
    client.read(messages, **given)
    assert (messages, given) == before


@pytest.mark.parametrize("backend", ["local", "anthropic"])
@pytest.mark.parametrize("streamed", [False, True])
def test_a_conversation_with_tools(make, sim, backend, streamed):
    client = make(backend)
    sim.script(Answer(text="Let me see.", tool_calls=[("weather", {"city": "Bern"}),
                                                      ("weather", {"city": "Köln"})]))  # fmt: skip

    def ask(*args: Any, **params: Any) -> Any:
        return client.read(*args, **params)[1] if streamed else client.ask(*args, **params)

    messages: list[Any] = [{"role": "user", "content": "weather?"}]
    first = ask(messages, tools=[TOOL])
    assert first.finish_reason == "tool_calls"
    assert [json.loads(call.arguments)["city"] for call in first.tool_calls] == ["Bern", "Köln"]
    messages += [first, *(rain_for(call.id) for call in first.tool_calls)]
    before = copy.deepcopy(messages)
    second = ask(messages, tools=[TOOL])
    assert isinstance(second.content, str)
    assert messages == before
    again = sim.requests[-1].content.decode()
    for call in first.tool_calls:
        assert again.count(f'"{call.id}"') == 2, "the call, and its answer"
    assert "Let me see." in again
    assert "Köln" in again.replace("\\\\u00f6", "ö")
    ask([*messages, second, {"role": "user", "content": "thanks"}])


def test_a_result_made_by_hand_goes_back_whole(make, sim):

    made = ChatCompletion(content="so", tool_calls=[ToolCall("c1", "weather", "{}")])
    make().ask([{"role": "user", "content": "a"}, made, rain_for("c1")])
    assert body(sim)["messages"][1]["tool_calls"][0]["id"] == "c1"


@pytest.mark.parametrize("messages", [[1], {"role": "user", "content": "x"}, [{"content": "x"}]])
def test_what_is_no_conversation_is_refused(make, sim, messages):
    with pytest.raises(CallError, match=r"^messages"):
        make().ask(messages)
    assert not sim.requests


# endpoints


def two(first: str, second: str) -> list[dict[str, Any]]:
    return [{"id": "one", "api_base": first}, {"id": "two", "api_base": second}]


def test_a_dead_endpoint_is_passed(make, sim):
    client = make(endpoints=two(dead_url(), f"{sim.url}/v1"), random_endpoint=False)
    assert client.ask("hello").endpoint_id == "two"
    deltas, result = client.read("hello")
    assert result.endpoint_id == "two"
    assert "".join(d.content or "" for d in deltas) == "You said: hello"


def test_all_dead(make):
    client = make(endpoints=two(dead_url(), dead_url()))
    for failed in (fails(ConnectionError, client.ask, "hello"), client.read("hello")[1]):
        assert isinstance(failed, ConnectionError)
        assert not failed.sent
        (other,) = failed.tried
        assert {failed.endpoint_id, other.endpoint_id} == {"one", "two"}
        assert f"{other.endpoint_id}: cannot connect" in str(failed)
        assert f"local/{failed.endpoint_id}" in str(failed)


def test_pinned_and_in_order(make, sim):
    endpoints = two(f"{sim.url}/v1", f"{sim.url}/v1")
    first = make(endpoints=endpoints, random_endpoint=False)
    assert {first.ask("hello").endpoint_id for _ in range(12)} == {"one"}
    pinned = make(endpoints=endpoints, endpoint_id="two")
    assert {pinned.ask("hello").endpoint_id for _ in range(12)} == {"two"}
    either = make(endpoints=endpoints)
    assert {either.ask("hello").endpoint_id for _ in range(40)} == {"one", "two"}
    with pytest.raises(SettingsError, match="one, two"):
        make(endpoints=endpoints, endpoint_id="three")


def test_the_callers_own_mistake_is_not_sent_elsewhere(make, sim):
    sim.script(error(400, "no such thing"))
    client = make(endpoints=two(f"{sim.url}/v1", f"{sim.url}/v1"), max_retries=3)
    with pytest.raises(InvalidRequestError, match="no such thing"):
        client.ask("hello")
    assert len(sim.requests) == 1


def test_the_vendors_fault_goes_elsewhere(make, sim):
    sim.script(error(500, "melting"))
    client = make(endpoints=two(f"{sim.url}/v1", f"{sim.url}/v1"), random_endpoint=False)
    assert client.ask("hello").endpoint_id == "two"
    sim.script(error(500, "melting"))
    assert client.read("hello")[1].endpoint_id == "two"
    assert len(sim.requests) == 4


def test_the_vendors_fault_is_tried_again(make, sim):
    sim.script(error(500, "melting"), error(529, "melting"))
    client = make(max_retries=2, retry_delay=0)
    assert client.ask("hello").content == "You said: hello"
    sim.script(error(500, "melting"), error(529, "melting"))
    deltas, result = client.read("hello")
    assert "".join(d.content or "" for d in deltas) == result.content == "You said: hello"
    assert len(sim.requests) == 6


# what breaks


@pytest.mark.parametrize(
    "answer",
    [
        Answer(body="<html><body>Welcome</body></html>", headers={"content-type": "text/html"}),
        Answer(body='{"id": "1", "choices": [{"mess'),
        Answer(body="[]"),
        Answer(body="null"),
        Answer(body=""),
        Answer(body=b"\xff\xfe{}"),
    ],
)
@pytest.mark.parametrize("backend", ["local", "anthropic"])
def test_nonsense_is_an_api_error(make, sim, backend, answer):
    client = make(backend)
    sim.script(answer, answer)
    failed = fails(CallError, client.ask, "hello")
    assert type(failed) is APIError
    assert failed.endpoint_id
    streamed = client.read("hello")[1]
    assert type(streamed) is APIError


def test_hang(make, sim):
    client = make()
    sim.script(Answer(hang=True), Answer(hang=True))
    failed = fails(TimeoutError, client.ask, "hello", timeout=1.5)
    assert failed.sent
    assert type(client.read("hello", timeout=1.5)[1]) is TimeoutError
    assert len(sim.requests) == 2


def test_reset_before_the_headers(make, sim):
    client = make()
    sim.script(Answer(reset="before_headers"), Answer(reset="before_headers"))
    failed = fails(ConnectionError, client.ask, "hello")
    assert failed.sent
    assert type(client.read("hello")[1]) is ConnectionError
    assert len(sim.requests) == 2, "whoever wants one try has no other below"


def test_the_server_hangs_up_on_the_question(make):
    """It closes in an orderly way, without a word of HTTP."""
    asked = []

    def serve():
        for _ in range(2):
            with listening.accept()[0] as connection:
                asked.append(connection.recv(65536))

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=serve, daemon=True).start()
        place = f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
        client = make(base_url=place)
        failed = fails(ConnectionError, client.ask, "hello")
        assert failed.sent
        assert len(asked) == 1
        assert type(client.read("hello")[1]) is ConnectionError
        assert len(asked) == 2


def test_cut_whole_answer(make, sim):
    client = make()
    sim.script(text_reply("a long answer", cut_after=20))
    assert fails(ConnectionError, client.ask, "hello").sent


@pytest.mark.parametrize("how", [{"cut_after": 9}, {"cut_after": 9, "reset": "after_headers"}])
def test_cut_before_anything_is_visible(make, sim, how):
    client = make()
    sim.script(Answer(sse=[HI, STOP, DONE], **how))
    deltas, failed = client.read("hello")
    assert deltas == []
    assert type(failed) in {ConnectionError, APIError}


def interrupted(deltas, failed) -> StreamInterrupted:
    assert type(failed) is StreamInterrupted, repr(failed)
    assert "".join(d.content or "" for d in deltas) == "hi there"
    assert failed.partial.content == "hi there"
    assert (failed.backend, failed.endpoint_id) == ("local", "local")
    assert failed.__cause__ not in (None, failed)
    return failed


@pytest.mark.parametrize("reset", [None, "after_headers"])
def test_cut_after_something_is_visible(make, sim, reset: Any):
    whole = sum(len(f"data: {json.dumps(event)}\n\n") for event in (HI, THERE))
    sim.script(Answer(sse=[HI, THERE, STOP, DONE], gap=0.05, cut_after=whole + 3, reset=reset))
    interrupted(*make().read("hello"))


def test_ended_without_the_end_mark(make, sim):
    sim.script(Answer(sse=[HI, THERE], gap=0.05))
    assert "end mark" in str(interrupted(*make().read("hello")))


def test_silence_in_the_stream(make, sim):
    whole = sum(len(f"data: {json.dumps(event)}\n\n") for event in (HI, THERE))
    sim.script(Answer(sse=[HI, THERE, STOP, DONE], gap=0.05, cut_after=whole, hang=True))
    failed = interrupted(*make().read("hello", timeout=2.0))
    assert isinstance(failed.__cause__, TimeoutError)


def test_an_error_event(make, sim):
    melting = {"error": {"message": "melting", "type": "server_error", "code": 503}}
    client = make()
    sim.script(Answer(sse=[HI, THERE, melting], gap=0.05), Answer(sse=[melting]))
    failed = interrupted(*client.read("hello"))
    assert "melting" in str(failed)
    assert isinstance(failed.__cause__, ProviderError)
    assert type(client.read("hello")[1]) is ProviderError


def test_nonsense_in_the_stream(make, sim):
    sim.script(Answer(sse=[HI, THERE, "data: {nonsense\n\n", STOP, DONE], gap=0.05))
    interrupted(*make().read("hello"))


# streams


def test_a_broken_stream_has_no_whole(sim):
    sim.script(Answer(sse=[HI, THERE], gap=0.05))
    with create_chat_client("local", model="m", base_url=f"{sim.url}/v1") as client:
        stream = client.create_stream("hello")
        first = fails(StreamInterrupted, list, stream)
        assert fails(StreamInterrupted, stream.result) is first


def test_result_reads_what_is_left(make, sim):
    client = make().client
    if not hasattr(client, "aclose"):
        stream = client.create_stream("one two three")
        next(stream)
        assert stream.result().content == "You said: one two three"
        assert stream.result().usage.completion_tokens == 5
        return

    async def read():
        stream = client.create_stream("one two three")
        await anext(stream)
        assert (await stream.result()).content == "You said: one two three"
        assert (await stream.result()).usage.completion_tokens == 5

    asyncio.run(read())


def endless() -> Answer:
    return Answer(text="word " * 3000, gap=0.005)


@pytest.fixture
def client(sim):
    with create_chat_client("local", model="m", base_url=f"{sim.url}/v1") as client:
        yield client


def test_closing_a_stream_closes_its_request(sim, client):
    sim.default = endless()
    stream = client.create_stream("hello")
    next(stream)
    stream.close()
    assert gone(sim)
    assert stream.result().content.startswith("word")
    assert list(stream) == []
    stream.close()


def test_leaving_the_block_closes_the_request(sim, client):
    sim.default = endless()
    with client.create_stream("hello") as stream:
        next(stream)
    assert gone(sim)


def test_walking_away_closes_the_request(sim, client):
    sim.default = endless()
    for _ in client.create_stream("hello"):
        break
    assert gone(sim)
    stream = client.create_stream("hello")
    del stream
    assert gone(sim)


def test_a_loop_over_a_stream_that_nobody_holds(client):
    text = "".join(d.content or "" for d in client.create_stream("one two three"))
    assert text == "You said: one two three"


def test_a_refused_or_read_stream_gives_its_connection_back(sim, client):
    for _ in range(3):
        client.create_stream("hello").result()
        sim.script(error(400))
        with pytest.raises(CallError):
            client.create_stream("hello")
    assert sim.connections == 1


def test_the_async_stream_however_it_is_begun(sim):
    async def main():
        async with create_async_chat_client("local", model="m", base_url=f"{sim.url}/v1") as client:
            said = []
            said.append([d.content async for d in client.create_stream("hello")])
            said.append([d.content async for d in await client.create_stream("hello")])
            said.append(
                [d.content async for d in await client.create_completion("hello", stream=True)]
            )
            async with client.create_stream("hello") as stream:
                said.append([d.content async for d in stream])
            async with await client.create_stream("hello") as stream:
                said.append([d.content async for d in stream])
            assert ["".join(filter(None, words)) for words in said] == ["You said: hello"] * 5
            assert (await client.create_stream("hello").result()).content == "You said: hello"
            assert len(sim.requests) == 6
            assert sim.connections == 1

    asyncio.run(main())


async def _gone(sim, most: int = 0) -> bool:
    return await asyncio.to_thread(gone, sim, most)


def test_an_async_stream_left_early(sim):
    sim.default = endless()

    async def main():
        async with create_async_chat_client("local", model="m", base_url=f"{sim.url}/v1") as client:
            async for _ in client.create_stream("hello"):
                break
            assert await _gone(sim)
            stream = await client.create_stream("hello")
            await anext(stream)
            await stream.aclose()
            assert await _gone(sim)
            assert "word" in ((await stream.result()).content or "")
            async with client.create_stream("hello") as stream:
                await anext(stream)
            assert await _gone(sim)
            stream = await client.create_stream("hello")
            del stream
            assert await _gone(sim)

    asyncio.run(main())


@pytest.mark.parametrize("where", ["before the headers", "before anything", "amid", "whole"])
def test_a_cancelled_task_closes_its_request(sim, where):
    role = 'data: {"choices":[{"index":0,"delta":{"role":"assistant"}}]}\n\n'
    sim.default = {
        "before the headers": Answer(hang=True),
        "before anything": Answer(sse=[role] * 1000, gap=0.01),
        "amid": endless(),
        "whole": Answer(hang=True),
    }[where]

    async def main():
        async with create_async_chat_client("local", model="m", base_url=f"{sim.url}/v1") as client:

            async def read():
                if where == "whole":
                    return await client.create_completion("hello")
                async for _ in client.create_stream("hello"):
                    pass

            task = asyncio.create_task(read())
            while sim.connections != 1:
                await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await _gone(sim)
            with pytest.raises(builtins.TimeoutError):
                async with asyncio.timeout(0.2):
                    await read()
            assert await _gone(sim)

    asyncio.run(main())


def test_closing_an_async_stream_that_another_task_reads(sim):
    sim.default = Answer(sse=[HI, THERE], gap=0.0, cut_after=10_000, hang=True)

    async def main():
        async with create_async_chat_client("local", model="m", base_url=f"{sim.url}/v1") as client:
            stream = await client.create_stream("hello")

            async def read():
                return [delta async for delta in stream]

            task = asyncio.create_task(read())
            await asyncio.sleep(0.2)
            await stream.aclose()
            assert await _gone(sim)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(main())


def test_an_async_stream_closed_before_it_began_sends_nothing(sim):
    async def main():
        async with create_async_chat_client("local", model="m", base_url=f"{sim.url}/v1") as client:
            stream = client.create_stream("hello")
            await stream.aclose()
            assert [delta async for delta in stream] == []

    asyncio.run(main())
    assert not sim.requests


def test_a_failed_async_stream_is_not_sent_again(sim):
    async def main():
        async with create_async_chat_client("local", model="m", base_url=f"{sim.url}/v1") as client:
            sim.script(error(500, "melting"))
            stream = client.create_stream("hello", max_retries=0)
            with pytest.raises(ProviderError):
                await stream
            with pytest.raises(ProviderError):
                await stream.result()

    asyncio.run(main())
    assert len(sim.requests) == 1


# whose connection


def test_the_callers_http_client_is_used_and_left_open(sim):
    hooked = []
    own = openai.DefaultHttpxClient(event_hooks={"request": [hooked.append]})
    options: dict[str, Any] = {"base_url": f"{sim.url}/v1", "http_client": own}
    with create_chat_client("local", model="m", **options) as client:
        client.create_completion("hello")
        client.create_stream("hello").result()
    del client
    assert len(hooked) == 2
    assert not own.is_closed
    own.close()


@pytest.mark.parametrize("params", [{}, {"timeout": 60}, {"deadline": 60}])
def test_the_callers_http_client_may_read_what_comes(sim, params):
    hooks: dict[str, list[Any]] = {"response": [lambda response: response.read()]}
    with openai.DefaultHttpxClient(event_hooks=hooks) as own:
        options: dict[str, Any] = {"base_url": f"{sim.url}/v1", "http_client": own}
        client = create_chat_client("local", model="m", api_key="x", **options)
        answer = client.create_completion("hello", max_retries=0, **params)
        pieces = [delta.content or "" for delta in client.create_stream("hello", **params)]
    assert answer.content
    assert "".join(pieces)


def test_the_callers_async_http_client_is_used_and_left_open(sim):
    hooked = []

    async def hook(request):
        hooked.append(request)

    async def main():
        own = openai.DefaultAsyncHttpxClient(event_hooks={"request": [hook]})
        options: dict[str, Any] = {"base_url": f"{sim.url}/v1", "http_client": own}
        async with create_async_chat_client("local", model="m", **options) as client:
            await client.create_completion("hello")
            await client.create_stream("hello").result()
        assert len(hooked) == 2
        assert not own.is_closed
        await own.aclose()

    asyncio.run(main())


def test_close_leaves_anothers_connection(sim):
    options: dict[str, Any] = {"model": "m", "base_url": f"{sim.url}/v1"}
    one, two = create_chat_client("local", **options), create_chat_client("local", **options)
    one.create_completion("hello")
    stream = two.create_stream("one two three")
    one.close()
    one.close()
    assert stream.result().content == "You said: one two three"
    two.create_completion("hello")
    assert 1 <= sim.connections <= 2
    two.close()
    assert gone(sim)
    assert one.create_completion("hello").content == "You said: hello", "opens anew"
    one.close()
    assert gone(sim)


def test_async_close_leaves_anothers_connection(sim):
    options: dict[str, Any] = {"model": "m", "base_url": f"{sim.url}/v1"}

    async def main():
        one = create_async_chat_client("local", **options)
        two = create_async_chat_client("local", **options)
        await one.create_completion("hello")
        stream = await two.create_stream("one two three")
        await one.aclose()
        assert (await stream.result()).content == "You said: one two three"
        await two.create_completion("hello")
        await two.aclose()
        assert await _gone(sim)

    asyncio.run(main())


# loops and threads


def test_one_async_client_in_one_loop_after_another(sim):
    client = create_async_chat_client("local", model="m", base_url=f"{sim.url}/v1")
    for _ in range(3):
        assert asyncio.run(_both(client)) == ["You said: hello"] * 2
        assert gone(sim), "the loop's end closes its connections"
    asyncio.run(client.aclose())


async def _both(client):
    answer = await client.create_completion("hello")
    return [answer.content, (await client.create_stream("hello").result()).content]


def test_the_blocking_client_inside_a_running_loop(sim, client):
    async def main():
        return client.create_completion("hello").content

    assert asyncio.run(main()) == "You said: hello"


NOTHING_UNCLOSED = """
import asyncio, logging, sys
from franca import create_async_chat_client, create_chat_client

logging.getLogger("asyncio").setLevel(logging.ERROR)  # slow machines are not our matter
place = {"model": "m", "base_url": sys.argv[1]}

async def main(client):
    await client.create_completion("hello")
    await client.create_stream("hello").result()
    async for _ in client.create_stream("hello"):
        break
    held = await client.create_stream("hello")
    async with create_async_chat_client("local", **place) as other:
        await asyncio.gather(*(other.create_completion("hello") for _ in range(5)))
    return held

client = create_async_chat_client("local", **place)
held = asyncio.run(main(client))
asyncio.run(main(client))
with create_chat_client("local", **place) as blocking:
    blocking.create_completion("hello")
    stream = blocking.create_stream("hello")
    for _ in blocking.create_stream("hello"):
        break
"""


def test_nothing_is_left_unclosed(sim):
    ran = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error::ResourceWarning", "-c", NOTHING_UNCLOSED,
         f"{sim.url}/v1"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert ran.stderr == ""
    assert ran.returncode == 0


# what users build on


def test_a_result_is_a_response_model(client):
    result = client.create_completion("hello")
    adapter = TypeAdapter(ChatCompletion)
    dumped = json.loads(adapter.dump_json(result))
    assert dumped["content"] == "You said: hello"
    assert dumped["usage"]["prompt_tokens"] == 1
    assert adapter.validate_python(dumped).content == result.content


def test_settings_of_ones_own(sim, make):
    settings = Settings(
        VERSION="2",
        endpoints=[{"id": "here", "api_base": f"{sim.url}/v1", "api_key": "secret-of-here"}],
        backends={"openai": {"models": {"x": {"id": "real-x", "endpoints": ["here"]}}}},
    )
    client = make("openai", "x", settings=settings)
    answer = client.ask("hello")
    assert (answer.endpoint_id, body(sim)["model"]) == ("here", "real-x")
    assert "secret-of-here" not in repr(client.client)

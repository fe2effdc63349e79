"""What stands in for the vendors, for every client of the process."""

import asyncio
import os
import subprocess
import sys
import time
from typing import Any

import pytest

from franca import create_async_chat_client, create_chat_client
from franca.errors import (
    AuthenticationError,
    CallError,
    ProviderError,
    RateLimitError,
    StreamInterrupted,
)
from franca.settings import Settings
from franca.testing import (
    Answer,
    Simulator,
    error,
    rate_limited,
    scripted_client,
    use_script,
    use_simulator,
)
from franca.testing.seam import STAND_IN
from franca.types import ChatCompletion, ChatDelta, ToolCall, ToolCallDelta, Usage

KEY = "sk-real-0123456789abcdef"
GOOGLE = {"project_id": "p", "location": "us-east5"}
AWS = {"aws_access_key": "AKIAEXAMPLE", "aws_secret_key": KEY, "aws_region": "us-west-2"}
PLACES = {
    "base_url": ("openai", {"base_url": "https://api.invalid/v1", "api_key": KEY}),
    "anthropic": ("anthropic", {"base_url": "https://api.invalid", "api_key": KEY}),
    "azure": (
        "openai",
        {"endpoints": [{"endpoint_type": "openai_azure", "api_key": KEY,
                        "api_base": "https://a.invalid"}]},
    ),
    "vertex": (
        "anthropic",
        {"endpoints": [{"endpoint_type": "anthropic_vertex", "credentials": GOOGLE,
                        "api_key": KEY}]},
    ),
    "bedrock": (
        "anthropic",
        {"endpoints": [{"endpoint_type": "anthropic_bedrock", "credentials": AWS}]},
    ),
}  # fmt: skip
places = pytest.mark.parametrize(("backend", "place"), PLACES.values(), ids=PLACES)


def ask(backend, question="two words", *, is_async=False, stream=False, **options):
    """One call's result."""

    async def go():
        async with create_async_chat_client(backend, **options) as client:
            if stream:
                return await client.create_stream(question).result()
            return await client.create_completion(question)

    if is_async:
        return asyncio.run(go())
    with create_chat_client(backend, **options) as client:
        return (
            client.create_stream(question).result()
            if stream
            else client.create_completion(question)
        )


@places
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("is_async", [False, True])
def test_every_client_goes_to_the_simulator(backend, place, is_async, stream):
    with use_simulator() as sim:
        result = ask(backend, model="m", is_async=is_async, stream=stream, **place)
    assert (result.content, result.backend) == ("You said: two words", backend)
    (sent,) = sim.requests
    assert KEY not in str(dict(sent.headers))
    assert STAND_IN in sent.headers.get("authorization", "") + sent.headers.get("x-api-key", "")
    assert sent.path == ("/v1/messages" if backend == "anthropic" else "/v1/chat/completions")


async def test_within_a_running_loop():
    with use_simulator() as sim:
        async with create_async_chat_client("anthropic", "m") as client:
            sim.script("a b")
            stream = client.create_stream("?")
            assert [delta.content async for delta in stream if delta.content] == ["a", " b"]
            sim.reset()
            answers = [client.create_completion(str(number)) for number in range(5)]
            found = await asyncio.gather(*answers)
            assert [result.content for result in found] == [f"You said: {n}" for n in range(5)]


def test_clients_keep_their_settings(monkeypatch):
    monkeypatch.delenv("MOONSHOT_API_KEY", raising=False)
    document = {
        "VERSION": "2",
        "endpoints": [{"id": "far", "api_base": "https://far.invalid/v1", "api_key": KEY,
                       "headers": {"x-team": "${model_id}"}}],
        "backends": {"qwen": {"models": {"short": {"id": "long-name", "endpoints": ["far"]}}}},
    }  # fmt: skip
    made_before = create_chat_client("qwen", "short", settings=Settings(document), temperature=0.25)
    with use_simulator() as sim:
        assert made_before.create_completion("hi").endpoint_id == "far"
        ask("moonshot")  # in no settings, and with no key in the environment
    first, second = sim.requests
    assert (first.body["model"], first.body["temperature"]) == ("long-name", 0.25)
    assert first.headers["x-team"] == "long-name"
    assert second.body["messages"][-1]["content"] == "two words"
    made_before.close()


def test_it_ends_with_its_block():
    before = dict(os.environ)
    with Simulator() as inner:
        client = create_chat_client("local", "m", base_url=f"{inner.url}/v1", api_key="k")
        with use_simulator(default="outer"):
            assert client.create_completion("?").content == "outer"
            with use_simulator(default="deeper"):
                assert client.create_completion("?").content == "deeper"
            assert client.create_completion("?").content == "outer"
        with use_script("said"):
            assert client.create_completion("?").content == "said"
        assert client.create_completion("me").content == "You said: me"
        assert inner.count == 1
    client.close()
    assert dict(os.environ) == before


def test_a_real_key_of_the_environment_is_not_sent(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with use_simulator(api_key=STAND_IN) as sim:
        assert ask("openai").content == "You said: two words"
    with use_simulator(api_key="another"), pytest.raises(AuthenticationError):
        ask("openai")
    assert KEY not in str(sim.requests[0].headers)


@pytest.mark.parametrize("backend", ["openai", "anthropic"])
def test_a_simulator_that_outlives_its_tests(backend):
    with Simulator(default="first") as sim, use_simulator(sim):
        client = create_chat_client(backend, "m")
        sim.script("a", "b")
        sim.default = "changed"
        assert client.create_completion("?").content == "a"
        assert (sim.left, sim.count, len(sim.requests)) == (1, 1, 1)
        with pytest.raises(AssertionError, match="1 scripted answers are left after 1 requests"):
            sim.assert_done()
        sim.script(Answer(hang=True))
        sim.reset()
        sim.assert_done()
        assert (sim.left, sim.count, sim.requests) == (0, 0, [])
        assert client.create_completion("?").content == "first"
        client.close()


def test_reset_breaks_what_hangs():
    with Simulator() as sim, use_simulator(sim):
        sim.script(Answer(text="a b", cut_events=2, hang=True))
        stream = create_chat_client("openai", "m").create_stream("?")
        seen = iter(stream)
        assert next(seen).content == "a"
        sim.reset()
        with pytest.raises(StreamInterrupted):
            list(seen)


@places
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("is_async", [False, True])
def test_every_client_is_answered_by_the_script(backend, place, is_async, stream):
    with use_script("Hello there") as script:
        result = ask(backend, model="m", is_async=is_async, stream=stream, **place)
    assert (result.content, result.finish_reason) == ("Hello there", "stop")
    (call,) = script.calls
    assert (call.backend, call.model, call.stream) == (backend, "m", stream)
    assert (call.messages[0].content, call.body["messages"][0]["role"]) == ("two words", "user")
    script.assert_done()


def test_a_script_that_is_not_used_up():
    with use_script("one", "two") as script:
        ask("openai")
    assert script.left == 1
    with pytest.raises(AssertionError, match="1 calls, and the script has 2 answers"):
        script.assert_done()
    with use_script() as script:
        with pytest.raises(AssertionError, match="call 1, and the script has 0 answers"):
            ask("openai")
        with pytest.raises(AssertionError):
            script.assert_done()


LIMITED = {
    "VERSION": "2",
    "endpoints": [{"id": "e", "api_base": "https://far.invalid/v1", "api_key": KEY, "rpm": 1}],
    "backends": {"openai": {"models": {"m": {"endpoints": ["e"]}}}},
    "rate_limit": {"enabled": True, "max_wait": 0},
}


@pytest.mark.parametrize("is_async", [False, True])
def test_nobody_waits(is_async):
    settings = Settings(LIMITED)
    with use_simulator() as sim:
        for _ in range(3):  # three a minute, where one is allowed
            sim.script(rate_limited("50"), error(503, headers={"retry-after": "40"}), "well")
            started = time.monotonic()
            assert ask("openai", model="m", settings=settings, is_async=is_async).content == "well"
            assert time.monotonic() - started < 30
        assert sim.count == 9
    with use_script("a", "b"):
        both = [ask("openai", model="m", settings=settings, is_async=is_async) for _ in "ab"]
    assert [result.content for result in both] == ["a", "b"]


def test_waits_and_limits_hold_where_they_are_asked_for():
    with use_simulator(waits=True) as sim:
        sim.script(rate_limited("0.2"), "well")
        started = time.monotonic()
        assert ask("openai").content == "well"
        assert time.monotonic() - started >= 0.2
        settings = Settings(LIMITED)
        ask("openai", model="m", settings=settings)
        with pytest.raises(RateLimitError, match="used up"):
            ask("openai", model="m", settings=settings)


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("stream", [False, True])
def test_a_scripted_error_is_the_calls(is_async, stream):
    places = [{"api_base": f"https://{name}.invalid/v1", "api_key": KEY} for name in "ab"]
    hasty = {"is_async": is_async, "stream": stream, "endpoints": places, "model": "m"}
    failed = ["", ProviderError("before it began")]
    with use_script(RateLimitError("slow"), failed, ValueError("a bug"), "well") as script:
        for kind in (RateLimitError, ProviderError, ValueError):
            with pytest.raises(kind):
                ask("openai", **hasty)
        assert ask("openai", **hasty).content == "well"
    script.assert_done()


ANSWER = ChatCompletion(
    id="1",
    model="m",
    content="It is warm.",
    reasoning_content="Weather.",
    tool_calls=[ToolCall("c1", "look", '{"city": "Rome"}')],
    finish_reason="tool_calls",
    usage=Usage(9, 4, 13, cached_tokens=2, cache_write_tokens=1, reasoning_tokens=3),
)
FIELDS = ("id", "model", "content", "reasoning_content", "tool_calls", "finish_reason", "usage")


def seen(completion):
    return {name: getattr(completion, name) for name in FIELDS}


def test_a_scripted_client_of_anthropics_wire():
    client = scripted_client(ANSWER, ANSWER, "Hello", backend="anthropic", max_tokens=99)
    assert seen(client.create_completion("?")) == seen(ANSWER)
    assert seen(client.create_stream("?").result()) == seen(ANSWER)
    turns = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "?"}]
    result = client.create_completion(turns)
    assert (result.content, result.backend) == ("Hello", "anthropic")
    assert client.calls[2].body["system"] == "Be brief."
    assert client.calls[2].body["max_tokens"] == 99
    client.assert_done()


def test_pieces_of_a_stream_of_anthropics_wire():
    pieces = [
        ChatDelta(reasoning_content="Hm."),
        "One ",
        "two",
        ChatDelta(tool_calls=[ToolCallDelta(0, "c1", "look", "{")]),
        ChatDelta(tool_calls=[ToolCallDelta(0, arguments="}"), ToolCallDelta(1, "c2", "go", "{}")]),
        ChatDelta(finish_reason="tool_calls"),
        ChatDelta(usage=Usage(1, 2, 3)),
    ]
    client = scripted_client(pieces, pieces, ["Hel", ProviderError("gone")], backend="anthropic")
    stream = client.create_stream("?")
    assert [delta.content for delta in stream if delta.content] == ["One ", "two"]
    result = stream.result()
    assert result.reasoning_content == "Hm."
    assert [(c.id, c.name, c.arguments) for c in result.tool_calls] == [
        ("c1", "look", "{}"),
        ("c2", "go", "{}"),
    ]
    assert (result.finish_reason, result.usage) == ("tool_calls", Usage(1, 2, 3))
    whole = client.create_completion("?")
    assert (whole.content, whole.reasoning_content) == ("One two", "Hm.")
    assert whole.tool_calls == result.tool_calls
    broken = client.create_stream("?")
    with pytest.raises(StreamInterrupted) as caught:
        list(broken)
    assert caught.value.partial.content == "Hel"


def test_a_vendors_ways_hold_for_a_scripted_client():
    client = scripted_client("a", backend="openai", model="gpt-x")
    client.create_completion("?", max_tokens=5)
    assert client.calls[0].body["max_completion_tokens"] == 5
    assert client.calls[0].backend == "openai"
    with pytest.raises(ValueError, match="nobody"):
        scripted_client(backend="nobody")


@pytest.mark.parametrize("status", [400, 401, 403, 404])
@pytest.mark.parametrize("backend", ["openai", "anthropic"])
def test_errors_come_typed(backend, status):
    with use_simulator() as sim:
        sim.script(error(status, "no way"))
        with pytest.raises(CallError, match="no way") as caught:
            ask(backend)
    assert caught.value.status_code == status
    with use_script(type(caught.value)("never")), pytest.raises(CallError, match="never") as said:
        ask(backend)
    assert type(said.value) is type(caught.value)


def test_no_sdk_and_no_network_for_a_script():
    code = (
        "import sys\n"
        "from franca import create_chat_client\n"
        "from franca.testing import use_script\n"
        "with use_script('yes'):\n"
        "    place = {'base_url': 'https://x.invalid', 'api_key': 'k'}\n"
        "    client = create_chat_client('anthropic', 'm', **place)\n"
        "    assert client.create_completion('?').content == 'yes'\n"
        "assert not {'openai', 'anthropic', 'pydantic'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("answer", [5, {"content": "x"}, b"x", None])
def test_an_answer_of_no_kind_is_refused_where_it_is_written(answer: Any) -> None:
    with pytest.raises(TypeError, match=r"answer 2: expected a text, a ChatCompletion, .*got "):
        scripted_client("Hello", answer)
    with use_simulator() as simulator, pytest.raises(TypeError, match="expected a text, an Answer"):
        simulator.script("Hello", answer)

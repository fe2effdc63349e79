"""The scripted clients: the public interface, with answers that were written down."""

import subprocess
import sys
from dataclasses import replace

import pytest

from franca.errors import ProviderError, RateLimitError, StreamInterrupted
from franca.testing import scripted_async_client, scripted_client
from franca.types import ChatCompletion, ChatDelta, Choice, ToolCall, ToolCallDelta, Usage

ANSWER = ChatCompletion(
    id="1",
    model="m",
    created=7,
    content="It is warm.",
    reasoning_content="Weather.",
    tool_calls=[ToolCall("c1", "look", '{"city": "Rome"}')],
    finish_reason="tool_calls",
    usage=Usage(3, 4, 7, cached_tokens=0, reasoning_tokens=1),
)
FIELDS = ("id", "model", "content", "reasoning_content", "tool_calls", "finish_reason", "usage")


def seen(completion):
    return {name: getattr(completion, name) for name in FIELDS}


def test_texts_come_in_order_and_calls_are_kept():
    client = scripted_client("Hello", "Bye", temperature=0.5)
    first = client.create_completion("Hi there", seed=1)
    assert (first.content, first.finish_reason, first.backend) == ("Hello", "stop", "scripted")
    assert first.usage is not None
    assert first.usage.prompt_tokens == 2
    with client.create_stream([{"role": "user", "content": "And?"}], model="other") as stream:
        assert "".join(delta.content or "" for delta in stream) == "Bye"
    one, two = client.calls
    assert (one.params, one.stream, one.model) == (
        {"temperature": 0.5, "seed": 1},
        False,
        "scripted",
    )
    assert one.body["messages"] == [{"role": "user", "content": "Hi there"}]
    assert (two.messages[0].content, two.stream, two.model) == ("And?", True, "other")


def test_a_result_comes_as_it_is():
    client = scripted_client(ANSWER, ANSWER)
    assert seen(client.create_completion("?")) == seen(ANSWER)
    assert seen(client.create_stream("?").result()) == seen(ANSWER)


def test_a_result_of_several_choices():
    choices = [Choice(0, "a", finish_reason="stop"), Choice(1, "b", finish_reason="length")]
    client = scripted_client(*[replace(ANSWER, choices=choices)] * 2)
    for result in (client.create_completion("?"), client.create_stream("?").result()):
        assert [(c.index, c.content, c.finish_reason) for c in result.choices] == [
            (0, "a", "stop"),
            (1, "b", "length"),
        ]


def test_pieces_of_a_stream():
    pieces = [
        ChatDelta(reasoning_content="Hm."),
        "One ",
        "two",
        ChatDelta(tool_calls=[ToolCallDelta(0, "c1", "look", "{}")]),
        ChatDelta(finish_reason="tool_calls"),
        ChatDelta(usage=Usage(1, 2, 3)),
    ]
    client = scripted_client(pieces, pieces)
    stream = client.create_stream("?")
    contents = [delta.content for delta in stream if delta.content]
    assert contents == ["One ", "two"]
    assert seen(client.create_completion("?")) == seen(stream.result())
    assert stream.result().usage == Usage(1, 2, 3)


def test_errors_are_raised():
    client = scripted_client(RateLimitError("slow", retry_after=2.0), ValueError("a bug"))
    with pytest.raises(RateLimitError, match="slow") as caught:
        client.create_completion("?")
    assert caught.value.retry_after == 2.0
    with pytest.raises(ValueError, match="a bug"):
        client.create_stream("?")


def test_an_error_inside_a_stream():
    client = scripted_client(["Hel", ProviderError("gone")], ["Hel", ProviderError("gone")])
    stream = client.create_stream("?")
    with pytest.raises(StreamInterrupted) as caught:
        list(stream)
    assert caught.value.partial.content == "Hel"
    with pytest.raises(ProviderError, match="gone"):
        client.create_completion("?")


def test_a_call_too_many_says_so():
    client = scripted_client("one")
    client.create_completion("?")
    with pytest.raises(AssertionError, match="call 2, and the script has 1 answers"):
        client.create_completion("?")


async def test_the_asynchronous_twin():
    async with scripted_async_client("Hello", ["a", "b"], ANSWER, RateLimitError("slow")) as client:
        assert (await client.create_completion("?")).content == "Hello"
        assert [d.content async for d in client.create_stream("?") if d.content] == ["a", "b"]
        assert seen(await (await client.create_stream("?")).result()) == seen(ANSWER)
        with pytest.raises(RateLimitError):
            await client.create_completion("?")
        assert [call.stream for call in client.calls] == [False, True, True, False]


def test_no_sdk_is_loaded():
    code = (
        "import sys\n"
        "from franca.testing import scripted_client\n"
        "assert scripted_client('yes').create_completion('?').content == 'yes'\n"
        "assert not {'openai', 'anthropic', 'pydantic'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

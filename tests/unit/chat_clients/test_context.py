"""Conversations that are too long, on the way of a call."""

from typing import Any

import pytest

from franca import ContextLengthError, create_async_chat_client, create_chat_client
from franca.settings import Settings
from franca.testing import Simulator, text_reply

LONG = [
    {"role": "system", "content": "Be brief."},
    *(
        {"role": role, "content": f"{role} {turn} " + "word " * 60}
        for turn in range(20)
        for role in ("user", "assistant")
    ),
    {"role": "user", "content": "And now?"},
]


@pytest.fixture
def sim():
    with Simulator(default=text_reply("done")) as simulator:
        yield simulator


def settings_of(sim: Simulator, **figures: Any) -> Settings:
    endpoint = {"id": "e", "api_base": f"{sim.url}/v1", "api_key": "k", "rpm": 100, "tpm": 10**6}
    models = {"m": {"endpoints": ["e"], "context_length": 600, "max_output_tokens": 100} | figures}
    return Settings(endpoints=[endpoint], backends={"openai": {"models": models}})


def test_the_oldest_turns_go_and_the_result_says_so(sim):
    before = [dict(message) for message in LONG]
    client = create_chat_client("openai", model="m", settings=settings_of(sim))
    result = client.create_completion(LONG)
    sent = sim.requests[0].body["messages"]
    assert sent[0] == LONG[0]
    assert sent[-1] == LONG[-1]
    assert sent[1]["role"] == "user"
    said = result.truncation
    assert said is not None
    assert said.dropped == len(said.indices) == len(LONG) - len(sent)
    assert said.tokens_after + said.reserve <= said.limit == 600
    assert before == LONG


async def test_async_and_streams_too(sim):
    settings = settings_of(sim)
    client = create_async_chat_client("openai", model="m", settings=settings)
    assert (await client.create_completion(LONG)).truncation is not None
    assert (await client.create_stream(LONG).result()).truncation is not None
    stream = create_chat_client("openai", model="m", settings=settings).create_stream(LONG)
    assert stream.result().truncation is not None


def test_what_fits_goes_whole(sim):
    client = create_chat_client("openai", model="m", settings=settings_of(sim))
    result = client.create_completion(LONG[-3:])
    assert result.truncation is None
    assert len(sim.requests[0].body["messages"]) == 3


@pytest.mark.parametrize("of_call", [False, True])
def test_none_leaves_it_to_the_vendor(sim, of_call):
    control: Any = {"context_length_control": "none"}
    client = create_chat_client(
        "openai", model="m", settings=settings_of(sim), **({} if of_call else control)
    )
    client.create_completion(LONG, **(control if of_call else {}))
    assert len(sim.requests[0].body["messages"]) == len(LONG)


def test_a_function_decides(sim):
    client = create_chat_client(
        "openai",
        model="m",
        settings=settings_of(sim),
        context_length_control=lambda messages, limit, count: messages[-1:],
    )
    result = client.create_completion(LONG)
    assert [m["content"] for m in sim.requests[0].body["messages"]] == ["And now?"]
    assert result.truncation is not None


def test_what_cannot_fit_is_an_error_before_anything_is_sent(sim):
    client = create_chat_client("openai", model="m", settings=settings_of(sim, context_length=150))
    with pytest.raises(ContextLengthError, match="150"):
        client.create_completion([{"role": "user", "content": "word " * 500}])
    assert not sim.requests


def test_a_word_that_is_none_is_told_at_once(sim):
    wrong: Any = "lastest"
    with pytest.raises(ValueError, match="lastest"):
        create_chat_client(
            "openai", model="m", settings=settings_of(sim), context_length_control=wrong
        )

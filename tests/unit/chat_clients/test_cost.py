"""What an answer cost, on the result itself."""

import copy
import dataclasses
import pickle
from decimal import Decimal
from typing import Any

import pytest

from franca import create_async_chat_client, create_chat_client
from franca.errors import SettingsError, StreamInterrupted
from franca.settings import Settings
from franca.testing import Answer, Simulator, text_reply

OWN = {"openai/mine": {"currency": "EUR", "input": "2", "output": "10"}}


@pytest.fixture
def sim():
    with Simulator(default=text_reply("one two three")) as simulator:
        yield simulator


def settings_of(sim: Simulator, prices: Any = None) -> Settings:
    endpoint = {"id": "e", "api_base": f"{sim.url}/v1", "api_key": "k"}
    models = {name: {"endpoints": ["e"]} for name in ("mine", "gpt-4o-mini", "nobody-knows")}
    backends = {"openai": {"models": models}}
    franca = {"prices": prices} if prices else None
    return Settings(endpoints=[endpoint], backends=backends, franca=franca)


def test_a_known_model_has_a_price(sim):
    client = create_chat_client("openai", model="gpt-4o-mini", settings=settings_of(sim))
    result = client.create_completion("x")
    assert result.cost is not None
    assert result.cost.currency == "USD"
    assert result.cost.amount > 0


def test_an_unknown_one_has_none(sim):
    client = create_chat_client("openai", model="nobody-knows", settings=settings_of(sim))
    assert client.create_completion("x").cost is None


def test_the_settings_have_the_last_word(sim):
    client = create_chat_client("openai", model="mine", settings=settings_of(sim, OWN))
    result = client.create_completion("x")
    usage = result.usage
    assert usage is not None
    assert usage.prompt_tokens
    assert usage.completion_tokens
    expected = (2 * usage.prompt_tokens + 10 * usage.completion_tokens) / Decimal(10**6)
    assert result.cost is not None
    assert (result.cost.amount, result.cost.currency) == (expected, "EUR")


async def test_streams_have_one_too(sim):
    settings = settings_of(sim, OWN)
    stream = create_chat_client("openai", model="mine", settings=settings).create_stream("x")
    assert stream.result().cost is not None
    client = create_async_chat_client("openai", model="mine", settings=settings)
    assert (await client.create_stream("x").result()).cost is not None


def test_what_was_cut_has_what_is_known_of_it(sim):
    sim.default = Answer(text="one two three four five six", cut_after=900)
    client = create_chat_client("openai", model="mine", settings=settings_of(sim, OWN))
    with pytest.raises(StreamInterrupted) as caught:
        client.create_stream("x").result()
    assert caught.value.partial.cost is None  # the usage had not come yet


def test_a_result_made_by_hand_has_none_and_a_copy_keeps_it(sim):
    client = create_chat_client("openai", model="mine", settings=settings_of(sim, OWN))
    result = client.create_completion("x")
    assert copy.deepcopy(result).cost == result.cost
    assert pickle.loads(pickle.dumps(result)).cost == result.cost
    assert "cost" not in dataclasses.asdict(result)
    assert type(result)().cost is None


def test_wrong_prices_are_told_by_their_path(sim):
    with pytest.raises(SettingsError, match=r"franca\.prices.*mine.*input"):
        settings_of(sim, {"openai/mine": {"currency": "EUR", "input": "cheap"}}).resolve("openai")

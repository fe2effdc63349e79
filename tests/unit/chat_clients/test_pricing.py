"""What calls would cost, by the names that `franca` itself exports."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

import franca
from franca.errors import SettingsError
from franca.settings import Settings, settings
from franca.tokens.prices import Cost

PRICES = {
    "Mine": {"currency": "CNY", "input": 4, "output": 16, "batch": "0.5"},
    "openai/gpt-5-mini": {"currency": "USD", "input": 1, "output": 2},
    "local/*": {"currency": "USD", "input": 0, "output": 0},
}
TURNS = [{"role": "user", "content": "hi"}]


@pytest.fixture
def _loaded() -> Iterator[None]:
    with settings.override({"VERSION": "2", "franca": {"prices": PRICES, "rates": {"CNY": 8}}}):
        yield


def known(cost: Cost | None) -> Cost:
    assert cost is not None
    return cost


def test_an_estimate_of_either_side() -> None:
    both = known(franca.estimate_cost(1000, 10, "gpt-5-mini")).amount
    prompt = known(franca.estimate_cost(1000, model="gpt-5-mini")).amount
    answer = known(franca.estimate_cost(10, model="gpt-5-mini", is_input=False)).amount
    assert prompt > answer > 0
    assert both == prompt + answer
    assert prompt == 1000 * franca.MODEL_PRICING["gpt-5-mini"]["input"]
    assert answer == 10 * franca.MODEL_PRICING["gpt-5-mini"]["output"]
    assert franca.estimate_cost(1000, model="no-such-model") is None
    assert franca.estimate_cost(1000) is None


@pytest.mark.usefixtures("_loaded")
def test_the_settings_prices_hold() -> None:
    mine = known(franca.estimate_cost(1000, 1000, "mine"))
    assert (mine.amount, mine.currency) == (Decimal("0.02"), "CNY")
    assert known(franca.estimate_cost(1000, model="gpt-5-mini")).amount == Decimal("0.001")
    assert known(franca.estimate_batch_cost([(1000, 1000)] * 2, "mine")).amount == Decimal("0.02")
    assert franca.MODEL_PRICING["mine"]["input"] == Decimal("0.000004")
    assert franca.MODEL_PRICING["gpt-5-mini"]["output"] == Decimal("0.000002")
    assert {"mine", "openai/gpt-5-mini", "gpt-4o"} <= set(franca.MODEL_PRICING)
    assert len(list(franca.MODEL_PRICING)) == len(franca.MODEL_PRICING)
    assert known(franca.estimate_cost(1000, model="x", backend="local")).amount == 0
    other: Any = Settings({"franca": {"prices": {"mine": {"currency": "USD", "input": 1}}}})
    assert known(franca.estimate_cost(10**6, model="mine", settings=other)).amount == 1


@pytest.mark.usefixtures("_loaded")
def test_one_rate_in_the_settings_serves_a_sum() -> None:
    bills = [franca.estimate_cost(10**6, model=name) for name in ("mine", "gpt-5-mini")]
    assert known(franca.total_cost(bills)).amount == Decimal("1.5")
    assert known(franca.total_cost(bills, "CNY")).amount == 12
    assert known(franca.total_cost(bills, "CNY", {"CNY": 4})).amount == 8
    assert franca.total_cost([*bills, None]) is None
    with pytest.raises(SettingsError, match=r"franca\.rates\.CNY: missing"):
        franca.total_cost(bills, settings=Settings())


def test_a_batch_of_conversations() -> None:
    prompt = franca.count_messages_tokens(TURNS, "gpt-5-mini")
    by_size = franca.estimate_batch_cost([(prompt, 500)] * 3, "gpt-5-mini")
    assert franca.estimate_batch_cost([TURNS] * 3, "gpt-5-mini") == by_size
    assert franca.estimate_batch_cost(["hi"] * 3, "gpt-5-mini", avg_output_tokens=500) == by_size
    less = known(franca.estimate_batch_cost([TURNS], "gpt-5-mini", avg_output_tokens=1))
    assert less.amount < known(by_size).amount / 3


def test_conversations_are_counted_together() -> None:
    one = franca.count_messages_tokens(TURNS, "gpt-5")
    assert one == franca.get_message_token_counts(messages=TURNS, model="gpt-5")
    assert franca.count_messages_tokens([TURNS, TURNS, TURNS], model="gpt-5") == 3 * one
    assert franca.count_messages_tokens(iter([TURNS]), "gpt-5") == one
    assert franca.count_messages_tokens("hi", "gpt-5") == one
    assert franca.count_tokens("hi", model="gpt-5") == franca.get_token_counts("hi", "gpt-5") < one


@pytest.mark.parametrize("name", ["input", "output", "cache_read"])
def test_a_price_of_a_token(name: str) -> None:
    prices = franca.MODEL_PRICING["gpt-5"]
    assert prices[name] * 10**6 == prices.rates[name]
    with pytest.raises(KeyError):
        prices["no-such-rate"]

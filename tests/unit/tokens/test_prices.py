import pickle
import subprocess
import sys
from dataclasses import FrozenInstanceError, asdict
from datetime import UTC, date, datetime
from decimal import Decimal, FloatOperation, localcontext
from typing import Any

import genai_prices
import genai_prices.data
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from franca.errors import SettingsError
from franca.settings.price_form import Prices, read_prices
from franca.tokens.price_table import find_prices, own_table
from franca.tokens.prices import (
    MODEL_PRICING,
    Cost,
    cost,
    estimate_batch_cost,
    estimate_cost,
    result_cost,
    total,
)
from franca.types import BackendType, ChatCompletion, Usage

FULL: dict[str, Any] = {
    "currency": "USD",
    "input": "3",
    "cache_read": "0.3",
    "cache_write": "3.75",
    "cache_write_1h": "6",
    "input_audio": "10",
    "output": "15",
    "reasoning": "20",
    "output_audio": "40",
    "request": "5",
    "web_search": "10",
    "batch": "0.5",
    "tiers": [{"above": 200_000, "input": "6", "cache_read": "0.6", "output": "22.5"}],
}
PLAIN = {"currency": "USD", "input": "1", "output": "2"}
SEARCHES = "server_tool_use.web_search_requests"
HOUR = "cache_creation.ephemeral_1h_input_tokens"


def of(usage: Usage, entry: dict[str, Any] = FULL, **more: Any) -> Cost | None:
    return cost(usage, backend="openai", model="m", prices={"openai/m": entry}, **more)


def known(bill: Cost | None) -> Cost:
    assert bill is not None
    assert sum(bill.buckets.values()) == bill.amount
    assert all(type(part) is Decimal for part in bill.buckets.values())
    return bill


def parts(bill: Cost | None) -> dict[str, str]:
    """The buckets that are not empty, as text."""
    return {k: str(v.normalize()) for k, v in known(bill).buckets.items() if v}


# By hand: tokens times rate over a million.


def test_a_plain_call() -> None:
    bill = known(of(Usage(1000, 200), PLAIN))
    assert (bill.amount, bill.currency) == (Decimal("0.0014"), "USD")
    assert parts(bill) == {"input": "0.001", "output": "0.0004"}


def test_every_bucket_once() -> None:
    usage = Usage(
        prompt_tokens=1000,
        completion_tokens=500,
        cached_tokens=300,
        cache_write_tokens=200,
        reasoning_tokens=100,
        prompt_audio_tokens=50,
        completion_audio_tokens=20,
        extra={HOUR: 120, SEARCHES: 2},
    )
    assert parts(of(usage)) == {
        "input": "0.00135",  # 450 of 1000 are plain
        "cache_read": "0.00009",
        "cache_write": "0.00102",  # 80 for five minutes, 120 for an hour
        "input_audio": "0.0005",
        "output": "0.0057",  # 380 of 500
        "reasoning": "0.002",
        "output_audio": "0.0008",
        "fees": "0.025",
    }


def test_sound_that_may_be_cached_is_not_billed_twice() -> None:
    usage = Usage(100, 0, cached_tokens=90, prompt_audio_tokens=50)
    bill = of(usage, {**FULL, "request": 0})
    assert parts(bill) == {"cache_read": "0.000027", "input_audio": "0.0001"}


def test_what_has_no_price_of_its_own_costs_what_its_kind_does() -> None:
    usage = Usage(100, 50, None, 40, 10, 20, 30, 5)
    assert parts(of(usage, PLAIN)) == {
        "input": "0.00005",
        "cache_read": "0.00004",
        "cache_write": "0.00001",
        "output": "0.00006",
        "reasoning": "0.00004",
    }


@pytest.mark.parametrize(
    ("prompt", "amount"),
    [(199_999, "0.599997"), (200_000, "0.6"), (200_001, "1.200006")],
)
def test_a_tier_begins_above_its_bound_and_takes_the_whole_prompt(prompt: int, amount: str) -> None:
    assert known(of(Usage(prompt, 0), {**FULL, "request": 0})).input == Decimal(amount)


def test_a_tier_keeps_the_rates_that_it_does_not_name() -> None:
    bill = known(of(Usage(300_000, 10, cache_write_tokens=100)))
    assert bill.cache_write == Decimal("0.000375")
    assert bill.output == Decimal("0.000225")


@pytest.mark.parametrize(
    ("usage", "amount"),
    [
        (Usage(31_999, 199), "0.06559"),
        (Usage(31_999, 200), "0.098797"),
        (Usage(32_000, 199), "0.131184"),
        (Usage(32_000, 200), "0.1312"),
    ],
)
def test_a_tier_by_the_length_of_the_answer(usage: Usage, amount: str) -> None:
    bill = known(cost(usage, backend="zhipuai", model="glm-4.7"))
    assert (bill.amount, bill.currency) == (Decimal(amount), "CNY")


def test_no_price_is_known_above_up_to() -> None:
    entry = {**PLAIN, "up_to": 1000}
    assert of(Usage(1000, 1), entry) is not None
    assert of(Usage(1001, 1), entry) is None


def test_the_tiers_of_the_source_at_their_bound() -> None:
    def at(prompt: int) -> Decimal:
        day = date(2026, 8, 22)
        usage = Usage(prompt, 0)
        return known(cost(usage, backend="anthropic", model="claude-sonnet-4-5", at=day)).amount

    assert at(200_000) == Decimal("0.6")
    assert at(200_001) == Decimal("1.200006")


def test_all_of_a_thinking_answer_has_its_own_price() -> None:
    quiet = known(cost(Usage(1000, 100, reasoning_tokens=0), backend="qwen", model="qwen-plus"))
    loud = known(cost(Usage(1000, 100, reasoning_tokens=60), backend="qwen", model="qwen-plus"))
    assert parts(quiet) == {"input": "0.0008", "output": "0.0002"}
    assert parts(loud) == {"input": "0.0008", "output": "0.00032", "reasoning": "0.00048"}


@pytest.mark.parametrize("thought", [None, 62])
def test_reasoning_that_only_the_total_counts(thought: int | None) -> None:
    bill = of(Usage(35, 12, 109, reasoning_tokens=thought), PLAIN)
    assert parts(bill) == {"input": "0.000035", "output": "0.000024", "reasoning": "0.000124"}


def test_a_total_that_fits_nothing_changes_nothing() -> None:
    bill = of(Usage(35, 12, 109, reasoning_tokens=3), PLAIN)
    assert parts(bill) == {"input": "0.000035", "output": "0.000018", "reasoning": "0.000006"}


def test_written_and_read_again_is_billed_as_openrouter_does() -> None:
    entry = {"currency": "USD", "input": "0.30", "output": "2.5"}
    entry |= {"cache_read": "0.03", "cache_write": "0.38333"}
    bill = known(of(Usage(2168, 100, 2268, 2161, 2161), entry))
    assert round(bill.amount, 9) == Decimal("0.000497006")  # it said 0.00049701


# Not known is None, and none is 0.


def test_no_tokens_cost_nothing() -> None:
    bill = known(of(Usage(0, 0), PLAIN))
    assert bill.amount == 0
    assert bill.currency == "USD"


def test_an_unknown_model_has_no_cost() -> None:
    assert cost(Usage(1, 1), backend="openai", model="no-such-model") is None
    assert cost(Usage(1, 1), backend="no-such-backend", model="gpt-4o") is None
    assert cost(Usage(0, 0), backend="local", model="mine") is None
    assert estimate_cost(1, 1, "no-such-model") is None


@pytest.mark.parametrize(
    "usage",
    [
        Usage(),
        Usage(None, 10),
        Usage(10, None),
        Usage(10, 10, cached_tokens=11),
        Usage(10, 10, cached_tokens=-1),
        Usage(10, -1),
        Usage(10, 10, cache_write_tokens=5, extra={HOUR: 6}),
        Usage(10, 10, reasoning_tokens=11),
    ],
    ids=str,
)
def test_counts_that_are_missing_or_contradict_have_no_cost(usage: Usage) -> None:
    assert of(usage) is None


def test_no_usage_has_no_cost() -> None:
    assert cost(None, backend="openai", model="gpt-4o") is None


def test_a_needed_price_that_is_not_known() -> None:
    assert of(Usage(10, 10), {"currency": "USD", "input": 1}) is None
    assert of(Usage(10, 1, cache_write_tokens=5, extra={HOUR: 5}), PLAIN) is None
    assert of(Usage(10, 1, extra={SEARCHES: 1}), PLAIN) is None
    assert known(of(Usage(10, 1, extra={SEARCHES: 0}), PLAIN)).fees == 0


def test_an_embedding_has_no_answer() -> None:
    entry = {"currency": "USD", "input": "0.02"}
    assert known(of(Usage(50, None, 50), entry)).amount == Decimal("0.000001")


# Exact.

COUNTS = st.integers(0, 10**9)
RATE = st.decimals(0, 1000, places=6)


@settings(deadline=None)
@given(COUNTS, COUNTS, COUNTS, COUNTS, COUNTS, st.lists(RATE, min_size=5, max_size=5))
def test_buckets_are_disjoint_and_sum_to_the_amount(
    plain: int, read: int, written: int, said: int, thought: int, rates: list[Decimal]
) -> None:
    names = ("input", "cache_read", "cache_write", "output", "reasoning")
    counts = (plain, read, written, said, thought)
    usage = Usage(plain + read + written, said + thought, None, read, written, thought)
    with localcontext() as caller:
        caller.prec = 4  # whatever the caller has set
        bill = of(usage, {"currency": "USD", **dict(zip(names, rates, strict=True))})
    with localcontext() as plenty:
        plenty.prec = 60
        for name, count, rate in zip(names, counts, rates, strict=True):
            assert known(bill).buckets[name] == count * rate / 1_000_000


def test_a_float_of_a_settings_file_means_its_digits() -> None:
    with localcontext() as strict:
        strict.traps[FloatOperation] = True
        bill = of(Usage(1_000_000, 0), {"currency": "USD", "input": 0.1, "output": 0.2})
    assert known(bill).amount == Decimal("0.1")


def test_a_cost_is_a_frozen_value() -> None:
    bill = known(of(Usage(1000, 200, reasoning_tokens=10)))
    assert pickle.loads(pickle.dumps(bill)) == bill
    assert asdict(bill)["output"] == bill.output
    with pytest.raises((FrozenInstanceError, AttributeError, TypeError)):
        bill.amount = Decimal(0)  # ty: ignore[invalid-assignment]  # that is what is tested


# The caller's own prices.


def test_the_most_specific_entry_wins_over_every_source() -> None:
    def entry(price: int) -> dict[str, Any]:
        return {"currency": "EUR", "input": price, "output": 0}

    prices: dict[str, Any] = {
        "*": entry(1),
        "gpt-4*": entry(2),
        "gpt-4o": entry(3),
        "openai/*": entry(4),
        "openai/gpt-4*": entry(5),
        "openai/GPT-4o": entry(6),
    }

    def price(backend: str, model: str) -> int:
        found = find_prices(backend, model, prices=prices)
        assert found is not None
        return int(found.rates["input"])

    assert price("openai", "gpt-4o") == 6
    assert price("openai", "gpt-4o-mini") == 5
    assert price("openai", "o3") == 4
    assert price("azure", "gpt-4o") == 3
    assert price("azure", "gpt-4.1") == 2
    assert price("qwen", "qwen-plus") == 1  # over our own table


def test_other_models_keep_their_source() -> None:
    prices = {"openai/gpt-4o": PLAIN}
    found = find_prices("openai", "gpt-5", prices=prices)
    assert found is not None
    assert found.source.startswith("genai-prices ")


def test_every_problem_is_named_by_its_path() -> None:
    bad: dict[str, Any] = {
        "a/b": {"currency": "dollars", "output": -1, "imput": 1},
        "c": {"currency": "USD", "input": "free", "batch": True, "up_to": 1.5},
        "d": {
            "currency": "USD",
            "input": 1,
            "tiers": [{"above": "9"}, 3, {"above": 5, "x": 1}, {"above": 4}],
        },
        "e": {"currency": "USD", "input": "NaN", "tiers": {}},
        "f": 3,
    }
    with pytest.raises(SettingsError) as caught:
        read_prices(bad, "franca.prices")
    paths = [line.split(": ")[0] for line in caught.value.problems]
    assert paths == [
        'franca.prices."a/b".imput',
        'franca.prices."a/b".currency',
        'franca.prices."a/b".input',
        'franca.prices."a/b".output',
        'franca.prices."c".batch',
        'franca.prices."c".input',
        'franca.prices."c".up_to',
        'franca.prices."d".tiers[0].above',
        'franca.prices."d".tiers[0]',
        'franca.prices."d".tiers[1]',
        'franca.prices."d".tiers[2].x',
        'franca.prices."d".tiers[3]',
        'franca.prices."e".input',
        'franca.prices."e".tiers',
        'franca.prices."f"',
    ]


def test_prices_that_were_read_are_taken_as_they_are() -> None:
    table = read_prices({"openai/m": FULL})
    assert read_prices(table) == table
    assert cost(Usage(10, 1), backend="openai", model="m", prices=table) == of(Usage(10, 1))


# The sources.


def test_our_rows_say_where_and_when_they_were_read() -> None:
    rows = [prices for table in own_table().values() for prices in table.values()]
    assert len(rows) > 60
    for prices in rows:
        assert prices.source.startswith("https://")
        assert isinstance(prices.seen, date)
        assert prices.currency in ("CNY", "USD")
        assert {"input", "output"} <= prices.rates.keys()
    assert {backend for backend, _ in own_table()} <= set(BackendType)


@pytest.mark.parametrize(
    ("backend", "model"),
    [
        ("qwen", "qwen3-max"),
        ("yi", "yi-lightning"),
        ("baichuan", "Baichuan4-Turbo"),
        ("stepfun", "step-3.5-flash"),
        ("ernie", "ernie-4.5-turbo-128k"),
        ("minimax", "MiniMax-M2"),
        ("zhipuai", "glm-4.6"),
        ("moonshot", "kimi-k2-thinking"),
        ("xiaomi", "mimo-v2-flash"),
    ],
)
def test_chinese_vendors_cost_what_they_publish(backend: str, model: str) -> None:
    bill = known(cost(Usage(1000, 1000), backend=backend, model=model))
    assert bill.currency == "CNY"
    assert bill.amount > 0


def test_the_region_decides_the_price_list() -> None:
    usage = Usage(1000, 1000)
    home = known(cost(usage, backend="zhipuai", model="glm-4.6"))
    away = known(cost(usage, backend="zhipuai", model="glm-4.6", region="intl"))
    assert (home.currency, away.currency) == ("CNY", "USD")
    assert cost(usage, backend="zhipuai", model="glm-4.6", region="eu") == home
    assert cost(usage, backend="qwen", model="qwen-plus", region="intl") is None


def test_the_price_of_the_day() -> None:
    def at(moment: date) -> Decimal:
        usage = Usage(1_000_000, 0)
        return known(cost(usage, backend="deepseek", model="deepseek-chat", at=moment)).amount

    night = at(datetime(2025, 6, 1, 20, tzinfo=UTC))
    assert at(date(2025, 6, 1)) == at(datetime(2025, 6, 1, 12, tzinfo=UTC)) > night


@pytest.mark.parametrize("scale", [1, 100])  # below and above every tier
def test_every_model_of_the_source_costs_what_it_says(scale: int) -> None:
    day = datetime(2026, 11, 1, 12, tzinfo=UTC)
    counts = {"input_tokens": 9000, "cache_read_tokens": 3000, "cache_write_tokens": 2000}
    counts |= {"output_tokens": 900, "output_reasoning_tokens": 300}
    counts |= {"input_audio_tokens": 1000, "output_audio_tokens": 200, "cache_audio_read_tokens": 0}
    counts = {name: count * scale for name, count in counts.items()}
    ours = Usage(9000, 900, 9900, 3000, 2000, 300, 1000, 200)
    ours = Usage(**{k: v * scale for k, v in ours.model_dump().items() if v})
    compared = 0
    for provider in genai_prices.data.providers:
        if any(backend == provider.id for backend, _ in own_table()):
            continue
        for model in provider.models:
            bill = cost(ours, backend=provider.id, model=model.id, at=day)
            if bill is None:
                continue
            theirs = genai_prices.calc_price(
                genai_prices.Usage(**counts),
                model.id,
                provider_id=provider.id,
                genai_request_timestamp=day,
            )
            assert known(bill).amount == theirs.total_price, (provider.id, model.id)
            compared += 1
    assert compared > 1500


def test_service_tiers_and_batches() -> None:
    day = date(2026, 11, 1)
    plain = known(estimate_cost(1000, 100, "gpt-5", at=day))
    flex = known(estimate_cost(1000, 100, "gpt-5", at=day, context={"service_tier": "flex"}))
    batch = known(estimate_batch_cost([(1000, 100)], "gpt-5", at=day))
    assert flex.amount == batch.amount == plain.amount / 2


def test_a_batch_costs_its_part_and_fees_stay() -> None:
    prices = {"openai/m": FULL}
    one = known(estimate_cost(1000, 100, "m", "openai", prices=prices))
    two = known(estimate_batch_cost([(1000, 100)] * 2, "m", "openai", prices=prices))
    assert two.input == one.input
    assert two.output == one.output
    assert two.fees == 2 * one.fees


def test_a_discount_keeps_every_digit() -> None:
    prices = {"m": {"currency": "USD", "input": "3.14159265", "output": 0, "batch": "0.5"}}
    with localcontext() as caller:
        caller.prec = 3
        half = estimate_batch_cost([(1_000_000, 0)], "m", prices=prices)
    assert half is not None
    assert half.amount == Decimal("1.570796325")


@pytest.mark.parametrize(
    ("model", "part"),
    [("qwen-plus", 2), ("qwen3-max", 2), ("qwen-long", 2), ("qwen-max", 1), ("qwen-turbo", 1)],
)
def test_qwens_batches_cost_half_where_the_vendor_lists_the_model(model: str, part: int) -> None:
    sizes = (1000, 100)
    plain, batch = estimate_cost(*sizes, model), estimate_batch_cost([sizes], model)
    assert known(batch).amount * part == known(plain).amount


def test_a_batch_without_a_known_discount_costs_the_plain_price() -> None:
    prices = {"openai/m": PLAIN}
    assert known(estimate_batch_cost([(10, 5)], "m", "openai", prices=prices)).amount == Decimal(
        "0.00002"
    )
    assert estimate_batch_cost([(10, 5)], "no-such-model") is None
    assert known(estimate_batch_cost([], "m", "openai", prices=prices)).amount == 0


def test_long_requests_of_a_batch_are_priced_one_by_one() -> None:
    short = known(estimate_batch_cost([(150_000, 0)] * 2, "m", "x", prices={"m": FULL}))
    assert short.input == Decimal("0.45")


def test_a_bare_name_means_its_vendor() -> None:
    for name, currency in [("gpt-4o", "USD"), ("qwen-plus", "CNY"), ("claude-opus-4-5", "USD")]:
        assert known(estimate_cost(1000, 1000, name)).currency == currency
    assert estimate_cost(1000, 1000, "openai/gpt-4o") == estimate_cost(1000, 1000, "gpt-4o")
    assert estimate_cost(1, 1, "llama-3.3-70b-versatile") is None  # many hosts serve it
    assert estimate_cost(1, 1, "llama-3.3-70b-versatile", "groq") is not None
    assert known(estimate_cost(1, 1, "mine", prices={"local/mine": PLAIN})).amount > 0


def test_cached_tokens_lower_an_estimate() -> None:
    assert (
        known(estimate_cost(1000, 1, "gpt-5", cached_tokens=900)).amount
        < known(estimate_cost(1000, 1, "gpt-5")).amount
    )


# Sums.


def usd(amount: str) -> Cost:
    return Cost(Decimal(amount), "USD", input=Decimal(amount))


def cny(amount: str) -> Cost:
    return Cost(Decimal(amount), "CNY", output=Decimal(amount))


def test_a_sum_of_one_currency_needs_no_rate() -> None:
    both = known(total([usd("0.1"), usd("0.2")], "USD"))
    assert both.amount == Decimal("0.3")
    assert known(total([], "USD")).amount == 0


def test_a_sum_across_currencies() -> None:
    rates = {"CNY": Decimal("7.1")}
    assert known(total([usd("1"), cny("7.1")], "USD", rates)).amount == 2
    assert known(total([usd("1"), cny("7.1")], "CNY", rates)).amount == Decimal("14.2")
    third = known(total([cny("1")], "USD", {"CNY": "3"}))
    assert third.output == Decimal("0.333333333333")
    euro = known(total([cny("7")], "EUR", {"CNY": 7, "EUR": "0.5"}))
    assert (euro.amount, euro.currency) == (Decimal("0.5"), "EUR")


def test_one_unknown_cost_makes_the_sum_unknown() -> None:
    assert total([usd("1"), None], "USD") is None


@pytest.mark.parametrize("rates", [None, {}, {"EUR": 1}, {"CNY": 0}, {"CNY": "x"}])
def test_a_missing_or_impossible_rate_is_named(rates: Any) -> None:
    with pytest.raises(SettingsError, match=r"rates\.CNY"):
        total([usd("1"), cny("1")], "USD", rates)


# Results.


def test_a_result_knows_its_own_cost() -> None:
    result = ChatCompletion(
        model="gpt-5-2025-08-07", backend="openai", usage=Usage(1000, 100), created=1_793_534_400
    )
    plain = known(result_cost(result))
    result.extra = {"service_tier": "flex"}
    assert known(result_cost(result)).amount == plain.amount / 2
    result.extra = {"service_tier": "batch"}
    assert known(result_cost(result)).amount == plain.amount / 2
    result.usage = None
    assert result_cost(result) is None


def test_the_name_that_was_asked_for_serves_where_the_vendors_is_unknown() -> None:
    result = ChatCompletion(model="ft-37", backend="openai", usage=Usage(1000, 100), created=7)
    assert result_cost(result) is None
    assert result_cost(result, model="gpt-5") == estimate_cost(1000, 100, "gpt-5")
    prices = {"openai/mine": PLAIN}
    result.model = "gpt-5"
    assert known(result_cost(result, model="mine", prices=prices)).amount == Decimal("0.0012")


def test_a_result_without_anything_costs_what_is_not_known() -> None:
    assert result_cost(ChatCompletion()) is None


# MODEL_PRICING.


def test_model_pricing_is_a_mapping() -> None:
    names = list(MODEL_PRICING)
    assert len(names) == len(set(names)) == len(MODEL_PRICING) > 500
    assert {"gpt-4o", "qwen-plus", "claude-sonnet-4-5"} <= set(names)
    assert all(isinstance(MODEL_PRICING[name], Prices) for name in names)
    assert MODEL_PRICING["qwen-plus"].rates["input"] == Decimal("0.8")
    assert MODEL_PRICING["openai/gpt-4o"] == MODEL_PRICING["gpt-4o"]
    assert "no-such-model" not in MODEL_PRICING
    assert MODEL_PRICING.get("no-such-model") is None


def test_nothing_is_loaded_before_it_is_asked() -> None:
    code = """
import sys
from franca.tokens.prices import MODEL_PRICING, cost
from franca.types import Usage
assert cost(Usage(1, 1), backend="qwen", model="qwen-plus")
assert not {"genai_prices", "pydantic", "httpx2"} & set(sys.modules), "loaded"
assert "gpt-4o" in MODEL_PRICING
assert "genai_prices" in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr

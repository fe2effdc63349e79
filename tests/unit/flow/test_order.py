"""Which endpoint goes first, under each strategy."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from world import Answer, World, refused, request, target, targets

from franca.flow import Send, health_of
from franca.flow.order import Turns, order
from franca.settings.policy import STRATEGIES, Policy, Strategy
from franca.settings.price_form import read_prices
from franca.settings.target import Target

CALM = Policy(failure_threshold=0, error_rate=1)


def ordered(
    pool: Sequence[Target],
    strategy: Strategy = "random",
    chance: float | Callable[[], float] = 0.5,
    key: str | None = None,
    turns: Turns | None = None,
) -> str:
    """The endpoints' names, best first."""
    asked = request(affinity_key=key)
    draw = (lambda: chance) if isinstance(chance, int | float) else chance
    flow = order(pool, asked, strategy, 1000.0, draw, turns or Turns())
    try:
        effect = next(flow)
    except StopIteration as stop:
        return "".join(place.endpoint_id for place in stop.value)
    raise AssertionError(f"it asks for {effect}")


def always(answer: Answer) -> Callable[[Send], Answer]:
    return lambda _: answer


def firsts(world: World, pool: Sequence[Target], calls: int, gap: float = 0.1) -> Counter[str]:
    """Where so many calls went, one after the other."""
    before = len(world.sent)
    world.burst([(world.now + i * gap, pool) for i in range(calls)])
    return Counter(name for _, name in world.sent[before:])


def weighted(weights: dict[str, float]) -> list[Target]:
    return [target(name, weight=weight) for name, weight in weights.items()]


def test_tiers_come_in_the_order_of_their_priority() -> None:
    pool = [target(n, priority=p) for n, p in [("a", 2), ("b", 1), ("c", 2), ("d", 1), ("e", 9)]]
    assert ordered(pool, "first") == "bdace"
    for seed in range(20):
        found = ordered(pool, "random", random.Random(seed).random)
        assert (set(found[:2]), set(found[2:4]), found[4]) == ({"b", "d"}, {"a", "c"}, "e")


def test_a_lower_tier_is_for_when_the_upper_fails() -> None:
    world = World({"a": always(refused(500))}, strategy="random", chance=random.Random(1).random)
    pool = [target("a", CALM), target("b", CALM), target("c", CALM, priority=2)]
    assert firsts(world, pool, 200)["c"] == 0
    dead = World(dict.fromkeys("ab", always(refused(500))), strategy="random")
    assert dead.ask(pool).endpoint_id == "c"


def test_random_draws_after_the_weights() -> None:
    calls = 4000
    pool = weighted({"a": 3, "b": 1, "c": 1})
    draws = random.Random(7)
    found = [ordered(pool, "random", draws.random) for _ in range(calls)]
    first = Counter(names[0] for names in found)
    assert first["a"] / calls == pytest.approx(0.6, abs=0.03)
    assert first["b"] / calls == pytest.approx(0.2, abs=0.03)
    second = Counter(names[1] for names in found if names[0] == "a")
    assert second["b"] / second.total() == pytest.approx(0.5, abs=0.04)


@pytest.mark.parametrize("chance", [0.0, 0.5, 1 - 2**-53])
def test_weight_zero_comes_last(chance: float) -> None:
    pool = weighted({"o": 0, "t": 1e-300, "b": 1e9})
    assert ordered(pool, "random", chance)[-1] == "o"


def test_weighted_counts_are_exact() -> None:
    pool, turns = weighted({"a": 5, "b": 2, "c": 1, "d": 0}), Turns()
    first = [ordered(pool, "weighted", turns=turns)[0] for _ in range(800)]
    assert Counter(first) == {"a": 500, "b": 200, "c": 100}
    assert max(len(run) for run in "".join(first).replace("b", " ").replace("c", " ").split()) <= 3


def test_round_robin_counts_are_exact() -> None:
    pool, turns = weighted({"a": 5, "b": 2, "c": 1}), Turns()
    first = "".join(ordered(pool, "round_robin", turns=turns)[0] for _ in range(9))
    assert sorted(first[:3]) == sorted(first[3:6]) == ["a", "b", "c"]
    assert Counter(first) == {"a": 3, "b": 3, "c": 3}


def test_a_client_has_turns_of_its_own() -> None:
    pool = targets("ab")
    assert ordered(pool, "round_robin", turns=Turns()) == ordered(pool, "round_robin")


def test_turns_go_on_without_the_one_that_is_out() -> None:
    world = World({"a": always(refused(500))}, strategy="round_robin")
    counts = firsts(world, targets("abc"), 302)
    assert counts["a"] < 5
    assert abs(counts["b"] - counts["c"]) <= 3


def test_first_is_the_order_of_the_settings() -> None:
    pool = weighted({"c": 1, "a": 9, "b": 0})
    assert {ordered(pool, "first", random.Random(seed).random) for seed in range(9)} == {"cab"}


def test_least_busy() -> None:
    """Twice as slow, half as many calls."""
    world = World(strategy="least_busy", took=1.0, slow={"b": 2.0}, chance=random.Random(3).random)
    counts = firsts(world, targets("ab"), 600, gap=0.05)
    assert counts["a"] / counts["b"] == pytest.approx(2, rel=0.1)


def test_equal_ones_take_turns_at_random() -> None:
    draws = random.Random(3)
    pool = targets("abc")
    first = Counter(ordered(pool, "least_busy", draws.random)[0] for _ in range(3000))
    assert all(900 < first[name] < 1100 for name in "abc")


def test_latency_prefers_the_quick() -> None:
    slow = {"b": 3.0, "c": 3.0}
    world = World(strategy="latency", took=0.3, slow=slow, chance=random.Random(3).random)
    counts = firsts(world, targets("abc"), 600, gap=0.5)
    assert counts["a"] > 0.6 * 600
    assert all(counts[name] > 10 for name in "bc"), "they are tried again after a while"


def test_one_that_was_slow_once_is_tried_again() -> None:
    slow = {"b": 30.0}
    world = World(strategy="latency", took=0.3, slow=slow, chance=random.Random(3).random)
    pool = targets("ab")
    firsts(world, pool, 40)
    slow.clear()
    world.now += 60
    assert firsts(world, pool, 200, gap=1.0)["b"] > 50


def test_failing_fast_is_not_quick() -> None:
    """Nor is it preferred before it is out, where nothing takes it out."""
    slow = {"b": 0.001}
    world = World(
        {"b": always(refused(500))}, 0.5, slow, random.Random(3).random, strategy="latency"
    )
    counts = firsts(world, targets("ab", CALM), 400, gap=0.2)
    assert counts["b"] < 0.35 * 400


def test_streams_are_compared_by_their_first_event() -> None:
    one, other = targets("ab")
    health_of(one).first.add(9.0, 1000.0)
    health_of(one).whole.add(0.1, 1000.0)
    health_of(other).first.add(0.1, 1000.0)
    health_of(other).whole.add(9.0, 1000.0)
    world = World(strategy="latency")
    assert world.ask([one, other]).endpoint_id == "a"
    assert world.ask([one, other], request(stream=True)).target.endpoint_id == "b"


def priced(name: str, price: str | None, currency: str = "USD", **more: Any) -> Target:
    section = {"m": {"currency": currency, "input": price, "output": price}} if price else None
    prices = read_prices(section, "franca.prices") if section else None
    return target(name, prices=prices, **more)


def test_cost() -> None:
    pool = [priced("a", "3"), priced("b", "0.5"), priced("c", None), priced("d", "1")]
    assert ordered(pool, "cost") == "bdac"
    cheap_but_later = [*pool, priced("e", "0.1", priority=2)]
    assert ordered(cheap_but_later, "cost") == "bdace"


def test_cost_in_several_currencies() -> None:
    rates = Policy(rates={"CNY": Decimal(7)})
    pool = [priced("a", "3", "CNY", policy=rates), priced("b", "0.5", policy=rates)]
    assert ordered(pool, "cost") == "ab"
    unknown = [priced("c", "3", "CNY"), priced("d", "2", "CNY"), priced("e", "9")]
    assert ordered(unknown, "cost") == "edc"


def test_usage_takes_the_one_with_most_room() -> None:
    world = World(strategy="usage", chance=random.Random(3).random)
    pool = [world.limited("a", rpm=30), world.limited("b", rpm=10)]
    counts = firsts(world, pool, 20, gap=0.01)
    assert counts == {"a": 15, "b": 5}


def test_usage_prefers_what_has_no_limit() -> None:
    world = World(strategy="usage", chance=0.5)
    pool = [world.limited("a", rpm=100), target("b")]
    assert firsts(world, pool, 10)["b"] >= 9


def test_usage_counts_slots_and_holds_too() -> None:
    world = World({"b": [refused(429, retry_after="30")]}, strategy="usage", took=5.0)
    pool = [world.limited("a", concurrent_requests=10), world.limited("b", rpm=100)]
    assert world.ask([pool[1]], request(max_retries=0)).retry_after == 30
    counts = firsts(world, pool, 9, gap=0.01)
    assert counts == {"a": 9}


def test_a_full_endpoint_is_passed_over() -> None:
    world = World()
    pool = [world.limited("a", rpm=3), target("b")]
    assert firsts(world, pool, 10, gap=0.01) == {"a": 3, "b": 7}
    assert world.sleeps == []


def test_where_all_are_full_the_shortest_wait_is_waited() -> None:
    world = World()
    pool = [world.limited("a", rpm=1), world.limited("b", rps=1)]
    counts = firsts(world, pool, 4, gap=0.01)
    assert counts == {"a": 1, "b": 3}
    assert world.now < 1000 + 4


KEYS = [f"conversation-{number}" for number in range(3000)]


def test_a_conversation_keeps_its_endpoint() -> None:
    pool = targets("abcd")
    draws = random.Random(5)
    for key in KEYS[:20]:
        found = {ordered(pool, "random", draws.random, key) for _ in range(10)}
        assert len(found) == 1
        assert found == {ordered(list(reversed(pool)), "least_busy", draws.random, key)}


def test_conversations_spread_evenly_and_after_the_weights() -> None:
    even = Counter(ordered(targets("abcd"), key=key)[0] for key in KEYS)
    assert all(0.9 < even[name] / (len(KEYS) / 4) < 1.1 for name in "abcd"), even
    uneven = Counter(ordered(weighted({"a": 3, "b": 1}), key=key)[0] for key in KEYS)
    assert uneven["a"] / len(KEYS) == pytest.approx(0.75, abs=0.03)


def test_a_conversation_moves_while_its_endpoint_is_out_and_returns() -> None:
    world = World(chance=random.Random(1).random, strategy="random")
    pool = targets("abcd")
    homes = {key: ordered(pool, key=key)[0] for key in KEYS[:200]}
    health_of(pool[0]).eject(world.now, Policy())
    moved = {key: world.ask(pool, request(affinity_key=key)).endpoint_id for key in homes}
    assert all(moved[key] == home for key, home in homes.items() if home != "a"), "the others stay"
    away = Counter(moved[key] for key, home in homes.items() if home == "a")
    assert set(away) == {"b", "c", "d"}, "not all of them go to one place"
    world.now += 31
    world.ask(pool)  # the probe
    assert {key: world.ask(pool, request(affinity_key=key)).endpoint_id for key in homes} == homes


def test_a_new_endpoint_takes_only_its_share_of_conversations() -> None:
    pool = targets("abcd")
    wider = [*pool, target("e")]
    moved = [key for key in KEYS if ordered(pool, key=key)[0] != ordered(wider, key=key)[0]]
    assert all(ordered(wider, key=key)[0] == "e" for key in moved)
    assert len(moved) / len(KEYS) == pytest.approx(0.2, abs=0.03)


def test_affinity_changes_nothing_where_the_first_is_wanted() -> None:
    pool = targets("abcd")
    assert {ordered(pool, "first", key=f"talk-{i}") for i in range(50)} == {"abcd"}


def test_affinity_stays_within_the_tier() -> None:
    pool = [target("a"), target("b"), replace(target("c"), priority=2)]
    assert all(ordered(pool, key=key)[2] == "c" for key in KEYS[:50])


def test_the_strategy_of_the_settings_holds_unless_the_client_names_one() -> None:
    pool = [target(name, Policy(strategy="round_robin")) for name in "ab"]
    said = World(strategy=None)
    assert firsts(said, pool, 10) == {"a": 5, "b": 5}
    own = World(strategy="first")
    assert firsts(own, pool, 10) == {"a": 10}


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_one_endpoint_is_taken_without_a_draw(strategy: Strategy) -> None:
    def draw() -> float:
        raise AssertionError("nothing is to be drawn")

    assert ordered(targets("a"), strategy, draw) == "a"

"""What an outage adds to the load, and who still gets an answer meanwhile."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from world import Answer, World, ok, refused, request, target, targets

from franca.errors import CallError, ConnectionError, TimeoutError
from franca.flow import Send, health_of
from franca.settings.policy import STRATEGIES, Policy, Strategy
from franca.settings.target import Target
from franca.types import ChatCompletion

DOWN = [
    refused(500),
    refused(429),
    refused(401),
    ConnectionError("refused", sent=False),
    TimeoutError("too long"),
]


def always(answer: Answer) -> Callable[[Send], Answer]:
    return lambda _: answer


def world_of(servers: dict[str, Callable[[Send], Answer]], strategy: Strategy) -> World:
    return World(servers, took=0.05, chance=random.Random(5).random, strategy=strategy)


def steady(world: World, pool: list[Target], calls: int) -> list[ChatCompletion | CallError]:
    """So many calls, 20 a second."""
    return world.burst([(world.now + i / 20, pool) for i in range(calls)])


def answered(results: list[ChatCompletion | CallError]) -> int:
    return sum(isinstance(each, ChatCompletion) for each in results)


OUTAGES = [(answer, endpoints, "random") for answer in DOWN for endpoints in (1, 2, 4)]
OUTAGES += [(refused(500), endpoints, each) for each in STRATEGIES for endpoints in (2, 4)]


@pytest.mark.parametrize(("answer", "endpoints", "strategy"), OUTAGES)
def test_all_dead(answer: Answer, endpoints: int, strategy: Strategy) -> None:
    """No more than 1.1 times as many requests as calls."""
    names = "abcd"[:endpoints]
    world = world_of(dict.fromkeys(names, always(answer)), strategy)
    assert not answered(steady(world, targets(names), 1000))
    assert 1000 <= len(world.sent) <= 1100


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_all_dead_and_all_calls_at_once(strategy: Strategy) -> None:
    world = world_of(dict.fromkeys("abcd", always(refused(503))), strategy)
    pool = targets("abcd")
    assert not answered(world.burst([(world.now, pool)] * 1000))
    assert 1000 <= len(world.sent) <= 1100


DEATHS = [(answer, "random") for answer in DOWN[2:]]
DEATHS += [(refused(500), strategy) for strategy in STRATEGIES]


@pytest.mark.parametrize(("answer", "strategy"), DEATHS)
def test_one_of_four_dead(answer: Answer, strategy: Strategy) -> None:
    """After five failures fewer than 1 % of the calls reach it; it is back in its time and 1 s."""
    back = 1100.0
    world = world_of({"a": lambda _: ok() if world.now >= back else answer}, strategy)
    pool = targets("abcd")
    calls = 4000
    assert answered(steady(world, pool, calls)) == calls
    hits = [when for when, name in world.sent if name == "a" and when < back]
    assert len(hits) - 5 < 0.01 * (back - 1000) * 20
    returned = [when for when, name in world.sent if name == "a" and when >= back]
    assert returned[0] <= hits[-1] + 90 + 1  # the third time out, of 30 s each
    assert len(returned) > 0.15 * 20 * (world.now - returned[0])
    assert health_of(pool[0]).until == 0


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize(("burst", "took"), [(10, 20.0), (200, 20.0), (1000, 2.0)])
def test_a_burst_with_one_of_four_dead(strategy: Strategy, burst: int, took: float) -> None:
    """All in flight at once, before anybody knows: every call is answered."""
    world = world_of({"a": always(refused(500))}, strategy)
    world.took = took
    pool = targets("abcd")
    assert answered(world.burst([(world.now, pool)] * burst)) == burst
    assert not any(health_of(place).busy for place in pool)


def test_a_retry_that_succeeds_gives_back_what_it_cost() -> None:
    world = World({"a": [answer for _ in range(50) for answer in (refused(500), ok())]})
    one = target("a", Policy(budget=1, failure_threshold=0, error_rate=1))
    assert all(isinstance(world.ask([one]), ChatCompletion) for _ in range(50))
    assert health_of(one).reserve >= 1


def test_a_retry_that_fails_does_not() -> None:
    world = World({"a": always(refused(500))})
    one = target("a", Policy(budget=5, failure_threshold=0, error_rate=1))
    for _ in range(20):
        world.ask([one])
    assert len(world.sent) == 20 + 5
    assert health_of(one).reserve == 0


def test_good_calls_save_a_fifth_each_up_to_twenty() -> None:
    world = World()
    one = target("a", Policy(budget=0))
    for _ in range(30):
        world.ask([one])
    assert health_of(one).reserve == pytest.approx(6)
    for _ in range(3000):
        world.ask([one])
    assert health_of(one).reserve == 20


def test_without_a_budget_there_are_no_retries() -> None:
    world = World({"a": always(refused(500))})
    one = target("a", Policy(budget=0, failure_threshold=0))
    assert isinstance(world.ask([one]), CallError)
    assert world.tried() == "a"


def test_a_retry_waits_for_the_budget_as_for_its_turn() -> None:
    """Another call's success meanwhile pays for it."""
    world = World({"a": [refused(500)]})
    one = target("a", Policy(budget=0, failure_threshold=0))
    calls = [(world.now, [one]), *((world.now + 0.01 * i, [one]) for i in range(1, 40))]
    assert answered(world.burst(calls)) == 40


def test_what_the_vendor_asked_to_wait_for_is_not_charged() -> None:
    world = World({"a": [refused(429, retry_after="1")] * 3})
    one = target("a", Policy(budget=0))
    assert isinstance(world.ask([one]), ChatCompletion)
    assert world.tried() == "aaaa"


def test_a_refused_key_is_not_charged_to_those_that_are_well() -> None:
    world = World({"a": [refused(401)] * 30})
    policy = Policy(budget=0, recovery_time=1)
    pool = targets("ab", policy)
    for _ in range(30):
        assert isinstance(world.ask(pool), ChatCompletion)
        world.now += 400
    assert world.tried() == "ab" * 30


def test_each_endpoint_has_a_budget_of_its_own() -> None:
    """A dead one does not use up what a well one has."""
    world = World({"a": always(refused(500))})
    pool = targets("ab", Policy(failure_threshold=0, error_rate=1))
    for _ in range(100):
        assert isinstance(world.ask(pool), ChatCompletion)
    assert world.tried() == "ab" * 100
    assert health_of(pool[1]).reserve >= 10
    assert health_of(pool[0]).reserve == 10


def test_one_try_is_one_request_in_an_outage() -> None:
    world = World({"a": always(refused(500))})
    one = targets("a")
    for _ in range(100):
        world.ask(one, request(max_retries=0))
    assert len(world.sent) == 100


ANSWERS = st.sampled_from([ok(), *DOWN, refused(400), refused(429, retry_after="0.5")])


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.lists(ANSWERS, max_size=12), min_size=1, max_size=4),
    st.sampled_from(STRATEGIES),
    st.lists(st.floats(0, 3), min_size=1, max_size=20),
    st.booleans(),
    st.randoms(use_true_random=False),
)
def test_many_calls_at_once_leave_nothing_behind(
    scripts: list[list[Answer]],
    strategy: Strategy,
    begins: list[float],
    limited: bool,
    draws: random.Random,
) -> None:
    """Each ends in an answer or an error; nothing is in flight then, and no permit is held."""
    names = "abcd"[: len(scripts)]
    servers = dict(zip(names, scripts, strict=True))
    world = World(servers, took=0.3, chance=draws.random, strategy=strategy)
    pool = targets(names)
    if limited:
        pool = [world.limited(name, rpm=30, concurrent_requests=2) for name in names]
    results = world.burst([(world.now + begin, pool) for begin in begins], request(max_wait=20))
    assert all(isinstance(each, ChatCompletion | CallError) for each in results)
    assert len(world.sent) <= len(begins) * 4
    for place in pool:
        health = health_of(place)
        assert not health.busy
        assert health.retries == 0
        assert health.reserve >= 0
        if limited:
            assert world.standing(place).busy == world.standing(place).waiting == 0


def test_retries_that_wait_for_limits_are_within_the_budget_too() -> None:
    """Many may have found something left of it, and then waited for their turn."""
    world = world_of({"a": always(refused(500))}, "random")
    place = world.limited("a", Policy(failure_threshold=0, error_rate=1), rpm=50)
    results = world.burst([(world.now + i / 100, [place]) for i in range(400)])
    assert not answered(results)
    assert len(world.sent) <= 410
    assert world.standing(place).busy == 0


def test_retries_that_wait_as_the_vendor_asks_are_within_the_budget_too() -> None:
    world = world_of({"a": always(refused(503, retry_after="5"))}, "random")
    pool = targets("a")
    assert not answered(world.burst([(world.now + i / 100, pool) for i in range(400)]))
    assert len(world.sent) <= 410
    assert health_of(pool[0]).reserve >= 0

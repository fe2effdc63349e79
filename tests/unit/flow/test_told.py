"""A wait that a vendor has told: for how long, for whom, and what it does not hold up."""

from __future__ import annotations

import random

import pytest
from world import Answer, World, refused, request, target, targets

from franca.errors import CallError, RateLimitError
from franca.flow import Send, health_of
from franca.settings.policy import Policy
from franca.types import ChatCompletion

SLOW = refused(429, retry_after="20")


def test_those_who_heard_one_word_do_not_come_back_together() -> None:
    """Neither those who asked nor those who come while it holds; none too early."""
    world = World({"a": [SLOW] * 100}, took=0.01, chance=random.Random(7).random)
    place = targets("a")
    begin = world.now
    calls = [(begin + (0 if i < 100 else 10), place) for i in range(200)]
    results = world.burst(calls)
    assert all(isinstance(each, ChatCompletion) for each in results)
    back = sorted(when - begin - 20.01 for when, _ in world.sent[100:])
    assert len(back) == 200
    assert back[0] >= -1e-6
    assert back[-1] <= 1.0
    tenths = [sum(i / 10 <= when < (i + 1) / 10 for when in back) for i in range(10)]
    assert all(8 <= each <= 36 for each in tenths), tenths


def test_who_waits_hears_of_a_longer_wait_before_it_asks() -> None:
    """One of the crowd asks first, and is told again: the others ask nothing meanwhile."""
    draws = random.Random(7)
    world = World({"a": [SLOW, SLOW]}, chance=draws.random)
    place = targets("a")
    begin = world.now
    results = world.burst([(begin + i * 0.1, place) for i in range(50)])
    assert all(isinstance(each, ChatCompletion) for each in results)
    after = [when - begin for when, _ in world.sent]
    assert after[0] == 0
    assert 20 <= after[1] <= 21
    assert all(when >= after[1] + 20 for when in after[2:])
    assert len(after) == 52


def test_it_waits_no_longer_in_all_than_for_one_word() -> None:
    world = World({"a": lambda _: SLOW}, chance=0.0)
    place = target("a", Policy(max_retries=0))
    world.ask([place])
    waiting = world.flow([place])
    for _ in range(3):
        world.now += waiting.send(None).seconds
        health_of(place).hold(world.now + 20)
    with pytest.raises(RateLimitError) as raised:
        waiting.send(None)
    assert raised.value.retry_after == pytest.approx(20)
    assert len(world.sent) == 1


@pytest.mark.parametrize("deadline", [20.5, 22, 60])
def test_half_of_what_the_deadline_leaves_is_for_the_answer(deadline: float) -> None:
    world = World({"a": [SLOW]}, chance=1 - 2**-53)
    assert isinstance(world.ask(targets("a"), request(deadline=deadline)), ChatCompletion)
    assert world.sleeps == [pytest.approx(20 + min(1, (deadline - 20) / 2))]


def test_no_more_than_the_longest_wait() -> None:
    world = World({"a": [SLOW]}, chance=1 - 2**-53)
    assert isinstance(world.ask(targets("a", Policy(max_retry_delay=20.25))), ChatCompletion)
    assert world.sleeps == [pytest.approx(20.25)]


@pytest.mark.parametrize("told", [5, 30, 300])
def test_one_that_others_were_told_to_leave_alone_holds_up_no_retry(told: float) -> None:
    """It has not been tried by this call; the other one, which has failed, is ready sooner."""
    world = World({"a": [refused(500)]})
    one, other = targets("ab")
    health_of(other).hold(world.now + told)
    assert world.ask([one, other]).endpoint_id == "a"
    assert (world.tried(), world.sleeps) == ("aa", [0.5])


@pytest.mark.parametrize("value", ["9" * 30, "9" * 400, "1792566490"])
@pytest.mark.parametrize("limited", [False, True])
def test_nonsense_holds_nobody(value: str, limited: bool) -> None:
    world = World({"a": [refused(429, retry_after=value)]})
    place = world.limited("a", rpm=100) if limited else target("a")
    assert isinstance(world.ask([place]), ChatCompletion)
    assert world.sleeps == [0.5]


@pytest.mark.parametrize(
    "answer",
    [
        refused(429, retry_after="5"),
        refused(503, retry_after="5"),
        RateLimitError("slow down", status_code=429, retry_after=5),
    ],
    ids=["429", "503", "429 to an SDK"],
)
def test_it_holds_all_calls_under_limits_too(answer: Answer) -> None:
    world = World({"a": [answer]})
    place = world.limited("a", rpm=100, tpm=10_000)
    assert isinstance(world.ask([place], request(max_retries=0)), CallError)
    standing = world.standing(place)
    assert standing.used == (1, 0), "an answer that is an error used no tokens"
    begin = world.now
    assert isinstance(world.ask([place]), ChatCompletion)
    assert world.now == begin + 5


def test_a_refused_key_holds_nobody() -> None:
    answers = iter([refused(401, retry_after="50")])

    def server(_: Send) -> Answer:
        return next(answers, refused(500))

    world = World({"a": server})
    place = world.limited("a", rpm=100)
    world.ask([place], request(max_retries=0))
    assert world.standing(place).hold == 0

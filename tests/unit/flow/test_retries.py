"""What is tried again, when, how often, and for how long."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from world import Answer, World, ok, refused, request, target, targets

from franca.errors import (
    APIError,
    AuthenticationError,
    CallError,
    ConnectionError,
    ContentFilterError,
    ContextLengthError,
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
    ProviderError,
    RateLimitError,
    TimeoutError,
)
from franca.flow import Opened, Reply
from franca.flow.retry import backoff
from franca.settings.policy import Policy
from franca.types import ChatCompletion

AGAIN = [
    (refused(408), TimeoutError),
    (refused(409), APIError),
    (refused(425), APIError),
    (refused(429), RateLimitError),
    (refused(500), ProviderError),
    (refused(502), ProviderError),
    (refused(503), ProviderError),
    (refused(529), ProviderError),
    (refused(429, b'{"error":{"code":"rate_limit_exceeded"}}'), RateLimitError),
    (ConnectionError("reset"), ConnectionError),
    (ConnectionError("refused", sent=False), ConnectionError),
    (TimeoutError("too long"), TimeoutError),
    (Reply(200, {}, b"<html>"), APIError),
    (Reply(200, {}, b'{"choices":'), APIError),
    (Reply(200, {}, b'{"error":{"message":"melting","code":500}}'), ProviderError),
]
ELSEWHERE = [
    (refused(401), AuthenticationError),
    (refused(402), PermissionDeniedError),
    (refused(403), PermissionDeniedError),
    (refused(404), NotFoundError),
    (refused(429, b'{"error":{"code":"insufficient_quota"}}'), RateLimitError),
    (refused(307), APIError),
    (refused(418), APIError),
    (refused(500, x_should_retry="false"), ProviderError),
]
MISTAKES = [
    (refused(400), InvalidRequestError),
    (refused(400, x_should_retry="true"), InvalidRequestError),
    (refused(413), InvalidRequestError),
    (refused(422), InvalidRequestError),
    (refused(400, b'{"error":{"code":"context_length_exceeded"}}'), ContextLengthError),
    (refused(400, b'{"error":{"code":"content_filter"}}'), ContentFilterError),
]


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(("answer", "kind"), AGAIN)
def test_what_may_pass_is_tried_again(
    answer: Answer, kind: type[CallError], streamed: bool
) -> None:
    asked = request(stream=streamed)
    world = World({"a": [answer]})
    assert isinstance(world.ask(targets("a"), asked), ChatCompletion | Opened)
    assert world.tried() == "aa"
    dead = World({"a": [answer] * 9})
    error = dead.ask(targets("a"), asked)
    assert type(error) is kind
    assert error.retryable
    assert dead.tried() == "aaaa"
    assert [type(each) for each in error.tried] == [kind] * 3


@pytest.mark.parametrize(("answer", "kind"), ELSEWHERE)
def test_what_will_not_pass_goes_elsewhere_only(answer: Answer, kind: type[CallError]) -> None:
    alone = World({"a": [answer] * 9})
    error = alone.ask(targets("a"))
    assert type(error) is kind
    assert not error.retryable
    assert (alone.tried(), alone.sleeps) == ("a", [])
    world = World({"a": [answer]})
    assert isinstance(world.ask(targets("ab")), ChatCompletion)
    assert (world.tried(), world.sleeps) == ("ab", [])


@pytest.mark.parametrize(("answer", "kind"), MISTAKES)
def test_the_callers_mistake_is_told_at_once(answer: Answer, kind: type[CallError]) -> None:
    world = World({"a": [answer]})
    error = world.ask(targets("ab"))
    assert type(error) is kind
    assert (world.tried(), world.sleeps) == ("a", [])


def test_a_mistake_after_other_errors_names_them() -> None:
    world = World({"a": [refused(500), refused(400)]})
    error = world.ask(targets("a"))
    assert isinstance(error, InvalidRequestError)
    assert [type(each) for each in error.tried] == [ProviderError]


@given(
    attempt=st.integers(1, 2000),
    delay=st.floats(0, 1e6),
    most=st.floats(0, 1e6),
    chance=st.floats(0, 1, exclude_max=True),
)
def test_the_law_of_the_wait(attempt: int, delay: float, most: float, chance: float) -> None:
    wait = backoff(attempt, delay, most, chance)
    assert 0 <= wait <= most
    assert wait == min(most, delay * 2 ** min(attempt - 1, 30)) * chance


def test_waits_double_and_are_drawn() -> None:
    draws = [0.25, 0.5, 0.75]
    world = World({"a": [refused(500)] * 9}, chance=iter(draws).__next__)
    world.ask(targets("a"))
    assert world.sleeps == [0.25 * 1, 0.5 * 2, 0.75 * 4]


def test_waits_are_capped() -> None:
    policy = Policy(max_retries=6, retry_delay=2, max_retry_delay=10, failure_threshold=0)
    world = World({"a": [refused(500)] * 9}, chance=1 - 2**-53)
    world.ask(targets("a", policy))
    assert world.sleeps == pytest.approx([2, 4, 8, 10, 10, 10])


def test_many_calls_do_not_come_back_together() -> None:
    draws = random.Random(4)
    policy = Policy(max_retries=1, budget=1000)
    world = World({"a": [refused(500)] * 400}, chance=draws.random)
    one = targets("a", policy)
    world.burst([(world.now, one)] * 400)
    tenths = [sum(i / 10 <= wait < (i + 1) / 10 for wait in world.sleeps) for i in range(10)]
    assert sum(tenths) == 400
    assert all(20 <= each <= 64 for each in tenths), tenths


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": " 2.5 "}, 2.5),
        ({"retry-after-ms": "1500"}, 1.5),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        (
            {
                "date": "Wed, 21 Oct 2026 07:28:00 GMT",
                "retry-after": "Wed, 21 Oct 2026 07:28:30 GMT",
            },
            30.0,
        ),
        (
            {
                "date": "Wed, 21 Oct 2026 07:28:00 GMT",
                "retry-after": "Wed, 21 Oct 2026 07:00:00 GMT",
            },
            0.0,
        ),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "soon"}, 0.0),
        ({"retry-after": "Wed, 21 Oct 2026"}, 0.0),
        ({"retry-after": "nan"}, 0.0),
        ({"retry-after": "inf"}, 0.0),
        ({}, 0.0),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_what_the_vendor_asks_for_is_waited(
    status: int, headers: dict[str, str], told: float
) -> None:
    """And the drawn wait on top, which is 0.5 s here."""
    world = World({"a": [Reply(status, headers, b"{}")]})
    assert isinstance(world.ask(targets("a")), ChatCompletion)
    assert world.sleeps == [pytest.approx(told + 0.5)]


def test_google_says_it_in_the_body() -> None:
    world = World({"a": [refused(429, b'{"error":{"details":[{"retryDelay":"12.5s"}]}}')]})
    world.ask(targets("a"))
    assert world.sleeps == [pytest.approx(13.0)]


def test_more_than_the_longest_wait_is_not_waited_for() -> None:
    world = World({"a": [refused(429, retry_after="60.5")]})
    error = world.ask(targets("a"))
    assert isinstance(error, RateLimitError)
    assert error.retry_after == 60.5
    assert (world.tried(), world.sleeps) == ("a", [])
    just = World({"a": [refused(429, retry_after="60")]})
    assert isinstance(just.ask(targets("a")), ChatCompletion)


def test_an_endpoint_that_was_told_to_wait_is_left_alone_by_the_next_call() -> None:
    world = World({"a": [refused(429, retry_after="20")]})
    one, other = targets("ab")
    world.ask([one, other])
    world.ask([one, other])
    assert world.tried() == "abb"
    world.now += 20
    world.ask([one, other])
    assert world.tried() == "abba"


def test_two_that_answer_one_429_each_fail_no_call() -> None:
    """Where both say wait, the shorter wait is waited once."""
    world = World({"a": [refused(429, retry_after="5")], "b": [refused(429, retry_after="3")]})
    pair = targets("ab")
    assert [type(world.ask(pair)) for _ in range(20)] == [ChatCompletion] * 20
    assert (world.tried()[:3], world.sleeps) == ("abb", [4.0])


@pytest.mark.parametrize("said", ["by the call", "by the settings"])
def test_no_wait_passes_the_deadline(said: str) -> None:
    named = said == "by the call"
    policy = Policy() if named else Policy(deadline=4)
    world = World({"a": [refused(429, retry_after="5")]})
    error = world.ask(targets("a", policy), request(deadline=4) if named else None)
    assert isinstance(error, RateLimitError)
    assert (world.tried(), world.sleeps) == ("a", [])


def test_no_try_begins_after_the_deadline() -> None:
    world = World({"a": [refused(500)] * 9}, took=3.0)
    error = world.ask(targets("abc"), request(deadline=3))
    assert isinstance(error, ProviderError)
    assert world.tried() == "a"


def test_the_deadline_is_the_calls_and_the_timeout_the_trys() -> None:
    slow = World({}, slow={"a": 1e9, "b": 1e9})
    error = slow.ask(targets("ab"), request(timeout=2, deadline=7))
    assert isinstance(error, TimeoutError)
    assert [send.deadline for send in slow.sends][:3] == [1002.0, 1004.0, slow.sent[2][0] + 2]
    assert all((send.deadline or 0) <= 1007 for send in slow.sends)
    assert slow.now <= 1007


@pytest.mark.parametrize(
    ("asked", "endpoint", "policy", "until"),
    [
        (None, None, None, None),
        (5, 7, 9, 1005.0),
        (None, 7, 9, 1007.0),
        (None, None, 9, 1009.0),
    ],
)
def test_whose_timeout_holds(
    asked: float | None, endpoint: float | None, policy: float | None, until: float | None
) -> None:
    place = target("a", Policy(timeout=policy))
    place = replace(place, endpoint=replace(place.endpoint, timeout=endpoint))
    world = World()
    world.ask([place], request(timeout=asked))
    assert world.sends[0].deadline == until


def test_the_idle_timeout_goes_with_the_send() -> None:
    world = World()
    world.ask(targets("a", Policy(idle_timeout=9)), request(stream=True))
    world.ask(targets("a", Policy(idle_timeout=9)), request(stream=True, idle_timeout=2))
    assert [send.idle for send in world.sends] == [9, 2]


@pytest.mark.parametrize("said", ["by the call", "by the settings"])
@pytest.mark.parametrize("retries", [0, 1, 5])
def test_max_retries(said: str, retries: int) -> None:
    named = said == "by the call"
    policy = Policy() if named else Policy(max_retries=retries)
    world = World({"a": [refused(500)] * 20})
    world.ask(targets("a", policy), request(max_retries=retries) if named else None)
    assert len(world.sent) == 1 + retries


@pytest.mark.parametrize(("endpoints", "tries"), [(1, 4), (2, 4), (3, 4), (4, 4), (6, 6)])
@pytest.mark.parametrize("streamed", [False, True])
def test_endpoints_and_retries_do_not_multiply(endpoints: int, tries: int, streamed: bool) -> None:
    names = "abcdef"[:endpoints]
    world = World(dict.fromkeys(names, [refused(503)] * 20))
    error = world.ask(targets(names), request(stream=streamed))
    assert isinstance(error, ProviderError)
    assert len(world.sent) == tries
    assert len(error.tried) == tries - 1
    assert sorted(world.tried()[:endpoints]) == sorted(names)


def test_another_endpoint_is_tried_without_a_wait() -> None:
    world = World({"a": [refused(500)], "b": [refused(500)]})
    assert isinstance(world.ask(targets("abc")), ChatCompletion)
    assert (world.tried(), world.sleeps) == ("abc", [])


def test_no_wait_where_none_is_wanted() -> None:
    world = World({"a": [refused(500)] * 3})
    assert isinstance(world.ask(targets("a"), request(retry_delay=0)), ChatCompletion)
    assert world.sleeps == [0, 0, 0]


def test_the_one_error_of_many_is_one_that_may_pass() -> None:
    world = World({"a": [refused(503)], "b": [refused(401)]})
    error = world.ask(targets("ab"), request(max_retries=0))
    assert isinstance(error, ProviderError)
    assert [each.endpoint_id for each in error.tried] == ["b"]
    assert "of 2 tries the others met b: " in str(error)


def test_a_stream_begins_again_unseen() -> None:
    error = b'data: {"error":{"message":"melting","code":500}}\n\n'
    world = World({"a": [error, error]})
    opened = world.ask(targets("a"), request(stream=True))
    assert isinstance(opened, Opened)
    assert [delta.content for delta in opened.deltas] == ["hi"]
    assert len(world.closed) == 2
    assert world.tried() == "aaa"


@given(
    st.lists(
        st.lists(st.sampled_from([ok(), *(a for a, _ in AGAIN + ELSEWHERE + MISTAKES)])),
        min_size=1,
        max_size=6,
    ),
    st.integers(0, 5),
    st.one_of(st.none(), st.floats(0.01, 30)),
    st.booleans(),
)
def test_every_call_ends_in_one_answer_or_one_error(
    scripts: list[list[Answer]], retries: int, deadline: float | None, streamed: bool
) -> None:
    names = "abcdef"[: len(scripts)]
    world = World(dict(zip(names, scripts, strict=True)), took=0.1)
    asked = request(max_retries=retries, deadline=deadline, stream=streamed)
    answer = world.ask(targets(names), asked)
    assert isinstance(answer, ChatCompletion | Opened | CallError)
    assert 1 <= len(world.sent) <= max(len(names), retries + 1)
    if deadline is not None:
        assert world.now <= 1000 + deadline + 1e-6
    if isinstance(answer, CallError):
        assert len(answer.tried) == len(world.sent) - 1
        assert answer not in answer.tried

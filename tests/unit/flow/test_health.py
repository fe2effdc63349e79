"""When an endpoint is taken out, for how long, and how it comes back."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from world import Answer, World, ok, refused, request, target, targets

from franca.backends import Quirks
from franca.errors import (
    CallError,
    ConnectionError,
    ContentFilterError,
    RateLimitError,
    TimeoutError,
)  # fmt: skip
from franca.flow import health_of
from franca.flow.health import Health
from franca.settings.policy import Policy
from franca.settings.target import Target
from franca.types import ChatCompletion

ONCE = request(max_retries=0)
DOWN = [refused(500)] * 1000


def is_out(world: World, place: Target) -> bool:
    return health_of(place).open(world.now)


def out_for(world: World, place: Target) -> float:
    return health_of(place).report(place, world.now).out_for


def break_down(world: World, place: Target, times: int = 3) -> None:
    """Calls that fail, until it is out."""
    for _ in range(times):
        assert isinstance(world.ask([place], ONCE), CallError)


@pytest.mark.parametrize("threshold", [1, 3, 7])
def test_failures_in_a_row(threshold: int) -> None:
    world = World({"a": DOWN})
    place = target("a", Policy(failure_threshold=threshold))
    break_down(world, place, threshold - 1)
    assert not is_out(world, place)
    break_down(world, place, 1)
    assert is_out(world, place)
    assert out_for(world, place) == 30


def test_an_answer_between_begins_the_count_anew() -> None:
    script = [refused(500), refused(500), ok()] * 5
    world = World({"a": script})
    place = target("a", Policy(error_rate=1))
    for _ in script:
        world.ask([place], ONCE)
    assert not is_out(world, place)


def test_the_share_of_failures() -> None:
    """Never three in a row, and half of twenty."""
    world = World({"a": [refused(500), ok()] * 10})
    place = target("a")
    for number in range(19):
        world.ask([place], ONCE)
        assert not is_out(world, place), number
    world.ask([place], ONCE)
    world.ask([place], ONCE)
    assert not is_out(world, place), "a good call takes none out"
    break_down(World({"a": DOWN}), place, 1)
    assert is_out(world, place)


def test_failures_are_forgotten_after_the_window() -> None:
    policy = Policy(failure_threshold=0, min_calls=4, error_rate=0.75, window=60)
    world = World({"a": DOWN})
    place = target("a", policy)
    break_down(world, place, 3)
    world.now += 61
    break_down(world, place, 3)
    assert not is_out(world, place)
    break_down(world, place, 1)
    assert is_out(world, place)


def test_neither_rule_where_both_are_off() -> None:
    world = World({"a": DOWN})
    place = target("a", Policy(failure_threshold=0, error_rate=1))
    break_down(world, place, 200)
    assert not is_out(world, place)


def test_out_for_longer_each_time_and_no_longer_than_the_most() -> None:
    policy = Policy(recovery_time=30, max_recovery_time=100)
    world = World({"a": DOWN})
    place = target("a", policy)
    break_down(world, place)
    spans = []
    for _ in range(5):
        spans.append(out_for(world, place))
        world.now += spans[-1]
        break_down(world, place, 1)  # its probe
    assert spans == [30, 60, 90, 100, 100]


def test_who_was_well_for_long_begins_anew() -> None:
    world = World({"a": [*DOWN[:4], ok(), *DOWN]})
    place = target("a", Policy(recovery_time=30, max_recovery_time=100))
    break_down(world, place)
    world.now += 30
    break_down(world, place, 1)
    assert out_for(world, place) == 60
    world.now += 60
    assert isinstance(world.ask([place], ONCE), ChatCompletion)
    assert not is_out(world, place)
    world.now += 201
    break_down(world, place)
    assert out_for(world, place) == 30


@pytest.mark.parametrize(("share", "called"), [(0, "abcd"), (0.5, "ad"), (0.74, "ad"), (1, "d")])
def test_no_more_of_a_tier_are_out_than_allowed(share: float, called: str) -> None:
    """Those that are out for longest stay out."""
    world = World(dict.fromkeys("abc", DOWN), strategy="round_robin")
    pool = targets("abcd", Policy(max_ejection=share))
    for place in pool[:3]:
        world.now += 1
        break_down(world, place)
    world.sent.clear()
    for _ in range(8):
        assert isinstance(world.ask(pool), ChatCompletion)
    assert set(world.tried()) == set(called)


def test_one_probe_at_a_time() -> None:
    """However many calls are under way when its time is over."""
    world = World({"a": DOWN[:3]}, took=2.0)
    pool = targets("ab")
    break_down(world, pool[0])
    world.sent.clear()
    begin = world.now + 30
    calls = [(begin + i * 0.01, pool) for i in range(100)]
    assert all(isinstance(each, ChatCompletion) for each in world.burst(calls))
    assert world.tried().count("a") == 1
    assert not is_out(world, pool[0])
    assert world.ask(pool).endpoint_id == "a"


def test_a_probe_that_fails_takes_it_out_again() -> None:
    world = World({"a": DOWN})
    pool = targets("ab")
    break_down(world, pool[0])
    world.now += 30
    assert isinstance(world.ask(pool), ChatCompletion)
    assert world.tried() == "aaaab"
    assert out_for(world, pool[0]) == 60


def test_a_probe_without_an_answer_is_followed_by_another() -> None:
    """Its caller waits for ever: the endpoint is not out for as long."""
    world = World({"a": DOWN[:3]}, slow={"a": 1000.0})
    pool = targets("ab", Policy(recovery_time=30))
    break_down(world, pool[0])
    world.now += 30
    calls = [(world.now + i, pool) for i in range(65)]
    world.burst(calls)
    assert [when - calls[0][0] for when, name in world.sent[3:] if name == "a"] == [0, 30, 60]


@pytest.mark.parametrize("how", [KeyboardInterrupt(), GeneratorExit()])
def test_a_cancelled_probe_gives_its_turn_back(how: BaseException) -> None:
    world = World({"a": DOWN[:3]})
    pool = targets("ab")
    break_down(world, pool[0])
    world.now += 30
    probe = world.flow(pool)
    assert probe.send(None).target.endpoint_id == "a"
    assert is_out(world, pool[0])
    with pytest.raises(type(how)):
        probe.throw(how)
    assert not is_out(world, pool[0])
    assert not health_of(pool[0]).busy
    assert world.ask(pool).endpoint_id == "a"


def test_a_probe_that_its_limits_refuse_gives_its_turn_back() -> None:
    world = World({"a": DOWN[:2]})
    pool = [world.limited("a", Policy(recovery_time=1), rpm=2), target("b")]
    place = pool[0]
    break_down(world, place, 2)
    health_of(place).eject(world.now, place.policy)
    world.now += 1
    assert world.ask(pool).endpoint_id == "b"
    assert not is_out(world, place)
    assert health_of(place).until > 0


def test_a_probe_that_is_told_to_wait_says_nothing() -> None:
    world = World({"a": [*DOWN[:3], refused(429, retry_after="5")]})
    pool = targets("ab")
    break_down(world, pool[0])
    world.now += 30
    assert world.ask(pool).endpoint_id == "b"
    world.now += 5
    assert not is_out(world, pool[0])
    assert world.ask(pool).endpoint_id == "a"


def test_what_began_before_it_was_out_says_nothing_of_it_since() -> None:
    world = World({"a": [*DOWN[:3], ok(), *DOWN]})
    (place,) = targets("a")
    early = [world.flow([place], ONCE) for _ in range(2)]
    sends = [flow.send(None) for flow in early]
    world.now += 1
    break_down(world, place)
    until = health_of(place).until
    world.now += 1
    with pytest.raises(StopIteration):
        early[0].send(ok())
    assert health_of(place).until == until
    world.now = until + 1
    with pytest.raises(CallError):
        early[1].send(refused(500))
    assert health_of(place).until == until, "nor does it make it longer"
    assert len(sends) == 2


REFUSALS: list[tuple[Answer, str]] = [
    (refused(401), "AuthenticationError HTTP 401"),
    (refused(402), "PermissionDeniedError HTTP 402"),
    (refused(403), "PermissionDeniedError HTTP 403"),
    (refused(404), "NotFoundError HTTP 404"),
    (
        refused(429, b'{"error":{"code":"insufficient_quota"}}'),
        "RateLimitError HTTP 429 (insufficient_quota)",
    ),
]


@pytest.mark.parametrize(("answer", "words"), REFUSALS)
def test_a_refusal_takes_it_out_at_once(answer: Answer, words: str) -> None:
    world = World({"a": [answer]})
    pool = targets("ab")
    for _ in range(10):
        assert world.ask(pool).endpoint_id == "b"
    assert world.tried() == "a" + "b" * 10
    report = health_of(pool[0]).report(pool[0], world.now)
    assert (report.state, report.last_error) == ("open", words)
    world.now += 30
    assert world.ask(pool).endpoint_id == "a", "and it is not out for good"
    assert health_of(pool[0]).report(pool[0], world.now).state == "closed"


@pytest.mark.parametrize("status", [400, 413, 422])
def test_the_callers_mistakes_take_nothing_out(status: int) -> None:
    world = World({"a": [refused(status)] * 200})
    pool = targets("ab")
    for _ in range(200):
        assert isinstance(world.ask(pool), CallError)
    report = health_of(pool[0]).report(pool[0], world.now)
    assert (report.state, report.failures, report.error_rate) == ("closed", 0, 0.0)
    assert world.tried() == "a" * 200


def test_what_cannot_be_built_says_nothing_of_the_endpoint() -> None:
    world = World()
    place = target("a", quirks=Quirks(unsupported=("seed",)))
    asked = request()
    asked.params["seed"] = 3
    for _ in range(5):
        assert isinstance(world.ask([place], asked), CallError)
    report = health_of(place).report(place, world.now)
    assert (report.state, report.failures, report.error_rate) == ("closed", 0, None)
    assert not world.sent


def test_a_vendor_that_says_slow_down_is_not_taken_out() -> None:
    world = World({"a": [refused(429)] * 50})
    pool = targets("ab")
    for _ in range(50):
        world.ask(pool)
    assert not is_out(world, pool[0])


def test_a_callers_short_deadline_takes_nothing_out() -> None:
    world = World(slow={"a": 5.0})
    pool = targets("a")
    for _ in range(20):
        assert isinstance(world.ask(pool, request(deadline=0.5)), TimeoutError)
    assert not is_out(world, pool[0])
    assert health_of(pool[0]).failures == 0


def test_a_timeout_of_the_try_does() -> None:
    world = World(slow={"a": 50.0})
    pool = targets("a")
    for _ in range(3):
        assert isinstance(world.ask(pool, request(timeout=2, max_retries=0)), TimeoutError)
    assert is_out(world, pool[0])


def test_a_stream_that_breaks_later_counts() -> None:
    world = World()
    (place,) = targets("a")
    for _ in range(3):
        opened = world.ask([place], request(stream=True))
        opened.reader.broken(ConnectionError("cut"))
        opened.end()
    assert health_of(place).report(place, world.now).last_error is not None
    assert health_of(place).failures == 1, "each had begun well"


@pytest.mark.parametrize("error", [ContentFilterError("no"), RateLimitError("slow down")])
def test_a_stream_that_breaks_later_for_what_is_asked_does_not_count(error: CallError) -> None:
    world = World()
    (place,) = targets("a", Policy(failure_threshold=1))
    opened = world.ask([place], request(stream=True))
    opened.reader.broken(error)
    opened.end()
    assert health_of(place).failures == 0
    assert not is_out(world, place)


def test_all_out_the_least_bad_is_tried() -> None:
    world = World({"a": [refused(500)] * 3, "b": [refused(500)] * 3})
    one, other = targets("ab", Policy(error_rate=1))
    break_down(world, other)
    world.now += 10
    break_down(world, one)
    world.sent.clear()
    assert world.ask([one, other]).endpoint_id == "b", "whose time is over first"


def test_health_is_of_an_endpoint_and_a_model() -> None:
    world = World({"a": DOWN})
    place = target("a")
    again = replace(place)
    other = replace(place, model="n", model_id="n")
    break_down(world, place)
    assert health_of(again) is health_of(place)
    assert not is_out(world, other)


def test_a_report() -> None:
    world = World({"a": [ok(), *[refused(503)] * 3]}, took=0.5)
    (place,) = targets("a")
    world.ask([place])
    world.now += 1
    break_down(world, place, 2)
    waiting = world.flow([place])
    next(waiting)
    report = health_of(place).report(place, world.now)
    assert (report.backend, report.model, report.endpoint_id) == ("local", "m", "a")
    assert (report.state, report.failures, report.busy) == ("closed", 2, 1)
    assert report.error_rate == pytest.approx(2 / 3)
    assert (report.out_for, report.last_error) == (0.0, "ProviderError HTTP 503")
    assert report.latency is not None
    assert report.latency >= 0.5
    assert report.first_token is None
    waiting.close()
    break_down(world, place, 1)
    assert health_of(place).report(place, world.now).state == "open"
    world.now += 30
    assert health_of(place).report(place, world.now).state == "half_open"


def test_a_code_that_is_a_sentence_is_not_shown() -> None:
    world = World({"a": [refused(500, b'{"error":{"code":"you asked for a secret"}}')]})
    (place,) = targets("a")
    break_down(world, place, 1)
    assert health_of(place).last == "ProviderError HTTP 500"


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), st.floats(0, 90)), max_size=80),
    st.integers(0, 4),
    st.floats(0.05, 1),
)
def test_it_is_never_out_for_longer_than_the_most(
    steps: list[tuple[bool, float]], threshold: int, rate: float
) -> None:
    policy = Policy(failure_threshold=threshold, error_rate=rate, min_calls=3, max_recovery_time=70)
    health, now, error = Health(10), 1000.0, RateLimitError("x")
    for good, later in steps:
        now += later
        health.probe(now, policy)
        if good:
            health.succeeded(now, now, policy, again=False)
            assert health.until == 0
        else:
            health.failed(now, now, policy, error)
        assert health.until <= now + 70

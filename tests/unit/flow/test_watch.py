"""What hooks are told of a call, to the tenth of a second, and what the logger says."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import pytest
from world import Answer, World, refused, request, target, targets

from franca.errors import CallError, ConnectionError, InvalidRequestError, ProviderError
from franca.flow import CallEvent, Hooks, Route
from franca.settings.policy import Policy
from franca.settings.target import Endpoint, Secret, Target
from franca.types import ChatCompletion, EndpointType

MOMENTS = ("on_request", "on_response", "on_retry", "on_failover", "on_error", "on_cancel")
KEY = "sk-canary-0123456789abcdef"
PROMPT = "a thing that nobody may know"


class Heard:
    """Hooks that keep what they are told."""

    def __init__(self) -> None:
        self.events: list[tuple[str, CallEvent]] = []
        self.hooks = Hooks(**{moment: self._keep(moment) for moment in MOMENTS})

    def _keep(self, moment: str) -> Any:
        return lambda event: self.events.append((moment.removeprefix("on_"), event))

    def told(self) -> list[tuple[str, str, int, float]]:
        """(moment, endpoint, attempt, elapsed) of each."""
        return [(m, e.endpoint_id, e.attempt, round(e.elapsed, 3)) for m, e in self.events]

    def of(self, moment: str) -> list[CallEvent]:
        return [event for name, event in self.events if name == moment]


def world_of(heard: Heard, servers: dict[str, list[Answer]], **options: Any) -> World:
    return World(servers, hooks=[heard.hooks], **options)


def test_a_call_that_goes_well() -> None:
    heard = Heard()
    answer = world_of(heard, {}, took=0.4).ask(targets("a"))
    assert heard.told() == [("request", "a", 1, 0.0), ("response", "a", 1, 0.4)]
    assert heard.of("response")[0].result is answer


def test_failover_then_retry_then_an_answer() -> None:
    heard = Heard()
    world = world_of(heard, {"a": [refused(503)] * 2, "b": [refused(500)]}, took=0.1)
    assert isinstance(world.ask(targets("ab")), ChatCompletion)
    assert heard.told() == [
        ("request", "a", 1, 0.0),
        ("failover", "b", 2, 0.1),
        ("request", "b", 2, 0.1),
        ("retry", "a", 3, 1.2),
        ("request", "a", 3, 1.2),
        ("retry", "b", 4, 3.3),
        ("request", "b", 4, 3.3),
        ("response", "b", 4, 3.4),
    ]
    assert [event.wait for event in heard.of("retry")] == [1.0, 2.0]
    met = [event.error for event in heard.of("failover") + heard.of("retry")]
    assert [error.status_code for error in met if error] == [503, 500, 503]


def test_another_model_at_the_same_endpoint_is_another_place() -> None:
    heard = Heard()
    world = world_of(heard, {"a": [refused(500)] * 2})
    place = target("a")
    error = world.ask(
        Route([place], [[replace(place, model="n", model_id="n")]]), request(max_retries=0)
    )
    assert isinstance(error, ProviderError)
    assert [f"{name} {event.model}" for name, event in heard.events] == [
        "request m", "failover n", "request n", "error n",
    ]  # fmt: skip


def test_what_the_vendor_asked_for_is_the_wait() -> None:
    heard = Heard()
    world_of(heard, {"a": [refused(429, retry_after="7")]}).ask(targets("a"))
    assert [event.wait for event in heard.of("retry")] == [7.5]


def test_an_error_is_told_once_with_all_that_was_met() -> None:
    heard = Heard()
    world = world_of(heard, {"a": [refused(500)], "x": [refused(500)]})
    error = world.ask(Route(targets("a"), [targets("x")]), request(max_retries=0))
    assert [moment for moment, _ in heard.events] == ["request", "failover", "request", "error"]
    (event,) = heard.of("error")
    assert event.error is error
    assert (event.endpoint_id, event.attempt, len(error.tried)) == ("x", 2, 1)


def test_a_call_that_its_limits_refuse_is_told_too() -> None:
    heard = Heard()
    world = world_of(heard, {})
    place = world.limited("a", rpm=1)
    world.ask([place], request(max_wait=0))
    world.ask([place], request(max_wait=0))
    assert [moment for moment, _ in heard.events] == ["request", "response", "error"]
    assert heard.of("error")[0].endpoint_id == "a"


def test_the_wait_for_limits_is_within_the_elapsed_time() -> None:
    heard = Heard()
    world = world_of(heard, {}, took=0.5)
    place = world.limited("a", rps=1)
    world.ask([place])
    world.ask([place])
    assert heard.of("request")[1].elapsed > 0.4


def test_a_stream_is_told_of_at_its_end() -> None:
    heard = Heard()
    world = world_of(heard, {}, took=0.3)
    opened = world.ask(targets("a"), request(stream=True))
    assert [moment for moment, _ in heard.events] == ["request"]
    for piece in opened.handle:
        opened.reader.feed(piece)
    opened.reader.end()
    world.now += 2
    opened.end()
    (event,) = heard.of("response")
    assert (event.first_token, round(event.elapsed, 3)) == (pytest.approx(0.3), 2.3)
    assert event.result is not None
    assert event.result.content == "hi"


def test_a_stream_that_breaks_is_an_error() -> None:
    heard = Heard()
    opened = world_of(heard, {}).ask(targets("a"), request(stream=True))
    broken = opened.reader.broken(ConnectionError("cut"))
    opened.end()
    assert [moment for moment, _ in heard.events] == ["request", "error"]
    assert heard.of("error")[0].error is broken


def test_events_of_one_call_share_a_place_to_keep_things() -> None:
    heard = Heard()
    world = world_of(heard, {"a": [refused(500)]})
    pair = targets("ab")
    world.ask(pair)
    one = [event.call for _, event in heard.events]
    heard.events.clear()
    world.ask(pair)
    other = [event.call for _, event in heard.events]
    assert all(kept is one[0] for kept in one)
    assert all(kept is not one[0] for kept in other)


def test_several_listeners_in_their_order_and_one_that_raises(
    caplog: pytest.LogCaptureFixture,
) -> None:
    order: list[str] = []

    def wrong(event: CallEvent) -> None:
        order.append("wrong")
        raise ValueError(PROMPT)

    hooks = [Hooks(on_request=wrong), Hooks(on_request=lambda event: order.append("right"))]
    world = World(hooks=hooks)
    assert isinstance(world.ask(targets("a")), ChatCompletion)
    assert order == ["wrong", "right"]
    assert "a hook (on_request) raised ValueError" in caplog.text
    assert PROMPT not in caplog.text


def secret(name: str) -> Target:
    url = f"http://user:{KEY}@{name}.test/v1?key={KEY}"
    endpoint = Endpoint(name, EndpointType.OpenAI, url, Secret(KEY))
    return Target("local", "m", "m", endpoint, policy=Policy(failure_threshold=1))


def test_neither_key_nor_prompt_is_shown(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "franca")
    heard = Heard()
    echo = f'{{"error":{{"message":"{KEY} asks {PROMPT}","code":"{PROMPT}"}}}}'.encode()
    world = world_of(heard, {"a": [refused(500, echo)] * 9, "b": [refused(401, echo)] * 9})
    asked = request()
    asked.messages[0].content = PROMPT
    error = world.ask([secret("a"), secret("b")], asked)
    assert isinstance(error, ProviderError)
    logged = [record.getMessage() + repr(record.args) for record in caplog.records]
    shown = "".join(repr(event) for _, event in heard.events)
    assert len(logged) >= 3
    for text in (*logged, shown, *(event.url for _, event in heard.events)):
        assert KEY not in text
    for text in logged:
        assert PROMPT not in text
    assert heard.events[0][1].request.messages[0].content == PROMPT, "hooks may have it"


def test_the_logger_says_what_was_done(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "franca")
    world = World({"a": [refused(503), refused(503)], "b": [refused(401)]})
    world.ask([target("a", Policy(failure_threshold=2)), target("b")])
    assert [record.getMessage() for record in caplog.records] == [
        "franca: ProviderError HTTP 503; try 2, local/b instead",
        "franca: local/b is out for 30 s: AuthenticationError HTTP 401",
        "franca: AuthenticationError HTTP 401; try 3, local/a again after 1 s",
        "franca: local/a is out for 30 s: ProviderError HTTP 503",
        "franca: ProviderError HTTP 503; try 4, local/a again after 2 s",
    ]
    assert [record.levelname for record in caplog.records][:2] == ["INFO", "WARNING"]


def test_a_mistake_of_the_callers_is_an_error_too() -> None:
    heard = Heard()
    error = world_of(heard, {"a": [refused(400)]}).ask(targets("a"))
    assert isinstance(error, InvalidRequestError)
    assert [moment for moment, _ in heard.events] == ["request", "error"]


@pytest.mark.parametrize("how", [KeyboardInterrupt(), GeneratorExit()])
def test_a_cancelled_call(how: BaseException) -> None:
    heard = Heard()
    running = world_of(heard, {}).flow(targets("a"))
    next(running)
    with pytest.raises(type(how)):
        running.throw(how)
    assert [moment for moment, _ in heard.events] == ["request", "cancel"]
    assert heard.of("cancel")[0].cause is how


def test_nobody_listens() -> None:
    world = World({"a": [refused(500)]})
    assert not isinstance(world.ask(targets("a")), CallError)

"""The flow on its own: a generator that a test drives by hand, effect by effect."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, TypeVar

import pytest
from world import HI, STOP, WHOLE, target

from franca.errors import (
    APIError,
    CallError,
    ConnectionError,
    ProviderError,
    RateLimitError,
    TimeoutError,
)
from franca.flow import Close, Conduct, Opened, Read, Reply, Route, Send, complete, stream
from franca.settings.target import Target
from franca.types import ChatCompletion, ChatRequest, Message

E = TypeVar("E", bound=CallError)

ROLE = b'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}\n\n'
ERROR = b'data: {"error":{"message":"the server is melting","type":"server_error","code":500}}\n\n'
ONCE = ChatRequest([Message("user", "hello")], {}, max_retries=0)
FRESH = Conduct(lambda: 1000.0, lambda: 0.5, "first")


def targets(names: str) -> list[Target]:
    return [target(name) for name in names]


def whole(names: str | list[Target]) -> Generator[Any, Any, ChatCompletion]:
    found = targets(names) if isinstance(names, str) else names
    return complete(ONCE, Route(found), FRESH)


def opening(names: str | list[Target]) -> Generator[Any, Any, Opened]:
    found = targets(names) if isinstance(names, str) else names
    return stream(ONCE, Route(found), FRESH)


def drive(flow: Generator[Any, Any, Any], *outcomes: Any) -> tuple[Any, list[Any]]:
    """(the flow's result or error, what it asked for); it may ask no more than is answered."""
    asked: list[Any] = []
    rest = [None, *outcomes]
    try:
        while True:
            asked.append(flow.send(rest.pop(0)))
    except StopIteration as stop:
        assert not rest, "it ended before it had heard all"
        return stop.value, asked
    except CallError as error:
        assert not rest, "it ended before it had heard all"
        return error, asked


def sent_to(asked: list[Any]) -> list[str]:
    return [effect.target.endpoint_id for effect in asked if isinstance(effect, Send)]


def error_of(result: Any, kind: type[E]) -> E:
    assert type(result) is kind, repr(result)
    return result


def test_the_first_answer_is_the_result() -> None:
    result, asked = drive(whole("ab"), Reply(200, {}, WHOLE))
    assert (result.content, result.endpoint_id) == ("hi", "a")
    assert sent_to(asked) == ["a"]


@pytest.mark.parametrize("flow", [whole, opening])
@pytest.mark.parametrize(
    "unreachable",
    [ConnectionError("refused", sent=False), TimeoutError("no connection in time", sent=False)],
)
def test_moves_past_what_never_left(flow: Any, unreachable: CallError) -> None:
    answer = [Reply(200, {}, WHOLE)] if flow is whole else [Reply(200, {}, handle="h"), HI]
    result, asked = drive(flow("ab"), unreachable, *answer)
    place = result.endpoint_id if flow is whole else result.target.endpoint_id
    assert place == "b"
    assert sent_to(asked) == ["a", "b"]


@pytest.mark.parametrize(
    "failed",
    [
        ConnectionError("reset"),
        ConnectionError("reset", sent=True),
        TimeoutError("too long"),
        APIError("not of the wire's form"),
        Reply(400, {}, b'{"error":{"message":"bad"}}'),
        Reply(429, {}, b"{}"),
        Reply(500, {}, b"{}"),
        Reply(307, {}, b""),
        Reply(200, {}, b"<html>"),
        Reply(200, {}, b'{"choices":'),
    ],
)
def test_without_retries_nothing_is_sent_twice(failed: Reply | CallError) -> None:
    result, asked = drive(whole("a"), failed)
    assert isinstance(result, CallError)
    assert result.__cause__ is not result
    assert result.tried == ()
    assert sent_to(asked) == ["a"]


def test_an_error_names_its_place_and_keeps_the_vendors_word() -> None:
    body = b'{"error":{"message":"slow down","type":"rate_limit_error"}}'
    result, _ = drive(whole("a"), Reply(429, {"retry-after": "3"}, body))
    error = error_of(result, RateLimitError)
    assert (error.endpoint_id, error.backend, error.status_code) == ("a", "local", 429)
    assert error.retry_after == 3
    assert "slow down" in str(error)


def test_none_reached_names_each() -> None:
    refused = [ConnectionError(f"{name} refused", endpoint_id=name, sent=False) for name in "abc"]
    result, asked = drive(whole("abc"), *refused)
    error = error_of(result, ConnectionError)
    assert sent_to(asked) == ["a", "b", "c"]
    assert not error.sent
    assert error.retryable
    assert error.tried == tuple(refused[:2])
    assert "c refused" in str(error)
    for name in "ab":
        assert f"{name}: {name} refused" in str(error)


@pytest.mark.parametrize("flow", [whole, opening])
def test_one_that_is_not_reached_is_its_own_error(flow: Any) -> None:
    refused = ConnectionError("refused", sent=False)
    assert drive(flow("a"), refused)[0] is refused


def test_a_stream_commits_at_the_first_visible_event() -> None:
    opened, asked = drive(opening("a"), Reply(200, {}, handle="h"), ROLE, b": ping\n\n", HI)
    assert [type(effect) for effect in asked] == [Send, Read, Read, Read]
    assert [delta.content for delta in opened.deltas] == ["hi"]
    assert (opened.handle, opened.ended) == ("h", False)


def test_an_event_in_pieces_commits_when_it_is_whole() -> None:
    outcomes = [HI[at : at + 1] for at in range(len(HI))]
    opened, _ = drive(opening("a"), Reply(200, {}, handle="h"), *outcomes)
    assert [delta.content for delta in opened.deltas] == ["hi"]


BROKEN = [
    (ConnectionError("cut", sent=True), ConnectionError, "cut"),
    (TimeoutError("silence"), TimeoutError, "silence"),
    (ERROR, ProviderError, "melting"),
    (HI + ERROR, ProviderError, "melting"),
    (b"data: {nonsense\n\n", APIError, "not JSON"),
    (None, APIError, "end mark"),
]


@pytest.mark.parametrize("before", [(), (ROLE,)])
@pytest.mark.parametrize(("broken", "kind", "words"), BROKEN)
def test_broken_before_anything_is_visible(
    before: tuple[bytes, ...], broken: Any, kind: type[CallError], words: str
) -> None:
    """The plain error, the reply closed once, and nothing sent again."""
    result, asked = drive(opening("a"), Reply(200, {}, handle="h"), *before, broken, None)
    error = error_of(result, kind)
    assert words in error.message
    assert error.__cause__ is not error
    assert isinstance(asked[-1], Close)
    assert sum(isinstance(effect, Close) for effect in asked) == 1
    assert sent_to(asked) == ["a"]


@pytest.mark.parametrize("before", [(), (ROLE,)])
@pytest.mark.parametrize(("broken", "kind", "words"), BROKEN)
def test_what_broke_unseen_goes_on_elsewhere(
    before: tuple[bytes, ...], broken: Any, kind: type[CallError], words: str
) -> None:
    """The reply closed before the next is asked for; of the first nothing is shown."""
    outcomes = [Reply(200, {}, handle="h"), *before, broken, None, Reply(200, {}, handle="i"), HI]
    opened, asked = drive(opening("ab"), *outcomes)
    assert (opened.handle, opened.target.endpoint_id) == ("i", "b")
    assert [delta.content for delta in opened.deltas] == ["hi"]
    assert [effect.handle for effect in asked if isinstance(effect, Close)] == ["h"]
    assert isinstance(asked[-3], Close)
    assert sent_to(asked) == ["a", "b"]


def test_a_refused_stream_is_read_no_further() -> None:
    result, asked = drive(opening("a"), Reply(503, {}, b"busy"))
    assert error_of(result, ProviderError).status_code == 503
    assert [type(effect) for effect in asked] == [Send]


def test_an_empty_answer_ends() -> None:
    opened, _ = drive(opening("a"), Reply(200, {}, handle="h"), ROLE + STOP)
    assert [delta.finish_reason for delta in opened.deltas] == ["stop"]
    assert opened.reader.result().finish_reason == "stop"


@pytest.mark.parametrize("flow", [whole, opening])
def test_a_closed_flow_asks_for_no_more(flow: Any) -> None:
    running = flow("ab")
    running.send(None)
    running.close()
    with pytest.raises(StopIteration):
        running.send(None)


def test_a_flow_closed_while_it_reads_asks_for_no_more() -> None:
    running = opening("ab")
    running.send(None)
    running.send(Reply(200, {}, handle="h"))
    running.close()
    with pytest.raises(StopIteration):
        running.send(None)


def test_a_cancelled_flow_closes_what_it_reads() -> None:
    running = opening("ab")
    running.send(None)
    running.send(Reply(200, {}, handle="h"))
    closing = running.throw(KeyboardInterrupt())
    assert isinstance(closing, Close)
    with pytest.raises(KeyboardInterrupt):
        running.send(None)


def test_a_call_has_its_try_in_flight_while_it_waits_for_the_answer() -> None:
    from franca.flow import health_of

    one, other = targets("ab")
    running = whole([one, other])
    running.send(None)
    assert (len(health_of(one).busy), len(health_of(other).busy)) == (1, 0)
    running.close()
    assert not health_of(one).busy

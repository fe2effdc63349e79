"""The flow on its own: a generator that a test drives by hand."""

import random
from collections import Counter

import pytest

from franca.errors import (
    APIError,
    CallError,
    ConnectionError,
    ProviderError,
    RateLimitError,
    TimeoutError,
)
from franca.flow import Close, Read, Reply, Send, complete, order, stream
from franca.settings.target import Endpoint, Target
from franca.types import ChatRequest, EndpointType, Message

WHOLE = b'{"id":"1","choices":[{"index":0,"message":{"content":"hi"},"finish_reason":"stop"}]}'
ROLE = b'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}\n\n'
HI = b'data: {"choices":[{"index":0,"delta":{"content":"hi"}}]}\n\n'
STOP = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
ERROR = b'data: {"error":{"message":"the server is melting","type":"server_error","code":500}}\n\n'
ASK = ChatRequest([Message("user", "hello")], {})
REFUSED = ConnectionError("refused", sent=False)


def target(name, **options):
    endpoint = Endpoint(name, EndpointType.OpenAI, f"http://{name}.test/v1")
    return Target("local", "m", "m", endpoint, **options)


A, B, C = target("a"), target("b"), target("c")


def drive(flow, *outcomes):
    """(the flow's result or error, what it asked for); it may ask no more than is answered."""
    asked, rest = [], [None, *outcomes]
    try:
        while True:
            asked.append(flow.send(rest.pop(0)))
    except StopIteration as stop:
        assert not rest, "it ended before it had heard all"
        return stop.value, asked
    except CallError as error:
        assert not rest, "it ended before it had heard all"
        return error, asked


def sent_to(asked):
    return [effect.target.endpoint_id for effect in asked if isinstance(effect, Send)]


def error_of(result, kind: type[CallError]):
    assert type(result) is kind, repr(result)
    return result


def test_the_first_answer_is_the_result():
    result, asked = drive(complete(ASK, [A, B]), Reply(200, {}, WHOLE))
    assert (result.content, result.endpoint_id) == ("hi", "a")
    assert sent_to(asked) == ["a"]


@pytest.mark.parametrize(
    "unreachable", [REFUSED, TimeoutError("no connection in time", sent=False)]
)
def test_moves_past_what_never_left(unreachable):
    result, asked = drive(complete(ASK, [A, B]), unreachable, Reply(200, {}, WHOLE))
    assert result.endpoint_id == "b"
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
@pytest.mark.parametrize("flow", [complete])
def test_nothing_else_is_sent_twice(flow, failed):
    result, asked = drive(flow(ASK, [A, B]), failed)
    assert isinstance(result, CallError)
    assert result.__cause__ is not result
    assert sent_to(asked) == ["a"]


def test_an_error_names_its_place_and_keeps_the_vendors_word():
    body = b'{"error":{"message":"slow down","type":"rate_limit_error"}}'
    result, _ = drive(complete(ASK, [A, B]), Reply(429, {"retry-after": "3"}, body))
    error = error_of(result, RateLimitError)
    assert (error.endpoint_id, error.backend, error.status_code) == ("a", "local", 429)
    assert error.retry_after == 3
    assert "slow down" in str(error)


def test_none_reached_names_each():
    refused = [ConnectionError(f"{t.endpoint_id} refused", endpoint_id=t.endpoint_id, sent=False)
               for t in (A, B, C)]  # fmt: skip
    result, asked = drive(complete(ASK, [A, B, C]), *refused)
    error = error_of(result, ConnectionError)
    assert sent_to(asked) == ["a", "b", "c"]
    assert not error.sent
    assert error.retryable
    for name in "abc":
        assert f"{name}: {name} refused" in error.message


def test_one_that_is_not_reached_is_its_own_error():
    assert drive(complete(ASK, [A]), REFUSED)[0] is REFUSED
    assert drive(stream(ASK, [A]), REFUSED)[0] is REFUSED


def test_a_stream_commits_at_the_first_visible_event():
    opened, asked = drive(stream(ASK, [A]), Reply(200, {}, handle="h"), ROLE, b": ping\n\n", HI)
    assert [type(effect) for effect in asked] == [Send, Read, Read, Read]
    assert [delta.content for delta in opened.deltas] == ["hi"]
    assert (opened.handle, opened.ended) == ("h", False)


def test_an_event_in_pieces_commits_when_it_is_whole():
    outcomes = [HI[at : at + 1] for at in range(len(HI))]
    opened, _ = drive(stream(ASK, [A]), Reply(200, {}, handle="h"), *outcomes)
    assert [delta.content for delta in opened.deltas] == ["hi"]


def test_a_stream_moves_past_an_unreachable_endpoint():
    opened, asked = drive(stream(ASK, [A, B]), REFUSED, Reply(200, {}, handle="h"), HI)
    assert opened.target is B
    assert sent_to(asked) == ["a", "b"]


@pytest.mark.parametrize("before", [(), (ROLE,)])
@pytest.mark.parametrize(
    ("broken", "kind", "words"),
    [
        (ConnectionError("cut", sent=True), ConnectionError, "cut"),
        (TimeoutError("silence"), TimeoutError, "silence"),
        (ERROR, ProviderError, "melting"),
        (HI + ERROR, ProviderError, "melting"),
        (b"data: {nonsense\n\n", APIError, "not JSON"),
        (None, APIError, "end mark"),
    ],
)
def test_broken_before_anything_is_visible(before, broken, kind, words):
    """The plain error, the reply closed once, and nothing sent again."""
    flow = stream(ASK, [A, B])
    result, asked = drive(flow, Reply(200, {}, handle="h"), *before, broken, None)
    error = error_of(result, kind)
    assert words in error.message
    assert error.__cause__ is not error
    assert isinstance(asked[-1], Close)
    assert sum(isinstance(effect, Close) for effect in asked) == 1
    assert sent_to(asked) == ["a"]


def test_a_refused_stream_is_read_no_further():
    result, asked = drive(stream(ASK, [A, B]), Reply(503, {}, b"busy"))
    assert error_of(result, ProviderError).status_code == 503
    assert [type(effect) for effect in asked] == [Send]


def test_an_empty_answer_ends():
    opened, _ = drive(stream(ASK, [A]), Reply(200, {}, handle="h"), ROLE + STOP)
    assert [delta.finish_reason for delta in opened.deltas] == ["stop"]
    assert opened.reader.result().finish_reason == "stop"


def test_a_closed_flow_asks_for_no_more():
    flow = stream(ASK, [A])
    flow.send(None)
    flow.send(Reply(200, {}, handle="h"))
    flow.close()
    with pytest.raises(StopIteration):
        flow.send(None)


def test_order_by_priority_as_they_stand():
    targets = [target("a", priority=2), target("b"), target("c", priority=2), target("d")]
    assert [t.endpoint_id for t in order(targets, None)] == ["b", "d", "a", "c"]


def test_order_draws_by_weight_inside_a_priority():
    targets = [target("a", weight=3), target("b", weight=1), target("z", priority=2, weight=99)]
    draws = random.Random(7)
    drawn = [[t.endpoint_id for t in order(targets, draws.random)] for _ in range(4000)]
    assert all(names[-1] == "z" for names in drawn)
    first = Counter(names[0] for names in drawn)
    assert 0.72 < first["a"] / 4000 < 0.78


@pytest.mark.parametrize("chance", [0.0, 0.5, 1 - 2**-53])
def test_weight_zero_comes_last(chance):
    targets = [target("off", weight=0), target("tiny", weight=1e-300), target("big", weight=1e9)]
    assert order(targets, lambda: chance)[-1].endpoint_id == "off"

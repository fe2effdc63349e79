"""A vendor's own count, as a flow that a test drives by hand."""

from __future__ import annotations

import json
from typing import Any

import pytest

from franca.errors import (
    APIError,
    AuthenticationError,
    CallError,
    ConnectionError,
    InvalidRequestError,
    TimeoutError,
)
from franca.flow.counting import count
from franca.flow.effects import Reply, Send
from franca.settings.target import Endpoint, Target
from franca.types import ChatRequest, EndpointType, Message

ASK = ChatRequest([Message("user", "hello")], {"max_tokens": 9, "temperature": 0.5})
TOTAL = b'{"input_tokens": 14}'


def target(name: str, backend: str = "anthropic", kind: str = "anthropic") -> Target:
    wire = "anthropic-messages" if kind == "anthropic" else "openai-chat"
    endpoint = Endpoint(name, EndpointType(kind), f"http://{name}.test")
    return Target(backend, "m", "m", endpoint, wire=wire)


A, B = target("a"), target("b")
OPENAI = target("o", "openai", "openai")


def drive(targets: list[Target], *outcomes: Any) -> tuple[Any, list[Send]]:
    """(the count or the error, what was sent)."""
    flow, sent = count(ASK, targets), []
    try:
        effect = next(flow)
        for outcome in outcomes:
            assert isinstance(effect, Send)
            sent.append(effect)
            effect = flow.send(outcome)
    except StopIteration as done:
        return done.value, sent
    except CallError as error:
        return error, sent
    raise AssertionError(f"it asks for more: {effect}")


def test_the_vendor_counts_what_would_be_sent() -> None:
    total, (sent,) = drive([A], Reply(200, {}, TOTAL))
    assert total == 14
    assert sent.path == "/v1/messages/count_tokens"
    assert sent.body == {"model": "m", "messages": [{"role": "user", "content": "hello"}]}


def test_a_target_that_cannot_count_is_left_out() -> None:
    total, (sent,) = drive([OPENAI, A], Reply(200, {}, TOTAL))
    assert (total, sent.target) == (14, A)


def test_nobody_counts() -> None:
    error, sent = drive([OPENAI])
    assert isinstance(error, InvalidRequestError)
    assert "openai has no endpoint that counts tokens" in str(error)
    assert not sent
    assert not error.retryable


@pytest.mark.parametrize("kind", [ConnectionError, TimeoutError])
def test_one_that_was_not_reached_gives_way(kind: type[Any]) -> None:
    total, sent = drive([A, B], kind("refused", sent=False), Reply(200, {}, TOTAL))
    assert total == 14
    assert [one.target for one in sent] == [A, B]


def test_none_was_reached() -> None:
    first = ConnectionError("refused", sent=False)
    error, _ = drive([A, B], first, ConnectionError("refused", sent=False))
    assert error is first


def test_one_that_broke_is_the_error() -> None:
    broke = ConnectionError("reset", sent=True)
    error, sent = drive([A, B], broke)
    assert (error, len(sent)) == (broke, 1)


def test_a_refusal_is_the_vendors() -> None:
    body = json.dumps({"error": {"type": "authentication_error", "message": "wrong key"}}).encode()
    error, _ = drive([A, B], Reply(401, {}, body))
    assert isinstance(error, AuthenticationError)
    assert (error.backend, error.endpoint_id, error.status_code) == ("anthropic", "a", 401)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"input_tokens": "9"}', b"{}"])
def test_a_reply_of_another_form(body: bytes) -> None:
    error, _ = drive([A], Reply(200, {}, body))
    assert isinstance(error, APIError)
    assert (error.endpoint_id, error.status_code, error.body) == ("a", 200, body)


@pytest.mark.parametrize(
    ("backend", "reply", "path"),
    [
        ("moonshot", {"data": {"total_tokens": 7}}, "/tokenizers/estimate-token-count"),
        ("zhipuai", {"usage": {"prompt_tokens": 7}}, "/tokenizer"),
    ],
)
def test_vendors_with_an_endpoint_of_their_own(backend: str, reply: Any, path: str) -> None:
    place = target("own", backend, "openai")
    total, (sent,) = drive([place], Reply(200, {}, json.dumps(reply).encode()))
    assert (total, sent.path) == (7, path)
    assert sent.body.keys() == {"model", "messages"}

"""Whole replies: the corners that no recording shows."""

from __future__ import annotations

import json
from typing import Any

import pytest

from franca.errors import APIError, ProviderError
from franca.settings.target import Endpoint, Target
from franca.types import ChatCompletion, EndpointType
from franca.wire.anthropic_messages import parse

TARGET = Target("anthropic", "m", "m", Endpoint("e", EndpointType.Anthropic, "http://x"))


def reply(**fields: Any) -> ChatCompletion:
    return parse(json.dumps({"type": "message", "content": [], **fields}).encode(), TARGET)


@pytest.mark.parametrize(
    ("native", "ours"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("tool_use", "tool_calls"),
        ("refusal", "content_filter"),
        ("pause_turn", "pause"),
        ("compaction", "pause"),
        ("tomorrow", "other"),
        (None, None),
    ],
)
def test_finish_reasons(native: str | None, ours: str | None) -> None:
    result = reply(stop_reason=native)
    assert (result.finish_reason, result.native_finish_reason) == (ours, native)


def test_a_refusal_says_why() -> None:
    details = {"type": "refusal", "category": "bio", "explanation": "no"}
    result = reply(stop_reason="refusal", stop_details=details)
    assert result.refusal == "no"
    assert result.extra == {"stop_details": details}


def test_absent_counts_are_not_zero() -> None:
    usage = reply(usage={"output_tokens": 3}).usage
    assert usage is not None
    assert (usage.prompt_tokens, usage.total_tokens, usage.cached_tokens) == (None, None, None)
    assert reply().usage is None


def test_what_was_cached_is_part_of_the_prompt() -> None:
    counts = {"input_tokens": 1, "cache_read_input_tokens": 20, "cache_creation_input_tokens": 300}
    usage = reply(usage={**counts, "output_tokens": 4000, "service_tier": "batch"}).usage
    assert usage is not None
    assert (usage.prompt_tokens, usage.total_tokens) == (321, 4321)


def test_arguments_are_kept_to_the_byte() -> None:
    body = (
        b'{"content":[{"type":"tool_use","id":"a","name":"f","input":{"n": 1.50,"s":"\\u00e9"}}]}'
    )
    assert parse(body, TARGET).tool_calls[0].arguments == '{"n": 1.50,"s":"\\u00e9"}'


def test_an_error_under_status_200() -> None:
    body = b'{"type":"error","error":{"type":"overloaded_error","message":"busy"}}'
    with pytest.raises(ProviderError, match="busy"):
        parse(body, TARGET)


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"{}", b'{"content":"text"}', b'{"content":[1]}']
)
def test_a_malformed_reply_is_an_api_error(body: bytes) -> None:
    with pytest.raises(APIError):
        parse(body, TARGET)

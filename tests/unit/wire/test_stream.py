"""A stream that is none: a vendor's error under status 200 keeps its words."""

from __future__ import annotations

import pytest

from franca.errors import APIError, RateLimitError
from franca.settings.target import Endpoint, Target
from franca.types import EndpointType
from franca.wire.stream import StreamReader

TARGET = Target("local", "m", "m", Endpoint("e", EndpointType.OpenAI, "http://127.0.0.1:1/v1"))


def test_an_error_in_place_of_a_stream_is_that_error() -> None:
    reader = StreamReader(TARGET)
    body = b'{"error": {"message": "slow down", "code": "rate_limit_exceeded"}}'
    assert reader.feed(body) == []
    with pytest.raises(RateLimitError, match="slow down") as caught:
        reader.end()
    assert caught.value.body == body


def test_a_page_in_place_of_a_stream_is_no_answer() -> None:
    reader = StreamReader(TARGET)
    reader.feed(b"<html><body>Bad gateway</body></html>")
    with pytest.raises(APIError, match="end mark") as caught:
        reader.end()
    assert b"Bad gateway" in (caught.value.body or b"")

"""A stream that is none: a vendor's error under status 200 keeps its words."""

from __future__ import annotations

import pytest

from franca.errors import APIError, RateLimitError, StreamInterrupted
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


def test_what_broke_it_is_told_as_often_as_it_is_asked_for() -> None:
    """Though the reader does not hold what was raised."""
    reader = StreamReader(TARGET)
    reader.feed(b'data: {"choices":[{"index":0,"delta":{"content":"hello"}}]}\n\n')
    with pytest.raises(StreamInterrupted) as first:
        reader.end()
    assert reader.failed is first.value
    del first
    for _ in range(2):
        with pytest.raises(StreamInterrupted, match="end mark") as again:
            reader.result()
        assert again.value.partial.content == "hello"
        assert isinstance(again.value.__cause__, APIError)
        del again

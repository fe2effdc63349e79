from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from franca import errors
from franca.settings.target import Endpoint, Secret, Target
from franca.types import EndpointType
from franca.wire.failures import failure, retry_after

KEY = "planted-key-0123456789"
TARGET = Target("v", "m", "m", Endpoint("e", EndpointType.OpenAI, "http://h", api_key=Secret(KEY)))

NOON = {"date": "Wed, 21 Oct 2026 07:28:00 GMT"}


def of(status: int | None, body: Any) -> errors.CallError:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return failure(status, {"x-request-id": "r1"}, raw, TARGET)


@pytest.mark.parametrize(
    ("status", "body", "kind", "retryable"),
    [
        (400, {"error": {"message": "bad"}}, errors.InvalidRequestError, False),
        (400, {"error": {"code": "context_length_exceeded"}}, errors.ContextLengthError, False),
        (400, {"error": {"message": "prompt is too long: 9"}}, errors.ContextLengthError, False),
        (400, {"error": {"code": "content_filter"}}, errors.ContentFilterError, False),
        (
            400,
            {"error": {"message": "names are case sensitive"}},
            errors.InvalidRequestError,
            False,
        ),
        (401, {"error": "no"}, errors.AuthenticationError, False),
        (402, {}, errors.PermissionDeniedError, False),
        (403, {}, errors.PermissionDeniedError, False),
        (
            403,
            {
                "error": {
                    "message": "Your chosen model requires moderation and your input was flagged"
                }
            },
            errors.ContentFilterError,
            False,
        ),
        (
            403,
            {"error": {"message": "The 1M context window is not enabled for this key"}},
            errors.PermissionDeniedError,
            False,
        ),
        (404, b"<html><style>p{}</style><p>Not found", errors.NotFoundError, False),
        (408, b"", errors.TimeoutError, True),
        (409, b"", errors.APIError, True),
        (418, b"", errors.APIError, False),
        (422, {"detail": [{"msg": "field required"}]}, errors.InvalidRequestError, False),
        (429, [{"error": {"code": 429, "status": "X"}}], errors.RateLimitError, True),
        (429, {"error": {"code": "insufficient_quota"}}, errors.RateLimitError, False),
        (
            400,
            {"error": {"message": "Your credit balance is too low to access the API."}},
            errors.PermissionDeniedError,
            False,
        ),
        (400, {"error": {"code": "Arrearage"}}, errors.PermissionDeniedError, False),
        (400, {"error": {"message": "odd: 余额不足"}}, errors.InvalidRequestError, False),
        (500, b"oops", errors.ProviderError, True),
        (529, {"error": {"type": "overloaded_error"}}, errors.ProviderError, True),
        (None, {"error": {"code": 429}}, errors.RateLimitError, True),
        (None, {"error": {"type": "rate_limit_error"}}, errors.RateLimitError, True),
        (None, {"error": {"message": "?", "code": "²"}}, errors.ProviderError, True),
        (200, {"object": "error", "message": "m", "code": 400}, errors.InvalidRequestError, False),
    ],
)
def test_class(status: int | None, body: Any, kind: type[Exception], retryable: bool) -> None:
    error = of(status, body)
    assert type(error) is kind
    assert error.retryable is retryable
    assert (error.backend, error.endpoint_id, error.request_id) == ("v", "e", "r1")
    assert str(error)


def test_the_key_is_in_no_message() -> None:
    error = of(401, {"error": {"message": f"wrong key {KEY} and sk-abcdefghijklmnop"}})
    assert KEY not in str(error) + repr(error)
    assert "sk-abc" not in str(error)


@pytest.mark.parametrize(
    ("headers", "want"),
    [
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": "0.25"}, 0.25),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "soon"}, None),
        ({}, None),
        (
            {
                "retry-after": "Wed, 21 Oct 2026 07:28:10 GMT",
                "date": "Wed, 21 Oct 2026 07:28:00 GMT",
            },
            10.0,
        ),
        (
            {
                "retry-after": "Wed, 21 Oct 2026 07:28:00 GMT",
                "date": "Wed, 21 Oct 2026 07:28:10 GMT",
            },
            0.0,
        ),
        ({"retry-after": "Wed, 21 Oct 2020 07:28:10 GMT"}, 0.0),
        ({"retry-after": "Wed, 21 Oct 2020 07:28:10 GMT", "date": "yesterday"}, 0.0),
        ({"retry-after": "Wed Oct 21 07:28:10 2026", **NOON}, 10.0),
        ({"retry-after": "Wednesday, 21-Oct-26 07:28:10 GMT", **NOON}, 10.0),
        ({"retry-after": "Wed, 21 Oct 99999999999 07:28:10 GMT", **NOON}, None),
        ({"retry-after": "Wed, 21 Oct 2076 07:28:10 GMT", **NOON}, None),
        ({"x-ms-retry-after-ms": "250"}, 0.25),
        ({"retry-after": "2678400"}, 2678400.0),
        ({"retry-after": "1792566490"}, None),
        ({"retry-after": "9" * 400}, None),
        ({"retry-after-ms": "9" * 400, "retry-after": "3"}, None),
        ({"retry-after": "٣"}, None),
    ],
)
def test_retry_after(headers: dict[str, str], want: float | None) -> None:
    assert retry_after(headers) == want


def test_a_date_of_a_reply_without_one_is_against_now() -> None:
    then = format_datetime(datetime.now(UTC) + timedelta(hours=9), usegmt=True)
    wait = retry_after({"retry-after": then})
    assert wait is not None
    assert 8 * 3600 < wait <= 9 * 3600


@pytest.mark.parametrize(
    ("status", "told", "retryable"),
    [(500, "false", False), (400, "true", False), (409, "false", False), (503, "true", True)],
)
def test_the_vendor_says_whether(status: int, told: str, retryable: bool) -> None:
    assert failure(status, {"x-should-retry": told}, b"", TARGET).retryable is retryable


def test_googles_delay_is_in_the_body() -> None:
    details = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.5s"}]
    body = json.dumps([{"error": {"code": 429, "details": details}}]).encode()
    assert failure(429, {}, body, TARGET).retry_after == 34.5
    assert failure(429, {"retry-after": "2"}, body, TARGET).retry_after == 2


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 200_000,
        b'{"a":' * 100_000,
        b'{"error":{"code":"' + b"9" * 5000 + b'"}}',
        b"<" * 1_000_000,
        b"<style" * 200_000,
        b"\xff\xfe\x00",
    ],
    ids=["lists", "objects", "digits", "brackets", "styles", "no text"],
)
def test_a_body_of_nonsense_is_an_error_like_others(body: bytes) -> None:
    """Else it is a RecursionError, or hours."""
    error = of(500, body)
    assert type(error) is errors.ProviderError
    assert error.status_code == 500
    assert len(str(error)) < 1000

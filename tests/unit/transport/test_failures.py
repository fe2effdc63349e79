"""Every exception of the SDKs and of the HTTP library is one of ours, and shows no key."""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Iterator

import anthropic
import openai
import pytest

from franca import errors
from franca.backends import OPENAI_CHAT
from franca.settings.target import Endpoint, Secret, Target
from franca.transport.failures import translate
from franca.types import EndpointType

KEY = "sk-canary-0123456789abcdef"
TARGET = Target(
    "openai",
    "m",
    "m",
    Endpoint("e1", EndpointType.OpenAI, "http://127.0.0.1:1/v1", Secret(KEY)),
    OPENAI_CHAT,
)
http = sys.modules[openai.DefaultHttpxClient.__mro__[1].__module__.partition(".")[0]]
REQUEST = http.Request("POST", "http://127.0.0.1:1/v1/chat/completions")

STATUSES = {
    400: errors.InvalidRequestError,
    401: errors.AuthenticationError,
    402: errors.PermissionDeniedError,
    403: errors.PermissionDeniedError,
    404: errors.NotFoundError,
    408: errors.TimeoutError,
    409: errors.APIError,
    413: errors.InvalidRequestError,
    422: errors.InvalidRequestError,
    429: errors.RateLimitError,
    500: errors.ProviderError,
    503: errors.ProviderError,
    529: errors.ProviderError,
}
KINDS = {
    "APITimeoutError": errors.TimeoutError,
    "ConnectTimeout": errors.TimeoutError,
    "PoolTimeout": errors.TimeoutError,
    "ReadTimeout": errors.TimeoutError,
    "APIConnectionError": errors.ConnectionError,
    "ConnectError": errors.ConnectionError,
    "RemoteProtocolError": errors.ConnectionError,
    "ReadError": errors.ConnectionError,
    "CredentialsError": errors.AuthenticationError,
}


def _exceptions() -> Iterator[type[Exception]]:
    modules = [openai._exceptions, anthropic._exceptions, http]
    for module in modules:
        for _, kind in inspect.getmembers(module, inspect.isclass):
            if issubclass(kind, Exception) and kind.__module__.startswith(
                ("openai", "anthropic", http.__name__)
            ):
                yield kind


def _made(kind: type[Exception]) -> Exception:
    """One, as its library makes it, with the key in its words."""
    error = kind.__new__(kind)
    Exception.__init__(error, f"it broke with {KEY}")
    if hasattr(kind, "status_code") or issubclass(
        kind, openai.APIStatusError | anthropic.APIStatusError
    ):
        status = getattr(kind, "status_code", 418)
        body = json.dumps({"error": {"message": f"no {KEY}"}}).encode()
        error.status_code = status if isinstance(status, int) else 418  # ty: ignore
        error.response = http.Response(error.status_code, content=body, request=REQUEST)  # ty: ignore
    return error


@pytest.mark.parametrize("kind", sorted(set(_exceptions()), key=str), ids=lambda k: k.__name__)
def test_every_exception_is_one_of_ours(kind: type[Exception]) -> None:
    ours = translate(_made(kind), TARGET)
    assert isinstance(ours, errors.CallError)
    assert ours.backend == "openai"
    assert ours.endpoint_id == "e1"
    assert KEY not in str(ours) + repr(ours)
    assert ours.__cause__ is None
    expected = KINDS.get(kind.__name__)
    if expected:
        assert type(ours) is expected


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("sdk", [openai, anthropic], ids=["openai", "anthropic"])
def test_every_status_is_of_its_class(sdk: object, status: int) -> None:
    response = http.Response(
        status,
        json={"error": {"message": "words"}},
        headers={"x-request-id": "req_1", "retry-after": "7"},
        request=REQUEST,
    )
    error = sdk.APIStatusError("words", response=response, body=None)  # ty: ignore
    ours = translate(error, TARGET)
    assert isinstance(ours, errors.CallError)
    assert type(ours) is STATUSES[status]
    assert ours.status_code == status
    assert ours.request_id == "req_1"
    assert ours.retry_after == 7.0
    assert ours.retryable is (status in (408, 409, 429) or status >= 500)


def test_a_connection_error_says_whether_it_was_sent() -> None:
    for kind, sent in (("ConnectError", False), ("ReadError", True)):
        wrapped = openai.APIConnectionError(request=REQUEST)
        wrapped.__cause__ = getattr(http, kind)("down")
        ours = translate(wrapped, TARGET)
        assert isinstance(ours, errors.ConnectionError)
        assert ours.sent is sent


def test_an_error_inside_a_stream_is_classified_by_its_body() -> None:
    body = {"type": "overloaded_error", "message": "busy", "code": None}
    ours = translate(openai.APIError("busy", REQUEST, body=body), TARGET)
    assert type(ours) is errors.ProviderError
    limited = {"message": "slow down", "code": "rate_limit_exceeded"}
    assert type(translate(openai.APIError("x", REQUEST, body=limited), TARGET)) is (
        errors.RateLimitError
    )


@pytest.mark.parametrize(
    "words",
    [
        "Cannot send a request, as the client has been closed.",
        "Session is closed",
        "Connection closed.",
    ],
)
def test_what_somebody_has_closed_is_a_broken_connection(words: str) -> None:
    assert type(translate(RuntimeError(words), TARGET)) is errors.ConnectionError


@pytest.mark.parametrize("error", [KeyError("x"), RuntimeError("x"), RecursionError("closed")])
def test_a_bug_is_not_a_transport_failure(error: Exception) -> None:
    assert translate(error, TARGET) is None

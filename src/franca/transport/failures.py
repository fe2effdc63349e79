"""Every exception of the SDKs and of the HTTP library beneath them → one of ours.

Told apart by the names in the exception's ancestry: the HTTP library is the SDKs' own choice, and
is never imported by name. The original is not chained: it may hold a header with the key in it.
"""

from __future__ import annotations

import json
import re
from typing import Any

from franca.errors import (
    APIError,
    AuthenticationError,
    CallError,
    ConnectionError,
    TimeoutError,
    scrub,
)
from franca.settings.target import Target, place
from franca.wire.failures import failure

# (a name in the exception's ancestry, our class, what it is told), the most specific first
_TABLE: tuple[tuple[str, type[CallError], dict[str, Any]], ...] = (
    ("ConnectTimeout", TimeoutError, {"sent": False}),
    ("PoolTimeout", TimeoutError, {"sent": False}),
    ("TimeoutException", TimeoutError, {}),
    ("APITimeoutError", TimeoutError, {}),
    ("TimeoutError", TimeoutError, {}),
    ("ConnectError", ConnectionError, {"sent": False}),
    ("ProxyError", ConnectionError, {"sent": False}),
    ("UnsupportedProtocol", ConnectionError, {"sent": False, "retryable": False}),
    ("InvalidURL", ConnectionError, {"sent": False, "retryable": False}),
    ("LocalProtocolError", ConnectionError, {"sent": False, "retryable": False}),
    ("DecodingError", APIError, {}),
    ("TooManyRedirects", APIError, {}),
    ("HTTPError", ConnectionError, {}),
    ("StreamError", ConnectionError, {}),
    ("CookieConflict", ConnectionError, {}),
    ("APIConnectionError", ConnectionError, {}),
    ("APIResponseValidationError", APIError, {}),
    ("CredentialsError", AuthenticationError, {}),
    ("SubjectTokenProviderError", AuthenticationError, {}),
    ("GoogleAuthError", AuthenticationError, {}),
    ("BotoCoreError", AuthenticationError, {}),
    ("OpenAIError", APIError, {}),
    ("AnthropicError", APIError, {}),
    ("InvalidWebhookSignatureError", APIError, {}),
    ("JSONDecodeError", APIError, {}),
    ("UnicodeEncodeError", AuthenticationError, {}),  # a key or header that is not ASCII
    ("OSError", ConnectionError, {}),
)
_CLOSED = re.compile(r"(?:client has been|session is|connection) closed", re.I)
"""The HTTP libraries' words to who still reads or sends where somebody has closed the client."""
_ADVICE = {
    "UnicodeEncodeError": "a key or header holds characters that HTTP cannot carry",
    "LocalProtocolError": "a key or header holds characters that HTTP cannot carry",
}


class Closed(Exception):
    """A client was closed while a call of its own waited: the flow ends as where it is interrupted,
    so that nothing more is sent, and its endpoint has not failed."""

    def __init__(self, target: Target) -> None:
        super().__init__("the client was closed before an answer")
        self._target = target

    def error(self) -> ConnectionError:
        """What the call raises."""
        backend, endpoint_id = self._target.backend, self._target.endpoint_id
        return ConnectionError(str(self), backend=backend, endpoint_id=endpoint_id)


def translate(error: Exception, target: Target) -> CallError | None:
    """Our error for a transport's, None for one that is not a transport's (a bug of somebody's)."""
    if isinstance(error, CallError):
        return error
    if (response := getattr(error, "response", None)) is not None and hasattr(error, "status_code"):
        return failure(response.status_code, response.headers, _content(error), target)
    names = [kind.__name__ for kind in type(error).__mro__]
    if "APIConnectionError" in names and isinstance(error.__cause__, Exception):
        return translate(error.__cause__, target) or _make(ConnectionError, {}, error, target)
    if "APIError" in names and getattr(error, "body", None):
        return failure(None, {}, _content(error), target)
    if "ConnectTimeout" in names and (told := _lost(error)) is not None:
        return _make(ConnectionError, told, error, target)
    if type(error) is RuntimeError and _CLOSED.search(str(error)):
        return _make(ConnectionError, {}, error, target)
    for name, kind, told in _TABLE:
        if name in names:
            return _make(kind, told, error, target)
    return None


def late(target: Target) -> TimeoutError:
    """The time for an answer is over."""
    return TimeoutError("no answer in time", backend=target.backend, endpoint_id=target.endpoint_id)


def _lost(error: Exception) -> dict[str, Any] | None:
    """What to tell of a connection that aiohttp could not open, or that was lost; None for others.

    aiohttp's transport calls them all a connect timeout; only the cause knows whether the request
    had left, and one that has must not be sent again.
    """
    cause = error.__cause__ or error.__context__
    names = [kind.__name__ for kind in type(cause).__mro__]
    if "ClientConnectionError" not in names or "ConnectionTimeoutError" in names:
        return None
    return {"sent": False} if "ClientConnectorError" in names else {}


def _make(
    kind: type[CallError], told: dict[str, Any], error: Exception, target: Target
) -> CallError:
    name = type(error).__name__
    words = _ADVICE.get(name) or scrub(str(error), target.endpoint.secrets())
    if told == {"sent": False} and kind is ConnectionError:
        words = f"cannot connect to {place(target.endpoint.url)}: {words}"
    message = f"{words} ({name})" if words else name
    return kind(message, backend=target.backend, endpoint_id=target.endpoint_id, **told)


def _content(error: Any) -> bytes:
    """An SDK error's body as bytes: the response's own, or what the SDK decoded of it."""
    try:
        if content := error.response.content:
            return content
    except Exception:
        pass
    body = getattr(error, "body", None)
    return body.encode() if isinstance(body, str) else json.dumps(body, default=str).encode()

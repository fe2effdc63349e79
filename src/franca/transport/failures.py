"""Every exception of the SDKs and of the HTTP library beneath them → one of ours.

Told apart by the names in the exception's ancestry: the HTTP library is the SDKs' own choice, and
is never imported by name. The original is not chained: it may hold a header with the key in it.
"""

from __future__ import annotations

import builtins
import json
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
_ADVICE = {
    "UnicodeEncodeError": "a key or header holds characters that HTTP cannot carry",
    "LocalProtocolError": "a key or header holds characters that HTTP cannot carry",
}


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
    if "ConnectTimeout" in names and _was_refused(error):
        return _make(ConnectionError, {"sent": False}, error, target)
    for name, kind, told in _TABLE:
        if name in names:
            return _make(kind, told, error, target)
    return None


def _was_refused(error: Exception) -> bool:
    """aiohttp's transport calls every failed connection a timeout; the cause knows better."""
    cause = error.__cause__ or error.__context__
    return isinstance(cause, OSError) and not isinstance(cause, builtins.TimeoutError)


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

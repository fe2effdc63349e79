"""Every error franca raises, in one tree.

FrancaError
├── SettingsError                 settings that cannot be used; `.problems` lists all
├── MissingExtraError             an optional dependency is not installed; names the extra
└── CallError                     one call failed; says backend, endpoint, status, request id
    ├── InvalidRequestError       400, 404 of a path, 413, 422: the caller's own mistake
    │   ├── ContextLengthError    the prompt is longer than the model's context
    │   └── NotFoundError         404: no such model or path
    ├── AuthenticationError       401: the key is missing or wrong
    ├── PermissionDeniedError     403: the key may not do this
    ├── RateLimitError            429: too many requests or tokens; `.retry_after` in seconds
    ├── ContentFilterError        the vendor refused the content
    ├── ConnectionError           the endpoint could not be reached, or the connection broke
    ├── TimeoutError              no answer in time
    ├── StreamInterrupted         a stream broke after its first visible event; `.partial` holds it
    ├── ProviderError             5xx or an error inside a stream: the vendor's fault
    └── APIError                  an answer that is not of the wire's form, or any other status
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from franca.types import ChatCompletion

_KEY_SHAPES = re.compile(
    r"(?i)\b(?:sk|pk|rk|gsk|xai|key|AKIA|AIza)[-_]?[A-Za-z0-9*_-]{12,}|(?<=bearer )\S{8,}"
)
_MASK = "***"


def scrub(text: str, secrets: Iterable[str] = ()) -> str:
    """`text` with the given secrets, and whatever looks like an API key, replaced by `***`."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, _MASK)
    return _KEY_SHAPES.sub(_MASK, text)


class FrancaError(Exception):
    """The base of all franca's errors."""


class SettingsError(FrancaError, ValueError):
    """A settings document that cannot be used.

    Args:
        problems: one line each, beginning with the path of the place.
        source: the file or other origin of the document.
    """

    def __init__(self, problems: Iterable[str], source: str | None = None) -> None:
        self.problems = tuple(problems)
        self.source = source
        head = f"{len(self.problems)} problem(s) in the settings"
        head += f" ({source})" if source else ""
        super().__init__("\n  ".join([head + ":", *self.problems]))


class MissingExtraError(FrancaError, ImportError):
    """An optional part is not installed.

    Args:
        package: what could not be imported.
        extra: the extra of franca that brings it.
    """

    def __init__(self, package: str, extra: str) -> None:
        self.package, self.extra = package, extra
        super().__init__(f"{package} is not installed: pip install 'franca[{extra}]'")


class CallError(FrancaError):
    """One call failed.

    Attributes:
        backend, endpoint_id: where it failed.
        status_code: the HTTP status, None where there was no answer.
        request_id: the vendor's id of the request, for its support.
        retryable: whether the same request may succeed later or elsewhere.
        retry_after: seconds the vendor asks to wait, None where it does not say.
        code: the vendor's own word for the error.
        body: the vendor's answer, undecoded; may repeat the prompt, so it is in no message.
        tried: what the call's other tries were answered, oldest first.
        out: the endpoints that were left out for what calls before had met there.
    """

    retryable = False
    tried: tuple[CallError, ...] = ()
    out: tuple[str, ...] = ()

    def __init__(
        self,
        message: str,
        *,
        backend: str | None = None,
        endpoint_id: str | None = None,
        status_code: int | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
        code: str | None = None,
        body: bytes | None = None,
        retryable: bool | None = None,
    ) -> None:
        self.message = message
        self.backend, self.endpoint_id = backend, endpoint_id
        self.status_code, self.request_id = status_code, request_id
        self.retry_after, self.code, self.body = retry_after, code, body
        if retryable is not None:
            self.retryable = retryable
        super().__init__(message)

    def __str__(self) -> str:
        place = "/".join(p for p in (self.backend, self.endpoint_id) if p)
        status = f"HTTP {self.status_code}" if self.status_code else ""
        request = f"request {self.request_id}" if self.request_id else ""
        where = ", ".join(p for p in (place, status, request) if p)
        text = f"{self.message} [{where}]" if where else self.message
        if self.tried:
            others = "; ".join(f"{error.endpoint_id}: {error.message}" for error in self.tried)
            text += f"; of {len(self.tried) + 1} tries the others met {others}"
        return f"{text}; left out: {'; '.join(self.out)}" if self.out else text


class InvalidRequestError(CallError):
    """The request itself is wrong: sending it again, or elsewhere, does not help."""


class ContextLengthError(InvalidRequestError):
    """The prompt and the room for the answer do not fit into the model's context.

    Attributes:
        needs, limit, reserve: tokens of the prompt at the least, of the context, and of it for the
            answer, where franca found out itself before anything was sent; None where the vendor
            said so.
    """

    needs: int | None = None
    limit: int | None = None
    reserve: int | None = None


class NotFoundError(InvalidRequestError):
    """The endpoint knows no such model or path."""


class AuthenticationError(CallError):
    """The endpoint refused the key."""


class PermissionDeniedError(CallError):
    """The key is known, and may not do this."""


class RateLimitError(CallError):
    """Too many requests or tokens; `retry_after` says for how long, where the vendor does."""

    retryable = True


class ContentFilterError(CallError):
    """The vendor refused the prompt or the answer for its content."""


class ConnectionError(CallError):  # noqa: A001 - the field's word, and `franca.ConnectionError` says whose
    """The endpoint could not be reached, or the connection broke before an answer.

    `sent` is False where the request surely never left (name lookup, connect, TLS).
    """

    retryable = True

    def __init__(self, message: str, *, sent: bool = True, **place: object) -> None:
        self.sent = sent
        super().__init__(message, **place)  # ty: ignore[invalid-argument-type]


class TimeoutError(CallError):  # noqa: A001
    """No answer in time. `sent` is False where not even a connection was made."""

    retryable = True

    def __init__(self, message: str, *, sent: bool = True, **place: object) -> None:
        self.sent = sent
        super().__init__(message, **place)  # ty: ignore[invalid-argument-type]


class StreamInterrupted(CallError):
    """A stream ended before the wire's own end mark, after something was already visible.

    Attributes:
        partial: what arrived, folded: text, the tool calls that are whole, usage so far.
    """

    retryable = True

    def __init__(
        self,
        message: str,
        *,
        partial: ChatCompletion,
        backend: str | None = None,
        endpoint_id: str | None = None,
        body: bytes | None = None,
    ) -> None:
        self.partial = partial
        super().__init__(message, backend=backend, endpoint_id=endpoint_id, body=body)


class ProviderError(CallError):
    """The vendor failed: 5xx, overloaded, or an error event inside a stream."""

    retryable = True


class APIError(CallError):
    """An answer that is not of the wire's form, or a status that means nothing else here."""

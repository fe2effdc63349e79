"""What a failed try means for the next one: data in, a decision out."""

from __future__ import annotations

from typing import Literal

from franca.errors import (
    AuthenticationError,
    CallError,
    ContentFilterError,
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
)
from franca.settings.target import Target
from franca.wire.policy import CAPABILITY

Meaning = Literal["caller", "out", "elsewhere", "again"]
"""`caller`: the request itself is wrong. `out`: this endpoint will not do, whatever is asked of it.
`elsewhere`: not here, perhaps at another. `again`: here too, a little later."""


def meaning(error: CallError) -> Meaning:
    """What an endpoint's error says of the next try."""
    if isinstance(error, AuthenticationError | PermissionDeniedError | NotFoundError):
        return "out"
    if isinstance(error, InvalidRequestError | ContentFilterError):
        return "caller"
    if error.retryable:
        return "again"
    return "out" if isinstance(error, RateLimitError) else "elsewhere"  # a quota is spent


def unlike(error: CallError, target: Target, left: list[Target]) -> list[Target]:
    """Of those left, the ones that may carry what could not be written for this target: of another
    wire, or of other quirks. None where a vendor has refused it, or it is wrong anywhere."""
    if error.code != CAPABILITY or error.status_code:
        return []
    return [t for t in left if (t.wire, t.quirks) != (target.wire, target.quirks)]


def backoff(attempt: int, delay: float, most: float, chance: float) -> float:
    """Seconds before the n-th retry: exponential, with full jitter, so that many do not come back
    together."""
    return min(most, delay * 2.0 ** min(attempt - 1, 30)) * chance


def summed(errors: list[CallError]) -> CallError:
    """The one error of many tries: the last that may pass, else the last; it names the others."""
    telling = [error for error in errors if error.retryable] or errors
    main = telling[-1]
    main.tried = tuple(error for error in errors if error is not main)
    return main

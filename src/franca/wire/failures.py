"""What a vendor's error means: status, body and headers → one of our errors."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from franca.errors import (
    APIError,
    AuthenticationError,
    CallError,
    ContentFilterError,
    ContextLengthError,
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
    ProviderError,
    RateLimitError,
    TimeoutError,
    scrub,
)
from franca.settings.target import Target

_BY_STATUS: dict[int, type[CallError]] = {
    400: InvalidRequestError,
    401: AuthenticationError,
    402: PermissionDeniedError,
    403: PermissionDeniedError,
    404: NotFoundError,
    408: TimeoutError,
    409: APIError,
    413: InvalidRequestError,
    422: InvalidRequestError,
    429: RateLimitError,
}
_BY_WORD: tuple[tuple[str, type[CallError]], ...] = (
    (r"context_length|exceed_context|context window|prompt is too long|maximum context"
     r"|input length and `?max_tokens", ContextLengthError),
    (r"content_filter|content_policy|content management policy|data_inspection_failed"
     r"|your input was flagged"  # OpenRouter's 403: openrouter.ai/docs/api/reference/errors
     r"|^sensitive|sensitive (?:content|words?|information)|敏感", ContentFilterError),
)  # fmt: skip
_BY_CODE: dict[str, type[CallError]] = {
    "authentication_error": AuthenticationError,
    "invalid_api_key": AuthenticationError,
    "permission_error": PermissionDeniedError,
    "not_found_error": NotFoundError,
    "rate_limit_error": RateLimitError,
    "rate_limit_exceeded": RateLimitError,
    "invalid_request_error": InvalidRequestError,
    "request_too_large": InvalidRequestError,
    "timeout_error": TimeoutError,
}
_SPENT = re.compile(
    r"insufficient[_ ](?:user_)?(?:quota|balance|credits)|exceeded_current_quota|billing_hard_limit"
    r"|billing_not_active|your credit balance is too low|arrearage|余额不足|欠费",
    re.I,
)
_TAGS = re.compile(r"<(style|script).*?(?:</\1>|\Z)|<[^<>]+>", re.S)  # linear, whatever comes
_TRANSIENT = frozenset({408, 409, 425, 429})
_LONGEST = 500
_WAITS = (("retry-after-ms", 1000.0), ("x-ms-retry-after-ms", 1000.0), ("retry-after", 1.0))
"""The second is Azure's: github.com/Azure/azure-sdk-for-rust/pull/1517."""
_MONTH = 31 * 86400.0


def failure(
    status: int | None, headers: Mapping[str, str], body: bytes, target: Target
) -> CallError:
    """The error for an answer of that status, or (None) for an error event inside a stream."""
    message, code, inner = _words(body)
    effective = inner if status in (None, 200) else status
    kind = _kind(effective, code, message)
    retryable = effective in _TRANSIENT or (effective or 0) >= 500 or kind.retryable
    if (told := headers.get("x-should-retry")) in ("true", "false"):
        retryable = told == "true"
    if _spent(effective, code, message):
        kind = kind if kind is RateLimitError else PermissionDeniedError
        retryable = False
    secrets = target.endpoint.secrets()
    return kind(
        scrub(message, secrets)[:_LONGEST] or f"{target.backend} answered with an error",
        backend=target.backend,
        endpoint_id=target.endpoint_id,
        status_code=effective,
        request_id=headers.get("x-request-id") or headers.get("request-id"),
        retry_after=_told(headers, body),
        code=None if code is None else scrub(code, secrets)[:_LONGEST],
        body=body,
        retryable=retryable and not issubclass(kind, InvalidRequestError),
    )


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait after `retry-after-ms` or `retry-after` (seconds, or a date against the
    reply's own `date`, or the moment where it has none); None for what is absent, negative,
    nonsense or longer than a month."""
    for name, unit in _WAITS:
        text = headers.get(name, "").strip()
        if re.fullmatch(r"[0-9]+(\.[0-9]+)?", text):
            return _sane(float(text) / unit)
    if (then := _date(headers.get("retry-after", ""))) is None:
        return None
    now = _date(headers.get("date", "")) or datetime.now(UTC)
    return _sane((then - now).total_seconds())


def _date(text: str) -> datetime | None:
    """Of any of the forms that HTTP has had, all of them in UTC."""
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _sane(seconds: float) -> float | None:
    """A wait, None where it is none: a time of day in the epoch's seconds, say."""
    return max(seconds, 0.0) if seconds <= _MONTH else None


def _spent(status: int | None, code: str | None, message: str) -> bool:
    """Whether there is no money left, which no wait would mend.

    Among the errors for what the request says the vendor's own words must begin so: they may repeat
    the caller's.
    """
    if status in (402, 403, 429):
        return bool(_SPENT.search(f"{code} {message}"))
    return status == 400 and bool(_SPENT.match(code or "") or _SPENT.match(message))


def _told(headers: Mapping[str, str], body: bytes) -> float | None:
    """As `retry_after`; Google says it in the body: `{"retryDelay": "34.07s"}`.

    https://github.com/googleapis/googleapis/blob/master/google/rpc/error_details.proto
    """
    if (seconds := retry_after(headers)) is not None:
        return seconds
    found = re.search(rb'"retryDelay"\s*:\s*"(\d+(?:\.\d+)?)s"', body)
    return _sane(float(found[1])) if found else None


def _kind(status: int | None, code: str | None, message: str) -> type[CallError]:
    if status in (400, 403, 413, 422, 500, None):
        text = f"{code} {message}".lower()
        for pattern, kind in _BY_WORD:  # a context that is forbidden is not one that is too short
            if (status, kind) != (403, ContextLengthError) and re.search(pattern, text):
                return kind
    if status is None:
        return _BY_CODE.get(code or "", ProviderError)
    if status >= 500:
        return ProviderError
    return _BY_STATUS.get(status, APIError)


def _words(body: bytes) -> tuple[str, str | None, int | None]:
    """(message, code, status) from an error's body, in any of the forms vendors use."""
    try:
        data: Any = json.loads(body)
    except (ValueError, RecursionError):
        return _plain(body), None, None
    if isinstance(data, list) and data:
        data = data[0]
    if not isinstance(data, dict):
        return "", None, None
    error = data.get("error", data)
    if isinstance(error, str):
        error = {**data, "message": error}
    elif not isinstance(error, dict):
        error = data
    raw = error.get("code")
    named = [v for v in (raw, error.get("type"), error.get("status")) if isinstance(v, str)]
    numbers = [raw, *(block.get(k) for block in (error, data) for k in ("status_code", "status"))]
    status = next((n for n in map(_status, numbers) if n), None)
    message = error.get("message") or error.get("detail") or error.get("error_msg") or ""
    code = next((name for name in named if not name.isdigit()), None)
    return message if isinstance(message, str) else json.dumps(message), code, status


def _status(value: Any) -> int | None:
    text = str(value) if isinstance(value, int | str) else ""
    return int(text) if re.fullmatch(r"[45][0-9]{2}", text) else None


def _plain(body: bytes) -> str:
    text = _TAGS.sub(" ", body.decode(errors="replace"))
    return " ".join(text.split())

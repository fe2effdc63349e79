"""A whole reply. Plain decoded JSON is read, not typed structs: vendors put null, floats, lists and
texts where the form says otherwise, and the generic decoder costs a quarter of a microsecond more.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from franca.errors import APIError, CallError
from franca.settings.target import Target
from franca.types import ChatCompletion, Choice, Usage
from franca.types.builtin import SEARCH_FIELDS
from franca.wire.failures import failure
from franca.wire.openai_chat.choice import read_choice
from franca.wire.openai_chat.parts import JSON
from franca.wire.openai_chat.ran import found
from franca.wire.openai_chat.usage import number, read_usage

_decode = msgspec.json.Decoder().decode
_TOP = SEARCH_FIELDS | {
    "id", "object", "created", "model", "choices", "usage", "obfuscation", "error",
}  # fmt: skip
_CHOICE = frozenset(
    {"index", "message", "messages", "finish_reason", "native_finish_reason", "logprobs", "usage",
     "error"}
)  # fmt: skip


def parse(body: bytes, target: Target) -> ChatCompletion:
    """A whole reply.

    Raises:
        CallError: the reply holds an error, whatever its status was.
        APIError: it is not JSON, or not of the wire's form.
    """
    try:
        data = decode(body)
    except ValueError:
        raise malformed("the reply is not JSON", body, target) from None
    check(data, body, target)
    if not data.get("choices"):
        raise malformed("the reply holds no choices", body, target)
    try:
        result = read_reply(data, target)
    except (AttributeError, TypeError, ValueError):
        raise malformed("the reply is not of the wire's form", body, target) from None
    result._body = body
    return result


def decode(body: bytes) -> Any:
    """The JSON; ValueError for what is none. The slow decoder takes what the fast one refuses:
    NaN, half a surrogate pair, a byte-order mark."""
    try:
        try:
            return _decode(body)
        except ValueError:
            return json.loads(body)
    except RecursionError:
        raise ValueError("nested too deep") from None


def malformed(why: str, body: bytes, target: Target) -> APIError:
    """The error for what is not of the wire's form."""
    return APIError(
        why, backend=target.backend, endpoint_id=target.endpoint_id, body=body, retryable=True
    )


def check(data: Any, body: bytes, target: Target) -> None:
    """Raise where a reply, or an event of a stream, is an error or not of the form."""
    if isinstance(data, list) and data and isinstance(data[0], dict) and data[0].get("error"):
        raise _failure(body, target)
    if not isinstance(data, dict):
        raise malformed("the reply is not an object", body, target)
    choices = data.get("choices")
    if data.get("error") or (not choices and _complains(data)):
        raise _failure(body, target)
    if choices is None:
        return
    if not isinstance(choices, list):
        raise malformed("the reply's choices are not a list", body, target)
    for choice in choices:
        if not isinstance(choice, dict):
            raise malformed("one of the reply's choices is not an object", body, target)
        if choice.get("error"):
            raise _failure(msgspec.json.encode({"error": choice["error"]}), target)


def _complains(data: JSON) -> bool:
    kind = data.get("object", data.get("type"))
    words = data.get("message") or data.get("detail") or data.get("error_msg") or data.get("msg")
    return kind == "error" or (bool(words) and "id" not in data)


def _failure(body: bytes, target: Target) -> CallError:
    return failure(None, {}, body, target)


def read_reply(data: JSON, target: Target) -> ChatCompletion:
    """A reply of the wire's form; a stream is assembled into one, and read the same way."""
    name = data.get("id")
    name = name if name is None or isinstance(name, str) else str(name)
    tags = target.quirks.think_tags
    raws = data["choices"]
    choices = [read_choice(raw, at, name, tags) for at, raw in enumerate(raws)]
    if choices and not SEARCH_FIELDS.isdisjoint(data):
        choices[0].parts += found(data)
    extra = {k: v for k, v in data.items() if k not in _TOP and v is not None}
    for at, raw in enumerate(raws):
        for key, value in raw.items():
            if value is not None and key not in _CHOICE:
                extra[f"choices.{at}.{key}"] = value
    first = choices[0] if choices else Choice()
    model = data.get("model")
    return ChatCompletion(
        name,
        model if isinstance(model, str) else None,
        number(data.get("created")),
        target.backend,
        target.endpoint_id,
        first.content,
        first.reasoning_content,
        first.tool_calls,
        first.finish_reason,
        first.native_finish_reason,
        find_usage(data),
        first.parts,
        first.logprobs,
        first.refusal,
        choices,
        extra or None,
    )


def find_usage(data: JSON) -> Usage | None:
    """The usage, also where it stands in a choice (Moonshot) or under `x_groq`."""
    block = usage_block(data)
    return read_usage(block) if block else None


def usage_block(data: JSON) -> JSON | None:
    """As `find_usage`, as the vendor wrote it."""
    usage = data.get("usage")
    if usage is None:
        groq = data.get("x_groq")
        usage = groq.get("usage") if isinstance(groq, dict) else None
    if usage is None:
        for choice in data.get("choices") or ():
            usage = usage or choice.get("usage")
    return usage if isinstance(usage, dict) else None

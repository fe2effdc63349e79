"""A whole reply → ChatCompletion."""

from __future__ import annotations

from typing import Any

import msgspec

from franca.errors import APIError
from franca.settings.target import Target
from franca.types import (
    ChatCompletion,
    Choice,
    FinishReason,
    Part,
    ReasoningPart,
    TextPart,
    ToolCall,
    Usage,
)
from franca.wire.anthropic_messages.blocks import JSON, read_block
from franca.wire.failures import failure

FINISH: dict[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
    "pause_turn": "pause",
    "compaction": "pause",  # stopped to show its summary; sent back, it goes on
}
_USAGE = {"input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"}
_THINKING = "output_tokens_details.thinking_tokens"
_HEAD = {"id", "model", "content", "stop_reason", "usage", "type", "role"}


class _Block(msgspec.Struct):
    input: msgspec.Raw = msgspec.Raw(b"{}")


class _Inputs(msgspec.Struct):
    content: list[_Block]


_decode = msgspec.json.Decoder().decode
_inputs = msgspec.json.Decoder(_Inputs).decode


def parse(body: bytes, target: Target) -> ChatCompletion:
    """The result of a reply's body.

    Raises:
        CallError: the body is the vendor's error after all; the class says which.
        APIError: it is not of the wire's form.
    """
    try:
        reply = _decode(body)
    except (ValueError, RecursionError):
        raise malformed(body, target) from None
    if not isinstance(reply, dict):
        raise malformed(body, target)
    content = reply.get("content")
    if not isinstance(content, list) or not all(isinstance(block, dict) for block in content):
        if "error" in reply:
            raise failure(None, {}, body, target)
        raise malformed(body, target)
    parts = [read_block(block) for block in content]
    if any(isinstance(part, ToolCall) for part in parts):
        _verbatim(parts, body)
    result = completion(reply, parts, target)
    result._body = body
    return result


def malformed(body: bytes, target: Target) -> APIError:
    """The error for an answer that is not of this wire's form."""
    return APIError(
        "the answer is not of the Anthropic messages form",
        backend=target.backend,
        endpoint_id=target.endpoint_id,
        body=body,
        retryable=True,
    )


def _verbatim(parts: list[Part], body: bytes) -> None:
    """The calls' arguments as the vendor wrote them, to the byte."""
    for part, block in zip(parts, _inputs(body).content, strict=True):
        if isinstance(part, ToolCall):
            text = bytes(block.input).decode()
            part.arguments = "{}" if text == "null" else text


def completion(reply: JSON, parts: list[Part], target: Target) -> ChatCompletion:
    """The result of a reply's fields (but its content) and its parts."""
    calls = [part for part in parts if isinstance(part, ToolCall)]
    for index, call in enumerate(calls):
        call.index = index
    texts = [part.text for part in parts if isinstance(part, TextPart)]
    thoughts = [part.text for part in parts if isinstance(part, ReasoningPart)]
    native = _text(reply.get("stop_reason"))
    choice = Choice(
        content="".join(texts) if texts else None,
        reasoning_content="".join(thoughts) or None,
        tool_calls=calls,
        finish_reason=finish(native),
        native_finish_reason=native,
        parts=parts,
        refusal=_refusal(reply),
    )
    return ChatCompletion(
        id=_text(reply.get("id")),
        model=_text(reply.get("model")),
        backend=target.backend,
        endpoint_id=target.endpoint_id,
        content=choice.content,
        reasoning_content=choice.reasoning_content,
        tool_calls=calls,
        finish_reason=choice.finish_reason,
        native_finish_reason=native,
        usage=usage(reply.get("usage")),
        parts=parts,
        refusal=choice.refusal,
        choices=[choice],
        extra=_extra(reply),
    )


def finish(native: str | None) -> FinishReason | None:
    """The field's word for the vendor's."""
    return FINISH.get(native, "other") if native else None


def usage(counts: Any) -> Usage | None:
    """The vendor's counts, which leave what came from or went to the cache out of the input."""
    if not isinstance(counts, dict):
        return None
    prompt, completion = _count(counts, "input_tokens"), _count(counts, "output_tokens")
    cached = _count(counts, "cache_read_input_tokens")
    written = _count(counts, "cache_creation_input_tokens")
    if prompt is not None:
        prompt += (cached or 0) + (written or 0)
    extra: JSON = {}
    _flatten({k: v for k, v in counts.items() if k not in _USAGE}, "", extra)
    known = prompt is not None and completion is not None
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=prompt + completion if known else None,
        cached_tokens=cached,
        cache_write_tokens=written,
        reasoning_tokens=extra.pop(_THINKING, None),
        extra=extra or None,
    )


def _count(counts: JSON, name: str) -> int | None:
    value = counts.get(name)
    return value if isinstance(value, int) else None


def _flatten(value: JSON, prefix: str, out: JSON) -> None:
    for key, inner in value.items():
        if isinstance(inner, dict):
            _flatten(inner, f"{prefix}{key}.", out)
        elif inner is not None:
            out[prefix + key] = inner


def _extra(reply: JSON) -> JSON | None:
    extra = {k: v for k, v in reply.items() if k not in _HEAD and v is not None}
    counts = reply.get("usage")
    tier = counts.get("service_tier") if isinstance(counts, dict) else None
    if tier is not None:
        extra.setdefault("service_tier", tier)
    return extra or None


def _refusal(reply: JSON) -> str | None:
    """The vendor's explanation, where it declined and gives one."""
    details = reply.get("stop_details")
    if reply.get("stop_reason") != "refusal" or not isinstance(details, dict):
        return None
    return _text(details.get("explanation"))


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None

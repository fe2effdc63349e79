"""A conversation in the conventions' JSON, for those who want it in their spans."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from franca.types import ChatCompletion, Message
from franca.types.messages import (
    AudioPart,
    DocumentPart,
    ImagePart,
    NativePart,
    Part,
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolCall,
    ToolResult,
)

JSON = dict[str, Any]


def said(messages: Iterable[Message]) -> str:
    """`gen_ai.input.messages`."""
    return _text([{"role": m.role, "parts": _parts(m.content)} for m in messages])


def replied(result: ChatCompletion) -> str:
    """`gen_ai.output.messages`: one message a choice."""
    return _text(
        [
            {
                "role": "assistant",
                "parts": _parts(choice.parts or choice.content),
                "finish_reason": _REASONS.get(choice.finish_reason or "", choice.finish_reason),
            }
            for choice in result.choices or [result]
        ]
    )


_REASONS = {"tool_calls": "tool_call"}


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _parts(content: str | Sequence[Part] | None) -> list[JSON]:
    if isinstance(content, str):
        return [{"type": "text", "content": content}]
    return [_FORMS[type(part)](part) for part in content or ()]


def _called(part: ToolCall) -> JSON:
    try:
        arguments = json.loads(part.arguments)
    except (ValueError, RecursionError):  # as the model wrote them
        arguments = part.arguments
    return {"type": "tool_call", "id": part.id, "name": part.name, "arguments": arguments}


def _result(part: ToolResult) -> JSON:
    response = part.content if isinstance(part.content, str) else _parts(part.content)
    return {"type": "tool_call_response", "id": part.tool_call_id, "response": response}


def _medium(part: ImagePart | AudioPart | DocumentPart) -> JSON:
    """Where it is, or that it was there: a span is no place for its bytes."""
    url = getattr(part, "url", None) or ""
    if url and not url.startswith("data:"):
        return {"type": "uri", "modality": part.type, "uri": url}
    if file_id := getattr(part, "file_id", None):
        return {"type": "file", "modality": part.type, "file_id": file_id}
    return {"type": part.type, "mime_type": getattr(part, "media_type", None)}


_FORMS: dict[type, Callable[[Any], JSON]] = {
    TextPart: lambda part: {"type": "text", "content": part.text},
    ReasoningPart: lambda part: {"type": "reasoning", "content": part.text},
    RefusalPart: lambda part: {"type": "refusal", "content": part.text},
    NativePart: lambda part: {"type": part.block.get("type", "native")},
    ToolCall: _called,
    ToolResult: _result,
    ImagePart: _medium,
    AudioPart: _medium,
    DocumentPart: _medium,
}

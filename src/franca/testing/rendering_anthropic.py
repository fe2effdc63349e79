"""Results and deltas back in Anthropic's form."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from franca.settings.target import Target
from franca.types import ChatCompletion, ChatDelta, Part, ReasoningPart, TextPart, Usage
from franca.wire.anthropic_messages.blocks import write_blocks

JSON = dict[str, Any]

_STOP = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"}
_STOP |= {"content_filter": "refusal", "pause": "pause_turn"}
_COUNTS = {
    "completion_tokens": "output_tokens",
    "cached_tokens": "cache_read_input_tokens",
    "cache_write_tokens": "cache_creation_input_tokens",
}


def message_of(completion: ChatCompletion, target: Target) -> JSON:
    """The reply that a result would come from; of several choices, the first."""
    reason = completion.native_finish_reason or _STOP.get(completion.finish_reason or "stop")
    made = _message(completion.id, completion.model or target.model)
    made |= {"content": _blocks(completion, target), "stop_reason": reason}
    return made | ({"usage": _usage(completion.usage)} if completion.usage else {})


def events_of(deltas: Iterable[ChatDelta], model: str) -> Iterator[JSON]:
    """The events that deltas would come from."""
    yield {"type": "message_start", "message": _message(None, model)}
    opened: tuple[str, int] | None = None
    index = -1
    for delta in deltas:
        for block, start, change in _changes(delta):
            if block != opened:
                if opened is not None:
                    yield {"type": "content_block_stop", "index": index}
                opened, index = block, index + 1
                yield {"type": "content_block_start", "index": index, "content_block": start}
            if change:
                yield {"type": "content_block_delta", "index": index, "delta": change}
        if delta.finish_reason or delta.usage:
            if opened is not None:
                yield {"type": "content_block_stop", "index": index}
            opened = None
            yield _ending(delta)
    yield {"type": "message_stop"}


def _ending(delta: ChatDelta) -> JSON:
    reason = _STOP.get(delta.finish_reason) if delta.finish_reason else None
    usage = {"usage": _usage(delta.usage)} if delta.usage else {}
    return {"type": "message_delta", "delta": {"stop_reason": reason}, **usage}


def _changes(delta: ChatDelta) -> Iterator[tuple[tuple[str, int], JSON, JSON | None]]:
    """What a delta adds: the block that it goes to, how that begins, and the piece."""
    if delta.reasoning_content:
        change = {"type": "thinking_delta", "thinking": delta.reasoning_content}
        yield ("thinking", 0), {"type": "thinking", "thinking": "", "signature": ""}, change
    if isinstance(delta.part, ReasoningPart) and delta.part.signature:
        change = {"type": "signature_delta", "signature": delta.part.signature}
        yield ("thinking", 0), {"type": "thinking", "thinking": "", "signature": ""}, change
    if delta.content:
        change = {"type": "text_delta", "text": delta.content}
        yield ("text", 0), {"type": "text", "text": ""}, change
    for call in delta.tool_calls or ():
        name = call.id or f"toolu_scripted_{call.index}"
        start = {"type": "tool_use", "id": name, "name": call.name or "", "input": {}}
        change = {"type": "input_json_delta", "partial_json": call.arguments}
        yield ("tool_use", call.index), start, change if call.arguments else None


def _message(name: str | None, model: str) -> JSON:
    return {
        "id": name or "msg_scripted",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
    }


def _blocks(completion: ChatCompletion, target: Target) -> list[JSON]:
    parts: list[Part] = completion.parts
    if not parts:
        thought, text = completion.reasoning_content, completion.content
        parts = [
            *([ReasoningPart(thought)] if thought else ()),
            *([TextPart(text)] if text else ()),
            *completion.tool_calls,
        ]
    return write_blocks([_signed(part) for part in parts], target, "drop")


def _signed(part: Part) -> Part:
    """A thought that nobody signed would not be written."""
    if isinstance(part, ReasoningPart) and not (part.signature or part.encrypted):
        return replace(part, signature="c2NyaXB0ZWQ=")
    return part


def _usage(usage: Usage) -> JSON:
    cached, written = usage.cached_tokens or 0, usage.cache_write_tokens or 0
    given = {theirs: getattr(usage, ours) for ours, theirs in _COUNTS.items()}
    if usage.prompt_tokens is not None:
        given["input_tokens"] = usage.prompt_tokens - cached - written
    if usage.reasoning_tokens is not None:
        given["output_tokens_details"] = {"thinking_tokens": usage.reasoning_tokens}
    return {name: value for name, value in given.items() if value is not None}

"""A reply's stream, event by event, and the whole that it makes.

What a delta shows: text and thoughts as they come; a call's id and name at its start, its arguments
as they come; as `part`, what those leave out, and once: a citation (a `TextPart` without text), a
signature (a `ReasoningPart` without text), a redacted thought and a vendor's own block when they
are whole. The start of the message shows nothing, so that a failure right behind it is one before
anything was visible.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from franca.settings.target import Target
from franca.types import (
    ChatCompletion,
    ChatDelta,
    NativePart,
    Part,
    ReasoningPart,
    TextPart,
    ToolCall,
    ToolCallDelta,
)
from franca.wire.anthropic_messages.blocks import JSON, read_block
from franca.wire.anthropic_messages.parse import completion, finish, malformed, usage
from franca.wire.failures import failure


class _Delta(msgspec.Struct):
    type: str = ""
    text: str | None = None
    thinking: str | None = None
    partial_json: str | None = None
    signature: str | None = None
    citation: JSON | None = None
    content: Any = None
    encrypted_content: str | None = None


class _Event(msgspec.Struct):
    type: str
    index: int = 0
    delta: _Delta | None = None


class _Open:
    """A block in the making: its start, and the pieces of the field that grows."""

    __slots__ = ("block", "call", "field", "pieces", "stopped")

    def __init__(self, block: JSON, call: int | None = None) -> None:
        self.block = block
        self.call = call
        self.field = ""
        self.pieces: list[str] = []
        self.stopped = False

    def add(self, field: str, text: str) -> None:
        """One more piece of a text field; the start may hold the first."""
        if not self.pieces and field != "input":
            self.pieces.append(self.block.get(field) or "")
        self.field = field
        self.pieces.append(text)

    def whole(self) -> JSON:
        """The block so far."""
        text = "".join(self.pieces)
        if self.field == "input":
            return {**self.block, "input": _value(text)}
        return {**self.block, self.field: text} if self.pieces else self.block

    def arguments(self) -> str | None:
        """The text of a call's input, as the model wrote it; None where its start holds it."""
        return ("".join(self.pieces) or None) if self.field == "input" else None


_event = msgspec.json.Decoder(_Event).decode
_decode = msgspec.json.Decoder().decode


class Fold:
    """See `franca.wire.stream.Fold`."""

    __slots__ = ("_blocks", "_calls", "_events", "_head", "_id", "_model", "_target", "done")

    def __init__(self, target: Target) -> None:
        self.done = False
        self._target = target
        self._head: JSON = {}
        self._id: str | None = None
        self._model: str | None = None
        self._blocks: dict[int, _Open] = {}
        self._calls = 0
        self._events: list[bytes] = []

    def feed(self, name: str, data: bytes) -> list[ChatDelta]:
        """What the event makes visible; events and deltas of unknown types are passed over.

        Raises:
            CallError: the event is an error; the class says which.
            APIError: the event is not of the wire's form.
        """
        self._events.append(data)
        try:
            if b'"content_block_delta"' in data:
                event = _event(data)
                if event.type == "content_block_delta" and event.delta is not None:
                    return self._delta(event.index, event.delta, data)
            return self._rare(_decode(data), name, data)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise malformed(data, self._target) from error

    def result(self) -> ChatCompletion:
        """What has come so far. Before the end, calls whose input is not whole are left out."""
        parts = [part for _, opened in sorted(self._blocks.items()) if (part := self._part(opened))]
        result = completion(self._head, parts, self._target)
        result._body = list(self._events)
        return result

    def _part(self, opened: _Open) -> Part | None:
        part = read_block(opened.whole())
        if opened.field != "input" and "input" not in opened.block:
            return part
        if not self.done and not (opened.stopped or opened.pieces):
            return None
        if not self.done and opened.field == "input" and _object(opened.arguments()) is None:
            return None
        if isinstance(part, ToolCall) and (text := opened.arguments()):
            part.arguments = text
        return part

    def _delta(self, index: int, delta: _Delta, data: bytes) -> list[ChatDelta]:
        kind = delta.type
        opened = self._blocks.get(index)
        if opened is None:  # some servers leave out a block's start
            if kind not in ("text_delta", "thinking_delta"):
                return []
            opened = self._blocks[index] = _Open({"type": kind.removesuffix("_delta")})
        if kind == "text_delta":
            return self._grow(opened, "text", delta.text, data)
        if kind == "input_json_delta":
            return self._grow(opened, "input", delta.partial_json, data)
        if kind == "thinking_delta":
            return self._grow(opened, "thinking", delta.thinking, data)
        if kind == "signature_delta" and delta.signature:
            opened.block["signature"] = delta.signature
            return self._show(data, part=ReasoningPart("", signature=delta.signature))
        if kind == "citations_delta" and delta.citation is not None:
            opened.block["citations"] = [*(opened.block.get("citations") or ()), delta.citation]
            return self._show(data, part=TextPart("", citations=[delta.citation]))
        if kind == "compaction_delta":
            _compact(opened.block, delta)
        return []

    def _grow(self, opened: _Open, field: str, text: str | None, data: bytes) -> list[ChatDelta]:
        if not text:
            return []
        opened.add(field, text)
        if opened.call is not None:
            return self._show(data, tool_calls=[ToolCallDelta(opened.call, arguments=text)])
        if opened.block["type"] != field:  # a block of a kind we do not know: shown when whole
            return []
        if field == "text":
            return self._show(data, content=text)
        return self._show(data, reasoning_content=text)

    def _rare(self, event: JSON, name: str, data: bytes) -> list[ChatDelta]:
        match event.get("type", "error" if "error" in event else name):
            case "content_block_start":
                return self._start(event["index"], event["content_block"], data)
            case "content_block_stop":
                return self._stop(self._blocks.get(event["index"]), data)
            case "message_start":
                self._merge({k: v for k, v in event["message"].items() if k != "content"})
                self._id, self._model = self._head.get("id"), self._head.get("model")
            case "message_delta":
                self._merge({k: v for k, v in event.items() if k not in ("type", "delta")})
                self._merge(event.get("delta") or {})
                reason = finish(self._head.get("stop_reason"))
                return self._show(data, finish_reason=reason, usage=usage(self._head.get("usage")))
            case "message_stop":
                self.done = True
            case "error":
                raise failure(None, {}, data, self._target)
        return []

    def _merge(self, fields: JSON) -> None:
        """Later fields over earlier ones; counts are totals, never added, and one that is not
        repeated stays."""
        counts = fields.get("usage")
        if isinstance(counts, dict):
            counts = {k: v for k, v in counts.items() if v is not None}
            fields = {**fields, "usage": {**(self._head.get("usage") or {}), **counts}}
        self._head.update((k, v) for k, v in fields.items() if v is not None)

    def _start(self, index: int, block: JSON, data: bytes) -> list[ChatDelta]:
        kind = block["type"]
        if kind == "tool_use":
            call, self._calls = self._calls, self._calls + 1
            self._blocks[index] = _Open({"input": {}, **block}, call)
            first = ToolCallDelta(call, id=block["id"], name=block["name"])
            return self._show(data, tool_calls=[first])
        self._blocks[index] = _Open(block)
        if kind == "text" and block.get("text"):
            return self._show(data, content=block["text"])
        if kind == "thinking" and block.get("thinking"):
            return self._show(data, reasoning_content=block["thinking"])
        return []

    def _stop(self, opened: _Open | None, data: bytes) -> list[ChatDelta]:
        if opened is None or opened.stopped:
            return []
        opened.stopped = True
        if opened.call is not None and opened.arguments() is None:
            text = json.dumps(opened.block.get("input") or {}, ensure_ascii=False)
            return self._show(data, tool_calls=[ToolCallDelta(opened.call, arguments=text)])
        if opened.block["type"] in ("text", "thinking", "tool_use"):
            return []
        part = read_block(opened.whole())
        shown = isinstance(part, NativePart | ReasoningPart)
        return self._show(data, part=part) if shown else []

    def _show(self, data: bytes, **fields: Any) -> list[ChatDelta]:
        delta = ChatDelta(id=self._id, model=self._model, **fields)
        delta._body = data
        return [delta]


def _compact(block: JSON, delta: _Delta) -> None:
    """A summary comes in one piece, as a vendor's own SDK reads it, with its seal or without."""
    block["content"] = delta.content
    if delta.encrypted_content is not None:
        block["encrypted_content"] = delta.encrypted_content


def _object(text: str | None) -> JSON | None:
    try:
        value = json.loads(text or "")
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _value(text: str) -> Any:
    """The input of a vendor's own tool; its bare text where it was cut off."""
    value = _object(text)
    return text if value is None else value

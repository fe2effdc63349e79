"""One answer of a reply, whole or assembled from a stream."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable
from typing import Any

from franca.types import (
    AudioPart,
    Choice,
    FinishReason,
    ImagePart,
    NativePart,
    Part,
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolCall,
)
from franca.types.builtin import SEARCH_FIELDS
from franca.wire.openai_chat.parts import (
    IMAGES,
    JSON,
    LEGACY,
    WIRE,
    read_call,
    read_detail,
    read_part,
)
from franca.wire.openai_chat.ran import answered, executed, found, is_served, served
from franca.wire.think import split

_MESSAGE = frozenset(
    {"role", "content", "refusal", "tool_calls", "function_call", "reasoning", "reasoning_content",
     "reasoning_details", "audio", "images"}
)  # fmt: skip
_FINISH: dict[str, FinishReason] = {
    "stop": "stop",
    "stop_sequence": "stop",
    "end_turn": "stop",
    "eos": "stop",
    "eos_token": "stop",
    "completed": "stop",
    "length": "length",
    "max_tokens": "length",
    "max_output_tokens": "length",
    "model_length": "length",
    "model_context_window_exceeded": "length",
    "tool_calls": "tool_calls",
    "tool_use": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
    "sensitive": "content_filter",
    "safety": "content_filter",
    "recitation": "content_filter",
    "refusal": "content_filter",
    "pause_turn": "pause",
    "error": "error",
    "network_error": "error",
    "abort": "error",
    "insufficient_system_resource": "error",
}


def read_choice(raw: JSON, at: int, reply_id: str | None, tags: bool) -> Choice:
    """One answer."""
    message = raw.get("message")
    if not isinstance(message, dict):
        if messages := raw.get("messages"):
            return _several(messages, raw, at, reply_id, tags)
        message = {"content": raw.get("text")}
    parts: list[Part] = []
    reasoning = _reasoning(message, parts)
    content, thought = _content(message.get("content"), parts, tags)
    if thought:
        reasoning = (reasoning or "") + thought
    refusal = _rest(message, parts)
    calls = _calls(message, at, reply_id, parts)
    parts += calls
    reason, native = raw.get("finish_reason"), raw.get("native_finish_reason")
    index = raw.get("index")
    return Choice(
        index if type(index) is int else at,
        content,
        reasoning,
        calls,
        finish(reason),
        native if isinstance(native, str) and native else (str(reason) if reason else None),
        parts,
        _logprobs(raw.get("logprobs")),
        refusal,
    )


def _several(messages: list[JSON], raw: JSON, at: int, name: str | None, tags: bool) -> Choice:
    """An answer in several messages, those of the vendor's own tools among them (Mistral)."""
    ran = answered(messages)
    choices = []
    for message in messages:
        if message.get("role") == "tool":
            continue
        calls = message.get("tool_calls") or []
        left = [call for call in calls if call.get("id") not in ran]
        said = {k: v for k, v in message.items() if k != "index"} | {"tool_calls": left}
        choice = read_choice({**raw, "message": said}, at, name, tags)
        choice.parts += [ran[call["id"]] for call in calls if call.get("id") in ran]
        choices.append(choice)
    last = choices[-1] if choices else Choice(at)
    last.parts = [part for choice in choices for part in choice.parts]
    last.content = _join(choice.content for choice in choices)
    last.reasoning_content = _join(choice.reasoning_content for choice in choices)
    last.tool_calls = [part for part in last.parts if isinstance(part, ToolCall)]
    for index, call in enumerate(last.tool_calls):
        call.index = index
    return last


def _join(texts: Iterable[str | None]) -> str | None:
    found = [text for text in texts if text is not None]
    return "".join(found) if found else None


def finish(reason: Any) -> FinishReason | None:
    """The field's word for the vendor's reason to end."""
    if not reason:
        return None
    return _FINISH.get(str(reason).lower(), "other")


def _logprobs(value: Any) -> JSON | None:
    return value if isinstance(value, dict) and any(v is not None for v in value.values()) else None


def _reasoning(message: JSON, parts: list[Part]) -> str | None:
    """The thought, in the fields beside the text."""
    text = message.get("reasoning_content")
    if not text:
        text = message.get("reasoning") or text
    if text is not None and not isinstance(text, str):
        text = json.dumps(text, ensure_ascii=False)
    details = message.get("reasoning_details")
    if not isinstance(details, list) or not details:
        if text:
            parts.append(ReasoningPart(text))
        return text
    thoughts = [read_detail(detail) for detail in details if isinstance(detail, dict)]
    shown = "".join(part.text for part in thoughts)
    if text and not shown:
        parts.append(ReasoningPart(text))
    parts += thoughts
    return text or shown or None


def _content(content: Any, parts: list[Part], tags: bool) -> tuple[str | None, str | None]:
    """(text, thought) of the content, which may be Mistral's list of chunks."""
    if content is None:
        return None, None
    if not isinstance(content, list):
        return _text(content if isinstance(content, str) else str(content), parts, tags)
    blocks = [read_part(block) for block in content if isinstance(block, dict | str)]
    parts += blocks
    texts = [part.text for part in blocks if isinstance(part, TextPart)]
    thoughts = [part.text for part in blocks if isinstance(part, ReasoningPart)]
    return "".join(texts) if texts else None, "".join(thoughts) if thoughts else None


def _text(text: str, parts: list[Part], tags: bool) -> tuple[str | None, str | None]:
    thought = ""
    if tags and "<think>" in text:
        thought, text = split(text)
        if thought:
            parts.append(ReasoningPart(thought))
    if text:
        parts.append(TextPart(text))
    return text, thought or None


def _rest(message: JSON, parts: list[Part]) -> str | None:
    """Refusal, sound, pictures, citations, and fields that only this vendor has."""
    refusal = message.get("refusal")
    if isinstance(refusal, str) and refusal:
        parts.append(RefusalPart(refusal))
    if isinstance(audio := message.get("audio"), dict) and (audio.get("id") or audio.get("data")):
        parts.append(_audio(audio))
    for image in message.get("images") or ():
        parts.append(_image(image))
    if message.keys() - _MESSAGE and (fields := _fields(message, parts)):
        parts += [executed(tool) for tool in fields.pop("executed_tools", ())]
        parts += found(fields)
        if own := {k: v for k, v in fields.items() if k not in SEARCH_FIELDS}:
            parts.append(NativePart(WIRE, own))
    return refusal or None


def _audio(audio: JSON) -> AudioPart:
    extra = {k: v for k, v in audio.items() if k not in ("id", "data", "transcript", "format")}
    return AudioPart(
        audio.get("data"), audio.get("format"), audio.get("id"), audio.get("transcript"), extra
    )


def _image(block: Any) -> Part:
    part = read_part(
        block if isinstance(block, dict) else {"type": "image_url", "image_url": block}
    )
    if isinstance(part, ImagePart):
        part.extra = {**(part.extra or {}), IMAGES: True}
    return part


def _fields(message: JSON, parts: list[Part]) -> JSON:
    fields = {k: v for k, v in message.items() if k not in _MESSAGE and v not in (None, [])}
    notes = fields.get("annotations")
    text = next((part for part in parts if isinstance(part, TextPart)), None)
    if isinstance(notes, list) and text is not None:
        text.citations = [note for note in notes if _cites(note)] or None
        if others := [note for note in notes if not _cites(note)]:
            fields["annotations"] = others
        else:
            del fields["annotations"]
    return fields


def _cites(note: Any) -> bool:
    return isinstance(note, dict) and note.get("type") == "url_citation"


def _calls(message: JSON, at: int, reply_id: str | None, parts: list[Part]) -> list[ToolCall]:
    calls: list[ToolCall] = []
    for raw in message.get("tool_calls") or ():
        if is_served(raw):
            parts.append(served(raw))
            continue
        index = len(calls)
        call = _call(raw, index)
        call.id = call.id or call_id(reply_id, at, index)
        calls.append(call)
    legacy = message.get("function_call")
    if isinstance(legacy, dict) and legacy.get("name") and not calls:
        call = read_call({"type": "function", "function": legacy}, 0)
        call.id, call.extra = call_id(reply_id, at, 0), {LEGACY: True}
        calls.append(call)
    return calls


def _call(raw: JSON, index: int) -> ToolCall:
    """A call as the vendor wants it back: the usual form, and its own signatures."""
    function, kind = raw.get("function"), raw.get("type") or "function"
    plain = kind == "function" and type(function) is dict
    if not plain or raw.keys() - {"id", "type", "function", "index"}:
        call = read_call({"type": "function", **raw}, index)
        kept = {k: v for k, v in raw.items() if k not in _REMADE}
        if kind in ("custom", "builtin_function"):
            kept["type"] = kind
        call.extra = kept or None
        return call
    arguments = function.get("arguments")
    if not isinstance(arguments, str):
        arguments = json.dumps(arguments or {}, ensure_ascii=False)
    return ToolCall(raw.get("id") or "", function.get("name") or "", arguments, index)


_REMADE = frozenset({"index", "function", "custom", "id", "type"})


def call_id(reply_id: str | None, at: int, index: int) -> str:
    """An id for a call that came without one: the same however the reply was read."""
    return f"call_{zlib.crc32((reply_id or '').encode()):08x}_{at}_{index}"

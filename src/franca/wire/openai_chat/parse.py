"""A whole reply. Plain decoded JSON is read, not typed structs: vendors put null, floats, lists and
texts where the form says otherwise, and the generic decoder costs a quarter of a microsecond more.
"""

from __future__ import annotations

import json
import zlib
from typing import Any

import msgspec

from franca.errors import APIError, CallError
from franca.settings.target import Target
from franca.types import (
    AudioPart,
    ChatCompletion,
    Choice,
    FinishReason,
    ImagePart,
    NativePart,
    Part,
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolCall,
    Usage,
)
from franca.types.builtin import SEARCH_FIELDS
from franca.wire.failures import failure
from franca.wire.openai_chat.parts import (
    IMAGES,
    JSON,
    LEGACY,
    WIRE,
    read_call,
    read_detail,
    read_part,
)
from franca.wire.openai_chat.ran import executed, found, is_served, served
from franca.wire.openai_chat.usage import number, read_usage
from franca.wire.think import split

_decode = msgspec.json.Decoder().decode
_TOP = SEARCH_FIELDS | {
    "id", "object", "created", "model", "choices", "usage", "obfuscation", "error",
}  # fmt: skip
_CHOICE = frozenset(
    {"index", "message", "finish_reason", "native_finish_reason", "logprobs", "usage", "error"}
)
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
        return _decode(body)
    except ValueError:
        return json.loads(body)


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
    if choices and data.keys() & SEARCH_FIELDS:
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


def read_choice(raw: JSON, at: int, reply_id: str | None, tags: bool) -> Choice:
    """One answer."""
    message = raw.get("message")
    if not isinstance(message, dict):
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
    if message.keys() - _MESSAGE:
        fields = _fields(message, parts)
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

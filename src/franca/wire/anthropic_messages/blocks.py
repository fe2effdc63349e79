"""A content block of this wire and a part of ours, the two ways.

A block that has no place of its own, or that would not be written back as it was read, becomes a
`NativePart`: kept whole. Fields without a place stay in the part's `extra`; of what another wire
left there, only the fields that this wire knows go out.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote_to_bytes

from franca.errors import InvalidRequestError
from franca.settings.target import Target
from franca.types import (
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
from franca.wire.policy import refuse

JSON = dict[str, Any]
WIRE = "anthropic-messages"
OWN = "anthropic-messages.own"
"""Hint in `extra`: it was read from this wire, with these fields beyond the known ones."""
KNOWN = frozenset(
    {"cache_control", "caller", "citations", "context", "toolset_name", "transformations"}
)
"""A block's fields that go out from any `extra`."""
KNOWN_OF_MESSAGE = frozenset({"clear_at", "output_config"})
INVALID = "INVALID_JSON"
"""Under this name goes the text of arguments that are no JSON object: the wire takes only those."""

_FOREIGN_CITATIONS = frozenset(
    {"url_citation", "file_citation", "document_citation", "function_citation"}
)
"""OpenAI's wire's, which this one refuses."""
_MAGIC = (("/9j/", "jpeg"), ("R0lGOD", "gif"), ("UklGR", "webp"))
Refuse = Callable[[str], bool]
"""Says (by the capability policy) whether what the wire cannot carry goes out all the same."""


def read_block(block: JSON) -> Part:
    """The part of a block of a reply."""
    try:
        reader = _READERS.get(block.get("type", ""))
        part = reader(block) if reader else None
    except (KeyError, TypeError):
        part = None
    return part or _native(block)


def read_exactly(block: Any) -> Part:
    """The part of a block of a history, which is written back as it was."""
    if not isinstance(block, dict):
        if isinstance(block, Part):
            return block  # one of ours, among dicts
        if isinstance(block, str):
            return TextPart(block)
        raise InvalidRequestError(f"a content block is {type(block).__name__}, not an object")
    part = read_block(block)
    if isinstance(part, TextPart) and not part.text.strip():
        part.extra = {OWN: [], **(part.extra or {})}  # else it would not go out again
    return part if isinstance(part, NativePart) or _survives(part, block) else _native(block)


def _native(block: JSON) -> Part:
    return NativePart(WIRE, block)


def _survives(part: Part, block: JSON) -> bool:
    try:
        return _write(part, lambda _: True) == block
    except InvalidRequestError:
        return False


def write_blocks(parts: list[Part], target: Target, policy: str) -> list[JSON]:
    """The blocks of the parts that this wire carries, in order.

    Left out: an empty text, which the vendor refuses (unless it was in a history of this wire), and
    what only another vendor can take back: its thoughts, what its own tools did.
    """

    def allowed(what: str) -> bool:
        return refuse(f"{target.backend} ({target.model}) does not take {what}", policy, target)

    blocks = []
    for part in parts:
        fetched = isinstance(part, ImagePart) and _address(part)
        if fetched and not target.quirks.url_images and not allowed("pictures by URL"):
            continue
        if (block := _write(part, allowed)) is not None:
            blocks.append(block)
    return blocks


def own_fields(extra: JSON | None, known: frozenset[str] = KNOWN) -> JSON:
    """Of an `extra`, what this wire takes: what was read from it, and the `known` fields."""
    if not extra:
        return {}
    own = extra.get(OWN, ())
    return {k: v for k, v in extra.items() if k in known or k in own}


def keep(block: JSON, *taken: str) -> JSON | None:
    """The fields of `block` that have no place, for `extra`; None where there are none."""
    extra = {k: v for k, v in block.items() if k not in taken and k != "type"}
    if own := [k for k in extra if k not in KNOWN]:
        extra[OWN] = own
    return extra or None


def _text(block: JSON) -> Part:
    text, citations = _string(block["text"]), block.get("citations")
    cited = isinstance(citations, list)
    extra = keep(block, "text", "citations") if cited else keep(block, "text")
    return TextPart(text, citations=citations if cited else None, extra=extra)


def _thinking(block: JSON) -> Part:
    # An empty signature is that of a thought cut short: sent back, it would be refused.
    signature = block.get("signature") or None
    extra = keep(block, "thinking", "signature")
    return ReasoningPart(_string(block.get("thinking", "")), signature=signature, extra=extra)


def _redacted(block: JSON) -> Part:
    return ReasoningPart("", encrypted=_string(block["data"]), extra=keep(block, "data"))


def _tool_use(block: JSON) -> Part:
    return ToolCall(
        id=_string(block["id"]),
        name=_string(block["name"]),
        arguments=json.dumps(block["input"], ensure_ascii=False, separators=(",", ":")),
        extra=keep(block, "id", "name", "input"),
    )


def _tool_result(block: JSON) -> Part:
    content, is_error = block.get("content"), block.get("is_error")
    taken = ["tool_use_id"]
    if content is not None:
        taken.append("content")
    if is_error is not None:
        taken.append("is_error")
    return ToolResult(
        _string(block["tool_use_id"]),
        [read_exactly(b) for b in content] if isinstance(content, list) else content,
        is_error=is_error,
        extra=keep(block, *taken),
    )


def _image(block: JSON) -> Part:
    source = block["source"]
    return ImagePart(
        url=source.get("url"),
        data=source.get("data"),
        media_type=source.get("media_type"),
        file_id=source.get("file_id"),
        extra=keep(block, "source"),
    )


def _document(block: JSON) -> Part:
    source, title = block["source"], block.get("title")
    taken = ("source", "title") if title is not None else ("source",)
    data = "text" if source["type"] == "text" else "data"
    part = DocumentPart(
        url=source.get("url"),
        media_type=source.get("media_type"),
        file_id=source.get("file_id"),
        filename=title,
        extra=keep(block, *taken),
    )
    setattr(part, data, source.get("data"))
    return part


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


_READERS: dict[str, Callable[[JSON], Part]] = {
    "text": _text,
    "thinking": _thinking,
    "redacted_thinking": _redacted,
    "tool_use": _tool_use,
    "tool_result": _tool_result,
    "image": _image,
    "document": _document,
}


def _write(part: Part, allowed: Refuse) -> JSON | None:
    match part:
        case TextPart():
            return _write_text(part)
        case ToolCall():
            call = {"id": wire_id(part.id), "name": part.name, "input": _arguments(part.arguments)}
            return {"type": "tool_use", **own_fields(part.extra), **call}
        case ToolResult():
            return _write_result(part, allowed)
        case ReasoningPart():
            return _write_thought(part)
        case ImagePart():
            return {"type": "image", **own_fields(part.extra), "source": _image_source(part)}
        case DocumentPart():
            title = {} if part.filename is None else {"title": part.filename}
            source = {"source": _document_source(part)}
            return {"type": "document", **own_fields(part.extra), **title, **source}
        case NativePart():
            return _write_native(part, allowed)
        case RefusalPart():
            return {"type": "text", "text": part.text} if part.text.strip() else None
        case AudioPart():
            sound = {"data": part.data, "format": part.format}
            return {"type": "input_audio", "input_audio": sound} if allowed("sound") else None


def _write_text(part: TextPart) -> JSON | None:
    if not part.text.strip() and OWN not in (part.extra or {}):
        return None
    block = {"type": "text", **own_fields(part.extra), "text": part.text}
    if part.citations is not None and all(map(_own_citation, part.citations)):
        block["citations"] = part.citations
    return block


def _own_citation(citation: Any) -> bool:
    return not (isinstance(citation, dict) and citation.get("type") in _FOREIGN_CITATIONS)


def _write_native(part: NativePart, allowed: Refuse) -> JSON | None:
    """What another vendor's own tool did, and another wire's field of a message, stay behind."""
    if part.wire == WIRE:
        return part.block
    if part.of_tool or "type" not in part.block:
        return None
    return part.block if allowed(f"a block of {part.wire}") else None


def _write_thought(part: ReasoningPart) -> JSON | None:
    if part.field is not None:  # another wire's: neither signature nor cipher is this vendor's
        return None
    extra = own_fields(part.extra)
    if part.encrypted is not None:
        return {"type": "redacted_thinking", **extra, "data": part.encrypted}
    if part.signature is None:
        return None
    return {"type": "thinking", **extra, "thinking": part.text, "signature": part.signature}


def _write_result(part: ToolResult, allowed: Refuse) -> JSON:
    block: JSON = {"type": "tool_result", **own_fields(part.extra)}
    block["tool_use_id"] = wire_id(part.tool_call_id)
    if isinstance(part.content, list):
        written = [_write(inner, allowed) for inner in part.content]
        block["content"] = [inner for inner in written if inner is not None]
    elif part.content is not None:
        block["content"] = part.content
    if part.is_error is not None:
        block["is_error"] = part.is_error
    return block


def wire_id(call: str) -> str:
    """A call's id in the letters that this wire takes: other vendors use `.` and `:` too."""
    return re.sub(r"[^a-zA-Z0-9_-]", "_", call)


def _arguments(text: str) -> JSON:
    try:
        value = json.loads(text) if text.strip() else {}
    except (ValueError, RecursionError):
        return {INVALID: text}
    return value if isinstance(value, dict) else {INVALID: text}


def _address(part: ImagePart) -> bool:
    return bool(part.url) and not (part.url or "").startswith("data:")


def _image_source(part: ImagePart) -> JSON:
    """`detail` has no counterpart here; it is a hint and stays behind."""
    if part.file_id is not None:
        return {"type": "file", "file_id": part.file_id}
    media_type, data = part.media_type, part.data
    if part.url is not None and data is None:
        if not part.url.startswith("data:"):
            return {"type": "url", "url": part.url}
        media_type, data = _data_url(part.url)
    if data is None:
        raise InvalidRequestError("a picture needs a url, data or a file_id")
    return {"type": "base64", "media_type": media_type or _media_type(data), "data": data}


def _document_source(part: DocumentPart) -> JSON:
    if part.file_id is not None:
        return {"type": "file", "file_id": part.file_id}
    if part.text is not None:
        return {"type": "text", "media_type": part.media_type or "text/plain", "data": part.text}
    media_type, data = part.media_type, part.data
    address = part.url if data is None else data  # OpenAI's `file_data` is a data URL
    if address is not None and address.startswith("data:"):
        media_type, data = _data_url(address)
    elif data is None and part.url is not None:
        return {"type": "url", "url": part.url}
    if data is None:
        raise InvalidRequestError("a document needs a url, data, text or a file_id")
    if (media_type or "").startswith("text/"):  # base64 is for PDF only
        return {"type": "text", "media_type": "text/plain", "data": _plain(data)}
    return {"type": "base64", "media_type": media_type or "application/pdf", "data": data}


def _plain(data: str) -> str:
    try:
        return base64.b64decode(data).decode(errors="replace")
    except ValueError:
        raise InvalidRequestError("a document's data is not base64") from None


def _data_url(url: str) -> tuple[str | None, str]:
    head, _, data = url[5:].partition(",")
    media_type, *options = head.split(";")
    if "base64" not in options:
        data = base64.b64encode(unquote_to_bytes(data)).decode()
    return media_type or None, data


def _media_type(data: str) -> str:
    kinds = (kind for magic, kind in _MAGIC if data.startswith(magic))
    return f"image/{next(kinds, 'png')}"

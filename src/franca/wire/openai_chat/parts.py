"""The parts of a message, between franca's form and this wire's.

Reading keeps in `extra` every field that has no place, and a field whose value is of another form
than the usual one; writing lays `extra` over what it makes. So what was read is written back as it
was. Keys that begin with the wire's name are hints for the writer, and are never sent.
"""

from __future__ import annotations

import json
from typing import Any

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
)

WIRE = "openai-chat"
ABSENT = "openai-chat.absent"
"""Hint: usual fields that were not there."""
LISTED = "openai-chat.list"
"""Hint: the content was a list where a string would do."""
IMAGES = "openai-chat.images"
"""Hint: a picture the model drew, in the message's field `images`."""
LEGACY = "openai-chat.function_call"
"""Hint: a call in the field `function_call`, from before there were tools."""
FOREIGN = "anthropic-messages.own"
"""The other wire's hint: fields that were read from it, and that only it knows."""
_HINTS = ("openai-chat.", "anthropic-messages.")

JSON = dict[str, Any]
_DETAIL_TEXT = {"reasoning.text": "text", "reasoning.summary": "summary"}


def rest(block: JSON, *known: str) -> JSON | None:
    """The fields of `block` without the known ones; None for none."""
    return {k: v for k, v in block.items() if k not in known} or None


def overlay(block: JSON, extra: JSON | None) -> JSON:
    """`block` with `extra` laid over it; hints, and what they leave out, stay behind."""
    if not extra:
        return block
    foreign = extra.get(FOREIGN, ())
    block.update((k, v) for k, v in extra.items() if k not in foreign and not k.startswith(_HINTS))
    for name in extra.get(ABSENT, ()):
        block.pop(name, None)
    return block


def read_part(block: Any) -> Part:
    """A part of a content list; what has no place of its own is a `NativePart`."""
    if isinstance(block, str):
        return TextPart(block)
    if not isinstance(block, dict) and isinstance(block, Part):
        return block  # one of ours, among dicts
    kind = block.get("type")
    reader = _READERS.get(kind) if isinstance(kind, str) else None
    part = reader(block) if reader else None
    return NativePart(WIRE, block) if part is None or write_part(part) != block else part


def _text(block: JSON) -> Part | None:
    text = block.get("text")
    return TextPart(text, extra=rest(block, "type", "text")) if isinstance(text, str) else None


def _image(block: JSON) -> Part | None:
    image = block.get("image_url")
    extra = rest(block, "type", "image_url") or {}
    if isinstance(image, str):  # Mistral takes the bare address too
        extra, image = {**extra, "image_url": image}, {"url": image}
    if not isinstance(image, dict) or not isinstance(image.get("url"), str):
        return None
    detail = image.get("detail")
    if set(image) - {"url", "detail"} or ("detail" in image and not detail):
        extra["image_url"] = image
    media_type, data = split_data_url(image["url"])
    return ImagePart(
        url=None if data else image["url"],
        data=data,
        media_type=media_type,
        detail=detail if isinstance(detail, str) else None,
        extra=extra or None,
    )


def _audio(block: JSON) -> Part | None:
    audio = block.get("input_audio")
    if not isinstance(audio, dict) or set(audio) - {"data", "format"}:
        return None
    extra = rest(block, "type", "input_audio")
    return AudioPart(data=audio.get("data"), format=audio.get("format"), extra=extra)


def _file(block: JSON) -> Part | None:
    file = block.get("file")
    if not isinstance(file, dict):
        return None
    extra = rest(block, "type", "file") or {}
    if set(file) - {"file_id", "file_data", "filename"} or None in file.values():
        extra["file"] = file
    return _document(file.get("file_data"), file.get("file_id"), file.get("filename"), extra)


def _document_url(block: JSON) -> Part | None:
    extra = rest(block, "document_name") or {}
    return _document(block.get("document_url"), None, block.get("document_name"), extra)


def _document(address: Any, file_id: Any, filename: Any, extra: JSON) -> Part | None:
    media_type, data = split_data_url(address) if isinstance(address, str) else (None, None)
    url = None if data or not isinstance(address, str) else address
    return DocumentPart(
        url=url,
        data=data,
        media_type=media_type,
        file_id=file_id,
        filename=filename,
        extra=extra or None,
    )


def _refusal(block: JSON) -> Part | None:
    text = block.get("refusal")
    extra = rest(block, "type", "refusal")
    return RefusalPart(text, extra=extra) if isinstance(text, str) else None


def _thinking(block: JSON) -> Part | None:
    """Mistral's thought: a list of text chunks, or (older) a string."""
    thought = block.get("thinking")
    extra = rest(block, "type", "thinking") or {}
    texts = thought if isinstance(thought, list) else [{"type": "text", "text": thought}]
    found = [c.get("text") for c in texts if isinstance(c, dict)]
    text = "".join(t for t in found if isinstance(t, str))
    if thought != [{"type": "text", "text": text}]:
        extra["thinking"] = thought
    signature = extra.get("signature")
    part = ReasoningPart(text, field="content", extra=extra or None)
    part.signature = signature if isinstance(signature, str) else None
    return part


_READERS = {
    "text": _text,
    "image_url": _image,
    "input_audio": _audio,
    "file": _file,
    "document_url": _document_url,
    "refusal": _refusal,
    "thinking": _thinking,
}


def write_part(part: Part) -> JSON | None:
    """The part as an item of a content list; None for what this wire has no form for."""
    match part:
        case TextPart():
            block: JSON = {"type": "text", "text": part.text}
        case ImagePart():
            if (url := data_url(part.url, part.data, part.media_type or "image/png")) is None:
                return None
            image = {"url": url, "detail": part.detail} if part.detail else {"url": url}
            block = {"type": "image_url", "image_url": image}
        case AudioPart():
            if part.data is None:
                return None
            block = {
                "type": "input_audio",
                "input_audio": _some(data=part.data, format=part.format),
            }
        case DocumentPart():
            return _write_document(part)
        case RefusalPart():
            block = {"type": "refusal", "refusal": part.text}
        case ReasoningPart():
            thought = [{"type": "text", "text": part.text}]
            block = {"type": "thinking", "thinking": thought}
        case NativePart():
            return part.block if part.wire == WIRE else None
        case _:
            return None
    return overlay(block, part.extra)


def _write_document(part: DocumentPart) -> JSON | None:
    if part.text is not None:
        return overlay({"type": "text", "text": part.text}, part.extra)
    address = data_url(part.url, part.data, part.media_type or "application/pdf")
    if part.extra and part.extra.get("type") == "document_url":
        return overlay(_some(document_name=part.filename), part.extra)
    if address is None and part.file_id is None:
        return None
    file = _some(file_data=address, file_id=part.file_id, filename=part.filename)
    return overlay({"type": "file", "file": file}, part.extra)


def _some(**fields: Any) -> JSON:
    return {k: v for k, v in fields.items() if v is not None}


def split_data_url(url: str) -> tuple[str | None, str | None]:
    """(media type, base64) of a plain `data:` URL; (None, None) of any other."""
    head, comma, data = url.partition(";base64,")
    if not comma or not head.startswith("data:") or ";" in head or not head[5:] or not data:
        return None, None
    return head[5:], data


def data_url(url: str | None, data: str | None, media_type: str) -> str | None:
    """The address of a picture or a document: its own, or its bytes as one."""
    return url if data is None else f"data:{media_type};base64,{data}"


def read_call(call: JSON, index: int) -> ToolCall:
    """A tool call; `arguments` of a custom tool are its input, as it stands."""
    field = "custom" if call.get("type") == "custom" else "function"
    inner = call.get(field)
    inner = inner if isinstance(inner, dict) else {}
    text = inner.get("input" if field == "custom" else "arguments")
    extra = rest(call, "id", field) or {}
    if not isinstance(call.get("id", ""), str):
        extra["id"] = call["id"]
    if extra.get("type") == "function":
        del extra["type"]
    elif "type" not in extra:
        extra[ABSENT] = ["type"]
    part = ToolCall(
        id=call["id"] if isinstance(call.get("id"), str) else "",
        name=inner["name"] if isinstance(inner.get("name"), str) else "",
        arguments=text if isinstance(text, str) else json.dumps(text or {}, ensure_ascii=False),
        index=index,
        extra=extra or None,
    )
    if write_call(part) != call:
        absent = [*extra.get(ABSENT, ()), *({"id", field} - set(call))]
        part.extra = {**extra, field: call.get(field), ABSENT: absent}
    return part


def write_call(part: ToolCall) -> JSON:
    """The call in this wire's form."""
    if part.extra and part.extra.get("type") == "custom":
        return overlay({"id": part.id, "custom": {"name": part.name, "input": part.arguments}},
                       part.extra)  # fmt: skip
    function = {"name": part.name, "arguments": part.arguments}
    return overlay({"id": part.id, "type": "function", "function": function}, part.extra)


def read_detail(detail: JSON) -> ReasoningPart:
    """One of OpenRouter's `reasoning_details`: a text, a summary, or an encrypted thought."""
    key = _DETAIL_TEXT.get(str(detail.get("type")), "text")
    texts = {k: v for k, v in detail.items() if v and isinstance(v, str)}
    known = [k for k in (key, "signature", "data") if k in texts]
    return ReasoningPart(
        texts.get(key, ""),
        signature=texts.get("signature"),
        encrypted=texts.get("data"),
        field="reasoning_details",
        extra=rest(detail, *known),
    )


def write_detail(part: ReasoningPart) -> JSON:
    """The thought as it came, for the vendor to take back."""
    detail: JSON = dict(part.extra or {})
    key = _DETAIL_TEXT.get(str(detail.get("type")), "text")
    fields = {key: part.text, "signature": part.signature, "data": part.encrypted}
    detail.update((k, v) for k, v in fields.items() if v)
    return detail

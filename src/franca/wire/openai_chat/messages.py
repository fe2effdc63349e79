"""A conversation, between franca's form and this wire's.

Which reasoning goes back: a `ReasoningPart` whose `field` names a field of this wire goes back in
it (it was in the caller's own history, or the vendor signed it and wants it back); any other goes
by the quirks: `resend_reasoning` says when, `reasoning_field` where.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from franca.errors import InvalidRequestError
from franca.settings.target import Target
from franca.types import (
    AudioPart,
    ImagePart,
    Message,
    NativePart,
    Part,
    ReasoningPart,
    RefusalPart,
    Role,
    TextPart,
    ToolCall,
    ToolResult,
)
from franca.wire.openai_chat.parts import (
    ABSENT,
    IMAGES,
    JSON,
    LEGACY,
    LISTED,
    WIRE,
    overlay,
    read_call,
    read_detail,
    read_part,
    write_call,
    write_detail,
    write_part,
)
from franca.wire.openai_chat.tool_media import media_behind
from franca.wire.policy import refuse

THINK_TAGS = "<think>"
"""As `Quirks.reasoning_field`: the thought goes back in tags at the head of the text."""
TEXT_FIELDS = ("reasoning_content", "reasoning")
_ROLES = frozenset({"system", "developer", "user", "assistant", "tool"})
_TAKEN_BACK = frozenset({"extra_content", "thought_signature", "annotations"})


def read_request(body: JSON) -> list[Message]:
    """The conversation of a request of this wire."""
    return [turn for message in body.get("messages") or () for turn in read_message(message)]


def read_message(message: JSON) -> list[Message]:
    """One message of this wire.

    Raises:
        InvalidRequestError: it has no role.
    """
    role, content = message.get("role"), message.get("content")
    if type(content) is str and len(message) == 2 and role in _ROLES:
        return [Message(cast("Role", role), content)]
    if not isinstance(role, str):
        raise InvalidRequestError("a message has no role")
    extra = {k: v for k, v in message.items() if k not in ("role", "content")}
    if "content" not in message:
        extra[ABSENT] = ["content"]
    if role == "assistant":
        turn = _read_assistant(content, extra)
    elif role in ("tool", "function"):
        turn = _read_result(role, content, extra)
    else:
        if role not in _ROLES:
            extra["role"], role = role, "user"
        turn = Message(cast("Role", role), _read_content(content), extra=extra)
    if isinstance(name := extra.get("name"), str):
        turn.name = name
        del extra["name"]
    turn.extra = extra or None
    return [turn]


def _read_content(content: Any) -> str | list[Part] | None:
    return [read_part(block) for block in content] if isinstance(content, list) else content


def _read_result(role: str, content: Any, extra: JSON) -> Message:
    if role == "function":
        extra["role"] = role
    if content is None and ABSENT not in extra:
        extra["content"] = None
    if "tool_call_id" not in extra:
        extra[ABSENT] = [*extra.get(ABSENT, ()), "tool_call_id"]
    call_id = extra.get("tool_call_id")
    if isinstance(call_id, str):
        del extra["tool_call_id"]
    result = ToolResult(call_id if isinstance(call_id, str) else "", _read_content(content))
    return Message("tool", [result], extra=extra)


def _read_assistant(content: Any, extra: JSON) -> Message:
    parts: list[Part] = _read_reasoning(extra)
    if isinstance(content, list):
        extra[LISTED] = True
        parts += [read_part(block) for block in content]
    elif isinstance(content, str):
        parts.append(TextPart(content))
    elif content is None and ABSENT not in extra:
        extra["content"] = None
    if isinstance(extra.get("refusal"), str) and LISTED not in extra:
        parts.append(RefusalPart(extra.pop("refusal")))
    audio = extra.get("audio")
    if isinstance(audio, dict) and set(audio) == {"id"}:
        parts.append(AudioPart(id=extra.pop("audio")["id"]))
    calls = extra.get("tool_calls")
    if isinstance(calls, list) and calls:
        parts += [read_call(call, index) for index, call in enumerate(extra.pop("tool_calls"))]
    if len(parts) == 1 and isinstance(content, str):
        return Message("assistant", content)
    return Message("assistant", parts if parts or LISTED in extra else None)


def _read_reasoning(extra: JSON) -> list[Part]:
    parts: list[Part] = []
    for field in TEXT_FIELDS:
        if isinstance(extra.get(field), str):
            parts.append(ReasoningPart(extra.pop(field), field=field))
    details = extra.get("reasoning_details")
    if isinstance(details, list) and details and all(isinstance(d, dict) for d in details):
        parts += [read_detail(detail) for detail in extra.pop("reasoning_details")]
    return parts


def write_messages(
    messages: Iterable[Message], target: Target, policy: str = "strict"
) -> list[JSON]:
    """The conversation in this wire's form.

    Args:
        policy: what happens to a part that the wire has no form for; see `CapabilityPolicy`.

    Raises:
        InvalidRequestError: under `strict`, for such a part.
    """
    out: list[JSON] = []
    legacy: dict[str, str] = {}
    for message in messages if target.quirks.tool_media else media_behind(messages):
        content = message.content
        if message.role == "assistant" and isinstance(content, list):
            out += _write_answer(message, content, target, policy)
            legacy.update(_legacy(content))
        elif isinstance(content, list):
            out += _write_turn(message, content, target, policy, legacy)
        else:
            out.append(_envelope(message, target, content))
    return out


def _envelope(message: Message, target: Target, content: Any) -> JSON:
    role: str = message.role
    if role == "developer" and not target.quirks.developer_role:
        role = "system"
    block: JSON = {"role": role, "content": content}
    if message.name is not None:
        block["name"] = message.name
    return overlay(block, message.extra) if message.extra else block


def _write_turn(
    message: Message, content: list[Part], target: Target, policy: str, legacy: dict[str, str]
) -> list[JSON]:
    """A turn that is not the model's. Tool results come first: they answer the turn before."""
    results = [part for part in content if isinstance(part, ToolResult)]
    others = [part for part in content if not isinstance(part, ToolResult)]
    out = [_write_result(part, message, target, policy, legacy) for part in results]
    if others or not results:
        out.append(_envelope(message, target, _blocks(others, target, policy)))
    return out


def _write_result(
    part: ToolResult, message: Message, target: Target, policy: str, legacy: dict[str, str]
) -> JSON:
    content = part.content
    if isinstance(content, list):
        content = _blocks(content, target, policy)
    block: JSON = {"role": "tool", "tool_call_id": part.tool_call_id, "content": content or ""}
    if part.content == []:
        block["content"] = []
    if part.tool_call_id in legacy:
        name = legacy[part.tool_call_id]
        block = {"role": "function", "name": name, "content": block["content"]}
    if name := part.name or (message.name if message.role == "tool" else None):
        block["name"] = name
    return overlay(block, message.extra) if message.role == "tool" else block


def _legacy(content: list[Part]) -> dict[str, str]:
    calls = [part for part in content if isinstance(part, ToolCall)]
    return {call.id: call.name for call in calls if call.extra and LEGACY in call.extra}


def _blocks(parts: Iterable[Part], target: Target, policy: str) -> list[JSON]:
    return [b for part in parts if (b := _block(part, target, policy)) is not None]


def _block(part: Part, target: Target, policy: str) -> JSON | None:
    block = write_part(part)
    if block is None and isinstance(part, NativePart) and part.of_tool:
        return None  # only its own vendor can take back what its tool did
    if block is None and not isinstance(part, ReasoningPart):
        origin = f" of {part.wire}" if isinstance(part, NativePart) else ""
        why = f"{target.backend} speaks {WIRE}, which cannot carry a part {part.type!r}{origin}"
        if refuse(why, policy, target) and isinstance(part, NativePart):
            return part.block
    return block


def _write_answer(message: Message, content: list[Part], target: Target, policy: str) -> list[JSON]:
    """The model's turn: one message, but where its vendor answered calls in messages of their own,
    with what was said before in that of the call."""
    out: list[JSON] = []
    said: list[Part] = []
    for part in content:
        own = isinstance(part, NativePart) and part.wire == WIRE
        if not (own and (ran := part.block.get("messages"))):
            said.append(part)
            continue
        before = _write_assistant(message, said, target, policy) if said else {}
        out += [{**before, **ran[0]}, *ran[1:]]
        said = []
    return [*out, _write_assistant(message, said, target, policy)] if said or not out else out


def _write_assistant(message: Message, content: list[Part], target: Target, policy: str) -> JSON:
    fields: JSON = {}
    listed = bool(message.extra and LISTED in message.extra)
    shown: list[Part] = []
    for part in content:
        if isinstance(part, ToolCall):
            _add_call(fields, part)
        elif isinstance(part, ReasoningPart) and part.field != "content":
            _add_reasoning(fields, part)
        elif listed or not _add_field(fields, part):
            shown.append(part)
    thought = _resent(content, target)
    block = _envelope(message, target, _content(shown, listed, target, policy, bool(fields)))
    if thought is not None and target.quirks.reasoning_field == THINK_TAGS:
        block["content"] = f"{THINK_TAGS}\n{thought}\n</think>\n\n{block['content'] or ''}"
    elif thought is not None:
        fields.setdefault(target.quirks.reasoning_field, thought)
    return {**block, **fields}


def _content(
    shown: list[Part], listed: bool, target: Target, policy: str, others: bool
) -> str | list[JSON] | None:
    """One string where nothing is lost by it, which every vendor takes; else a list."""
    blocks = _blocks(shown, target, policy)
    if listed or any(block.keys() != {"type", "text"} for block in blocks):
        return blocks
    if not blocks:
        return None if others else ""
    return "".join(block["text"] for block in blocks)


def _add_call(fields: JSON, part: ToolCall) -> None:
    if part.extra and LEGACY in part.extra:
        fields["function_call"] = {"name": part.name, "arguments": part.arguments}
    else:
        fields.setdefault("tool_calls", []).append(write_call(part))


def _add_reasoning(fields: JSON, part: ReasoningPart) -> None:
    if part.field == "reasoning_details":
        fields.setdefault(part.field, []).append(write_detail(part))
    elif part.field in TEXT_FIELDS:
        fields[part.field] = fields.get(part.field, "") + part.text


def _add_field(fields: JSON, part: Part) -> bool:
    """Whether the part went into a field of the message, beside its content."""
    match part:
        case RefusalPart():
            fields["refusal"] = fields.get("refusal", "") + part.text
        case AudioPart() if part.id is not None:
            fields["audio"] = {"id": part.id}
        case ImagePart() if part.extra and IMAGES in part.extra:
            fields.setdefault("images", []).append(write_part(part))
        case NativePart() if part.wire == WIRE and "type" not in part.block:
            fields.update((k, v) for k, v in part.block.items() if k in _TAKEN_BACK)
            if calls := part.block.get("tool_calls"):
                fields["tool_calls"] = [*fields.get("tool_calls", ()), *calls]
        case _:
            return False
    return True


def _resent(content: list[Part], target: Target) -> str | None:
    """The thought that the quirks send back, None for none."""
    when = target.quirks.resend_reasoning
    if when == "never":
        return None
    if when == "tool_calls" and not any(isinstance(part, ToolCall) for part in content):
        return None
    kept = ("reasoning_details", "content", *TEXT_FIELDS)
    thoughts = [p for p in content if isinstance(p, ReasoningPart) and p.field not in kept]
    return "".join(p.text for p in thoughts) if thoughts else None

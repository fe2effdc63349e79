"""A conversation of this wire and one of ours, the two ways.

The wire holds the first system prompt apart, in `system`. A later system message goes out where
the wire allows one: behind the user's turn that it stands in or before, so that it holds from the
next answer on. Where it may not stand there (`Quirks.inline_system` is off, or no user's turn is
near) it goes out as the user's text, in `<system>` tags. It is never dropped, nor moved over an
answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, cast

from franca.errors import InvalidRequestError
from franca.settings.target import Target
from franca.types import Message, NativePart, Part, Role, TextPart
from franca.wire.anthropic_messages.blocks import (
    JSON,
    KNOWN_OF_MESSAGE,
    OWN,
    own_fields,
    read_exactly,
    write_blocks,
)
from franca.wire.policy import refuse

_SYSTEM = ("system", "developer")
_ROLES = ("user", "assistant", "system")
_MESSAGE_FIELDS = frozenset({"role", "content"})


def read_request(body: JSON) -> list[Message]:
    """The history of a request; `system` becomes a first message of that role."""
    history = [read_one(message) for message in body["messages"]]
    if body.get("system") is None:
        return history
    return [Message("system", _read_content(body["system"])), *history]


def read_message(message: JSON) -> list[Message]:
    """A message of this wire.

    Raises:
        InvalidRequestError: the role or the content is not of this wire.
    """
    return [read_one(message)]


def read_one(message: JSON) -> Message:
    """The same, as the one message that it always is."""
    role = message["role"]
    if role not in _ROLES:
        raise InvalidRequestError(f"{role!r} is no role of a message of this wire")
    extra = {k: v for k, v in message.items() if k not in _MESSAGE_FIELDS}
    if extra.get("type") == "message":  # a whole reply: its id, usage … are no part of a history
        extra = {}
    if extra:
        extra[OWN] = list(extra)
    return Message(cast("Role", role), _read_content(message.get("content")), extra=extra or None)


def _read_content(content: Any) -> str | list[Part] | None:
    if content is None or isinstance(content, str):
        return content
    if not isinstance(content, list | tuple):
        raise InvalidRequestError(f"a message's content is {type(content).__name__}")
    return [read_exactly(block) for block in content]


def write_system(
    messages: Sequence[Message], target: Target, policy: str = "strict"
) -> str | list[JSON] | None:
    """The request's `system`: the first messages of role system or developer. One text stays a
    text; several messages, or parts, are a list of blocks. None where there are none."""
    content = _joined(messages[: _leading(messages)])
    return write_blocks(content, target, policy) if isinstance(content, list) else content


def write_messages(
    messages: Sequence[Message], target: Target, policy: str = "strict"
) -> list[JSON]:
    """The request's `messages`: the conversation without its first system messages.

    Args:
        policy: what happens to a part that the wire cannot carry; see `CapabilityPolicy`.

    Raises:
        InvalidRequestError: under `strict`, for such a part and for a turn of blanks alone, by its
            place; for a picture of nothing.
    """
    out: list[JSON] = []
    previous: Role | None = None
    for message in _placed(messages[_leading(messages) :], target):
        if (text := _blank(message)) is not None:
            why = f"{target.backend} ({target.model}) does not take a turn without text"
            if not refuse(f"{_place(message, messages)}{why}", policy, target):
                continue
            message = replace(message, content=text)
        written = _write(message, target, policy)
        if written is None:
            continue
        if message.role == previous == "tool":  # all answers to one turn stand in one message
            out[-1]["content"] += written["content"]
        else:
            out.append(written)
        previous = message.role
    return out


def _leading(messages: Sequence[Message]) -> int:
    """How many messages make up `system`. One with fields of this wire is of its `messages`."""
    count = 0
    for message in messages:
        if message.role not in _SYSTEM or _own(message):
            break
        count += 1
    return count


def _joined(messages: Sequence[Message]) -> str | list[Part] | None:
    given = [message.content for message in messages if message.content is not None]
    if len(given) < 2:
        return given[0] if given else None
    lists = [[TextPart(c)] if isinstance(c, str) else c for c in given]
    return [part for parts in lists for part in parts]


def _placed(messages: Iterable[Message], target: Target) -> list[Message]:
    """The messages, each stretch between two answers with its system messages at its end."""
    out: list[Message] = []
    waiting: list[Message] = []
    for message in messages:
        if message.role in _SYSTEM and not _own(message):
            waiting.append(message)
            continue
        if message.role == "assistant":
            out += _inline(waiting, out, target)
            waiting = []
        out.append(message)
    return out + _inline(waiting, out, target)


def _inline(waiting: list[Message], before: list[Message], target: Target) -> list[Message]:
    content = _joined(waiting)
    if content is None:
        return []
    if target.quirks.inline_system and before and _may_follow(before[-1]):
        return [Message("system", content)]
    if isinstance(content, str):
        return [Message("user", _tagged(content))]
    parts = [
        TextPart(_tagged(p.text), extra=p.extra) if isinstance(p, TextPart) else p for p in content
    ]
    return [Message("user", parts)]


def _may_follow(message: Message) -> bool:
    """Whether a system message may stand behind this one: the user's turn, a tool's answer, or an
    answer that ends in the vendor's own tool."""
    if message.role != "assistant":
        return True
    parts = message.content
    return isinstance(parts, list) and bool(parts) and isinstance(parts[-1], NativePart)


def _own(message: Message) -> JSON:
    return own_fields(message.extra, KNOWN_OF_MESSAGE)


def _tagged(text: str) -> str:
    return f"<system>\n{text}\n</system>"


def _odd(message: Message) -> str | None:
    """What in a dict that was read is none of franca's: a role, which was read as the user's, or a
    call from before there were tools, and its result."""
    extra = message.extra or {}
    if isinstance(extra.get("function_call"), dict):
        return "with function_call, but one with tool_calls"
    role = extra.get("role") if message.role in ("user", "tool") else None
    return f"of role {role!r}" if isinstance(role, str) else None


def _blank(message: Message) -> str | None:
    """The text of a user's or a system's turn of blanks alone, which the vendor refuses; None of
    any other, and of blocks from a history of this wire."""
    content = message.content
    if message.role in ("assistant", "tool") or content is None:
        return None
    if isinstance(content, list):
        texts = [p.text for p in content if isinstance(p, TextPart) and OWN not in (p.extra or {})]
        if len(texts) < len(content):
            return None
        content = "".join(texts)
    return None if content.strip() else content


def _place(message: Message, messages: Sequence[Message]) -> str:
    place = next((i for i, given in enumerate(messages) if given is message), None)
    return "" if place is None else f"messages[{place}]: "


def _write(message: Message, target: Target, policy: str) -> JSON | None:
    role: str = {"tool": "user", "developer": "system"}.get(message.role, message.role)
    if odd := _odd(message):
        why = f"{target.backend} ({target.model}) does not take a message "
        if not refuse(f"{why}{odd}", policy, target):
            return None
        if message.role == "user" and message.extra:
            role = message.extra.get("role", role)
    extra = _own(message)
    content = message.content
    if isinstance(content, list):
        blocks = write_blocks(content, target, policy)
        # Emptied by what was left out: the wire refuses an empty turn.
        return None if content and not blocks else {"role": role, **extra, "content": blocks}
    if content is None:
        return {"role": role, **extra} if extra else None
    if message.role == "assistant" and not content.strip():
        return None
    if message.role == "tool":
        return {"role": role, **extra, "content": [{"type": "text", "text": content}]}
    return {"role": role, **extra, "content": content}

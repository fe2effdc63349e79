"""What tools answered with beside text, behind their answers: in a tool's message this wire's
vendors take text alone. OpenAI refuses a picture there ("Image URLs are only allowed for messages
with role 'user'"), or takes it and does not look at it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import count

from franca.types import DocumentPart, Message, Part, TextPart, ToolResult

_KINDS = {"image": "picture", "audio": "sound", "document": "document"}


def media_behind(messages: Iterable[Message]) -> Iterator[Message]:
    """The conversation with such parts in the user's turn behind the last of the answers, or in one
    of their own. In the answer a line says which they are, and the same line stands before them.
    """
    numbers = count(1)
    waiting: list[Part] = []
    for message in messages:
        parts = message.content
        if not waiting and not isinstance(parts, list):
            yield message
            continue
        if not _answers(message):
            if waiting and message.role != "user":
                yield Message("user", waiting)
            elif waiting:
                message = replace(message, content=[*waiting, *_parts(message)])
            waiting = []
            yield message
            continue
        if not isinstance(parts, list):
            yield message
            continue
        told = [_told(part, numbers, waiting) for part in parts]
        others = [part for part in told if not isinstance(part, ToolResult)]
        if waiting and others:
            results = [part for part in told if isinstance(part, ToolResult)]
            told, waiting = [*results, *waiting, *others], []
        same = len(told) == len(parts) and all(a is b for a, b in zip(told, parts, strict=True))
        yield message if same else replace(message, content=told)
    if waiting:
        yield Message("user", waiting)


def _parts(message: Message) -> list[Part]:
    content = message.content
    if isinstance(content, list):
        return content
    return [TextPart(content)] if content else []


def _answers(message: Message) -> bool:
    if message.role in ("tool", "assistant") or not isinstance(message.content, list):
        return message.role == "tool"
    return any(isinstance(part, ToolResult) for part in message.content)


def _told(part: Part, numbers: Iterator[int], waiting: list[Part]) -> Part:
    """The part with text alone; what it held besides is added to `waiting`."""
    if not isinstance(part, ToolResult) or not isinstance(part.content, list):
        return part
    if not any(map(_beside, part.content)):
        return part
    content: list[Part] = []
    for inner in part.content:
        if _beside(inner):
            line = f"[{_KINDS[inner.type]} {next(numbers)} of the tools' answers]"
            waiting += [TextPart(line), inner]
            inner = TextPart(line)
        content.append(inner)
    return replace(part, content=content)


def _beside(part: Part) -> bool:
    return part.type in _KINDS and not (isinstance(part, DocumentPart) and part.text is not None)

"""What a message may cost at most, without counting; and counts that are remembered."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from math import inf

from franca.types import (
    DocumentPart,
    Message,
    NativePart,
    Part,
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolCall,
    ToolResult,
)
from franca.wire import encode

Count = Callable[[Message], int]

_ASCII = 1.6
"""Tokens a byte at most: a token has a byte, and an estimate adds at most six tenths."""
_WIDE = 3
"""The same beyond ASCII: a text brought to NFC may have three times as many bytes."""
_MESSAGE, _PART = 16, 64
"""Tokens at most around a message, and around a call or a result in it."""
_KEPT = 65_536
_TEXTS = (TextPart, RefusalPart, ReasoningPart)


def at_most(message: Message) -> float:
    """An upper bound of a message's tokens, from the bytes of its texts.

    Infinite for pictures, sound and files, which have to be looked at.
    """
    content = message.content
    if isinstance(content, str):
        return _MESSAGE + _text(content)
    return _MESSAGE + sum(map(_part, content or ()))


def surely_fits(
    messages: Iterable[Message], room: float, bound: Callable[[Message], float] = at_most
) -> bool:
    """Whether the bounds alone say that the messages fit; stops at the first that is too much."""
    for message in messages:
        room -= bound(message)
        if room < 0:
            return False
    return True


def _text(text: str) -> float:
    if text.isascii():
        return _ASCII * len(text)
    return _WIDE * len(text.encode(errors="surrogatepass"))


def _part(part: Part) -> float:
    if isinstance(part, _TEXTS):
        return _text(part.text)
    if isinstance(part, ToolCall):
        return _PART + _text(part.name) + _text(part.arguments)
    if isinstance(part, ToolResult):
        content = part.content
        inner = _text(content) if isinstance(content, str) else sum(map(_part, content or ()))
        return _PART + inner
    if isinstance(part, DocumentPart) and part.text is not None:
        return _text(part.text)
    if isinstance(part, NativePart):
        return _WIDE * len(encode(part.block))
    return inf


def remembered(count: Count) -> Count:
    """The same count, done once for each message of the same words.

    A message is known by what is in it, not by which object it is: one that was changed is counted
    anew. Hashes and lengths are kept, no text. What a count makes of `extra` is not seen.
    """
    known: dict[Hashable, int] = {}

    def counted(message: Message) -> int:
        content = message.content
        if isinstance(content, str):
            mark: Hashable = message.role, hash(message.name), hash(content), len(content)
        else:
            mark = message.role, hash(message.name), *map(_mark, content or ())
        tokens = known.get(mark)
        if tokens is None:
            if len(known) >= _KEPT:
                known.clear()
            tokens = known[mark] = count(message)
        return tokens

    return counted


def _mark(part: Part) -> Hashable:
    if isinstance(part, _TEXTS):
        return part.type, hash(part.text), len(part.text)
    if isinstance(part, ToolCall):
        return part.type, hash(part.name), hash(part.arguments), len(part.arguments)
    if isinstance(part, ToolResult):
        content = part.content
        if isinstance(content, list):
            return part.type, tuple(map(_mark, content))
        return part.type, hash(content), len(content or "")
    if isinstance(part, NativePart):
        return part.type, part.wire, hash(encode(part.block))
    if isinstance(part, DocumentPart):
        return (part.type, *map(hash, (part.url, part.data, part.text, part.file_id)))
    fields = (getattr(part, name, None) for name in _MEDIUM)
    return (part.type, *map(hash, fields))


_MEDIUM = ("url", "data", "file_id", "detail", "format", "id", "transcript", "media_type")

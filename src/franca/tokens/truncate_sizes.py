"""What a message may cost at most, without counting; and counts that are remembered."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from math import inf

from franca.types import (
    DocumentPart,
    ImagePart,
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

_ASCII = 1.7
"""Tokens a byte at most: a token has a byte, and an estimate adds at most seven tenths."""
_WIDE = 3
"""The same beyond ASCII: a text brought to NFC may have three times as many bytes."""
_MESSAGE, _PART = 16, 64
"""Tokens at most around a message, and around a call or a result in it."""
_PICTURE, _CROP, _SQUARE = 50_000, 258, 256
"""Tokens at most of any picture by the rules that have a most; of a crop, and its least side, by
the one that has none."""
_HEAD = 5_464
"""Characters of a picture's base64 in which its size is looked for: this is done at each call."""
_KEPT = 65_536
_TEXTS = (TextPart, RefusalPart, ReasoningPart)


def at_most(message: Message) -> float:
    """An upper bound of a message's tokens, from the bytes of its texts and the sizes of its
    pictures.

    Infinite for sound and files, and for pictures that hide their size: they have to be looked at.
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
    return _picture(part) if isinstance(part, ImagePart) else inf


def _picture(part: ImagePart) -> float:
    data = part.data
    if data is None and (part.url is None or not part.url.startswith("data:")):
        return _PICTURE  # not fetched to be counted either
    from base64 import b64decode  # calls without pictures start without

    from franca.tokens.pixels import picture_size

    try:
        size = picture_size(b64decode((data or "")[:_HEAD]))
    except ValueError:
        size = None
    if size is None:
        return inf
    width, height = size
    return _PICTURE + _CROP * (width / _SQUARE + 1) * (height / _SQUARE + 1)


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

"""Texts made shorter where dropping whole turns is not enough."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import replace

from franca.types import DocumentPart, Message, Part, TextPart, ToolResult

MARKER = "\n[…]\n"
"""Stands where text was cut out."""
_TRIES = 8
_JOINERS = "\u200d\ufe0f\ufe0e"
_FLAGS = range(0x1F1E6, 0x1F200)
_TONES = range(0x1F3FB, 0x1F400)

Count = Callable[[Message], int]
Rewrite = Callable[[str], Message]


def shortened(message: Message, excess: int, count: Count) -> Message:
    """A copy of a message with its texts cut, the oldest first, until `excess` tokens are gone.

    A text keeps its beginning and its end, with `MARKER` between them. Of the model's own turns
    nothing is cut: vendors sign them. Where it is not enough, all the texts are cut.

    Args:
        count: the tokens of a message.
    """
    if message.role == "assistant":
        return message
    most = count(message) - excess
    for place in range(sum(1 for _ in texts(message))):
        text, rewrite = next(t for i, t in enumerate(texts(message)) if i == place)
        message = _cut(message, text, rewrite, most, count)
        if count(message) <= most:
            break
    return message


def _cut(message: Message, text: str, rewrite: Rewrite, most: int, count: Count) -> Message:
    least = rewrite(MARKER)
    whole, rest = count(message), count(least)
    if rest >= whole or len(text) <= len(MARKER):
        return message
    share = (most - rest) / (whole - rest)
    for _ in range(_TRIES):
        if share <= 0:
            break
        tried = rewrite(middle_out(text, int(len(text) * share)))
        got = count(tried)
        if got <= most:
            return tried
        share *= 0.98 * (most - rest) / (got - rest)  # what is left is denser than the whole
    return least


def texts(message: Message) -> Iterator[tuple[str, Rewrite]]:
    """The texts of a message in order, each with what puts another in its place."""
    content = message.content
    if isinstance(content, str):
        yield content, lambda text: replace(message, content=text)
    elif isinstance(content, list):
        for place, part in enumerate(content):
            for text, remake in _texts(part):
                yield text, _rewriter(message, content, place, remake)


def _rewriter(
    message: Message, content: list[Part], place: int, remake: Callable[[str], Part]
) -> Rewrite:
    def rewrite(text: str) -> Message:
        parts = [*content[:place], remake(text), *content[place + 1 :]]
        return replace(message, content=parts)

    return rewrite


def _texts(part: Part) -> Iterator[tuple[str, Callable[[str], Part]]]:
    if isinstance(part, TextPart):
        yield part.text, lambda text: replace(part, text=text, citations=None)
    elif isinstance(part, DocumentPart) and part.text is not None:
        yield part.text, lambda text: replace(part, text=text)
    elif isinstance(part, ToolResult) and isinstance(part.content, str):
        yield part.content, lambda text: replace(part, content=text)
    elif isinstance(part, ToolResult):
        inner = Message("tool", part.content)
        for text, rewrite in texts(inner):
            yield text, _result_with(part, rewrite)


def _result_with(part: ToolResult, rewrite: Rewrite) -> Callable[[str], Part]:
    return lambda text: replace(part, content=rewrite(text).content)


def middle_out(text: str, size: int) -> str:
    """The beginning and the end of a text, about `size` characters and never more, and the marker
    between them. No character as a reader sees it is torn."""
    head = size - size // 2
    tail = len(text) - size // 2
    while head > 0 and _joined(text, head):
        head -= 1
    while tail < len(text) and _joined(text, tail):
        tail += 1
    return text[:head] + MARKER + text[tail:]


def _joined(text: str, at: int) -> bool:
    """Whether what stands before and behind the place may be one character to a reader."""
    if not 0 < at < len(text):
        return False
    left, right = text[at - 1], text[at]
    code = ord(right)
    if code < 0x300:
        return left == "\r" and right == "\n"
    return (
        right in _JOINERS
        or left == "\u200d"
        or code in _TONES
        or (code in _FLAGS and ord(left) in _FLAGS)
        or 0xDC00 <= code < 0xE000  # the second of two surrogates
        or unicodedata.category(right)[0] == "M"
        or (0x1100 <= code < 0x1200 and 0x1100 <= ord(left) < 0x1200)  # Hangul in pieces
    )

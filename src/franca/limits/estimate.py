"""How many tokens a call will be billed, before it is sent. Pure, and a microsecond or so.

What holds room at any moment is the calls in flight, and a long answer is in flight for longer:
among them an answer of twice the length is met twice as often. So the law that counts is that of
the answers weighted by their length, and of that law the mean is reserved, and a little more. What
many answers exceed together is kept free as a margin that they share; it grows with the root of
their number.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import mul
from typing import Any

from franca.types.messages import (
    AudioPart,
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
from franca.types.params import ChatRequest

RATIO = 0.3
"""Tokens a byte of text, before anything is learned: English has 0.22, code 0.3, Chinese (three
bytes a character) 0.2 to 0.35."""
OUTPUT = 4096
"""The answer that is feared before anything is learned, or `max_tokens` where that is less."""
_TRUST = 8  # it is forgotten when there were so many answers for each call in flight: the first
_LEAST = 256  # to come back are the short ones; and not before so many in all
_MEMORY = 4096  # what was learned counts as so many of the latest answers
_TOGETHER = 16  # so many lessons at a time, once enough is known: a part of the price
_FADE = 0.9998  # the longest answer is forgotten by half in 3,500
_EXTRA = 0.45  # deviations reserved for each: those of other processes are not in our margin
_NOTHING: tuple[int, int | None, int, int] = (0, None, 0, 0)
_SHARED = 3.0  # deviations of the sum kept free
_MESSAGE, _FLAT = 16, 4096  # bytes: a turn's own marks; a picture, or what only has an address


class Estimate:
    """What one scope's calls have taught. Threads may share it: what one of them overwrites of
    another's is one lesson less."""

    __slots__ = ("_first", "_fresh", "_known", "_mean", "_second", "_seen", "_spread", "_third",
                 "ratio", "tail")  # fmt: skip

    def __init__(self) -> None:
        self.ratio = RATIO
        self.tail = 0.0
        self._fresh: list[tuple[int, int | None, int | None]] = []  # not yet learned
        self._known = _NOTHING  # what was last asked, and the answer
        self._seen = 0
        self._first = self._second = self._third = 0.0  # the moments of the answers' lengths
        self._mean = self._spread = 0.0  # of those in flight

    def reserve(self, size: int, max_tokens: int | None, flying: int = 1) -> tuple[int, int, int]:
        """(prompt, output, margin) in tokens: what to reserve for the one and for the other, and
        what must be free beside it.

        Args:
            size: of the request, by `size`.
            max_tokens: the most that the answers can have; None where nothing bounds them.
            flying: how many calls of the scope are in flight, in all processes, this one included.
        """
        known = self._known
        if known[0] != flying or known[1] != max_tokens:
            known = self._known = self._expect(flying, max_tokens)
        return int(size * self.ratio) + 1, known[2], known[3]

    def _expect(self, flying: int, max_tokens: int | None) -> tuple[int, int | None, int, int]:
        output, spread, tail = self._mean, self._spread, self.tail
        if (trust := _TRUST * flying) < _LEAST:
            trust = _LEAST
        if self._seen < trust:
            feared = OUTPUT if max_tokens is None else min(max_tokens, OUTPUT)
            output += (feared - output) * (1 - (self._seen / trust) ** 2)
            tail = max(tail, feared)
        if max_tokens is not None and max_tokens < tail:
            tail = max_tokens
        if output > tail:
            output = tail
        over = tail - output  # the worst of one; all cannot exceed more than each can
        margin = min(max(over, _SHARED * spread * flying**0.5), over * flying)
        return flying, max_tokens, round(output), round(margin)

    def learn(self, size: int, prompt_tokens: int | None, completion_tokens: int | None) -> None:
        """A call has ended, and was billed so much; None where nobody said."""
        fresh = self._fresh
        fresh.append((size, prompt_tokens, completion_tokens))
        if len(fresh) < _TOGETHER and self._seen > _LEAST:
            return
        self._fresh, self._known = [], _NOTHING
        if outputs := [tokens for _, _, tokens in fresh if tokens is not None]:
            self._learn_outputs(outputs)
        if prompt_tokens and size:  # of several one stands for all
            self._learn_ratio(prompt_tokens / size)

    def _learn_outputs(self, outputs: list[int]) -> None:
        many = len(outputs)
        self._seen = seen = self._seen + many
        share = 1 / min(seen, _MEMORY)
        squares = list(map(mul, outputs, outputs))
        old = 1 - share * many
        self._first = max(self._first * old + share * sum(outputs), 1e-9)
        self._second = self._second * old + share * sum(squares)
        self._third = self._third * old + share * sum(map(mul, outputs, squares))
        self.tail = max(*outputs, self.tail * _FADE**many)
        mean = self._second / self._first
        self._spread = spread = max(self._third / self._first - mean * mean, 0.0) ** 0.5
        self._mean = mean + _EXTRA * spread

    def _learn_ratio(self, ratio: float) -> None:
        """Go after the ratio that nine of ten do not exceed."""
        step = max(1 / (self._seen + 2), 0.05)
        change = 1 + 0.9 * step if ratio > self.ratio else 1 / (1 + 0.1 * step)
        self.ratio = min(max(self.ratio * change, 0.001), 10.0)


def size(request: ChatRequest) -> int:
    """The size of a request in bytes of text: what is no text counts as a flat number of them."""
    total, params = sum(map(_message, request.messages), _MESSAGE), request.params
    if (tools := params.get("tools")) is not None:
        total += len(repr(tools))
    if (form := params.get("response_format")) is not None:
        total += len(repr(form))
    return total


def _message(message: Message) -> int:
    content = message.content
    if isinstance(content, str):
        return _MESSAGE + (len(content) if content.isascii() else _bytes(content))
    return _MESSAGE + sum(map(_part, content or ()))


def _part(part: Part) -> int:
    measure = _MEASURES.get(type(part))
    return _FLAT if measure is None else measure(part)


def _bytes(text: str | None) -> int:
    if not text:
        return 0
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def _document(part: DocumentPart) -> int:
    if part.text is not None:
        return _bytes(part.text)
    return max(_FLAT, len(part.data or "") // 16)  # a page of 100 kB is 2,000 tokens


def _result(part: ToolResult) -> int:
    content = part.content
    return _bytes(content) if isinstance(content, str) else sum(map(_part, content or ()))


_MEASURES: dict[type, Callable[[Any], int]] = {
    TextPart: lambda part: _bytes(part.text),
    RefusalPart: lambda part: _bytes(part.text),
    ReasoningPart: lambda part: _bytes(part.text) + _bytes(part.encrypted),
    ImagePart: lambda part: _FLAT,
    AudioPart: lambda part: max(_FLAT // 8, len(part.data or "") // 256),
    DocumentPart: _document,
    ToolCall: lambda part: _MESSAGE + len(part.name) + _bytes(part.arguments),
    ToolResult: _result,
    NativePart: lambda part: len(repr(part.block)),
}

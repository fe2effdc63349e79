"""Encoding with a model's own vocabulary: splintr's, compiled in. No file and no network."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from unicodedata import normalize

from franca.tokens.vocabulary import PACKED, ranks

PIECE = 1 << 18
"""Characters that the engine is given at once: what it holds beside the text is bounded by this."""

Ids = list[int] | memoryview
_SEAM = re.compile(r"(?<=[^\W\d_])(?=[ \n])|(?<=[一-龥])(?=[。，])")
"""Where a text may be cut: no token of the vocabularies that are cut holds a letter and, after it,
one of these, and their rules of splitting part them too: so the parts' counts make the whole's."""
_ANY_SEAM = re.compile(r"(?<=\S)(?=[ \n])|(?<=[一-龥])(?=[。，])|(?<=\n)(?!\n)|(?<=\t)(?!\t)")
_SLOW = {"gemma2": (31 << 8, _ANY_SEAM)}
"""The engine takes the square of the time for long runs of blanks in this one. So it is cut more
finely, and where there is no seam at all, at a multiple of its longest token of blanks."""
_UNCUT = frozenset({"mistral_v1", "mistral_v2"})
"""SentencePiece with a space put before the text: each part would count one of its own."""

_COMPOSED = frozenset({"qwen3", "qwen35"})
"""Their tokenizers bring a text to NFC first."""


def count(vocabulary: str, text: str) -> int:
    """How many tokens the text has; special tokens spelt out in it are ordinary text."""
    return sum(map(len, _encoded(vocabulary, text)))


def _encoded(vocabulary: str, text: str) -> Iterator[Ids]:
    whole = valid(text)
    if vocabulary in _COMPOSED:
        whole = normalize("NFC", whole)
    return map(_encoder(vocabulary), (whole,) if vocabulary in _UNCUT else _cut(vocabulary, whole))


def _cut(vocabulary: str, text: str) -> Iterator[str]:
    if vocabulary in _SLOW:
        size, seam = _SLOW[vocabulary]
        return _pieces(text, size, seam, size)
    return _pieces(text, PIECE, _SEAM)


@cache
def _encoder(vocabulary: str) -> Callable[[str], Ids]:
    import splintr

    if vocabulary in PACKED:
        packed = splintr.Tokenizer.from_bytes(ranks(vocabulary), PACKED[vocabulary].pattern)
        return lambda text: memoryview(packed.encode_flat(text)).cast("I")
    carried = splintr.Tokenizer.from_pretrained(vocabulary)
    special = _start(carried.special_tokens())

    def encode(text: str) -> Ids:
        if special in text:  # one may be spelt out, and `encode_flat` would take it for itself
            return carried.encode_ordinary(text)
        return memoryview(carried.encode_flat(text)).cast("I")

    return encode


def _start(words: Iterable[str]) -> str:
    """What all the words begin with."""
    low, high = min(words), max(words)
    differ = (i for i, (a, b) in enumerate(zip(low, high, strict=False)) if a != b)
    return low[: next(differ, len(low))]


def valid(text: str) -> str:
    """The text with surrogate pairs joined and each lone one replaced by U+FFFD: UTF-8 has none."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _pieces(text: str, size: int, seam: re.Pattern[str], reach: int | None = None) -> Iterator[str]:
    """The text in pieces of `size` and what is left until the next seam.

    Args:
        reach: how far to look for it before the text is cut without one; None: to the end.
    """
    start = 0
    while len(text) - start > size:
        least = start + size
        found = seam.search(text, least, len(text) if reach is None else least + reach)
        if found is None and reach is None:
            break
        end = found.start() if found else least
        yield text[start:end]
        start = end
    yield text[start:]

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
_SEAM = re.compile(r"(?<=[A-Za-z一-龥])(?=[ \n。，])")
"""Where a text may be cut: no token of the vocabularies that are cut holds a letter and, after it,
one of these, and their rules of splitting part them too: so the parts' counts make the whole's."""
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
    pieces = (whole,) if vocabulary in _UNCUT or len(whole) <= PIECE else _pieces(whole)
    return map(_encoder(vocabulary), pieces)


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


def _pieces(text: str) -> Iterator[str]:
    start = 0
    while len(text) - start > PIECE:
        seam = _SEAM.search(text, start + PIECE)
        if seam is None:
            break
        yield text[start : seam.start()]
        start = seam.start()
    yield text[start:]

"""How many tokens a text has."""

from __future__ import annotations

from math import ceil
from string import ascii_lowercase, ascii_uppercase, digits, punctuation

from franca.tokens.engine import PIECE, count, valid
from franca.tokens.families import Backend, Estimate, Family, family_of

__all__ = ["Backend", "count_tokens", "get_token_counts", "text_tokens"]

_KEPT = 16_384
_CAPITALS, _LETTERS, _DIGITS, _SIGNS = (
    kind.encode() for kind in (ascii_uppercase, ascii_lowercase, digits, punctuation)
)
_HAN = bytes([*range(0xE3, 0xEA), 0xEF])
"""What U+3000 to U+9FFF and U+F000 to U+FFFF begin with in UTF-8, and nothing else."""
_known: dict[tuple[str, int, int], int] = {}


def get_token_counts(text: str, model: str = "", backend: Backend = None) -> int:
    """The tokens of a text alone, with nothing around it.

    Exact where the model's vocabulary is known, else an estimate (docs/tokens.md says for which
    models, and how far off). Special tokens spelt out in the text are ordinary text.

    Args:
        model: its name, as vendors and clouds write it; of an unknown one `backend` decides, and
            without that OpenAI's o200k_base, which may be a fifth off.
    """
    return text_tokens(text, family_of(model, backend))


count_tokens = get_token_counts


def text_tokens(text: str, family: Family) -> int:
    """As `get_token_counts`. Counts are remembered by a text's hash and length, not its words."""
    key = (family.name, hash(text), len(text))
    known = _known.get(key)
    if known is None:
        if len(_known) >= _KEPT:
            _known.clear()
        known = _known[key] = _count(text, family)
    return known


def _count(text: str, family: Family) -> int:
    tokens, weights = count(family.vocabulary, text), family.estimate
    if weights is None:
        return tokens
    pieces = (text[at : at + PIECE] for at in range(0, len(text), PIECE))
    beside = sum(_beside(piece, weights) for piece in pieces)
    return max(tokens // 2, ceil(tokens * weights.tokens + beside))


def _beside(text: str, weights: Estimate) -> float:
    """What an estimate adds to the tokens."""
    raw = valid(text).encode()

    def number(of: bytes) -> int:
        return len(raw) - len(raw.translate(None, of))

    han = number(_HAN)
    return (
        weights.han * han
        + weights.wide * ((len(raw) - len(text)) / 2 - han)
        + weights.capitals * number(_CAPITALS)
        + weights.letters * number(_LETTERS)
        + weights.digits * number(_DIGITS)
        + weights.signs * number(_SIGNS)
    )

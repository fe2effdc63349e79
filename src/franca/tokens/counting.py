"""How many tokens a text has."""

from __future__ import annotations

from math import ceil
from string import ascii_uppercase, punctuation

from franca.tokens.engine import PIECE, count, valid
from franca.tokens.families import Backend, Estimate, Family, family_of

__all__ = ["Backend", "count_tokens", "get_token_counts", "text_tokens"]

_KEPT = 16_384
_CAPITALS, _SIGNS = ascii_uppercase.encode(), punctuation.encode()
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
    return max(0, ceil(tokens * weights.tokens + sum(_beside(piece, weights) for piece in pieces)))


def _beside(text: str, weights: Estimate) -> float:
    """What an estimate adds to the tokens."""
    raw = valid(text).encode()
    size = len(raw)
    return (
        weights.wide * (size - len(text)) / 2
        + weights.capitals * (size - len(raw.translate(None, _CAPITALS)))
        + weights.signs * (size - len(raw.translate(None, _SIGNS)))
        + weights.chars * len(text)
    )

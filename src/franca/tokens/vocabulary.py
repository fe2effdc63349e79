"""Vocabularies that splintr does not carry: package data, checked by hash.

scripts/make_vocabulary.py writes them and says where they come from.
"""

from __future__ import annotations

import hashlib
import lzma
from base64 import b64encode
from importlib.resources import files
from itertools import accumulate, pairwise
from typing import NamedTuple

from franca.errors import FrancaError


class Packed(NamedTuple):
    """How many tokens, the file's sha256, and the pattern that a text is split by."""

    size: int
    digest: str
    pattern: str


PACKED = {
    "qwen35": Packed(
        248_044,
        "771471aa4540e022d230fd17b0612ac0f9b367189c6f8e212aa43ff8ee568bb2",
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}"
        r"| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    ),
}


def ranks(name: str) -> bytes:
    """The ranks in tiktoken's form: a line a token, base64 and its number.

    Raises:
        FrancaError: the file is not the one that was released.
    """
    size, digest, _ = PACKED[name]
    data = files("franca.tokens").joinpath("data", f"{name}.xz").read_bytes()
    if hashlib.sha256(data).hexdigest() != digest:
        raise FrancaError(f"the vocabulary {name} is damaged: install franca again")
    packed = lzma.decompress(data)
    ends = accumulate(packed[:size], initial=size)
    tokens = (packed[start:end] for start, end in pairwise(ends))
    return b"\n".join(b"%b %d" % (b64encode(token), rank) for rank, token in enumerate(tokens))

"""Counts against the reference engines, and against what vendors billed."""

import hashlib
import importlib.util
import json
import os
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from statistics import median
from types import ModuleType

import billed
import pytest
from corpus import records
from random_texts import BLOCK, random_texts

from franca.tokens.engine import count

HERE = Path(__file__).parent
KNOWN = json.loads((HERE / "token_counts.json").read_text("utf-8"))
ENOUGH = 6  # fewer prompts of a vendor say nothing about it
WHEELS = os.environ.get("FRANCA_TOKEN_WHEELS")


@cache
def texts() -> tuple[str, ...]:
    return tuple(random_texts())


@pytest.mark.parametrize("vocabulary", KNOWN)
def test_20_000_texts_count_as_the_reference_counts_them(vocabulary: str) -> None:
    counts = [count(vocabulary, text) for text in texts()]
    sums = [sum(counts[at : at + BLOCK]) for at in range(0, len(counts), BLOCK)]
    known = KNOWN[vocabulary]
    wrong = [place for place, (a, b) in enumerate(zip(sums, known["sums"], strict=True)) if a != b]
    assert wrong == [], f"blocks of {BLOCK} texts, against {known['reference']}"
    assert hashlib.sha256(json.dumps(counts).encode()).hexdigest() == known["sha256"]


def reference() -> ModuleType:
    path = HERE.parents[1] / "scripts" / "token_reference.py"
    spec = importlib.util.spec_from_file_location("token_reference", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.skipif(not WHEELS, reason="FRANCA_TOKEN_WHEELS names no folder; see the script")
def test_every_text_of_the_corpus_counts_as_the_reference_counts_it() -> None:
    module = reference()
    rows = (record for name in billed.WIRES for record in records(name))
    found = {text for record in rows for text in module.strings(record)}
    for vocabulary, (_, expected) in module.engines(Path(WHEELS or "")).items():
        assert [text for text in found if count(vocabulary, text) != expected(text)] == []


def distribution() -> Iterator[tuple[str, list[float]]]:
    vendors: dict[str, list[float]] = defaultdict(list)
    for prompt in billed.prompts():
        vendors[prompt.vendor].append(prompt.off())
    yield from vendors.items()


def test_message_counts_agree_with_the_bills() -> None:
    offs = dict(distribution())
    middles = {vendor: median(map(abs, off)) for vendor, off in offs.items() if len(off) >= ENOUGH}
    assert len(middles) >= 8
    assert {vendor: middle for vendor, middle in middles.items() if middle > 0.03} == {}


def test_a_prompt_is_seldom_counted_low() -> None:
    """Where a count decides whether a prompt fits, the low side is the one that hurts."""
    offs = [off for _, vendor in distribution() for off in vendor]
    assert sum(off < -0.1 for off in offs) <= 0.1 * len(offs)

"""Counts against the reference engines, and against what vendors billed."""

import hashlib
import importlib.util
import json
import os
import sys
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

from franca.tokens.counting import text_tokens
from franca.tokens.engine import count
from franca.tokens.families import FAMILIES

HERE = Path(__file__).parent
KNOWN = json.loads((HERE / "token_counts.json").read_text("utf-8"))
TEXTS, OWN = json.loads((HERE / "estimates.json").read_text("utf-8")).values()
LARGE = ("deepseek_v3", "qwen3", "glm4", "kimi")  # byte-level, of 128,000 tokens and more
GUESSED = ("step", "minimax", "hunyuan", "doubao")
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


@pytest.mark.parametrize(
    ("name", "kind"), [(name, kind) for name, counts in OWN.items() for kind in counts]
)
def test_an_estimate_is_high_and_by_a_tenth_at_most(
    name: str, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Against what scripts/token_estimates.py had other engines count."""
    ours = sum(text_tokens(text, FAMILIES[name]) for text in TEXTS[kind])
    off = ours / sum(OWN[name][kind]) - 1
    with capsys.disabled():
        sys.stdout.write(f"\n{name:11} {kind:8} {off:+.1%}\n")
    assert 0 <= off <= 0.1


@pytest.mark.parametrize(
    ("name", "kind"),
    [(name, kind) for name in GUESSED for kind in TEXTS if kind not in OWN.get(name, ())],
)
def test_a_guess_is_above_what_its_like_are_known_to_count(name: str, kind: str) -> None:
    ours = sum(text_tokens(text, FAMILIES[name]) for text in TEXTS[kind])
    known = [sum(count(vocabulary, text) for text in TEXTS[kind]) for vocabulary in LARGE]
    assert max(known) <= ours <= 1.13 * min(known)


def distribution() -> Iterator[tuple[str, list[float]]]:
    vendors: dict[str, list[float]] = defaultdict(list)
    for prompt in billed.prompts():
        vendors[prompt.vendor].append(prompt.off())
    yield from vendors.items()


def test_message_counts_agree_with_the_bills(capsys: pytest.CaptureFixture[str]) -> None:
    offs = dict(distribution())
    with capsys.disabled():
        lines = [billed.line(vendor, off) for vendor, off in offs.items()]
        sys.stdout.write("\n" + "\n".join(lines) + "\n")
    middles = {vendor: median(map(abs, off)) for vendor, off in offs.items() if len(off) >= ENOUGH}
    assert len(middles) >= 8
    assert {vendor: middle for vendor, middle in middles.items() if middle > 0.03} == {}


def test_a_prompt_is_seldom_counted_low() -> None:
    """Where a count decides whether a prompt fits, the low side is the one that hurts."""
    offs = [off for _, vendor in distribution() for off in vendor]
    assert sum(off < -0.1 for off in offs) <= 0.1 * len(offs)

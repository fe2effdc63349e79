from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from franca.wire.think import ThinkSplitter, split


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("<think>\nhm</think>\n\nyes", ("hm", "yes")),
        ("  <think>hm</think>yes", ("hm", "yes")),
        ("<think></think>yes", ("", "yes")),
        ("<think>cut sho", ("cut sho", "")),
        ("<think>a < b </thin", ("a < b </thin", "")),
        ("say <think>x</think>", ("", "say <think>x</think>")),
        ("<thin", ("", "<thin")),
        ("a</think>b", ("", "a</think>b")),
        ("<think>a</think>b <think>c</think>", ("a", "b <think>c</think>")),
        ("", ("", "")),
        ("  plain", ("", "  plain")),
    ],
)
def test_split(text: str, want: tuple[str, str]) -> None:
    assert split(text) == want


@given(
    st.lists(st.sampled_from(["<think>", "</think>", "<", "</th", "ink>", " ", "\n", "a", "你"])),
    st.lists(st.integers(0, 200)),
)
def test_cuts_change_nothing(tokens: list[str], at: list[int]) -> None:
    text = "".join(tokens)
    edges = [0, *sorted(n % (len(text) + 1) for n in at), len(text)]
    splitter = ThinkSplitter()
    pieces = [splitter.feed(text[a:b]) for a, b in itertools.pairwise(edges)]
    pieces.append(splitter.end())
    assert ("".join(p[0] for p in pieces), "".join(p[1] for p in pieces)) == split(text)

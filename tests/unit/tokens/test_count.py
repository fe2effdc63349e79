"""Counting a text: exact or estimated, of any length and of any characters."""

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

from franca.errors import FrancaError
from franca.tokens import count_tokens, counting, engine, get_token_counts, vocabulary
from franca.tokens.families import _DEFAULTS, FAMILIES, Family, family_of
from franca.types import BackendType

VOCABULARIES = sorted({family.vocabulary for family in FAMILIES.values()})
PROSE = (
    "The committee has agreed that each member state should publish its figures before the end of "
    "the year, although several governments asked for a longer delay. "
)
CHINESE = (
    "我们认为，人工智能的发展正在改变人们的生活。许多企业开始采用语言模型来提高效率，\n也面临挑战。"
)
CODE = (
    "def fold(self, events: Iterable[Event]) -> None:\n    for event in events:\n        yield {}\n"
)


@pytest.fixture(autouse=True)
def _nothing_known() -> Iterator[None]:
    counting._known.clear()
    yield
    counting._known.clear()


@pytest.mark.parametrize(
    ("model", "family"),
    [
        ("gpt-4o-2024-08-06", "gpt-4o"),
        ("openai/gpt-4o-mini", "gpt-4o-mini"),
        ("gpt-4.1", "gpt-4o"),
        ("gpt-4-turbo", "gpt-4"),
        ("gpt-3.5-turbo", "gpt-4"),
        ("gpt-5", "gpt-5"),
        ("gpt-5-mini", "gpt-5-mini"),
        ("gpt-5.4", "gpt-5.4"),
        ("gpt-6", "gpt-6"),
        ("gpt-6-luna", "gpt-6"),
        ("o3-mini", "o-series"),
        ("openai/gpt-oss-120b", "gpt-oss"),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude"),
        ("us.anthropic.claude-sonnet-4-20250514-v1:0", "claude-4"),
        ("claude-sonnet-4-0", "claude-4"),
        ("claude-3-5-haiku-20241022", "claude-4"),
        ("claude-opus-4-6", "claude"),
        ("anthropic/claude-sonnet-4.6", "claude"),
        ("claude-opus-4-8", "claude-4.7"),
        ("claude-sonnet-5", "claude-4.7"),
        ("models/gemini-2.0-flash", "gemini-2"),
        ("gemini-2.5-pro", "gemini-2.5"),
        ("gemini-3-flash-preview", "gemini-3"),
        ("gemini-pro-latest", "gemini-3"),
        ("gemini-pro-vision", "gemini-2"),
        ("publishers/google/models/gemini-3-flash-preview", "gemini-2"),
        ("google.gemma-3-27b-it", "gemma"),
        ("deepseek-chat", "deepseek"),
        ("deepseek-ai/DeepSeek-R1", "deepseek-r1"),
        ("deepseek-v4-flash", "deepseek-4"),
        ("deepseek-r1-distill-llama-70b", "llama-3"),
        ("deepseek-r1-distill-qwen-32b", "qwen"),
        ("Qwen/Qwen2.5-72B-Instruct", "qwen"),
        ("qwen3-32b", "qwen"),
        ("qwen3.6-plus", "qwen-3.5"),
        ("glm-4", "glm"),
        ("glm-4.6", "glm-4.5"),
        ("glm-4.7", "glm"),
        ("accounts/fireworks/models/glm-4p5", "glm-4.5"),
        ("zai/GLM-5.2", "glm-5"),
        ("kimi-k2-turbo-preview", "kimi"),
        ("llama-3.3-70b-versatile", "llama-3"),
        ("meta-llama/llama-4-scout-17b-16e-instruct", "llama-4"),
        ("magistral-small-latest", "mistral-small"),
        ("mistral-large-latest", "mistral"),
        ("ministral-8b-latest", "mistral"),
        ("MiniMax-M2", "minimax"),
        ("mimo-v2-flash", "qwen"),
        ("grok-3-mini", "grok"),
        ("grok-2-1212", "grok-2"),
        ("grok-4-fast", "grok-4-fast"),
        ("grok-4.20-reasoning", "grok-4-fast"),
        ("grok-code-fast-1", "grok-code"),
        ("x-ai/grok-4", "grok-4"),
        ("grok-4-0709", "grok-4"),
        ("ernie-4.5-turbo", "ernie"),
        ("Baichuan4-Turbo", "baichuan"),
        ("Baichuan-M2", "qwen"),
        ("yi-lightning", "yi"),
        ("step-3", "step-3"),
        ("stepfun-ai/step3", "step-3"),
        ("step-3.5-flash", "step-3"),
        ("step-2-mini", "step"),
        ("doubao-seed-1-6", "doubao"),
        ("hunyuan-turbos", "hunyuan"),
        ("tencent/hy3", "hunyuan"),
        ("hy-vision", "hunyuan"),
        ("us.amazon.nova-2-lite-v1:0", "nova-2"),
        ("amazon.nova-micro-v1:0", "nova"),
        ("", "other"),
        ("something-else", "other"),
    ],
)
def test_the_family_of_a_name(model: str, family: str) -> None:
    assert family_of(model).name == family


def test_an_unknown_name_counts_as_its_backend_does() -> None:
    assert family_of("ep-20260101", BackendType.Doubao).name == "doubao"
    assert family_of("ep-20260101", "deepseek").name == "deepseek"
    assert family_of("", BackendType.Local).name == "other"
    assert family_of("claude-sonnet-4-5", BackendType.OpenRouter).name == "claude"


def test_every_default_is_a_family() -> None:
    assert set(_DEFAULTS.values()) <= set(FAMILIES)


def test_the_names_count_alike() -> None:
    assert count_tokens is get_token_counts
    assert count_tokens("hello", "gpt-5") == 1
    assert count_tokens("", "gpt-5") == 0


@pytest.mark.parametrize("name", VOCABULARIES)
def test_a_special_token_in_a_text_is_text(name: str) -> None:
    for text in ("<|endoftext|>", "<|im_start|>", "</think>", "[INST]", "<s>", "<eos>"):
        assert engine.count(name, f"a {text} b") > 3, text


@pytest.mark.parametrize("name", VOCABULARIES)
@pytest.mark.parametrize("text", ["\ud800", "a\udfffb", "\ud83d\ude00", "\x00\x01\ufffe", "\u2028"])
def test_no_text_is_too_odd(name: str, text: str) -> None:
    assert engine.count(name, text) >= 1


def test_the_halves_of_a_character_are_joined() -> None:
    assert engine.count("o200k_base", "\ud83d\ude00") == engine.count("o200k_base", "😀")


def test_qwen_counts_composed_characters() -> None:
    assert engine.count("qwen3", "e\u0301" * 9) == engine.count("qwen3", "é" * 9)


@pytest.mark.parametrize("name", VOCABULARIES)
@pytest.mark.parametrize(
    "text", [PROSE, CHINESE, CODE, "aaaa", "1 2\n", "Лиса и собака. ", "\n", "\t", " \r\n"]
)
def test_a_cut_text_counts_as_the_whole(
    name: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = text * 300
    whole = engine.count(name, long)
    for piece in (97, 1000):
        monkeypatch.setattr(engine, "PIECE", piece)
        assert engine.count(name, long) == whole


@pytest.mark.parametrize("text", ["\n", " \n", "\t", "\r\n", " ", "あ", "x"])
def test_gemma_2_is_given_little_at_once(text: str) -> None:
    """A megabyte of blanks took it five minutes: a way to keep a server busy."""
    long = text * 100_000
    pieces = list(engine._cut("gemma2", long))
    assert "".join(pieces) == long
    assert max(map(len, pieces)) < 16_000


def test_a_text_in_any_script_is_cut() -> None:
    assert len(list(engine._cut("o200k_base", "Лиса и собака. " * 100_000))) > 4


def test_ten_megabytes_in_flat_memory() -> None:
    """The engine's memory is for a piece, not for the text."""
    code = """
import resource, sys
from franca.tokens import count_tokens
count_tokens("x", "gpt-5")
text = sys.stdin.read()
count_tokens(text[:600_000], "gpt-5")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(count_tokens(text, "gpt-5"), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    text = (PROSE + CODE) * 42_000
    done = subprocess.run(
        [sys.executable, "-c", code], input=text, capture_output=True, text=True, check=True
    )
    count, grown = map(int, done.stdout.split())
    assert len(text) > 10_000_000
    assert count == 42_000 * engine.count("o200k_base", PROSE + CODE)
    assert grown < 24_000, "KB; the text itself, once more, is 10,000"


@pytest.mark.parametrize("model", [name for name, row in FAMILIES.items() if not row.exact])
@pytest.mark.parametrize("text", [PROSE, CHINESE, CODE])
def test_an_estimate_is_of_the_right_size(model: str, text: str) -> None:
    """No vendor's vocabulary is out of these bounds; the bills hold the estimates closer."""
    share = count_tokens(text, model) / engine.count("o200k_base", text)
    assert 0.7 <= share <= 1.9


def test_a_text_is_encoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    monkeypatch.setattr(counting, "count", lambda name, text: seen.append(text) or len(text))
    assert [count_tokens("twice", "gpt-5") for _ in range(2)] == [5, 5]
    assert count_tokens("twice", "deepseek-chat") == 5
    assert seen == ["twice", "twice"]  # once a family


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "_KEPT", 10)
    for number in range(100):
        count_tokens(f"text {number}", "gpt-5")
        assert len(counting._known) <= 10


def test_no_text_is_kept() -> None:
    count_tokens("a secret prompt", "gpt-5")
    assert "secret" not in repr(counting._known)


def test_a_damaged_vocabulary_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    other = vocabulary.PACKED["qwen35"]._replace(digest="0" * 64)
    monkeypatch.setitem(vocabulary.PACKED, "qwen35", other)
    with pytest.raises(FrancaError, match="install franca again"):
        vocabulary.ranks("qwen35")


def test_importing_loads_no_vocabulary() -> None:
    code = "import sys, franca.tokens as t; t.count_tokens; print('splintr' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_the_documentation_lists_every_family() -> None:
    text = (Path(__file__).parents[3] / "docs" / "tokens.md").read_text("utf-8")
    shown = re.findall(r"^\| `(\S+)` \| `(\S+)` \| (.+) \|$", text, re.MULTILINE)
    rows = [(row.name, row.vocabulary, _how(row)) for row in FAMILIES.values()]
    assert shown == rows


def _how(row: Family) -> str:
    """`1.08 tokens + 0.42 capitals - …`"""
    if row.estimate is None:
        return "own"
    terms = [(getattr(row.estimate, f.name), f.name) for f in fields(row.estimate)]
    told = " ".join(f"{'-+'[w > 0]} {abs(w):g} {name}" for w, name in terms if w)
    return told.removeprefix("+ ")

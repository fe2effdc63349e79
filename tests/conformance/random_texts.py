"""20,000 texts of every script and none, the same on every machine."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

NUMBER = 20_000
BLOCK = 100

_POOLS = (
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
    " \n\t\r  \u00a0\u3000\u2028\u200b\x85\x0b\x0c\x1c\ufeff",
    "0123456789½²٣",
    "!@#$%^&*()_+-=[]{}|;':\",./<>?`~",
    "的一是在不了有和人这中大为上个国我以要他时来用们生到作地于出就分对成会可主发年动同工也能下过子说产种面而方后",
    "，。：；“”《》、？！（）",
    "éèüßñøçğİıſKﬁ",
    "ёжзийклмнопрстуфхцчшщъыьэюя",
    "あいうえおカキクケコ한국어조선말",
    "😀🎉👨\u200d👩\u200d👧🏳\ufe0f🌈🇨🇳",
    "e\u0301o\u0308\u0e31\u0e34नमस्ते สวัสดี مرحبا שלום",
    "\U0001d400\U0010ffff\ue000\x00\x01\x7f",
)
_WORDS = (
    "the", "of", "and", "to", "in", "is", "you", "that", "it", "for", "I'm", "you're",
    "they've", "we'll", "he'd", "IT'S", "DON'T", "def", "return", "class", "import",
    "self.", "<|endoftext|>", "<|im_start|>", "<|eot_id|>", "<｜User｜>", "<think>",
    "</think>", "[INST]", "<s>", "<start_of_turn>", "[gMASK]", "/nothink", "http://",
    "www.", "人工智能", "模型", "我们", "2026-11-21", "3.14159", "0xff",
)  # fmt: skip


def random_texts(seed: int = 20261121) -> Iterator[str]:
    """Mixed runs of letters, signs, digits, spaces, scripts, words and special tokens."""
    draw = Random(seed)
    for _ in range(NUMBER):
        yield "".join(_run(draw) for _ in range(draw.randint(1, 12)))


def _run(draw: Random) -> str:
    if draw.random() < 0.25:
        return draw.choice(_WORDS) + draw.choice(("", " ", "\n"))
    pool = draw.choice(_POOLS)
    return "".join(draw.choice(pool) for _ in range(draw.randint(1, 10)))

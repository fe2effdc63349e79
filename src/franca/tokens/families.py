"""Which model counts how: a row a family, a pattern of names a line. Data.

Vocabularies are the vendors' own, as splintr carries them. docs/tokens.md says what the weights of
the estimates are fitted to, and which of them are guesses.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from franca.tokens import forms
from franca.tokens.forms import Form
from franca.tokens.media import Picture
from franca.types import BackendType

Backend = BackendType | str | None


_PATCHES = Picture("patches", base=2, unit=32, most=2560)


@dataclass(slots=True, frozen=True)
class Estimate:
    """The weights of what is seen of a text, whose sum is its count.

    Args:
        tokens: of each token in the family's vocabulary, which is another's then.
        han: of each Chinese or Japanese character and sign (U+3000 to U+9FFF, and full width).
        wide: of each other character beyond ASCII, half of it for one of two bytes in UTF-8.
        capitals, letters, digits, signs: of each ASCII character of that kind; `letters` are small.
    """

    tokens: float = 1.0
    han: float = 0.0
    wide: float = 0.0
    capitals: float = 0.0
    letters: float = 0.0
    digits: float = 0.0
    signs: float = 0.0


@dataclass(slots=True, frozen=True)
class Family:
    """Models that count alike.

    Args:
        vocabulary: splintr's name of it.
        form: what stands around the texts.
        estimate: None: the vocabulary is the model's own.
        picture: the rule for pictures. sound: tokens a second of audio. page: tokens a page of PDF.
    """

    name: str
    vocabulary: str
    form: Form = forms.OTHER
    estimate: Estimate | None = None
    picture: Picture = _PATCHES
    sound: float = 25
    page: int = 1500

    @property
    def exact(self) -> bool:
        """Whether a text's count is the model's own."""
        return self.estimate is None


def _tiles(base: int, each: int) -> Picture:
    return Picture("tiles", base=base, each=each, unit=512, edge=768, low=base)


def _patches(each: float, most: int = 1536) -> Picture:
    return Picture("patches", each=each, unit=32, most=most)


_O200K, _DEEPSEEK = "o200k_base", "deepseek_v3"
_CLAUDE = Estimate(1.19, 0.45, 0.54, capitals=0.02, letters=-0.04, digits=0.2, signs=0.18)
_CLAUDE_NEW = Estimate(1.07, 0.52, 0.65, capitals=0.52, letters=0.08, digits=0.27, signs=0.42)
_YI = Estimate(1.08, han=0.02, wide=1.79, capitals=0.05, digits=0.57, signs=0.29)
_BAICHUAN = Estimate(1.09, han=-0.05, wide=0.94, capitals=0.07, digits=0.52, signs=0.26)
_CHINESE = Estimate(1.03, han=0.03, wide=0.03, digits=0.2)
"""Above what the large vocabularies of Qwen, GLM, Kimi and DeepSeek count of any kind of text."""
_HUNYUAN = Estimate(1.03)
_WESTERN = Estimate(1.03, han=0.35, wide=0.35, digits=0.2)
"""The same with Llama 3's among them, which has less of Chinese."""
_GROK_TEXT = Estimate(1.03)
_NOVA_TEXT = Estimate(1.0, han=0.35, wide=0.6, digits=0.5)
_AREA = Picture("area", unit=750, edge=1568, most=1600)
_AREA_NEW = Picture("area", unit=750, edge=2576, most=4784)
_CROPS = Picture("crops", each=258)
_NOVA = Picture("fixed", 1830)
_GEMINI_3 = Picture("fixed", 1120)
_GROK = Picture("tiles", base=256, each=256, unit=448, edge=896)
_PIXTRAL = Picture("patches", unit=28, most=3025)

_ROWS = (
    Family("gpt-4o", _O200K, forms.GPT_4O, picture=_tiles(85, 170)),
    Family("gpt-4o-mini", _O200K, forms.GPT_4O, picture=_tiles(2833, 5667)),
    Family("gpt-4.1-mini", _O200K, forms.GPT_4O, picture=_patches(1.62)),
    Family("gpt-4.1-nano", _O200K, forms.GPT_4O, picture=_patches(2.46)),
    Family("gpt-4", "cl100k_base", forms.GPT_4O, picture=_tiles(85, 170)),
    Family("gpt-5", _O200K, forms.GPT_5, picture=_tiles(70, 140)),
    Family("gpt-5-mini", _O200K, forms.GPT_5, picture=_patches(1.62)),
    Family("gpt-5-nano", _O200K, forms.GPT_5, picture=_patches(2.46)),
    Family("gpt-5.4", _O200K, forms.GPT_5, picture=_patches(1, 2500)),
    Family("gpt-6", _O200K, forms.GPT_5, picture=_patches(1, 2500)),
    Family("o-series", _O200K, forms.GPT_5, picture=_tiles(75, 150)),
    Family("o4-mini", _O200K, forms.GPT_5, picture=_patches(1.72)),
    Family("gpt-oss", _O200K, forms.GPT_OSS),
    Family("claude", _DEEPSEEK, forms.CLAUDE, _CLAUDE, _AREA, page=2500),
    Family("claude-4", _DEEPSEEK, forms.CLAUDE_4, _CLAUDE, _AREA, page=2500),
    Family("claude-4.7", _DEEPSEEK, forms.CLAUDE, _CLAUDE_NEW, _AREA_NEW, page=3500),
    Family("gemini-2", "gemma4", forms.GEMINI_WORDS, picture=_CROPS, sound=32, page=258),
    Family("gemini-2.5", "gemma4", forms.GEMINI, picture=_CROPS, sound=32, page=258),
    Family("gemini-3", "gemma4", forms.GEMINI_3, picture=_GEMINI_3, sound=32, page=560),
    Family("gemma", "gemma4", forms.GEMMA, picture=Picture("fixed", 258)),
    Family("gemma-2", "gemma2", forms.GEMMA),
    Family("nova-2", _DEEPSEEK, forms.NOVA_2, _NOVA_TEXT, _NOVA),
    Family("nova", _DEEPSEEK, forms.NOVA, _NOVA_TEXT, _NOVA),
    Family("deepseek-4", _DEEPSEEK, forms.DEEPSEEK_4),
    Family("deepseek-r1", _DEEPSEEK, forms.DEEPSEEK_R1),
    Family("deepseek", _DEEPSEEK, forms.DEEPSEEK),
    Family("qwen-3.5", "qwen35", forms.QWEN),
    Family("qwen", "qwen3", forms.QWEN),
    Family("glm", "glm4", forms.GLM),
    Family("glm-4.5", "glm4", forms.GLM_45),
    Family("glm-5", "glm4", forms.GLM_5, Estimate()),
    Family("kimi", "kimi", forms.KIMI),
    Family("llama-2", "mistral_v1", forms.OTHER, Estimate(1.05)),
    Family("llama-3", "llama3", forms.LLAMA_3),
    Family("llama-4", _O200K, forms.LLAMA_4, Estimate(1.03)),
    Family("llama-4-groq", _O200K, forms.LLAMA_4_GROQ, Estimate(1.03)),
    Family("mistral", "mistral_v3", forms.MISTRAL, picture=_PIXTRAL),
    Family("mistral-small", "mistral_v3", forms.MISTRAL_SMALL, picture=_PIXTRAL),
    Family("mistral-7b", "mistral_v2", forms.MISTRAL),
    Family("minimax", _DEEPSEEK, forms.MINIMAX, _CHINESE),
    Family("phi-4", "phi4"),
    Family("step-3", _DEEPSEEK),
    Family("step", _DEEPSEEK, forms.OTHER, _CHINESE),
    Family("grok-2", _DEEPSEEK, forms.GROK, _WESTERN, _GROK),
    Family("grok-4", "llama3", forms.GROK_4, _GROK_TEXT, _GROK),
    Family("grok-4-fast", "llama3", forms.GROK_4_FAST, _GROK_TEXT, _GROK),
    Family("grok-code", "llama3", forms.GROK_CODE, _GROK_TEXT, _GROK),
    Family("grok", "llama3", forms.GROK, _GROK_TEXT, _GROK),
    Family("ernie", _DEEPSEEK, forms.OTHER, _BAICHUAN),
    Family("yi", _DEEPSEEK, forms.OTHER, _YI),
    Family("baichuan", _DEEPSEEK, forms.OTHER, _BAICHUAN),
    Family("hunyuan", "qwen3", forms.OTHER, _HUNYUAN),
    Family("doubao", _DEEPSEEK, forms.OTHER, _CHINESE),
    Family("other", _O200K, forms.OTHER, Estimate()),
)
FAMILIES = {row.name: row for row in _ROWS}
"""By name."""

_NAMES = (
    (r"distill[-_]llama", "llama-3"),
    (r"distill[-_]qwen|baichuan-?m[23]|mimo", "qwen"),
    (r"gpt-?oss", "gpt-oss"),
    (r"gpt-?4o-mini", "gpt-4o-mini"),
    (r"gpt-?4\.1-mini", "gpt-4.1-mini"),
    (r"gpt-?4\.1-nano", "gpt-4.1-nano"),
    (r"gpt-?4(o|\.[15])|chatgpt", "gpt-4o"),
    (r"gpt-?(4|3)|davinci-002|text-embedding", "gpt-4"),
    (r"gpt-?5(\.[1-3])?-mini", "gpt-5-mini"),
    (r"gpt-?5(\.[1-3])?-nano", "gpt-5-nano"),
    (r"gpt-?5(\.[0-3])?(?![.\d])", "gpt-5"),
    (r"gpt-?[6-9]", "gpt-6"),
    (r"gpt-?\d|codex", "gpt-5.4"),
    (r"\bo4-mini", "o4-mini"),
    (r"\bo[1-9]\b", "o-series"),
    (r"claude-(v?[123]|instant)|claude-(opus|sonnet)-4([-.@][01]\b|[-@]20|:|$)", "claude-4"),
    (r"claude.*4[-.][2-6]\b|claude-haiku-4", "claude"),
    (r"claude", "claude-4.7"),
    (r"publishers/google|gemini-(1|2\.0|pro(?!-latest))", "gemini-2"),
    (r"gemini-2", "gemini-2.5"),
    (r"gemini", "gemini-3"),
    (r"gemma-?2", "gemma-2"),
    (r"gemma", "gemma"),
    (r"\bnova-2", "nova-2"),
    (r"\bnova\b", "nova"),
    (r"qwen-?(3\.[5-9]|[4-9])", "qwen-3.5"),
    (r"qwen|qwq|qvq|tongyi", "qwen"),
    (r"deepseek-?(v?4|flash)", "deepseek-4"),
    (r"deepseek-?r1", "deepseek-r1"),
    (r"deepseek", "deepseek"),
    (r"glm-?[5-9]", "glm-5"),
    (r"glm-?4[.p][56]", "glm-4.5"),
    (r"glm", "glm"),
    (r"kimi|moonshot", "kimi"),
    (r"llama-?2", "llama-2"),
    (r"llama-?4", "llama-4"),
    (r"llama", "llama-3"),
    (r"mistral-7b|mixtral|codestral-(22b|2405)", "mistral-7b"),
    (r"mistral-small|magistral", "mistral-small"),
    (r"mi(ni)?stral|magistral|codestral|devstral|pixtral|voxtral", "mistral"),
    (r"minimax|abab", "minimax"),
    (r"\bphi-?4", "phi-4"),
    (r"\bstep-?3", "step-3"),
    (r"\bstep-", "step"),
    (r"grok-(1|2|beta|vision)", "grok-2"),
    (r"grok-4(-0709|-latest)?$", "grok-4"),
    (r"grok-4", "grok-4-fast"),
    (r"grok-(code|build)", "grok-code"),
    (r"grok", "grok"),
    (r"ernie", "ernie"),
    (r"\byi-", "yi"),
    (r"baichuan", "baichuan"),
    (r"hunyuan|\bhy(-|\d)", "hunyuan"),
    (r"doubao|seed-", "doubao"),
)
"""The first that is found in a model's name, in small letters, decides."""

_DEFAULTS: dict[str, str] = {
    BackendType.OpenAI: "gpt-5.4",
    BackendType.Anthropic: "claude-4.7",
    BackendType.DeepSeek: "deepseek",
    BackendType.Gemini: "gemini-3",
    BackendType.Qwen: "qwen",
    BackendType.Mistral: "mistral",
    BackendType.Moonshot: "kimi",
    BackendType.MiniMax: "minimax",
    BackendType.Yi: "yi",
    BackendType.ZhiPuAI: "glm-5",
    BackendType.Baichuan: "baichuan",
    BackendType.StepFun: "step",
    BackendType.XAI: "grok",
    BackendType.Ernie: "ernie",
    BackendType.Xiaomi: "qwen",
    BackendType.Doubao: "doubao",
    BackendType.Hunyuan: "hunyuan",
}
"""For a model whose name says nothing: what the backend serves by itself."""


_HOSTED = {("groq", "llama-4"): "llama-4-groq"}
"""Where a host writes something of its own around the texts."""


@lru_cache(maxsize=4096)
def family_of(model: str, backend: Backend = None) -> Family:
    """The family of a model; of an unknown one its backend's, and without that `other`."""
    name, home = model.lower(), str(backend or "").lower()
    found = (family for pattern, family in _NAMES if re.search(pattern, name))
    family = next(found, None) or _DEFAULTS.get(home, "other")
    return FAMILIES[_HOSTED.get((home, family), family)]

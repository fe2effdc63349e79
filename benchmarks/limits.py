"""What the limits hold, and what they cost: against bars, and against other libraries.

    python benchmarks/limits.py [--quick] [--check] [--json FILE] [--peer NAME=PYTHON …]

Each store is the real one: threads of one process, a file, a redis-server that this starts. See
README.md.
"""

from __future__ import annotations

import argparse
import math
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import report
from limits_faults import deaths, outages
from limits_load import OURS, Bench, Row, folder
from limits_pace import paces, refusals
from limits_rows import admitted, admitted_skewed, saturated
from limits_settling import billed
from limits_subjects import SUBJECTS

from franca.testing.redis_server import RedisServer

STORES = ("memory", "disk", "redis")
PARTS: dict[str, Callable[[Bench], Iterator[Row]]] = {
    "admitted ÷ limit": admitted,
    "half the clocks 1 s off": admitted_skewed,
    "used at saturation, fairness, promises, even load": saturated,
    "billed tokens, ledger error": billed,
    "decisions a second": paces,
    "a refusal under hammering": refusals,
    "kill -9 of Redis: outages": outages,
    "kill -9 of a client": deaths,
}


def measure(bench: Bench, only: str) -> Iterator[Row]:
    """All rows, as they are ready."""
    for name, part in PARTS.items():
        if only not in name:
            continue
        started = time.monotonic()
        try:
            yield from part(bench)
        except Exception as error:
            yield Row(name, None, "≤", 0, note=f"{type(error).__name__}: {error}"[:160])
        print(f"{name}: {time.monotonic() - started:.0f} s", file=sys.stderr)


def table(rows: list[Row], peers: list[str]) -> str:
    """For reading."""
    lines = [["", "franca", "bar", "", *peers, "note"]]
    for row in rows:
        verdict = "" if not row.sign else "ok" if row.met else "MISSED"
        bar = f"{row.sign} {row.form.format(row.bar)}" if row.sign else ""
        others = [_text(row, row.peers.get(name)) for name in peers]
        lines.append([row.title, _text(row, row.value), bar, verdict, *others, row.note])
    return report.aligned(lines, (0, len(lines[0]) - 1))


def _text(row: Row, value: float | None) -> str:
    if value is None:
        return ""
    return "–" if math.isnan(value) else row.form.format(value)


def _arguments() -> argparse.Namespace:
    parser = report.parser(
        "What the limits hold, and what they cost.",
        quick="under a minute, more noise",
        only="the parts whose name holds this text",
        peers=[name for name in SUBJECTS if name != OURS],
    )
    parser.add_argument("--span", type=float, help="a window in seconds (4; quick 2)")
    parser.add_argument(
        "--store", choices=STORES, action="append", help="of ours; may be repeated (all)"
    )
    return parser.parse_args()


def main() -> int:
    """Runs it; the exit status."""
    options = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started is ended then too
    rows = []
    with ExitStack() as stack:
        redis = stack.enter_context(RedisServer())
        bench = Bench(
            int((options.span or (2 if options.quick else 4)) * 1e6), options.quick,
            stack.enter_context(folder()), redis.url, options.peer, options.store or list(STORES),
        )  # fmt: skip
        for row in measure(bench, options.only):
            rows.append(row)
    print(table(rows, [name for name, _ in options.peer]))
    return report.conclude(rows, options)


if __name__ == "__main__":
    sys.exit(main())

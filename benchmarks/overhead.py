"""What a call costs in CPU, against the vendors' own SDKs: ratios, measured in one run.

    python benchmarks/overhead.py [--quick] [--check] [--json FILE] [--peer NAME=PYTHON …]

The server is the simulator, in processes of its own; each subject runs in a process of its own,
and rounds alternate between them, so that a busy machine slows both. See README.md.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import report
from subjects import MODULES

WORKER = str(Path(__file__).with_name("worker.py"))
EVENTS, WORDS, GAP = 400, 20, 0.001
BASE, OURS = "sdk", "franca"
HEAVY = {
    "aiohttp", "anthropic", "httpcore", "httpcore2", "httpx", "httpx2", "openai", "pydantic",
    "pydantic_core", "requests", "urllib3",
}  # fmt: skip
IMPORT = """
import sys, time
started = time.process_time()
__import__(sys.argv[1])
spent = time.process_time() - started
print(spent * 1000, *sys.modules)
"""


@dataclass
class Scenario:
    """A kind of call: `units` is what the cost of one call is divided by, `bar` the most that
    ours may cost as a share of the SDK's."""

    name: str
    title: str
    bar: float
    calls: int
    server: str = "whole"
    units: int = 1


SCENARIOS = (
    Scenario("sync", "call, sync", 0.50, 120),
    Scenario("aio", "call, async, one at a time", 0.45, 120),
    Scenario("aio*64", "call, async, 64 in flight", 0.30, 256),
    Scenario("anthropic", "call, Anthropic, sync", 0.60, 120),
    Scenario("stream", "chunk, reply in one piece", 0.12, 3, units=EVENTS),
    Scenario("astream", "chunk, reply in one piece, async", 0.12, 3, units=EVENTS),
    Scenario("stream", "chunk, one event a packet", 0.45, 1, "event", EVENTS),
    Scenario("astream", "chunk, one event a packet, async", 0.45, 1, "event", EVENTS),
)


@dataclass
class Row:
    """A line of the table; `bar` None: for information only."""

    title: str
    unit: str
    value: float
    bar: float | None
    bar_text: str
    ours: float
    costs: dict[str, float | None] = field(default_factory=dict)
    note: str = ""

    @property
    def met(self) -> bool:
        return self.bar is None or self.value <= self.bar


class Worker:
    """A subject in its process."""

    def __init__(self, name: str, python: str) -> None:
        self.name, self.python = name, python
        self._process = subprocess.Popen(
            [python, WORKER, name, "--jobs"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def measure(self, scenario: str, url: str, calls: int, words: int) -> float | None:
        """CPU seconds, or what the scenario says."""
        job = {"scenario": scenario, "url": url, "calls": calls, "words": words}
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.name} died at {scenario}: its own words are above")
        return json.loads(line)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


@contextmanager
def server(packets: str) -> Generator[str]:
    """The simulator's address."""
    gap = GAP if packets == "event" else 0
    command = [sys.executable, "-m", "franca.testing", "--packets", packets, "--gap", str(gap)]
    command += ["--events", str(EVENTS), "--reply-tokens", str(WORDS)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait()


def compare(scenario: Scenario, workers: list[Worker], url: str, rounds: int, share: float) -> Row:
    """Alternating rounds: the median of the rounds' ratios.

    Each subject makes as many calls as take it about as long as the slowest takes: a processor
    that comes from a pause is slow at first, and a short job would be slow throughout.
    """
    calls = max(int(scenario.calls * share), 64 if "*" in scenario.name else 1)
    words = EVENTS if scenario.units > 1 else WORDS
    warm = {w.name: w.measure(scenario.name, url, calls, words) for w in workers}
    slowest = max(spent or 0 for spent in warm.values())
    many = {n: calls * min(max(round(slowest / (s or slowest)), 1), 16) for n, s in warm.items()}
    costs: dict[str, list[float]] = {}
    for number in range(rounds):
        for worker in workers if number % 2 else workers[::-1]:
            spent = worker.measure(scenario.name, url, many[worker.name], words)
            if spent is not None:
                per = spent / many[worker.name] / scenario.units * 1e6
                costs.setdefault(worker.name, []).append(per)
    ratios = [ours / base for ours, base in zip(costs[OURS], costs[BASE], strict=True)]
    return Row(
        scenario.title,
        "µs",
        statistics.median(ratios),
        scenario.bar,
        f"≤ {scenario.bar:.2f}",
        statistics.median(costs[OURS]),
        {name: statistics.median(values) for name, values in costs.items() if name != OURS},
        note=f"{min(ratios):.2f}–{max(ratios):.2f}",
    )


def importing(workers: list[Worker], times: int) -> Iterator[Row]:
    """`import …` in fresh processes with nothing else in them."""
    spent: dict[str, list[float]] = {}
    heavy: set[str] = set()
    for _ in range(times):
        for worker in workers:
            command = [worker.python, "-c", IMPORT, MODULES[worker.name]]
            cost, *modules = subprocess.check_output(command, text=True).split("\n")[-2].split(" ")
            spent.setdefault(worker.name, []).append(float(cost))
            heavy |= HEAVY.intersection(modules) if worker.name == OURS else set()
    costs: dict[str, float | None] = {name: statistics.median(each) for name, each in spent.items()}
    ours = costs.pop(OURS) or 0.0
    yield Row("import franca, CPU", "ms", ours, 40, "≤ 40 ms", ours, costs)
    many, names = len(heavy), ", ".join(sorted(heavy))
    yield Row("import franca: SDKs, HTTP, pydantic", "", many, 0, "none", many, note=names)


def cold(workers: list[Worker], url: str, times: int) -> Iterator[Row]:
    """From `import openai`, which both sides need, to the end of one call, in fresh processes."""
    spent: dict[str, list[tuple[float, float]]] = {}
    for number in range(times + 1):
        for worker in workers if number % 2 else workers[::-1]:
            cost = _once(worker, url)
            if number:  # the first one fills the disk's cache and the bytecode
                spent.setdefault(worker.name, []).append(cost)
    for which, kind in enumerate(("CPU", "wall")):
        by = {name: [pair[which] for pair in pairs] for name, pairs in spent.items()}
        extra = statistics.median(a - b for a, b in zip(by[OURS], by[BASE], strict=True))
        ours = statistics.median(by.pop(OURS))
        costs: dict[str, float | None] = {n: statistics.median(each) for n, each in by.items()}
        title = f"cold start to the first answer, {kind}"
        yield Row(title, "ms", extra, 60, "≤ SDK + 60 ms", ours, costs)


def _once(worker: Worker, url: str) -> tuple[float, float]:
    command = [worker.python, WORKER, worker.name, "--once", url]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{worker.name} failed at its first call")
    cpu, wall = done.stdout.split()[-2:]
    return float(cpu) * 1000, float(wall) * 1000


def alone(ours: Worker, url: str, share: float) -> Iterator[Row]:
    """What is measured on franca only."""
    made = 2000
    each = (ours.measure("factory", url, made, 0) or 0) / made * 1e6
    yield Row("factory call after the first", "µs", each, 50, "≤ 50 µs", each)
    added = (ours.measure("flow", url, int(60_000 * share), 0) or 0) * 1e6
    yield Row("flow, one healthy endpoint, a call", "µs", added, 25, "≤ 25 µs", added)
    added = (ours.measure("limits", url, int(60_000 * share), 0) or 0) * 1e6
    yield Row("limits, memory store, a call", "µs", added, 15, "≤ 15 µs", added)
    calls = int(10_000 * share)
    grown = ours.measure("memory", url, calls, 0) or 0
    yield Row(f"memory after {calls:,} calls", "KB", grown, 1024, "≤ 1024 KB", grown)


def table(rows: list[Row], peers: list[str]) -> str:
    """For reading."""
    head = ["", "franca", "SDK", "result", "bar", "", "range", *peers]
    lines = [head]
    for row in rows:
        ratio = row.unit == "µs" and BASE in row.costs
        verdict = "" if row.bar is None else "ok" if row.met else "MISSED"
        values = [row.costs.get(name) for name in (BASE, *peers)]
        base, *others = [f"{v:.1f} {row.unit}" if v is not None else "" for v in values]
        result = f"{row.value:.2f}" if ratio else f"{row.value:.1f}"
        cells = [row.title, f"{row.ours:.1f} {row.unit}", base, result, row.bar_text, verdict]
        lines.append([*cells, row.note, *others])
    return report.aligned(lines)


def _arguments() -> argparse.Namespace:
    parser = report.parser(
        "What a call costs against the vendors' SDKs.",
        quick="a sixth of the work",
        only="the rows whose title holds this text",
        peers=[name for name in MODULES if name not in (BASE, OURS)],
    )
    parser.add_argument("--rounds", type=int, help="of each subject, alternating (15; quick 5)")
    return parser.parse_args()


def measure(options: argparse.Namespace) -> Iterator[Row]:
    """All rows, as they are ready."""
    share, rounds = (0.5, 5) if options.quick else (1.0, 15)
    rounds = options.rounds or rounds
    with ExitStack() as stack:
        urls = {kind: stack.enter_context(server(kind)) for kind in ("whole", "event")}
        pythons = [(OURS, sys.executable), (BASE, sys.executable), *options.peer]
        workers = [Worker(name, python) for name, python in pythons]
        for worker in workers:
            stack.callback(worker.close)
        for scenario in SCENARIOS:
            if options.only in scenario.title:
                yield compare(scenario, workers, urls[scenario.server], rounds, share)
        times = max(rounds // 2, 3)
        if options.only in "import franca":
            yield from importing(workers, times)
        if options.only in "cold start to the first answer":
            yield from cold(workers, urls["whole"], times)
        if options.only in "factory call, flow, limits, memory":
            yield from alone(workers[0], urls["whole"], share)


def main() -> int:
    """Runs it; the exit status."""
    options = _arguments()
    rows = []
    for row in measure(options):
        print(f"  {row.title}", file=sys.stderr)
        rows.append(row)
    print(table(rows, [name for name, _ in options.peer]))
    return report.conclude(rows, options)


if __name__ == "__main__":
    sys.exit(main())

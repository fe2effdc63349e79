"""The processes of one run: they are started, begin together, and their records come in."""

from __future__ import annotations

import json
import operator
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from limits_subjects import SUBJECTS, Grant, clock, kind

WORKER = str(Path(__file__).with_name("limits_worker.py"))
OURS = "franca"
_running: set[subprocess.Popen[str]] = set()
A = TypeVar("A")
B = TypeVar("B")
MEETS = {"≤": operator.le, "≥": operator.ge, "=": operator.eq}


@dataclass
class Row:
    """A line of the table. `sign` "": for information only; `value` None: nothing was measured,
    and `note` says why."""

    title: str
    value: float | None
    sign: str = ""
    bar: float = 0.0
    form: str = "{:.3f}"
    note: str = ""
    peers: dict[str, float | None] = field(default_factory=dict)

    @property
    def met(self) -> bool:
        if not self.sign:
            return True
        if self.value is None:
            return False
        return {
            "≤": self.value <= self.bar,
            "≥": self.value >= self.bar,
            "=": self.value == self.bar,
        }[self.sign]


@dataclass
class Bench:
    """What all rows need: the window in microseconds, how much work, where things are."""

    span: int
    quick: bool
    folder: Path
    redis: str
    peers: list[tuple[str, str]]
    stores: list[str]
    made: int = 0

    def place(self, store: str) -> str:
        """A fresh one of that kind: no two runs share it (on Redis, by `key`)."""
        self.made += 1
        if store == "disk":
            return tempfile.mkdtemp(dir=self.folder)
        return self.redis if store == "redis" else ""

    def key(self) -> str:
        self.made += 1
        return f"bench{self.made}"

    def at_once(
        self, make: Callable[[A], B], each: Sequence[A], width: int = 0
    ) -> Iterator[tuple[A, B]]:
        """Each with what came of it: all together, where they wait most of the time, or so many."""
        with ThreadPoolExecutor(width or len(each)) as pool:
            try:
                yield from zip(each, pool.map(make, each), strict=True)
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                for process in list(_running):  # else this would wait for them
                    process.kill()
                raise


@dataclass
class Load:
    """A run to be made: `shape` is (processes, threads of each, in every scope)."""

    kind: str
    place: str
    limits: dict[str, int]
    span: int
    key: str
    shape: tuple[int, int] = (8, 4)
    subject: str = OURS
    python: str = sys.executable
    skewed: bool = False
    more: dict[str, Any] = field(default_factory=dict)


@dataclass
class Records:
    """What came of it. A grant that was recorded twice counts once, as it was last."""

    grants: dict[str, dict[tuple[str, int], Grant]] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    looks: dict[str, list[list[int]]] = field(default_factory=dict)
    start: int = 0

    def first_error(self) -> str:
        """For a note: nothing where there is none."""
        if not self.errors:
            return ""
        first = self.errors[0].replace("\n", " ")[:120]
        return f"; {len(self.errors)} errors: {first}"

    def of(self, scope: str) -> list[Grant]:
        return list(self.grants.get(scope, {}).values())


class Process:
    """One worker and the thread that reads it."""

    def __init__(self, load: Load, number: int, records: Records) -> None:
        processes, threads = load.shape
        knows = SUBJECTS[load.subject].scopes
        limits = {name: limit for name, limit in load.limits.items() if kind(name) in knows}
        job = {
            "subject": load.subject, "place": load.place, "limits": limits,
            "span": load.span, "key": load.key, "kind": load.kind, "process": number,
            "processes": processes, "threads": threads, "ahead": load.skewed and number % 2,
            **load.more,
        }  # fmt: skip
        self._popen = subprocess.Popen(
            [load.python, WORKER, json.dumps(job)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        _running.add(self._popen)
        self._records, self.done = records, False
        self._reader = threading.Thread(target=self._read, daemon=True)

    def ready(self) -> None:
        assert self._popen.stdout
        if self._popen.stdout.readline() != "ready\n":
            raise RuntimeError("a worker died at its start: its own words are above")
        self._reader.start()

    def go(self, start: int) -> None:
        assert self._popen.stdin
        self._popen.stdin.write(f"{start}\n")
        self._popen.stdin.flush()

    def _read(self) -> None:
        assert self._popen.stdout
        for line in self._popen.stdout:
            word = json.loads(line)
            if isinstance(word, dict):
                self._records.errors += word["errors"]
                for scope, look in word["looks"].items():
                    self._records.looks.setdefault(scope, []).append(look)
                self.done = True
            else:
                scope, *fields = word
                grant = Grant(*fields)
                place = self._records.grants.setdefault(scope, {})
                place[grant.worker, grant.asked] = grant

    def join(self, seconds: float) -> None:
        """To its end; one that was not killed and does not end in time is an error."""
        self._reader.join(seconds)
        if not self.done:
            self._records.errors.append("a worker did not come to its end")
        self.kill()

    def kill(self) -> None:
        self._popen.kill()
        self._popen.wait()
        _running.discard(self._popen)
        if self._reader.is_alive():
            self._reader.join(5)


class Squad:
    """A load's processes, between their start and their end."""

    def __init__(self, load: Load) -> None:
        self.records, self.start, self.load = Records(), 0, load
        self.processes = [Process(load, n, self.records) for n in range(load.shape[0])]

    def go(self, *, aligned: bool = False) -> None:
        """All begin together, where a window of the wall clock does if it is `aligned`."""
        for process in self.processes:
            process.ready()
        self.start = clock() + 100_000
        if aligned:
            wall = time.time_ns() // 1000 + 100_000
            self.start += -wall % self.load.span + 10_000
        self.records.start = self.start
        for process in self.processes:
            process.go(self.start)

    def sleep_until(self, spans: float) -> None:
        """So many windows after the start."""
        time.sleep(max(self.start + spans * self.load.span - clock(), 0) / 1e6)

    def join(self, grace: float = 60) -> Records:
        """To the end of all, at most so many seconds after they should have come to it."""
        spans = self.load.more.get("spans", 0) * self.load.span
        ends = time.monotonic() + max(self.start + spans - clock(), 0) / 1e6 + grace
        for process in self.processes:
            process.join(max(ends - time.monotonic(), 0.1))
        return self.records

    def kill(self, number: int) -> None:
        """kill -9 of one; nobody waits for its end."""
        self.processes.pop(number).kill()


@contextmanager
def squad(load: Load) -> Generator[Squad]:
    """None of its processes is left behind."""
    made = Squad(load)
    try:
        yield made
    finally:
        for process in made.processes:
            process.kill()


def run(load: Load, *, aligned: bool = False) -> Records:
    """From its start to its end."""
    with squad(load) as made:
        made.go(aligned=aligned)
        return made.join()


@contextmanager
def folder() -> Generator[Path]:
    """A folder that is gone at the end."""
    path = Path(tempfile.mkdtemp(prefix="franca-limits-"))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@dataclass(frozen=True)
class Subject:
    """Ours on one of its stores, or a peer on Redis."""

    name: str
    python: str
    store: str


def subjects(bench: Bench) -> list[Subject]:
    """All that run the rows that others can."""
    ours = [Subject(OURS, sys.executable, store) for store in bench.stores]
    peers = [Subject(name, python, "redis") for name, python in bench.peers]
    return ours + [
        each for each in peers if bench.span in (SUBJECTS[each.name].spans or [bench.span])
    ]


def shape(bench: Bench, store: str, workers: tuple[int, int] = (8, 4)) -> tuple[int, int]:
    """As many threads in all; memory is one process's, and fewer processes start sooner."""
    processes, threads = workers
    if store == "memory":
        return 1, processes * threads
    return (processes // 2, threads * 2) if bench.quick else workers

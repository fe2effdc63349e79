"""Rows of pace: decisions a second, what a refusal takes, by what the same store's bare round trip
takes. All in this process, round after round in turn, for a machine's pace varies."""

from __future__ import annotations

import json
import sqlite3
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from limits_load import OURS, Bench, Load, Row, run
from limits_math import quantile
from limits_subjects import store_at

PLENTY, MINUTE = 1 << 40, 60_000_000
EMPTY = "return 0"
FLYING = 32


class Decisions:
    """Reservations under all three limits at once, none or all of which are refused."""

    def __init__(self, place: str, key: str, limit: int = PLENTY) -> None:
        model = import_module("franca.limits.model")
        self._lease, self._reserve, self._settle = model.Lease, model.Reserve, model.Settle
        self.store, self.key = store_at(place), key
        windows = (model.Window("requests", limit), model.Window("tokens", PLENTY))
        self.rules = model.Rules(windows, slots=PLENTY)

    def reserve(self) -> Any:
        """One decision: the lease, and whether it is granted."""
        lease = self._lease((1, 1000))
        ask = self._reserve(self.store, self.key, self.rules, lease, 0)
        return lease, self.store.perform(ask)

    def settle(self, lease: Any, billed: tuple[int, int] = (1, 700)) -> None:
        self.store.perform(self._settle(self.store, self.key, self.rules, lease, billed))

    def round(self, count: int) -> float:
        """Seconds of one of so many decisions, a few calls in flight; what settles them is not
        counted."""
        spent = 0.0
        for _ in range(0, count, FLYING):
            taken, started = [], time.perf_counter()
            for _ in range(FLYING):
                taken.append(self.reserve())
            spent += time.perf_counter() - started
            for lease, verdict in taken:
                assert verdict.granted
                self.settle(lease)
        return spent / (-(-count // FLYING) * FLYING)

    def pairs(self, count: int) -> float:
        """Seconds of one of so many reservations with their settlements."""
        started = time.perf_counter()
        for _ in range(count):
            lease, _ = self.reserve()
            self.settle(lease)
        return (time.perf_counter() - started) / count


def alternate(timers: list[Callable[[int], float]], count: int, rounds: int) -> list[list[float]]:
    """Of each timer its rounds: seconds of one. The first round warms up."""
    spent: list[list[float]] = [[] for _ in timers]
    for number in range(rounds + 1):
        order = list(enumerate(timers))
        for place, timer in order if number % 2 else order[::-1]:
            each = timer(count)
            if number:
                spent[place].append(each)
    return spent


def share(base: list[float], ours: list[float]) -> float:
    """How many of ours are made while a base is, the median of the rounds."""
    return statistics.median(one / other for one, other in zip(base, ours, strict=True))


def rate(spent: list[float]) -> float:
    """A second, the median of the rounds."""
    return 1 / statistics.median(spent)


def paces(bench: Bench) -> Iterator[Row]:
    """Decisions a second."""
    rounds = 5 if bench.quick else 15
    for store in bench.stores:
        yield from PACES[store](bench, rounds)
    yield from _peers(bench, rounds)


def _memory(bench: Bench, rounds: int) -> Iterator[Row]:
    ours = Decisions("", bench.key())
    each, pairs = alternate([ours.round, ours.pairs], 1000, rounds * 4)
    note = f"in the best round; median {rate(each):,.0f}, {rate(pairs):,.0f} with settlements"
    yield Row("decisions a second, memory", 1 / min(each), "≥", 150_000, "{:,.0f}", note)


def _disk(bench: Bench, rounds: int) -> Iterator[Row]:
    place = bench.place("disk")
    ours = Decisions(place, bench.key())
    ours.round(1)
    (path,) = Path(place).glob("*.db")
    base = sqlite3.connect(path, 60, isolation_level=None)
    base.execute("PRAGMA synchronous = NORMAL")
    base.execute("CREATE TABLE bench (number INTEGER)")
    base.execute("INSERT INTO bench VALUES (0)")

    def fresh(timer: Callable[[int], float]) -> Callable[[int], float]:
        """What one has written is not for another to copy into the file."""
        checkpoint = "PRAGMA wal_checkpoint(FULL)"
        return lambda count: (base.execute(checkpoint).fetchall(), timer(count))[1]

    writing = _transactions(base, "UPDATE bench SET number = number + 1")
    nothing = _transactions(base, "SELECT number FROM bench")
    timers = [fresh(each) for each in (ours.round, writing, nothing, ours.pairs)]
    each, writes, reads, pairs = alternate(timers, 1000, rounds)
    base.close()
    note = (
        f"{rate(each):,.0f}/s by {rate(writes):,.0f}/s; {rate(pairs):,.0f} pairs with settlements"
    )
    title = "decisions ÷ transactions that add one to a number, disk"
    yield Row(title, share(writes, each), "≥", 0.5, "{:.2f}", note)
    note = f"by {rate(reads):,.0f}/s"
    title = "decisions ÷ transactions that write nothing, disk"
    yield Row(title, share(reads, each), form="{:.2f}", note=note)


def _paces(each: list[float], base: list[float], pairs: list[float]) -> str:
    return f"{rate(each):,.0f}/s by {rate(base):,.0f}/s; {rate(pairs):,.0f}/s with settlements"


def _transactions(base: sqlite3.Connection, statement: str) -> Callable[[int], float]:
    def timer(count: int) -> float:
        started = time.perf_counter()
        for _ in range(count):
            base.execute("BEGIN IMMEDIATE")
            base.execute(statement).fetchall()
            base.execute("COMMIT")
        return (time.perf_counter() - started) / count

    return timer


def _redis(bench: Bench, rounds: int) -> Iterator[Row]:
    redis = import_module("redis").Redis.from_url(bench.redis, decode_responses=False)
    sha = redis.script_load(EMPTY)
    ours = Decisions(bench.redis, bench.key())

    def empty(count: int) -> float:
        started = time.perf_counter()
        for _ in range(count):
            redis.evalsha(sha, 1, "bench")
        return (time.perf_counter() - started) / count

    each, bare, pairs = alternate([ours.round, empty, ours.pairs], 100, rounds * 5)
    note = _paces(each, bare, pairs)
    yield Row("decisions ÷ empty scripts, redis", share(bare, each), "≥", 0.6, "{:.2f}", note)
    asked = [
        _server_time(redis, lambda: [ours.reserve() for _ in range(100)]) for _ in range(rounds * 4)
    ]
    calls, micros = zip(*asked, strict=True)
    _, least = zip(
        *(_server_time(redis, lambda: empty(100)) for _ in range(rounds * 4)), strict=True
    )
    yield Row("round trips of a decision, redis", max(calls) / 100, "≤", 1, note="of 100, the most")
    busy = [_server_time(redis, _in_a_row(redis, ours, 300))[1] for _ in range(rounds * 4)]
    note = f"sent in a row, in the best round; median {statistics.median(busy):.1f}; one by one,"
    note += f" each after a nap, {statistics.median(micros):.1f}, an empty script"
    note += f" {statistics.median(least):.1f}"
    title = "server's µs of a decision, redis"
    yield Row(title, min(busy), "≤", 14, "{:.1f}", note)
    redis.close()


def _in_a_row(redis: Any, ours: Decisions, count: int) -> Callable[[], object]:
    """So many decisions sent at once: what they cost the server when it is at work."""
    scripts = import_module("franca.limits.redis.scripts")
    ours.reserve()
    (held,) = ours.store._held.values()
    pipe = redis.pipeline(transaction=False)
    for _ in range(count):
        ask = ours._reserve(ours.store, ours.key, ours.rules, ours._lease((1, 1000)), 0)
        command = scripts.reserve(held.scope, held.known, ask, "nobody")
        pipe.execute_command("EVALSHA", scripts.script("reserve").sha, *command.given)
    return pipe.execute


def _server_time(redis: Any, work: Callable[[], object]) -> tuple[int, float]:
    """Scripts called, and the server's microseconds of each."""
    redis.config_resetstat()
    work()
    stats = redis.info("commandstats")
    scripts = [
        stats[f"cmdstat_{name}"] for name in ("evalsha", "eval") if f"cmdstat_{name}" in stats
    ]
    calls = sum(each["calls"] for each in scripts)
    return calls, sum(each["usec"] for each in scripts) / max(calls, 1)


def _peers(bench: Bench, rounds: int) -> Iterator[Row]:
    """One limit that never refuses, for they have no word for three at once."""
    row = Row("decisions a second, redis; of others: one limit alone", None, form="{:,.0f}")
    for name, python in [(OURS, sys.executable), *bench.peers] if bench.peers else ():
        more = {"rounds": rounds, "count": 300}
        load = Load(
            "decide", bench.redis, {"requests": 10**9}, MINUTE, bench.key(), (1, 1),
            name, python, more=more,
        )  # fmt: skip
        words = run(load).errors
        row.peers[name] = rate(json.loads(words[0])) if words[0].startswith("[") else None
    row.value = row.peers.pop(OURS, None)
    if bench.peers:
        yield row


def refusals(bench: Bench) -> Iterator[Row]:
    """One process asks and asks while the window is full."""
    for store in bench.stores:
        ours = Decisions(bench.place(store), bench.key(), limit=100)
        while ours.reserve()[1].granted:
            pass
        spent = []
        for _ in range(500 if bench.quick else 2000):
            started = time.perf_counter()
            _, verdict = ours.reserve()
            spent.append((time.perf_counter() - started) * 1000)
            assert not verdict.granted
        note = f"p99 {quantile(spent, 0.99):.3f}"
        title = f"a refusal under hammering, ms, {store}"
        yield Row(title, quantile(spent, 0.5), "≤", 0.5, "{:.3f}", note)


PACES = {"memory": _memory, "disk": _disk, "redis": _redis}

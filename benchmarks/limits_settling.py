"""Rows of what is billed in truth, where an answer's length is guessed before and known after."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from limits_load import Bench, Load, Records, Row, run, shape
from limits_math import fullest, settled_use
from limits_subjects import clock

LIMIT = 300_000  # tokens in a window: 64 workers could use twice as many
MOST = 2048
SHORTEST, LONGEST = 1 / 120, 1 / 15  # windows that a call takes: with no answer, with the longest
TAUGHT = 1000
WORKERS = (8, 8)


def answer() -> int:
    """Tokens: half of the answers have 200, one in forty has 1,400; some are cut."""
    return min(round(random.lognormvariate(math.log(200), 1.0)), MOST)


def settling(run: Any, scope: str, worker: str) -> None:
    """Of one worker: its process's calls have taught the estimate for a while."""
    estimate = taught(run)
    end = run.until(run.job["spans"])
    while (now := clock()) < end:
        size = random.randint(200, 800)
        prompt, output, margin = estimate.reserve(size, MOST, run.busy + 1)
        grant = run.subject.wait(scope, prompt + output, end, margin)
        if grant is None:
            time.sleep(max(end - now, 0) / 1e6)
            return
        true_prompt, true_output = round(size * random.uniform(0.22, 0.28)), answer()
        share = SHORTEST + (LONGEST - SHORTEST) * true_output / MOST
        time.sleep(share * run.span / 1e6)
        grant.billed = true_prompt + true_output
        run.subject.done(grant, grant.billed)
        estimate.learn(size, true_prompt, true_output)
        run.busy = grant.busy
        run.record(scope, worker, grant)


def taught(run: Any) -> Any:
    """The process's estimate; whoever comes first teaches it."""
    with run.lock:
        if run.estimate is None:
            run.estimate = import_module("franca.limits.estimate").Estimate()
            for _ in range(TAUGHT):
                size = random.randint(200, 800)
                run.estimate.learn(size, round(size * random.uniform(0.22, 0.28)), answer())
    return run.estimate


def billed(bench: Bench) -> Iterator[Row]:
    """64 workers on each store."""
    span = bench.span * 3 // 2

    def on(store: str) -> Records:
        place, workers = bench.place(store), shape(bench, store, WORKERS)
        more, limits = {"spans": 3, "look": True}, {"tokens": LIMIT}
        load = Load("settle", place, limits, span, bench.key(), workers, more=more)
        return run(load)

    for store, records in bench.at_once(on, bench.stores):
        grants = records.of("tokens")
        if not grants or not records.looks:
            yield Row(f"billed tokens ÷ TPM, {store}", None, "≤", 1, note=records.first_error())
            continue
        what = [(g.at, g.billed) for g in grants]
        note = f"{len(grants)} calls, {sum(g.sleeps > 0 for g in grants)} waited"
        note += records.first_error()
        yield Row(f"billed tokens ÷ TPM, {store}", fullest(what, span) / LIMIT, "≤", 1, note=note)
        began = min(g.at - g.asked for g in grants if not g.sleeps)
        end = records.start + 3 * span + began
        used = settled_use(what, span, end) / LIMIT
        yield Row(f"billed tokens ÷ TPM, used, {store}", used, "≥", 0.95)
        off, note = ledger_error(records, "tokens", span)
        title = f"ledger error after all have settled, tokens, {store}"
        yield Row(title, off, "=", 0, "{:.0f}", note)


def ledger_error(records: Records, scope: str, span: int) -> tuple[float | None, str]:
    """The last look at the ledger, less what was billed within what it counts."""
    if scope not in records.looks:
        return None, f"nobody could look{records.first_error()}"
    place = 1 if scope.startswith("tokens") else 0
    now, *used = max(records.looks[scope])
    width = -(-span // 256)
    meant = sum(
        g.billed for g in records.of(scope) if now // width - g.at // width < 257 and g.at <= now
    )
    return used[place] - meant, f"{used[place]:,} counted, {meant:,} billed"

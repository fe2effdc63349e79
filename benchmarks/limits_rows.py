"""Rows of what is admitted: the fullest window, use, fairness, promises, an even load."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator

from limits_load import OURS, Bench, Load, Records, Row, Subject, run, shape, subjects
from limits_math import fullest, luck, peak, quantile, settled_use, surely
from limits_subjects import Grant

LIMITS = {"requests": 400, "tokens": 40_000}
SCOPES = ("requests", "tokens")
SLOTS = 8
LONG = 100_000  # of a shorter promise, a share is the scheduler's affair


def over(grants: list[Grant], limit: int, span: int, name: str) -> tuple[float, str]:
    """Admitted ÷ limit in the fullest window, and by the other clock.

    Ours says when each was decided. Of the others that is known to lie between the asking and the
    answer: what must have been in one window wherever there it was, so that no delay of an answer
    is held against them.
    """
    seen = fullest([(each.answered, each.weight) for each in grants], span) / limit
    sure = surely([(each.asked, each.answered, each.weight) for each in grants], span) / limit
    if name != OURS:
        return sure, ""
    told = fullest([(each.at, each.weight) for each in grants], span) / limit
    return told, f"by its answers {seen:.3f}, surely {sure:.3f}"


def admitted(bench: Bench) -> Iterator[Row]:
    """Bursts at both sides of a window's end, then all that is to be had."""
    yield from _admitted(bench, "admitted ÷ limit", skewed=False)


def admitted_skewed(bench: Bench) -> Iterator[Row]:
    """The same with the wall clocks of half the processes ahead."""
    yield from _admitted(bench, "admitted ÷ limit, half the clocks 1 s off", skewed=True)


def _admitted(bench: Bench, title: str, *, skewed: bool) -> Iterator[Row]:
    def on(subject: Subject) -> Records:
        place, workers = bench.place(subject.store), shape(bench, subject.store)
        load = Load(
            "adversary", place, LIMITS, bench.span, bench.key(), workers,
            subject.name, subject.python, skewed, {"spans": 3},
        )  # fmt: skip
        return run(load, aligned=True)

    rows: dict[str, Row] = {}
    # one process has one clock
    each = [one for one in subjects(bench) if not skewed or one.store != "memory"]
    for subject, records in bench.at_once(on, each, 3 if bench.quick else 1):
        for scope in SCOPES:
            full = f"{title}, {scope}, {subject.store}"
            if not (grants := records.of(scope)):
                continue
            value, note = over(grants, LIMITS[scope], bench.span, subject.name)
            if (
                skewed and subject.name == OURS
            ):  # a store may tell a time of its own: the true counts
                sure = surely([(g.asked, g.answered, g.weight) for g in grants], bench.span)
                note = f"{note}, by the store's clock {value:.3f}"
                value = sure / LIMITS[scope]
            if subject.name == OURS:
                rows[full] = Row(full, value, "≤", 1.0, note=note + records.first_error())
            else:
                rows.setdefault(full, Row(full, None)).peers[subject.name] = value
    yield from rows.values()


def saturated(bench: Bench) -> Iterator[Row]:
    """32 workers that wait; and beside them an even load at half the limit."""
    spans = 3 if bench.quick else 5

    def on(subject: Subject) -> Records:
        place, workers, limits = (
            bench.place(subject.store),
            shape(bench, subject.store),
            dict(LIMITS),
        )
        if subject.name == OURS:
            limits |= {"requests/steady": LIMITS["requests"], "slots": SLOTS}
        load = Load(
            "saturate", place, limits, bench.span, bench.key(), workers,
            subject.name, subject.python, more={"spans": spans},
        )  # fmt: skip
        return run(load)

    rows: dict[str, Row] = {}
    for subject, records in bench.at_once(on, subjects(bench), 1):
        for row in _saturated(bench, records, subject.name, spans, subject.store):
            if subject.name == OURS:
                row.note += records.first_error()
                rows[row.title] = row
            else:
                same = rows.setdefault(row.title, Row(row.title, None, form=row.form))
                same.peers[subject.name] = row.value
    yield from rows.values()


def _saturated(bench: Bench, records: Records, name: str, spans: int, where: str) -> Iterator[Row]:
    for scope in SCOPES:
        grants = records.of(scope)
        if not grants:
            continue
        # the run's end on the clock by which `when` is told
        end = min(g.asked for g in grants) + spans * bench.span
        if name == OURS:
            end += min(g.at - g.asked for g in grants if not g.sleeps)
        when = [(g.at if name == OURS else g.answered, g.weight) for g in grants]
        used = settled_use(when, bench.span, end) / LIMITS[scope]
        yield Row(f"used at saturation, {scope}, {where}", used, "≥", 0.99)
        lucky = luck((g.worker for g in grants), 32)
        yield Row(f"luckiest ÷ unluckiest worker, {scope}, {where}", lucky, "≤", 1.2, "{:.2f}")
        if name == OURS:
            yield from _promises(scope, where, grants)
    if name == OURS:
        yield from _steady(bench, records, spans, where)
        yield from _slots(bench, records, spans, where)


def _promises(scope: str, where: str, grants: list[Grant]) -> Iterator[Row]:
    """How long those waited who had to, by what they were told at first."""
    waits = [g for g in grants if g.promised > 0]
    long = [g for g in waits if g.promised >= LONG]
    kept = [g.waited / g.promised for g in long]
    answered = [(g.answered - g.asked) / g.promised for g in long]
    late = sum(each > 1.05 for each in kept) / max(len(kept), 1)
    behind = [(g.waited - g.promised) / 1000 for g in waits]
    note = (
        f"p99; median {quantile(kept, 0.5):.3f}, {late:.1%} above 1.05, of {len(kept)} ≥ 0.1 s; "
        f"p99 by the client's clock {quantile(answered, 0.99):.3f}; of all {len(waits)}, "
        f"p99 {quantile(behind, 0.99):.1f} ms late"
    )
    title = f"wait ÷ promised wait, {scope}, {where}"
    yield Row(title, quantile(kept, 0.99), "≤", 1.05, note=note)
    for what, bar, counts in (
        ("sleeps", 1, [g.sleeps for g in waits]),
        ("round trips", 2, [g.asks for g in waits]),
    ):
        mean = statistics.fmean(counts) if counts else math.nan
        note = f"the most; {mean:.3f} on the average"
        most = max(counts, default=0)
        yield Row(f"{what} of a grant that waits, {scope}, {where}", most, "≤", bar, "{:.0f}", note)


def _steady(bench: Bench, records: Records, spans: int, where: str) -> Iterator[Row]:
    grants = records.of("requests/steady")
    meant = spans * LIMITS["requests"] // 2
    delayed = sum(1 for g in grants if g.asks > 1 or g.promised)
    missing = meant - len(grants)
    note = f"{len(grants)} of {meant} admitted, {delayed} delayed"
    title = f"even load at half the limit: not admitted or delayed, {where}"
    yield Row(title, abs(missing) + delayed, "=", 0, "{:.0f}", note)


def _slots(bench: Bench, records: Records, spans: int, where: str) -> Iterator[Row]:
    """Calls at a time, of workers that wait for one of a few places."""
    calls = [(g.answered, g.ended or g.answered) for g in records.of("slots")]
    busy = sum(ends - begins for begins, ends in calls) / SLOTS / spans / bench.span
    note = f"{busy:.3f} of them in use on the average"
    title = f"calls at a time ÷ slots, {where}"
    yield Row(title, peak(calls) / SLOTS, "≤", 1.0, note=note)

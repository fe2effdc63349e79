"""Rows of what goes wrong: Redis is killed and comes back, or does not; a client is killed."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from threading import Thread

from limits_load import OURS, Bench, Load, Records, Row, squad
from limits_rows import LIMITS, over
from limits_settling import ledger_error
from limits_subjects import PLENTY, Franca, Grant, clock

from franca.testing.redis_server import RedisServer

STEADY = "requests/steady"
BUSIEST = 4_000_000  # in a shorter window less is let through: AOF is written for each decision
KILLED, AWAY = 1.5, 1_000_000  # in spans after the start; microseconds
SLOTS, LEASE = 4, 2_000_000


@dataclass(frozen=True)
class Outage:
    """A kill -9 of Redis under load.

    Args:
        keeps: it writes down what it knows, and has it when it is back.
        returns: it comes back.
        loses: a client is killed while it is away.
        mode: what holds while it is away.
    """

    title: str
    keeps: bool = False
    returns: bool = True
    loses: bool = False
    mode: str = "share"


OUTAGES = (
    Outage("Redis killed, with AOF", keeps=True),
    Outage("Redis killed, no AOF"),
    Outage("Redis killed, no AOF, and a client", loses=True),
    Outage("Redis killed, with AOF, closed", keeps=True, mode="closed"),
    Outage("Redis gone, share", returns=False),
)


@dataclass
class Seen:
    """What came of one: when Redis went and when it was back, on the true clock."""

    records: Records
    went: int
    back: int


def outages(bench: Bench) -> Iterator[Row]:
    """All at once: each has a Redis and clients of its own, which mostly wait."""
    each = [one for one in OUTAGES if one.mode == "share" or not bench.quick]
    for outage, seen in bench.at_once(partial(_suffer, bench), each):
        yield from _rows(bench, outage, seen)


def _limits(bench: Bench) -> dict[str, int]:
    """Of each scope."""
    limits = {scope: n * min(bench.span, BUSIEST) // BUSIEST for scope, n in LIMITS.items()}
    return limits | {STEADY: limits["requests"]}


def _suffer(bench: Bench, outage: Outage) -> Seen:
    with ExitStack() as stack:
        server = stack.enter_context(RedisServer(appendonly=outage.keeps))
        spans = 3.2 if outage.returns else 4
        more = {"spans": spans, "lease": bench.span, "look": outage.returns}
        place, workers = f"{server.url}#{outage.mode}", (2, 8) if bench.quick else (4, 4)
        load = Load("fault", place, _limits(bench), bench.span, "bench", workers, more=more)
        made = stack.enter_context(squad(load))
        made.go()
        made.sleep_until(KILLED)
        went = clock()
        server.kill()
        time.sleep(AWAY / 2e6)
        if outage.loses:
            made.kill(0)
        time.sleep(max(went + AWAY - clock(), 0) / 1e6)
        if outage.returns:
            server.start()
        back = clock()
        return Seen(made.join(), went, back)


def _rows(bench: Bench, outage: Outage, seen: Seen) -> Iterator[Row]:
    records, title = seen.records, outage.title
    for scope in LIMITS:
        limit = _limits(bench)[scope]
        value, note = over(records.of(scope), limit, bench.span, OURS)
        if not outage.returns:
            note += f"; {_meanwhile(bench, records, scope, seen)}"
        yield Row(f"{title}: admitted ÷ limit, {scope}", value, "≤", 1.0, note=note)
    if not outage.returns:
        return
    yield _stall(bench, outage, seen)
    number, words = len(records.errors), records.first_error()
    yield Row(f"{title}: errors to callers", number, "=", 0, "{:.0f}", words)
    for scope in () if outage.loses else LIMITS:
        off, note = ledger_error(records, scope, bench.span)
        yield Row(f"{title}: settled twice or lost, {scope}", off, "=", 0, "{:.0f}", note)


def _stall(bench: Bench, outage: Outage, seen: Seen) -> Row:
    """The longest wait of a call under half the load that the limit has room for."""
    calls = [g.answered - g.asked for g in seen.records.of(STEADY) if g.answered > seen.went]
    stall = max(calls, default=0) / 1e6
    late = 0.3 if outage.keeps else bench.span / 1e6 if outage.loses else 1.0
    away = (seen.back - seen.went) / 1e6
    note = f"of {len(calls)} calls since; it was away for {away:.2f} s"
    title = f"{outage.title}: longest stall, s"
    return Row(title, stall, "≤", away + late, "{:.2f}", note)


def _meanwhile(bench: Bench, records: Records, scope: str, seen: Seen) -> str:
    """How much of the limit was used in the second window without Redis."""
    begin = seen.went + bench.span
    within = (g.weight for g in records.of(scope) if begin <= g.answered < begin + bench.span)
    return f"{sum(within) / _limits(bench)[scope]:.2f} used in the second window without it"


def deaths(bench: Bench) -> Iterator[Row]:
    """A client that holds all slots is killed."""
    stores = [store for store in bench.stores if store != "memory"]
    for _, rows in bench.at_once(lambda store: list(_death(bench, store)), stores):
        yield from rows


def _death(bench: Bench, store: str) -> Iterator[Row]:
    place, key = bench.place(store), bench.key()
    scopes = {"requests": PLENTY, "requests/queued": PLENTY}
    more = {"slots": SLOTS, "lease": LEASE}
    ours = Franca(place, scopes, bench.span, key, slots=SLOTS, lease=LEASE)
    with squad(Load("hold", place, scopes, bench.span, key, (1, SLOTS), more=more)) as made:
        made.go()
        while any(ours.look(scope).busy < SLOTS for scope in scopes):
            if clock() > made.start + 10_000_000:
                raise RuntimeError("a client did not get all the free slots within 10 s")
            time.sleep(0.01)
        time.sleep(LEASE / 2e6)
        killed = clock()
        made.kill(0)
    heirs: list[Grant] = []
    threads = [Thread(target=_inherit, args=(ours, killed, heirs)) for _ in range(SLOTS)]
    for thread in threads:
        thread.start()
    while (busy := ours.look("requests").busy) and clock() < killed + 3 * LEASE:
        time.sleep(0.005)
    free = (clock() - killed) / 1e6
    for thread in threads:
        thread.join()
    waited = [(each.answered - killed) / 1e6 for each in heirs]
    note = f"who waited for one had it after {max(waited, default=math.nan):.2f} s"
    title = f"kill -9 of a client: its slots are free after, s, {store}"
    yield Row(title, free, "≤", LEASE / 1e6, "{:.2f}", note)
    for each in heirs:
        ours.done(each, 1)
    stuck = busy + SLOTS - len(heirs) + ours.look("requests/queued").busy
    yield Row(f"kill -9 of a client: slots stuck, {store}", stuck, "=", 0, "{:.0f}")


def _inherit(ours: Franca, killed: int, heirs: list[Grant]) -> None:
    if grant := ours.wait("requests/queued", 1, killed + 4 * LEASE):
        heirs.append(grant)

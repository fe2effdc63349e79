"""One process of `limits.py`'s load, under any Python from 3.11 on.

`python limits_worker.py JOB`: JOB is JSON. It says `ready`, reads the true time at which to begin,
writes each admission as one line of JSON, at once, and at its end what went wrong.
"""

from __future__ import annotations

import json
import os
import random
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from limits_settling import settling
from limits_subjects import SUBJECTS, clock

HERE = os.path.dirname(os.path.abspath(__file__))
AHEAD = 1.0  # seconds
PATIENCE = 20_000_000  # microseconds: no outage lasts so long


def set_ahead() -> None:
    """The wall clock of this process goes before: to be called before anything asks for it."""
    wall, wall_ns = time.time, time.time_ns
    setattr(time, "time", lambda: wall() + AHEAD)  # noqa: B010 - a type checker forbids it else
    setattr(time, "time_ns", lambda: wall_ns() + int(AHEAD * 1e9))  # noqa: B010


class Run:
    """A job under way: what its threads share."""

    def __init__(self, job: dict[str, Any], subject: Any, start: int, out: int) -> None:
        self.job, self.start, self.out = job, start, out
        self.subject: Any = subject
        self.span: int = job["span"]
        self.process: int = job["process"]
        self.errors: list[str] = []
        self.lock, self.estimate, self.busy = threading.Lock(), None, 0

    def until(self, spans: float) -> int:
        """So many windows after the start."""
        return self.start + int(spans * self.span)

    def sleep_until(self, moment: int) -> None:
        time.sleep(max(moment - clock(), 0) / 1e6)

    def record(self, scope: str, worker: str, grant: Any) -> None:
        grant.worker = worker
        os.write(self.out, f"{json.dumps([scope, *grant.packed()])}\n".encode())

    def call(
        self, scope: str, worker: str, weight: int, ask: Callable[[], Any], seconds: float = 0
    ) -> Any:
        """One admission and the call that it is for; None where it is refused."""
        if (grant := ask()) is None:
            return None
        if seconds:
            self.record(scope, worker, grant)
            time.sleep(seconds)
        billed = self.outcome(weight)
        grant.ended = clock()
        self.subject.done(grant, billed)
        grant.billed = grant.weight = billed or 0
        self.record(scope, worker, grant)
        return grant

    def look(self, scope: str) -> list[int]:
        """The time, and what is counted of each window."""
        seen = self.subject.look(scope)
        return [seen.now, *seen.used]

    def outcome(self, weight: int) -> int | None:
        """What a call is billed: under faults seldom all that was reserved, and some are unsent."""
        if self.job["kind"] != "fault":
            return weight
        return None if random.random() < 0.1 else random.randint((weight + 1) // 2, weight)

    def hammer(self, scope: str, worker: str, begin: int, end: int, rest: float) -> None:
        """Try without waiting, and again soon where it is refused."""
        self.sleep_until(begin)
        while clock() < end:
            weight = weigh(scope)
            ask = lambda w=weight: self.subject.attempt(scope, w)  # noqa: E731
            if self.call(scope, worker, weight, ask) is None:
                time.sleep(random.uniform(0.5, 1.5) * rest)

    def queue(self, scope: str, worker: str, begin: int, end: int, patience: int = 0) -> None:
        """Wait for one admission after the other. With a `patience` (in microseconds), a refusal
        is an error; else who would have to wait for longer than this lasts goes home."""
        self.sleep_until(begin)
        while (now := clock()) < end:
            weight, last = weigh(scope), (now + patience if patience else end)
            ask = lambda w=weight, t=last: self.subject.wait(scope, w, t)  # noqa: E731
            if self.call(scope, worker, weight, ask, self.span / 40e6) is None:
                if not patience:
                    return
                self.errors.append(f"{scope}: refused")

    def pace(
        self, scope: str, worker: str, begin: int, end: int, every: int, patience: int
    ) -> None:
        """One admission `every` so many microseconds, evenly, beginning at `begin`."""
        for moment in range(begin, end, every):
            self.sleep_until(moment)
            last, weight = clock() + patience, weigh(scope)
            ask = lambda w=weight, t=last: self.subject.wait(scope, w, t)  # noqa: E731
            if self.call(scope, worker, weight, ask) is None:
                self.errors.append(f"{scope}: refused")


def weigh(scope: str) -> int:
    return random.randint(50, 150) if scope.startswith("tokens") else 1


def adversary(run: Run, scope: str, number: int) -> None:
    """One call opens the window; a burst at its end, another at the next one's beginning, then
    all that is to be had."""
    worker, burst = f"{run.process}.{number}", 0.15
    if worker == "0.0":
        run.sleep_until(run.start)
        run.call(scope, worker, 1, lambda: run.subject.attempt(scope, 1))
    run.hammer(scope, worker, run.until(1 - burst), run.until(0.995), 0.002)
    run.hammer(scope, worker, run.until(1), run.until(1 + burst), 0.002)
    run.hammer(scope, worker, run.until(1 + burst), run.until(run.job["spans"]), 0.02)


def saturate(run: Run, scope: str, number: int) -> None:
    """Workers that wait; and, in a scope of its own, an even load at half the limit."""
    worker, end = f"{run.process}.{number}", run.until(run.job["spans"])
    if "/steady" in scope:
        steadily(run, scope, number, 0.5, end)
    else:
        run.queue(scope, worker, run.start, end)


def fault(run: Run, scope: str, number: int) -> None:
    """The same, but nobody goes home: a refusal is an error."""
    worker, end = f"{run.process}.{number}", run.until(run.job["spans"])
    if "/steady" in scope:
        steadily(run, scope, number, 0.5, end)
    else:
        run.queue(scope, worker, run.start, end, patience=PATIENCE)


def steadily(run: Run, scope: str, number: int, share: float, end: int) -> None:
    threads = run.job["threads"]
    everyone = threads * run.job["processes"]
    between = run.span / run.subject.limits[scope] / share
    mine = run.process * threads + number
    begin = run.start + int(between * mine)
    worker = f"{run.process}.{number}"
    run.pace(scope, worker, begin, end, int(between * everyone), PATIENCE)


def hold(run: Run, scope: str, number: int) -> None:
    """Take a slot and keep it for good."""
    worker = f"{run.process}.{number}"
    run.call(scope, worker, 1, lambda: run.subject.wait(scope, 1, run.until(9)), 3600)


def settle(run: Run, scope: str, number: int) -> None:
    """Calls whose length is guessed before and billed after."""
    settling(run, scope, f"{run.process}.{number}")


def decide(run: Run, scope: str, number: int) -> None:
    """Decisions as fast as it can, in rounds; nothing is refused, or all is."""
    subject, rounds = run.subject, []
    for _ in range(run.job["rounds"]):
        started = time.perf_counter()
        for _ in range(run.job["count"]):
            subject.attempt(scope, 1)
        rounds.append((time.perf_counter() - started) / run.job["count"])
    run.errors.append(json.dumps(rounds))


KINDS = {each.__name__: each for each in (adversary, saturate, fault, hold, settle, decide)}


def main() -> None:
    """Does its job."""
    job = json.loads(sys.argv[1])
    if job["ahead"]:
        set_ahead()
    # this folder's limits.py is not the package of that name
    sys.path[:] = [each for each in sys.path if os.path.abspath(each or ".") != HERE]
    out = os.dup(1)
    os.dup2(2, 1)  # what libraries print is no record of ours
    given = {name: job[name] for name in ("slots", "lease") if job.get(name)}
    subject = SUBJECTS[job["subject"]](
        job["place"], job["limits"], job["span"], job["key"], **given
    )
    os.write(out, b"ready\n")
    line = sys.stdin.readline()
    if not line:
        return
    run = Run(job, subject, int(line), out)
    threads = [
        threading.Thread(target=guarded, args=(run, KINDS[job["kind"]], scope, number), daemon=True)
        for number in range(job["threads"])
        for scope in job["limits"]
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    looks: dict[str, list[int]] = {}
    for number, scope in enumerate(job["limits"] if job.get("look") else ()):
        guarded(run, lambda run, scope, _: looks.update({scope: run.look(scope)}), scope, number)
    os.write(out, f"{json.dumps({'errors': run.errors, 'looks': looks})}\n".encode())
    os._exit(0)  # a library's own threads are no reason to stay


def guarded(run: Run, kind: Callable[..., None], scope: str, number: int) -> None:
    """What a library raises is a result too."""
    try:
        kind(run, scope, number)
    except Exception as error:
        run.errors.append(f"{scope}: {type(error).__name__}: {error}"[:300])


if __name__ == "__main__":
    main()

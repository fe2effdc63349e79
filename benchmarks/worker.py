"""One subject of `overhead.py`, in a process of its own, under any Python from 3.11 on.

`python worker.py SUBJECT --jobs` reads one job a line from standard input (`{"scenario": …,
"url": …, "calls": …, "words": …}`) and answers with the CPU seconds that it took.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

from subjects import SUBJECTS


def repeat(call: Callable[[], Any], calls: int, words: int) -> float:
    """CPU seconds of so many calls, one after the other."""
    started = time.process_time()
    for _ in range(calls):
        answer = call()
    spent = time.process_time() - started
    check(answer, words)
    return spent


async def arepeat(
    call: Callable[[], Awaitable[Any]], calls: int, words: int, at_once: int
) -> float:
    """CPU seconds of so many calls, `at_once` in flight."""
    import asyncio

    answers: list[Any] = []

    async def one_of() -> None:
        for _ in range(calls // at_once):
            answer = await call()
        answers.append(answer)

    started = time.process_time()
    await asyncio.gather(*(one_of() for _ in range(at_once)))
    spent = time.process_time() - started
    for answer in answers:
        check(answer, words)
    return spent


def check(answer: Any, words: int) -> None:
    """An answer that is not whole is no answer."""
    if answer is None or len(answer.split()) != words:
        raise SystemExit(f"expected {words} words, got {str(answer)[:80]!r}")


def memory(call: Callable[[], Any], calls: int) -> float:
    """KB that the process grew by over so many calls."""
    for _ in range(max(calls // 10, 200)):
        call()
    before = _resident()
    for _ in range(calls):
        call()
    return _resident() - before


def _resident() -> float:
    gc.collect()
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1024


def factory(make: Callable[[], Any], calls: int) -> float:
    """CPU seconds of making so many clients, after the first."""
    make()
    started = time.process_time()
    for _ in range(calls):
        make()
    return time.process_time() - started


class Runner:
    """Does jobs: one subject per server, one event loop for all that is asynchronous."""

    def __init__(self, name: str) -> None:
        import asyncio

        self._make = SUBJECTS[name]
        self._subjects: dict[str, Any] = {}
        self._loop = asyncio.Runner()

    def run(self, scenario: str, url: str, calls: int, words: int) -> float | None:
        """What it took; None where the subject has no such call."""
        subject = self._subjects.get(url) or self._subjects.setdefault(url, self._make(url))
        name, _, at_once = scenario.partition("*")
        special = {"memory": "sync", "factory": "make"}.get(name)
        call = getattr(subject, special or name, None)
        if call is None:
            return None
        if name in ("flow", "limits"):
            return call(calls)
        if special:
            return memory(call, calls) if name == "memory" else factory(call, calls)
        if name in ("aio", "astream"):
            return self._loop.run(arepeat(call, calls, words, int(at_once or 1)))
        return repeat(call, calls, words)


def main() -> None:
    """`worker.py SUBJECT --once URL` or `worker.py SUBJECT --jobs`."""
    name, what, *rest = sys.argv[1:]
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer of ours
    if what == "--once":
        import openai  # noqa: F401 - what both sides load alike is most of the cost and of the noise

        cpu, wall = time.process_time(), time.perf_counter()
        subject: Any = SUBJECTS[name](rest[0])
        subject.first()
        print(time.process_time() - cpu, time.perf_counter() - wall, file=out, flush=True)
    else:
        runner = Runner(name)
        for line in sys.stdin:
            print(json.dumps(runner.run(**json.loads(line))), file=out, flush=True)


if __name__ == "__main__":
    main()

"""Many calls through three servers that fail in 30 % of their answers, while one after another is
killed with SIGKILL and started again: each call is answered once, or fails with one typed error.

    python benchmarks/soak.py [--calls N] [--quick] [--check] [--json FILE]
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests" / "conformance"))

from servers import Server, servers, settings  # noqa: E402 - beside the tests that share it

from franca import Hooks, create_async_chat_client, create_chat_client  # noqa: E402
from franca.errors import CallError, StreamInterrupted  # noqa: E402

CALLS, QUICK, WARM = 100_000, 3_000, 200
SERVERS, TASKS, THREADS = 3, 48, 8
BLOCKING = 0.2  # of all calls
HUNG = 120.0  # seconds
POLICY: dict[str, Any] = {
    "retry": {"timeout": 3.0, "idle_timeout": 3.0, "retry_delay": 0.05},
    "breaker": {"recovery_time": 0.5, "max_recovery_time": 2.0},
}


@dataclass
class Figures:
    """What came of it.

    Args:
        answered: calls whose answer is the one to their question, each once.
        errors: calls that ended in a typed error, by its class.
        wrong: answers that are not the one to the question, or hold a piece twice.
        untyped: calls that raised anything else, or never ended.
        upstream: requests sent.
        kills: servers killed.
        grown: how much more memory the process holds than after the first calls, in MB.
    """

    calls: int
    answered: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    wrong: int = 0
    untyped: Counter[str] = field(default_factory=Counter)
    upstream: int = 0
    kills: int = 0
    seconds: float = 0.0
    grown: float = 0.0

    @property
    def met(self) -> bool:
        """Each call was answered once, or failed with one typed error."""
        ended = self.answered + sum(self.errors.values())
        return ended == self.calls and not self.wrong and not self.untyped

    def add(self, asked: str, got: str, failed: BaseException | None) -> None:
        """How one call ended."""
        expected = f"You said: {asked}"
        if failed is None:
            self.answered += got == expected
            self.wrong += got != expected
        elif isinstance(failed, StreamInterrupted):
            whole = failed.partial.content or ""
            if not (expected.startswith(whole) and whole.startswith(got)):
                self.wrong += 1
            else:
                self.errors["StreamInterrupted"] += 1
        elif isinstance(failed, CallError) and not got:
            self.errors[type(failed).__name__] += 1
        else:
            self.untyped[type(failed).__name__] += 1

    def __str__(self) -> str:
        def share(number: int) -> str:
            return f"{number:,} ({number / self.calls:.2%})"

        rows = [
            ("calls", f"{self.calls:,}"),
            ("answered, once and rightly", share(self.answered)),
            *((f"failed: {name}", share(n)) for name, n in self.errors.most_common()),
            ("answered wrongly, or twice", share(self.wrong)),
            ("failed with no error of ours, or hung", share(sum(self.untyped.values()))),
            ("requests a call", f"{self.upstream / self.calls:.3f}"),
            ("servers killed", str(self.kills)),
            ("seconds", f"{self.seconds:.0f}"),
            ("memory grown", f"{self.grown:.1f} MB"),
        ]
        width = max(len(name) for name, _ in rows)
        lines = [f"{name:<{width}}  {value}" for name, value in rows]
        return "\n".join([*lines, *(f"!! {name}: {n}" for name, n in self.untyped.items())])


def memory() -> float:
    """What the process holds, in MB; 0 where that cannot be told."""
    gc.collect()
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6
    except OSError:
        return 0.0


class Soak:
    """One run."""

    def __init__(self, urls: Sequence[str], calls: int) -> None:
        self.figures = Figures(calls)
        self._settings = settings(urls, **POLICY)
        self._lock = threading.Lock()
        self._hooks = Hooks(on_request=self._sent)

    def _sent(self, event: object) -> None:
        with self._lock:
            self.figures.upstream += 1

    def run(self) -> None:
        """All calls."""
        blocking = int(self.figures.calls * BLOCKING)
        numbers = count(1)
        if self.figures.calls > 10 * WARM:
            asyncio.run(self._tasks([next(numbers) for _ in range(WARM)]))
        before, began = memory(), time.monotonic()
        rest = [next(numbers) for _ in range(self.figures.calls - self._ended)]
        with ThreadPoolExecutor(THREADS) as pool:
            parts = [pool.submit(self._thread, rest[:blocking][i::THREADS]) for i in range(THREADS)]
            asyncio.run(self._tasks(rest[blocking:]))
            for part in parts:
                part.result()
        self.figures.seconds = time.monotonic() - began
        self.figures.grown = memory() - before

    @property
    def _ended(self) -> int:
        figures = self.figures
        return figures.answered + figures.wrong + sum((figures.errors + figures.untyped).values())

    def _told(self, asked: str, got: list[str], failed: BaseException | None) -> None:
        with self._lock:
            self.figures.add(asked, "".join(got), failed)

    def _thread(self, numbers: Sequence[int]) -> None:
        made = create_chat_client("local", "m", settings=self._settings, hooks=self._hooks)
        with made as client:
            for number in numbers:
                asked, got, failed = _question(number), [], None
                try:
                    if number % 2:
                        got.append(client.create_completion(asked).content or "")
                    else:
                        got.extend(d.content or "" for d in client.create_stream(asked))
                except Exception as error:
                    failed = error
                self._told(asked, got, failed)

    async def _tasks(self, numbers: Sequence[int]) -> None:
        made = create_async_chat_client("local", "m", settings=self._settings, hooks=self._hooks)
        left = iter(numbers)
        async with made as client:
            await asyncio.gather(*(self._task(client, left) for _ in range(TASKS)))

    async def _task(self, client: Any, left: Iterator[int]) -> None:
        for number in left:
            asked, failed = _question(number), None
            got: list[str] = []
            try:
                async with asyncio.timeout(HUNG):
                    if number % 2:
                        got.append((await client.create_completion(asked)).content or "")
                    else:
                        async for delta in client.create_stream(asked):
                            got.append(delta.content or "")
            except Exception as error:
                failed = error
            self._told(asked, got, failed)


def _question(number: int) -> str:
    return f"what is the answer to number {number} of them all?"


def murder(victims: Sequence[Server], over: threading.Event, figures: Figures) -> None:
    """Kill one after another, and start it again a second later."""
    while not over.wait(2.0 if figures.kills else 0.5):
        victim = victims[figures.kills % len(victims)]
        victim.kill()
        figures.kills += 1
        over.wait(1.0)
        victim.start()


def soak(calls: int) -> Figures:
    """Run it."""
    over = threading.Event()
    with servers(SERVERS, [str(HERE / "soak_server.py")]) as three:
        run = Soak([server.url for server in three], calls)
        killer = threading.Thread(target=murder, args=(three, over, run.figures))
        killer.start()
        try:
            run.run()
        finally:
            over.set()
            killer.join()
    return run.figures


def main() -> int:
    """The command."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--calls", type=int, default=CALLS)
    options.add_argument("--quick", action="store_true", help=f"{QUICK:,} calls")
    options.add_argument("--check", action="store_true", help="exit status 1 where a call is lost")
    options.add_argument("--json", type=Path, metavar="FILE", help="the figures, for a machine")
    given = options.parse_args()
    figures = soak(QUICK if given.quick else given.calls)
    print(figures)
    if given.json:
        given.json.write_text(json.dumps({**vars(figures), "met": figures.met}, indent=1) + "\n")
    return 1 if given.check and not figures.met else 0


if __name__ == "__main__":
    sys.exit(main())

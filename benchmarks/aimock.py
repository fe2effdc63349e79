"""The faults that npm's `@copilotkit/aimock` can make, which nobody here wrote: driven through the
public client, both wires, sync and async, whole and streamed.

    python benchmarks/aimock.py [--check]

Installs it into .cache of this folder; says so and ends well where npm is missing.
"""

from __future__ import annotations

import argparse
import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any
from urllib.request import urlopen

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "conformance"))

from faults import seen, table, wait
from faulty import RETRIES, TEXT, WAYS, Scene, Seen, Way, place

from franca import Settings
from franca.testing import Received

PACKAGE, VERSION = "@copilotkit/aimock", "1.43.0"
CACHE = Path(__file__).parents[1] / ".cache" / "aimock"
COMMAND = CACHE / "node_modules" / PACKAGE / "dist" / "cli.js"
FAILED = {"message": "no", "type": "server_error"}
PIECES = 5  # characters: TEXT comes in four pieces
SLOW = 30_000  # milliseconds
_names = count(1)

Expected = Callable[[Way], str]


@dataclass
class Case:
    """A fault as aimock's fixture says it, and what the caller is to see of it.

    Args:
        fixture: beside what it matches.
        error: what ends a call whose every try meets it.
        streams: None for both kinds, else only streamed or only whole calls.
        waits: seconds between two tries of an endpoint, at the least.
        commits: something was visible.
        unlisted: the mock does not list requests that it has not answered.
    """

    name: str
    fixture: dict[str, Any]
    error: str
    streams: bool | None = None
    waits: float = 0.0
    params: dict[str, Any] = field(default_factory=dict)
    commits: bool = False
    unlisted: bool = False

    def expected(self, way: Way, *, always: bool) -> str:
        """How a call ends, as `seen` says it."""
        if self.commits:
            return f"1: {self.error}"
        failed, answered = (max(way.endpoints, 1 + RETRIES), 0) if always else (1, 1)
        listed = answered + (0 if self.unlisted else failed)
        return f"{listed}: {self.error if always else 'answer'}"


def _failing(status: int, **more: Any) -> dict[str, Any]:
    return {"response": {"error": FAILED, "status": status, **more}}


def _chaos(**rates: float) -> dict[str, Any]:
    return {"response": {"content": TEXT}, "chaos": rates}


def _cut(after: int) -> dict[str, Any]:
    return {"response": {"content": TEXT}, "chunkSize": PIECES, "truncateAfterChunks": after,
            "latency": 20}  # fmt: skip


CASES = (
    Case("429, Retry-After: 1", _failing(429, retryAfter=1), "RateLimitError", waits=1.0),
    Case("500", _failing(500), "ProviderError"),
    Case("502", _failing(502), "ProviderError"),
    Case("503", _failing(503), "ProviderError"),
    Case("529", _failing(529), "ProviderError"),
    Case("chaos: 500", _chaos(dropRate=1), "ProviderError"),
    Case("chaos: malformed JSON", _chaos(malformedRate=1), "APIError"),
    Case("chaos: disconnected", _chaos(disconnectRate=1), "ConnectionError"),
    Case("chaos: 429", _chaos(rateLimitRate=1), "RateLimitError"),
    Case("slower than the timeout", _chaos(latencyMs=SLOW), "TimeoutError", unlisted=True,
         params={"timeout": 1.5}),
    Case("cut before anything is visible", _cut(2), "ConnectionError", streams=True),
    Case("cut after that", _cut(4), "StreamInterrupted", streams=True, commits=True),
)  # fmt: skip


class Mock(Scene):
    """aimock in place of the simulator: a call's words name its fixture, a header the call."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url, self._words = url, dict[str, str]()
        self._seen: dict[str, Seen] = {}

    def begin(self, way: Way, script: str, policy: Any) -> tuple[str, Settings, Seen]:
        """See `Scene`."""
        name, found = f"call-{next(_names)}", Seen()
        self._words[name], self._seen[name] = script, found
        return name, place(way, name, self._url, policy), found

    def prompt(self, name: str) -> str:
        """See `Scene`."""
        return self._words[name]

    def journal(self) -> None:
        """Read what it was asked."""
        for name, found in self._seen.items():
            with urlopen(f"{self._url}/__aimock/journal?testId={name}") as answer:
                found.requests[:] = [_received(entry) for entry in json.load(answer)]
        self._seen.clear()


def _received(entry: dict[str, Any]) -> Received:
    """A request of the journal; a header says to which endpoint."""
    headers = entry["headers"]
    path, at = f"{entry['path']}#{headers['x-endpoint']}", entry["timestamp"] / 1000
    return Received("POST", path, "", headers, b"", at, "")


def fixtures() -> dict[str, Any]:
    """Each case twice: its first request fails, or all do."""
    made: list[dict[str, Any]] = []
    for number, case in enumerate(CASES):
        for words, more in ((f"once {number}.", {"sequenceIndex": 0}), (f"always {number}.", {})):
            made.append({"match": {"userMessage": words, **more}, **case.fixture})
    well = {"match": {"userMessage": "once"}, "response": {"content": TEXT}}
    return {"fixtures": [*made, well]}


def install() -> str:
    """Why it cannot be used; nothing where it can."""
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        return "npm and node are not installed"
    if not COMMAND.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        command = [npm, "install", "--no-audit", "--no-fund", "--prefix", str(CACHE)]
        done = subprocess.run([*command, f"{PACKAGE}@{VERSION}"], capture_output=True, text=True)
        if done.returncode:
            return f"npm could not install {PACKAGE}: {done.stderr.strip()[-300:]}"
    return ""


@contextmanager
def running() -> Generator[str]:
    """Its address."""
    file = CACHE / "fixtures.json"
    file.write_text(json.dumps(fixtures()))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = ["node", str(COMMAND), "-p", str(port), "-f", str(file), "--log-level", "silent"]
    process = subprocess.Popen([*command, "--journal-max", "0", "--fixture-counts-max", "0"])
    try:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def row(mock: Mock, number: int, case: Case) -> tuple[list[str], bool]:
    """A line of the table, and whether it is as expected."""
    ways = [way for way in WAYS if case.streams is None or way.stream == case.streams]
    cells, every, well = [case.name], list[Seen](), True
    for always, words in enumerate((f"once {number}.", f"always {number}.")):
        done = mock.play([(way, words, case.params) for way in ways])
        mock.journal()
        every += done
        for endpoints in (1, 2, 4):
            those = [(w, s) for w, s in zip(ways, done, strict=True) if w.endpoints == endpoints]
            cells.append(seen(s for _, s in those))
            well &= all(seen([s]) == case.expected(w, always=bool(always)) for w, s in those)
        well &= all(_right(s) for s in done)
    well &= all(gap >= case.waits - 0.002 for s in every for gap in s.gaps())  # whole milliseconds
    return [*cells, wait(every), "yes" if well else "NO"], well


def _right(found: Seen) -> bool:
    return found.text == TEXT if found.error is None else TEXT.startswith(found.text)


def rows(mock: Mock, met: list[bool]) -> Iterable[list[str]]:
    """The table's lines, each as soon as it is there."""
    for number, case in enumerate(CASES):
        line, well = row(mock, number, case)
        met.append(well)
        yield line


def main() -> int:
    """The command."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--check", action="store_true", help="exit status 1 where one differs")
    given = options.parse_args()
    if why := install():
        print(f"skipped: {why}")
        return 0
    met: list[bool] = []
    with running() as url:
        heads = [f"{when}, {n}" for when in ("once", "always") for n in (1, 2, 4)]
        table(["aimock's answer", *heads, "waits", "as expected"], rows(Mock(url), met))
    return 1 if given.check and not all(met) else 0


if __name__ == "__main__":
    sys.exit(main())

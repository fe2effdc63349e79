"""A real token server in a process of its own, on loopback."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest

UPPER = 60.0  # seconds after which something hangs


@dataclass
class Running:
    """The process and its address."""

    process: subprocess.Popen[str]
    url: str

    def connect(self) -> http.client.HTTPConnection:
        place = urlsplit(self.url)
        assert place.hostname
        return http.client.HTTPConnection(place.hostname, place.port, timeout=UPPER)

    def call(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[int, Any]:
        """(status, the decoded reply)."""
        connection = self.connect()
        raw = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        try:
            connection.request(method, path, raw, headers or {})
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    def count(self, **body: Any) -> tuple[int, Any]:
        return self.call("POST", "/count_tokens", body)

    def end(self) -> tuple[int, str]:
        """(exit status, what it said on stderr), once it has ended."""
        _, said = self.process.communicate(timeout=UPPER)
        return self.process.returncode, said


Start = Callable[..., Running]


@pytest.fixture(scope="module")
def start() -> Iterator[Start]:
    """Starts servers; whatever still runs at the end is killed."""
    pytest.importorskip("fastapi", reason="the extra `server` is not installed")
    running: list[Running] = []

    def one(*arguments: str, **env: str) -> Running:
        process = subprocess.Popen(
            [sys.executable, "-m", "franca", "token-server", "--port", "0", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **env},
        )
        timer = threading.Timer(UPPER, process.kill)
        timer.start()
        assert process.stdout
        url = process.stdout.readline().strip()
        timer.cancel()
        assert url, process.communicate()[1]
        running.append(Running(process, url))
        return running[-1]

    yield one
    for each in running:
        each.process.kill()
        each.process.communicate()


@pytest.fixture(scope="module")
def server(start: Start) -> Running:
    """One that asks for no key, for the tests that leave it standing."""
    return start()

"""Servers in processes of their own, to be killed and started again where they were."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

from franca import Settings

JSON = dict[str, Any]
SIMULATOR = ("-m", "franca.testing")


class Server:
    """A process that prints its address once it listens.

    Args:
        arguments: of Python; `--port` is added to them.
    """

    def __init__(self, arguments: Sequence[str] = SIMULATOR) -> None:
        self._arguments, self._port = arguments, 0
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start it, where it was before."""
        command = [sys.executable, *self._arguments, "--port", str(self._port)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        self._port = int(self.url.rpartition(":")[2])

    @property
    def pid(self) -> int:
        """The process."""
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """SIGKILL."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None


@contextmanager
def servers(number: int, arguments: Sequence[str] = SIMULATOR) -> Generator[list[Server]]:
    """As many, all listening."""
    made = [Server(arguments) for _ in range(number)]
    try:
        for server in made:
            server.start()
        yield made
    finally:
        for server in made:
            server.kill()


def settings(
    urls: Sequence[str],
    *,
    limits: JSON | None = None,
    rate_limit: JSON | None = None,
    **policy: Any,
) -> Settings:
    """One model, `m` of `local`, with an endpoint `e0`, `e1`, … for each address.

    Args:
        limits: of each endpoint, such as `concurrent_requests`.
        rate_limit: the section of that name.
        policy: the `franca` section.
    """
    ids = [f"e{number}" for number in range(len(urls))]
    places = [
        {"id": i, "api_base": f"{url}/v1", "api_key": "k", **(limits or {})}
        for i, url in zip(ids, urls, strict=True)
    ]
    return Settings(
        {
            "VERSION": "2",
            "endpoints": places,
            "backends": {"local": {"models": {"m": {"endpoints": ids}}}},
            "franca": policy,
            **({"rate_limit": rate_limit} if rate_limit else {}),
        }
    )

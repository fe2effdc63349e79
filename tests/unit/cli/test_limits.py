"""`franca limits` as people type it, while another process uses the limits."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from on_redis import needed

from franca.limits.model import SECOND, Lease, Reserve, Seen, Settle
from franca.limits.scopes import Scope, scopes
from franca.settings import Settings
from franca.testing.redis_server import RedisServer

KEY = "a-key-that-nobody-may-see"
COMMAND = [sys.executable, "-m", "franca", "limits"]


def environment(**env: str) -> dict[str, str]:
    outside = {name: value for name, value in os.environ.items() if not name.startswith("FRANCA_")}
    return {**outside, "COLUMNS": "160", "NO_COLOR": "1", "PYTHONUNBUFFERED": "1", **env}


def franca(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments], capture_output=True, text=True, timeout=60, env=environment(**env)
    )


def settings(tmp_path: Path, **limits: Any) -> Path:
    """A file with one limited endpoint of each of two backends."""
    endpoint = {"api_base": "http://127.0.0.1:9/v1", "api_key": KEY}
    document: dict[str, Any] = {
        "VERSION": "2",
        "endpoints": [
            {"id": "one", "rpm": 60, "tpm": 1_000_000, "concurrent_requests": 3, **endpoint},
            {"id": "two", "rps": 2, "itpm": 5000, "otpm": 400, **endpoint},
        ],
        "backends": {
            "local": {"models": {"m": {"endpoints": ["one"]}}},
            "openai": {"models": {"n": {"endpoints": ["two"]}}},
        },
        "rate_limit": {"enabled": True, "default_rpm": 0, **limits},
    }
    path = tmp_path / "settings.json"
    path.write_text(json.dumps(document))
    return path


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    pytest.importorskip("diskcache")
    disk = {"cache_dir": str(tmp_path / "limits")}
    return settings(tmp_path, backend="diskcache", diskcache=disk)


@pytest.fixture
def used(shared: Path) -> Iterator[Scope]:
    """The first scope of the file, used by this process, with all its slots taken."""
    scope = next(scopes(Settings(shared).targets()))
    place = scope.store, scope.key, scope.rules
    leases = [Lease(scope.amounts(1000 * n, 34)) for n in range(4)]
    for lease in leases:
        scope.store.perform(Reserve(*place, lease))
    yield scope
    for lease in leases:
        scope.store.perform(Settle(*place, lease))


def test_it_shows_what_another_process_uses(shared: Path, used: Scope) -> None:
    done = franca("--settings", str(shared))
    assert done.returncode == 0, done.stderr
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert lines[0].startswith(f"local m at one disk {shared.parent / 'limits'} 1 waiting")
    assert lines[1:4] == ["requests/min 3 of 60", "tokens/min 3,102 of 1,000,000", "at once 3 of 3"]
    assert lines[4].startswith("openai n at two")
    assert lines[5:] == [
        "input tokens/min 0 of 5,000",
        "output tokens/min 0 of 400",
        "requests/s 0 of 2",
    ]


def test_the_same_as_json(shared: Path, used: Scope) -> None:
    done = franca("--json", FRANCA_SETTINGS=str(shared))
    assert done.returncode == 0, done.stderr
    one, two = json.loads(done.stdout)
    requests, tokens = one.pop("windows")
    assert requests == {
        "name": "requests", "seconds": 60, "used": 3, "limit": 60, "configured": 60
    }  # fmt: skip
    assert (tokens["used"], tokens["limit"]) == (3102, 1_000_000)
    assert one == {
        "backend": "local",
        "endpoint": "one",
        "model": "m",
        "store": f"disk {shared.parent / 'limits'}",
        "concurrent": 3,
        "max_concurrent": 3,
        "waiting": 1,
        "held_for": 0,
    }
    assert two["max_concurrent"] is None


def test_a_hold_and_what_the_vendor_lowered(shared: Path, used: Scope) -> None:
    place = used.store, used.key, used.rules
    lease = Lease(used.amounts(0, 0))
    seen = (Seen(0, 20, 5),)
    used.store.perform(Settle(*place, lease, seen=seen, hold=500 * SECOND))
    done = franca("--settings", str(shared), "--backend", "local")
    first, requests, *_ = done.stdout.splitlines()
    assert " held for 4" in first
    assert requests.endswith(" 15 of 20, in the vendor's word; settings: 60")


def test_one_backend(shared: Path) -> None:
    done = franca("--settings", str(shared), "--backend", "openai", "--json")
    assert [one["endpoint"] for one in json.loads(done.stdout)] == ["two"]
    done = franca("--settings", str(shared), "--backend", "gemini")
    assert done.returncode == 2
    assert "no such backend" in done.stderr


def test_a_narrow_terminal_loses_no_figure(shared: Path, used: Scope) -> None:
    lines = franca("--settings", str(shared), COLUMNS="40").stdout.splitlines()
    assert all(len(line) <= 40 for line in lines)
    assert " tokens/min          3,102 of 1,000,000" in lines


def test_memory_is_known_to_its_process_only(tmp_path: Path) -> None:
    done = franca("--settings", str(settings(tmp_path, backend="memory")))
    assert done.returncode == 0
    assert "memory: only the process that makes the calls knows" in done.stdout
    assert "– of 60" in done.stdout
    done = franca("--json", "--settings", str(settings(tmp_path, backend="memory")))
    (requests, _), *_ = (one["windows"] for one in json.loads(done.stdout))
    assert (requests["used"], requests["limit"]) == (None, 60)


def test_no_limits(tmp_path: Path) -> None:
    path = settings(tmp_path, enabled=False)
    assert "Nothing is limited" in franca("--settings", str(path)).stdout
    assert json.loads(franca("--settings", str(path), "--json").stdout) == []


def test_a_store_that_is_none(tmp_path: Path) -> None:
    url = f"http://user:{KEY}@example.org"
    path = settings(tmp_path, backend="redis", redis={"url": url})
    done = franca("--settings", str(path))
    assert done.returncode == 2
    assert "redis://" in done.stderr
    assert "Traceback" not in done.stderr
    assert KEY not in done.stdout + done.stderr


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    needed()
    with RedisServer(password=KEY) as server:
        yield server


def test_what_redis_holds(tmp_path: Path, redis: RedisServer) -> None:
    path = settings(tmp_path, backend="redis", redis={"url": redis.url})
    scope = next(scopes(Settings(path).targets()))
    lease = Lease(scope.amounts(100, 50))
    scope.store.perform(Reserve(scope.store, scope.key, scope.rules, lease))
    done = franca("--settings", str(path))
    assert done.returncode == 0, done.stderr
    head, requests, tokens, slots, *_ = done.stdout.splitlines()
    assert head == f"local m at one  redis://127.0.0.1:{redis.port}/0"
    assert [line.split()[-3] for line in (requests, tokens, slots)] == ["1", "150", "1"]
    assert KEY not in done.stdout
    scope.store.perform(Settle(scope.store, scope.key, scope.rules, lease, lease.amounts))
    (first, _) = json.loads(franca("--settings", str(path), "--json").stdout)
    assert (first["concurrent"], first["windows"][1]["used"]) == (0, 150)


@pytest.mark.parametrize("arguments", [[], ["--watch"]])
def test_a_redis_that_is_away(tmp_path: Path, redis: RedisServer, arguments: list[str]) -> None:
    path = settings(tmp_path, backend="redis", redis={"url": redis.url})
    redis.kill()
    done = franca("--settings", str(path), *arguments)
    assert done.returncode == 1
    assert f"127.0.0.1:{redis.port}" in done.stderr
    assert "rate_limit.redis" in done.stderr
    assert "Traceback" not in done.stderr
    assert KEY not in done.stdout + done.stderr


def test_watching_goes_on_when_redis_is_back(tmp_path: Path, redis: RedisServer) -> None:
    path = settings(tmp_path, backend="redis", redis={"url": redis.url})
    command = [*COMMAND, "--settings", str(path), "--watch", "--json"]
    watch = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment())
    assert watch.stdout
    try:
        assert len(json.loads(watch.stdout.readline())) == 2
        redis.kill()
        while "error" not in (line := json.loads(watch.stdout.readline())):
            pass
        assert f"127.0.0.1:{redis.port}" in line["error"]["message"]
        redis.start()
        while "error" in json.loads(watch.stdout.readline()):
            pass
    finally:
        watch.kill()
        watch.communicate()


def test_a_wrong_password(tmp_path: Path, redis: RedisServer) -> None:
    url = redis.url.replace(KEY, f"not-{KEY}")
    done = franca("--settings", str(settings(tmp_path, backend="redis", redis={"url": url})))
    assert done.returncode == 2
    assert f"127.0.0.1:{redis.port}" in done.stderr
    assert KEY not in done.stdout + done.stderr


@pytest.mark.skipif(os.name != "posix", reason="sends a signal")
def test_watching_ends_with_ctrl_c(shared: Path, used: Scope) -> None:
    command = [*COMMAND, "--settings", str(shared), "--watch", "--json"]
    pipe = subprocess.PIPE
    watch = subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=environment())
    assert watch.stdout
    first, second = json.loads(watch.stdout.readline()), json.loads(watch.stdout.readline())
    assert first == second
    assert first[0]["concurrent"] == 3
    watch.send_signal(signal.SIGINT)
    _, errors = watch.communicate(timeout=60)
    assert (watch.returncode, errors) == (0, "")


def test_watching_on_a_terminal_leaves_it_as_it_was(shared: Path) -> None:
    pty = pytest.importorskip("pty")
    ours, its = pty.openpty()
    command = [*COMMAND, "--settings", str(shared), "--watch"]
    env = environment(TERM="xterm")
    watch = subprocess.Popen(command, stdin=its, stdout=its, stderr=its, env=env)
    os.close(its)
    seen = b""
    while seen.count(b"local m") < 2:
        seen += os.read(ours, 4096)
    watch.send_signal(signal.SIGINT)
    while chunk := _read(ours):
        seen += chunk
    assert watch.wait(20) == 0
    os.close(ours)
    assert b"Traceback" not in seen
    assert seen.rfind(b"\x1b[?25h") > seen.rfind(b"\x1b[?25l") > -1  # the cursor is shown again


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 4096)
    except OSError:  # the other end is closed
        return b""

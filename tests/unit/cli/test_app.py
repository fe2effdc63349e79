"""The command line as people type it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from franca.testing import Simulator, error, text_reply
from franca.version import __version__

KEY = "a-key-that-nobody-may-see"


def franca(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    outside = {name: value for name, value in os.environ.items() if not name.startswith("FRANCA_")}
    return subprocess.run(
        [sys.executable, "-m", "franca", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        stdin=subprocess.DEVNULL,
        env={**outside, "COLUMNS": "160", "NO_COLOR": "1", **env},
    )


def settings(tmp_path: Path, url: str, *, models: tuple[str, ...] = ("m",)) -> Path:
    """A file with one backend on both wires of the simulator."""
    document: dict[str, Any] = {
        "VERSION": "2",
        "endpoints": [
            {"id": "one", "api_base": f"{url}/v1", "api_key": KEY},
            {"id": "two", "api_base": url, "api_key": KEY, "endpoint_type": "anthropic"},
        ],
        "backends": {"local": {"models": {m: {"endpoints": ["one", "two"]} for m in models}}},
    }
    path = tmp_path / "settings.json"
    path.write_text(json.dumps(document))
    return path


def test_help_names_the_commands_and_loads_no_sdk() -> None:
    code = (
        "import sys, franca.cli.app as a; a.app(['--help'], standalone_mode=False);"
        "print([m for m in ('openai', 'anthropic', 'pydantic') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert all(name in done.stdout for name in ("local", "demo", "check"))
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_version_is_the_projects() -> None:
    assert franca("--version").stdout == f"franca {__version__}\n"
    project = (Path(__file__).parents[3] / "pyproject.toml").read_text()
    assert f'version = "{__version__}"' in project


def test_wrong_usage_is_2() -> None:
    assert franca("nothing-like-that").returncode == 2


def test_an_error_is_one_message(tmp_path: Path) -> None:
    done = franca("local", str(tmp_path / "absent.gguf"))
    assert done.returncode == 1
    assert done.stderr.startswith("franca: ")
    assert "Traceback" not in done.stderr


def test_the_demo_on_the_simulator() -> None:
    done = franca("demo", "--simulate")
    assert done.returncode == 0, done.stderr
    assert "The simulator answers" in done.stdout
    assert done.stdout.count("You said: ") == 5
    assert done.stdout.count("OpenAI") == 4
    assert KEY not in done.stdout


def test_the_demo_without_weights_says_so(tmp_path: Path) -> None:
    pytest.importorskip("xllamacpp")
    done = franca("demo", "--wait", "0", FRANCA_CACHE_DIR=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "No real model here: the weights did not arrive" in done.stdout
    assert "The simulator answers" in done.stdout


def test_the_demo_on_the_model(gguf: Path) -> None:
    done = franca("demo", FRANCA_CACHE_DIR=str(gguf.parent))
    assert done.returncode == 0, done.stderr
    assert "tiny" in done.stdout
    assert "Anthropic" in done.stdout
    assert done.stdout.count(" ms") == 7


@pytest.mark.skipif(os.name != "posix", reason="sends a signal")
def test_ctrl_c_in_the_demo(gguf: Path) -> None:
    demo = subprocess.Popen(
        [sys.executable, "-m", "franca", "demo"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "FRANCA_CACHE_DIR": str(gguf.parent)},
    )
    assert demo.stdout
    assert "SmolLM2" in demo.stdout.readline()  # the child runs, the first call is on its way
    time.sleep(0.2)
    demo.send_signal(signal.SIGINT)
    _, errors = demo.communicate(timeout=20)
    assert demo.returncode == 130
    assert "Traceback" not in errors
    assert sorted(path.name for path in gguf.parent.iterdir()) == [gguf.name]


def test_check_calls_every_endpoint(tmp_path: Path) -> None:
    with Simulator(api_key=KEY) as sim:
        path = settings(tmp_path, sim.url, models=("m", "n"))
        done = franca("check", "--settings", str(path))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("openai-chat") == 2
    assert done.stdout.count("anthropic-messages") == 2
    assert KEY not in done.stdout + done.stderr


def test_check_says_which_fails_and_keeps_the_key(tmp_path: Path) -> None:
    with Simulator() as sim:
        sim.script(error(401, f"wrong key {KEY}"), text_reply("OK"))
        path = settings(tmp_path, sim.url)
        done = franca("check", "--json", "--at-once", "1", FRANCA_SETTINGS=str(path))
    assert done.returncode == 1
    first, second = json.loads(done.stdout)
    assert (first["ok"], second["ok"]) == (False, True)
    assert first["error"].startswith("AuthenticationError")
    assert second["latency"] >= second["first_token"] > 0
    assert KEY not in done.stdout + done.stderr


def test_check_of_what_nobody_listens_to(tmp_path: Path) -> None:
    done = franca("check", "--json", "--settings", str(settings(tmp_path, "http://127.0.0.1:9")))
    assert done.returncode == 1
    assert ["Cannot connect" in one["error"] for one in json.loads(done.stdout)] == [True, True]


def test_check_waits_no_longer_than_told(tmp_path: Path) -> None:
    with Simulator(default=text_reply("late", latency=30.0)) as sim:
        path = settings(tmp_path, sim.url)
        done = franca("check", "--settings", str(path), "--timeout", "0.5")
    assert done.returncode == 1
    assert done.stdout.count("TimeoutError") == 2


def test_check_of_one_model(tmp_path: Path) -> None:
    with Simulator(api_key=KEY) as sim:
        path = settings(tmp_path, sim.url, models=("m", "n"))
        done = franca("check", "--settings", str(path), "--model", "n", "--json")
        assert {one["model"] for one in json.loads(done.stdout)} == {"n"}
        assert franca("check", "--settings", str(path), "--model", "o").returncode == 2


def test_check_without_settings() -> None:
    done = franca("check")
    assert done.returncode == 2
    assert "--settings FILE" in done.stderr
    assert franca("check", "--settings", "absent.json").returncode == 2

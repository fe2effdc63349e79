"""The command line as people type it."""

import ast
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from franca.cli.app import app
from franca.testing import Answer, Received, Simulator, error, text_reply
from franca.version import __version__

KEY = "a-key-that-nobody-may-see"
Run = Callable[..., "subprocess.CompletedProcess[str]"]
Write = Callable[..., Path]
COMMANDS = {
    *("demo", "ask", "chat", "models", "settings", "check", "health", "limits", "tokens", "cost"),
    *("local", "token-server"),
}
HEAVY = {"openai", "anthropic", "pydantic", "httpx2", "rich", "msgspec", "yaml", "genai_prices"}


def commands(of: Any, *names: str) -> Iterator[tuple[str, Any]]:
    """All commands and subcommands, with their names."""
    for name, inner in getattr(of, "commands", {}).items():
        if hasattr(inner, "commands"):
            yield from commands(inner, *names, name)
        else:
            yield " ".join((*names, name)), inner


@pytest.mark.parametrize(
    "arguments", [[], *([name] for name in sorted(COMMANDS)), ["settings", "init"]]
)
def test_help_loads_nothing_that_works(arguments: list[str]) -> None:
    code = (
        "import atexit, sys, franca.cli;"
        "atexit.register(lambda: print([m for m in sys.modules if '.' not in m]));"
        "franca.cli.main()"
    )
    command = [sys.executable, "-c", code, *arguments, "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert HEAVY.isdisjoint(ast.literal_eval(done.stdout.splitlines()[-1]))


def test_help_names_the_commands(franca: Run) -> None:
    shown = franca("--help", COLUMNS="80").stdout
    named = [line.split()[0] for line in shown.partition("Commands:")[2].splitlines() if line]
    assert set(named) == COMMANDS
    assert "..." not in shown.partition("Commands:")[2]  # a sentence that was cut


def test_every_command_has_json() -> None:
    found = dict(commands(get_command(app)))
    assert COMMANDS - {"settings"} <= found.keys()
    without = {n for n, c in found.items() if "--json" not in {o for p in c.params for o in p.opts}}
    assert not without


def test_completion(franca: Run) -> None:
    def completed(words: str) -> list[str]:
        asked = {"COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
        return franca(_FRANCA_COMPLETE="complete_bash", **asked).stdout.split()

    assert completed("franca set") == ["settings"]
    assert completed("franca settings ") == ["check", "show", "schema", "init"]
    assert completed("franca ask --backend open") == ["openai", "openrouter"]


@pytest.mark.skipif(not shutil.which("bash"), reason="no bash")
def test_completion_in_a_shell(tmp_path: Path) -> None:
    (tmp_path / "franca").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m franca "$@"\n')
    (tmp_path / "franca").chmod(0o755)
    script = """
        eval "$(franca --show-completion)"
        COMP_WORDS=(franca settings i) COMP_CWORD=2 COMP_LINE="franca settings i" COMP_POINT=17
        $(complete -p franca | sed 's/.*-F \\([^ ]*\\).*/\\1/') franca
        echo "${COMPREPLY[@]}"
        :
    """
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", script],
        capture_output=True,
        text=True,
        env={**os.environ, "PATH": path},
    )
    assert done.stdout.split() == ["init"], done.stderr


def test_the_version_is_the_projects(franca: Run) -> None:
    assert franca("--version").stdout == f"franca {__version__}\n"
    project = (Path(__file__).parents[3] / "pyproject.toml").read_text()
    assert f'version = "{__version__}"' in project


def test_wrong_usage_is_2(franca: Run) -> None:
    assert franca("nothing-like-that").returncode == 2


def test_an_error_is_one_message(franca: Run, tmp_path: Path) -> None:
    done = franca("local", str(tmp_path / "absent.gguf"))
    assert done.returncode == 1
    assert done.stderr.startswith("franca: ")
    assert "Traceback" not in done.stderr


def test_the_demo_on_the_simulator(franca: Run) -> None:
    done = franca("demo", "--simulate")
    assert done.returncode == 0, done.stderr
    assert "The simulator answers" in done.stdout
    assert done.stdout.count("You said: ") == 5
    assert done.stdout.count("OpenAI") == 4
    assert KEY not in done.stdout


def test_the_demo_as_json(franca: Run) -> None:
    told = json.loads(franca("demo", "--simulate", "--json").stdout)
    assert [one["wire"] for one in told] == ["OpenAI"] * 4 + ["Anthropic"]
    assert all(one["result"]["content"].startswith("You said: ") for one in told)


def test_the_token_servers_address_as_json() -> None:
    pytest.importorskip("uvicorn")
    command = [sys.executable, "-m", "franca", "token-server", "--port", "0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout
            url = json.loads(server.stdout.readline())["url"]
            with urllib.request.urlopen(f"{url}/health", timeout=60) as reply:
                assert reply.status == 200
        finally:
            server.terminate()


@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")
@pytest.mark.parametrize("name", ["check", "health"])
def test_ctrl_c_while_it_waits(terminal: Any, settings_file: Write, name: str) -> None:
    with Simulator(default=text_reply("", hang=True)) as sim:
        waiting = terminal(name, "--settings", str(settings_file(sim.url)))
        while not sim.count:
            assert waiting.process.poll() is None
            time.sleep(0.02)
        waiting.type("\x03")
        assert waiting.end() == 130
    assert "Traceback" not in waiting.shown


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_one_message(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "franca", "settings", "schema"]
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("franca: ")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.skipif(os.name != "posix", reason="closes a pipe")
def test_whoever_reads_may_stop() -> None:
    command = [sys.executable, "-m", "franca", "settings", "schema"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as schema:
        assert schema.stdout
        assert schema.stderr
        schema.stdout.close()
        assert schema.stderr.read() == ""


def test_models_of_an_endpoint_that_does_not_say(franca: Run, settings_file: Write) -> None:
    path = str(settings_file("http://127.0.0.1:9"))
    listed = franca("models", "--settings", path, "--json")
    assert listed.returncode == 0, listed.stderr
    assert "m" in {row["model"] for row in json.loads(listed.stdout)}
    assert franca("models", "--settings", path, "--remote", "--json").returncode == 1
    assert franca("models", "--backend", "nobody").returncode == 2


def test_the_demo_without_weights_says_so(franca: Run, tmp_path: Path) -> None:
    pytest.importorskip("xllamacpp")
    done = franca("demo", "--wait", "0", FRANCA_CACHE_DIR=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "No real model here: the weights did not arrive" in done.stdout
    assert "The simulator answers" in done.stdout


def test_the_demo_on_the_model(franca: Run, gguf: Path) -> None:
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
    _, errors = demo.communicate(timeout=60)
    assert demo.returncode == 130
    assert "Traceback" not in errors
    assert sorted(path.name for path in gguf.parent.iterdir()) == [gguf.name]


def test_check_calls_every_endpoint(franca: Run, settings_file: Write) -> None:
    with Simulator(api_key=KEY) as sim:
        path = settings_file(sim.url, models=("m", "n"))
        done = franca("check", "--settings", str(path))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("openai-chat") == 2
    assert done.stdout.count("anthropic-messages") == 2
    assert KEY not in done.stdout + done.stderr


def test_check_says_which_fails_and_keeps_the_key(franca: Run, settings_file: Write) -> None:
    with Simulator() as sim:
        sim.script(error(401, f"wrong key {KEY}"), text_reply("OK"))
        path = settings_file(sim.url)
        done = franca("check", "--json", "--at-once", "1", FRANCA_SETTINGS=str(path))
    assert done.returncode == 1
    first, second = json.loads(done.stdout)
    assert (first["ok"], second["ok"]) == (False, True)
    assert first["error"].startswith("AuthenticationError")
    assert second["latency"] >= second["first_token"] > 0
    assert KEY not in done.stdout + done.stderr


def test_check_asks_nobody_else(franca: Run, settings_file: Write) -> None:
    def fails(received: Received) -> Answer:
        return error(500) if received.body["model"] == "m" else text_reply("OK")

    with Simulator(default=fails) as sim:
        path = settings_file(sim.url, models=("m", "n"), franca={"fallbacks": {"m": ["n"]}})
        done = franca("check", "--settings", str(path), "--model", "m", "--json")
        assert [received.body["model"] for received in sim.requests] == ["m", "m"]  # one try each
    assert [one["ok"] for one in json.loads(done.stdout)] == [False, False]


def test_check_of_what_nobody_listens_to(franca: Run, settings_file: Write) -> None:
    done = franca("check", "--json", "--settings", str(settings_file("http://127.0.0.1:9")))
    assert done.returncode == 1
    assert ["Cannot connect" in one["error"] for one in json.loads(done.stdout)] == [True, True]


def test_check_waits_no_longer_than_told(franca: Run, settings_file: Write) -> None:
    with Simulator(default=text_reply("late", latency=30.0)) as sim:
        path = settings_file(sim.url)
        done = franca("check", "--settings", str(path), "--timeout", "0.5")
    assert done.returncode == 1
    assert done.stdout.count("TimeoutError") == 2


def test_check_of_one_model(franca: Run, settings_file: Write) -> None:
    with Simulator(api_key=KEY) as sim:
        path = settings_file(sim.url, models=("m", "n"))
        done = franca("check", "--settings", str(path), "--model", "n", "--json")
        assert {one["model"] for one in json.loads(done.stdout)} == {"n"}
        assert franca("check", "--settings", str(path), "--model", "o").returncode == 2


def test_check_without_settings(franca: Run) -> None:
    done = franca("check")
    assert done.returncode == 2
    assert "--settings FILE" in done.stderr
    assert franca("check", "--settings", "absent.json").returncode == 2

"""What every command does in odd places: without streams, used wrongly, at a poor terminal."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from franca.cli.app import app
from franca.testing import Simulator

KEY = "a-key-that-nobody-may-see"
Run = Callable[..., "subprocess.CompletedProcess[str]"]
Write = Callable[..., Path]
CLOSED = "import os, sys; os.close({}); os.execv(sys.executable, sys.argv[1:])"


def commands(of: Any, *names: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """All commands and subcommands, with their names."""
    for name, inner in getattr(of, "commands", {}).items():
        if hasattr(inner, "commands"):
            yield from commands(inner, *names, name)
        else:
            yield (*names, name), inner


COMMANDS = dict(commands(get_command(app)))


def without(stream: int, *arguments: str, **env: str) -> "subprocess.CompletedProcess[str]":
    """The command started by one who has closed a stream of its own before."""
    command = [sys.executable, "-c", CLOSED.format(stream)]
    command += [sys.executable, "-m", "franca", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, stdin=subprocess.DEVNULL, env={**os.environ, **env}
    )


@pytest.mark.skipif(os.name != "posix", reason="closes a descriptor")
@pytest.mark.parametrize(
    ("arguments", "status"),
    [(["ask", "--json"], 2), (["ask", "Hi"], 0), (["chat"], 0), (["tokens", "-"], 0)],
)
def test_stdin_is_closed(
    sim: Simulator, settings_file: Write, arguments: list[str], status: int
) -> None:
    done = without(0, *arguments, FRANCA_SETTINGS=str(settings_file(sim.url)))
    assert done.returncode == status
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(os.name != "posix", reason="closes a descriptor")
@pytest.mark.parametrize("stream", [1, 2])
@pytest.mark.parametrize("arguments", [["ask", "Hi"], ["check", "--json"], ["models"]])
def test_nobody_reads(
    sim: Simulator, settings_file: Write, stream: int, arguments: list[str]
) -> None:
    done = without(stream, *arguments, FRANCA_SETTINGS=str(settings_file(sim.url)))
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


def test_every_command_takes_settings() -> None:
    options = {name: {o for p in one.params for o in p.opts} for name, one in COMMANDS.items()}
    assert [name for name, opts in options.items() if not {"--settings", "--json"} <= opts] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_wrong_usage_is_json_too(franca: Run, name: tuple[str, ...]) -> None:
    done = franca(*name, "--json", "--nothing-like-that")
    assert done.returncode == 2
    assert json.loads(done.stdout)["error"]["type"] == "UsageError"
    assert "No such option" in done.stderr
    assert franca(*name, "--nothing-like-that").stdout == ""


@pytest.mark.parametrize(
    "arguments", [["cost"], ["ask"], ["settings", "check", "a.json", "--settings", "b.json"]]
)
def test_what_is_missing_or_too_much_is_json_too(franca: Run, arguments: list[str]) -> None:
    done = franca(*arguments, "--json", FRANCA_SETTINGS="")
    assert done.returncode == 2
    assert "error" in json.loads(done.stdout)


@pytest.mark.parametrize(
    "arguments",
    [
        ["tokens", "Hi"],
        ["cost", "--model", "m", "--prompt-tokens", "1"],
        ["models"],
        ["ask", "Hi"],
        ["chat"],
        ["check"],
        ["limits"],
    ],
)
def test_a_backend_that_is_none(franca: Run, settings_file: Write, arguments: list[str]) -> None:
    path = str(settings_file("http://127.0.0.1:9"))
    done = franca(*arguments, "--backend", "opnai", "--json", FRANCA_SETTINGS=path)
    assert done.returncode == 2
    assert json.loads(done.stdout)["error"]["type"] == "SettingsError"


def test_a_backend_in_capitals(franca: Run) -> None:
    named = franca("models", "--backend", "Groq", "--json", FRANCA_SETTINGS="")
    assert {row["backend"] for row in json.loads(named.stdout)} == {"groq"}


def test_an_empty_variable_names_no_settings(franca: Run) -> None:
    assert franca("settings", "check", FRANCA_SETTINGS="").returncode == 2
    assert franca("settings", "show", FRANCA_SETTINGS="").returncode == 2


def test_costs_of_what_is_piped_in(franca: Run) -> None:
    usage = {"prompt_tokens": 1000, "completion_tokens": 10}
    line = json.dumps({"model": "gpt-4o", "backend": "openai", "usage": usage})
    done = franca("cost", "-", "--json", stdin=f"{line}\n{line}\n")
    assert done.returncode == 0
    assert json.loads(done.stdout)["total"]["calls"] == 2


def test_what_init_writes_may_be_named_as_settings(franca: Run, tmp_path: Path) -> None:
    done = franca("settings", "init", "--settings", "mine.json", OPENAI_API_KEY=KEY)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine.json"]
    assert franca("settings", "check", "mine.json", OPENAI_API_KEY=KEY).returncode == 0


def test_piped_on_an_error_stays_on_its_line(franca: Run, settings_file: Write) -> None:
    path = str(settings_file("http://127.0.0.1:9"))
    done = franca("check", "--settings", path, COLUMNS="40")
    errors = [line for line in done.stdout.splitlines() if "ConnectionError" in line]
    assert len(errors) == 2
    assert all(line.endswith("]") for line in errors)


def test_a_narrow_terminal_shows_what_hangs_together(terminal: Any, settings_file: Write) -> None:
    path = str(settings_file("http://127.0.0.1:9"))
    checking = terminal("check", "--settings", path, COLUMNS="40")
    assert checking.end() == 1
    lines = checking.shown.replace("\r", "").splitlines()
    at = next(i for i, line in enumerate(lines) if "ConnectionError" in line)
    assert len(lines[at]) <= 40
    assert lines[at + 1].startswith(" " * 15)


def test_a_dumb_terminal_is_told_each_second(terminal: Any, settings_file: Write) -> None:
    path = settings_file(
        "http://127.0.0.1:9",
        rate_limit={"enabled": True, "backend": "diskcache", "diskcache": {"cache_dir": "limits"}},
    )
    watching = terminal("limits", "--watch", "--settings", str(path))
    watching.see("requests/min")
    watching.see("requests/min")
    watching.type("\x03")
    assert watching.end() == 0

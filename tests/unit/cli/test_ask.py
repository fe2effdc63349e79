"""`franca ask`: a question on the command line, its answer on stdout."""

import base64
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from franca.backends import BACKENDS
from franca.cli.source import chosen
from franca.errors import SettingsError
from franca.settings import Settings
from franca.testing import Answer, Simulator, error, text_reply

KEY = "a-key-that-nobody-may-see"
Run = Callable[..., "subprocess.CompletedProcess[str]"]
Write = Callable[..., Path]


@pytest.fixture
def env(sim: Simulator, settings_file: Write) -> dict[str, str]:
    """Settings with one endpoint, on OpenAI's wire."""
    path = settings_file(sim.url, backends={"local": {"models": {"m": {"endpoints": ["one"]}}}})
    return {"FRANCA_SETTINGS": str(path)}


def test_the_answer_and_nothing_else(franca: Run, env: dict[str, str]) -> None:
    done = franca("ask", "How", "are you?", **env)
    assert (done.returncode, done.stdout) == (0, "You said: How are you?\n")
    assert done.stderr == ""


def test_stdin_is_the_question(franca: Run, env: dict[str, str]) -> None:
    assert franca("ask", stdin="piped\n", **env).stdout == "You said: piped\n"
    assert franca("ask", "-", stdin="piped\n", **env).stdout == "You said: piped\n"
    both = franca("ask", "What is wrong?", "-", stdin="a log\n", **env)
    assert both.stdout == "You said: What is wrong?\n\na log\n"


def test_without_a_question(franca: Run, env: dict[str, str], sim: Simulator) -> None:
    done = franca("ask", stdin=" \n", **env)
    assert done.returncode == 2
    assert "ask what?" in done.stderr
    assert sim.count == 0


def test_what_is_sent(
    franca: Run, env: dict[str, str], sim: Simulator, tmp_path: Path, dot: bytes
) -> None:
    (tmp_path / "dot.png").write_bytes(dot)
    given = ("--system", "Be brief.", "--max-tokens", "7", "--image", "dot.png", "--no-stream")
    assert franca("ask", "What is this?", *given, **env).returncode == 0
    (request,) = sim.requests
    system, user = request.body["messages"]
    assert system == {"role": "system", "content": "Be brief."}
    assert [part["type"] for part in user["content"]] == ["image_url", "text"]
    assert base64.b64decode(user["content"][0]["image_url"]["url"].partition(",")[2]) == dot
    assert 7 in (request.body.get("max_tokens"), request.body.get("max_completion_tokens"))
    assert not request.body.get("stream")


@pytest.mark.parametrize("content", [None, b"no picture"])
def test_a_picture_that_is_none(
    franca: Run, env: dict[str, str], sim: Simulator, tmp_path: Path, content: bytes | None
) -> None:
    if content:
        (tmp_path / "dot.png").write_bytes(content)
    done = franca("ask", "Hi", "--image", "dot.png", **env)
    assert done.returncode == 1
    assert done.stderr.startswith("franca: ")
    assert "Traceback" not in done.stderr
    assert sim.count == 0


def test_json(franca: Run, env: dict[str, str]) -> None:
    done = franca("ask", "Hi", "--json", **env)
    (line,) = done.stdout.splitlines()
    told = json.loads(line)
    assert (told["content"], told["finish_reason"]) == ("You said: Hi", "stop")
    assert (told["backend"], told["model"], told["endpoint_id"]) == ("local", "m", "one")
    assert told["usage"]["completion_tokens"] > 0
    assert told["cost"] is None  # nobody knows this model's price


def test_the_settings_prices_are_the_cost(
    franca: Run, sim: Simulator, settings_file: Write
) -> None:
    prices = {"local/*": {"currency": "EUR", "input": 1000000, "output": 2000000}}
    path = str(settings_file(sim.url, franca={"prices": prices}))
    told = json.loads(franca("ask", "Hi", "--json", "--settings", path).stdout)
    usage = told["usage"]
    amount = usage["prompt_tokens"] + 2 * usage["completion_tokens"]
    assert told["cost"] == {"amount": str(amount), "currency": "EUR"}
    verbose = franca("ask", "Hi", "-v", "--settings", path)
    assert verbose.stdout == "You said: Hi\n"
    assert f"EUR {amount}" in verbose.stderr


def test_a_failure_is_one_message(franca: Run, env: dict[str, str], sim: Simulator) -> None:
    sim.default = error(401, f"wrong key {KEY}")
    done = franca("ask", "Hi", **env)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("franca: ")
    told = json.loads(franca("ask", "Hi", "--json", **env).stdout)
    assert told["error"]["type"] == "AuthenticationError"
    assert KEY not in done.stderr + json.dumps(told)


def test_what_came_before_a_cut_is_shown(franca: Run, env: dict[str, str], sim: Simulator) -> None:
    sim.default = text_reply("one two three four", cut_events=2)
    done = franca("ask", "Count", **env)
    assert done.returncode == 1
    assert done.stdout.startswith("one")
    assert done.stdout.endswith("\n")
    assert "franca: " in done.stderr


def test_an_answer_that_is_too_long_says_so(
    franca: Run, env: dict[str, str], sim: Simulator
) -> None:
    choice = {"index": 0, "finish_reason": "length", "message": {"content": "one two"}}
    sim.default = text_reply("", body={"id": "1", "model": "m", "choices": [choice]})
    done = franca("ask", "Count", "--no-stream", **env)
    assert (done.returncode, done.stdout) == (0, "one two\n")
    assert "token limit" in done.stderr


def test_nothing_to_call(franca: Run) -> None:
    done = franca("ask", "Hi", "--json")
    assert done.returncode == 2
    assert "settings init" in json.loads(done.stdout)["error"]["message"]


def test_a_model_of_nobody(franca: Run, sim: Simulator, settings_file: Write) -> None:
    models = {"m": {"endpoints": ["one"]}}
    backends = {"local": {"models": models}}
    alone = str(settings_file(sim.url, backends=backends))
    done = franca("ask", "Hi", "--model", "other", "--settings", alone)
    assert done.returncode == 2
    assert "known: m" in done.stderr
    two = str(settings_file(sim.url, backends={**backends, "openai": {"models": models}}))
    done = franca("ask", "Hi", "--model", "other", "--settings", two)
    assert done.returncode == 2
    assert "--backend" in done.stderr
    assert sim.count == 0


def test_whose_a_model_is_by_the_catalogue(
    franca: Run, sim: Simulator, settings_file: Write
) -> None:
    """Neither the settings nor the option says: two backends take any model."""
    backends: dict[str, Any] = {n: {"default_endpoint": "one"} for n in ("deepseek", "openai")}
    backends["local"] = {"models": {"m": {"endpoints": ["one"]}}}
    path = str(settings_file(sim.url, backends=backends))
    told = json.loads(
        franca("ask", "Hi", "--model", "gpt-6-luna", "--json", FRANCA_SETTINGS=path).stdout
    )
    assert (told["backend"], told["model"]) == ("openai", "gpt-6-luna")


def test_whose_a_model_is_by_the_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for row in BACKENDS.values():
        monkeypatch.delenv(row.key or "NONE", raising=False)
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    monkeypatch.setenv("OPENROUTER_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    assert chosen(Settings(), None, "claude-haiku-4-5") == ("anthropic", "claude-haiku-4-5")
    assert chosen(Settings(), None, "openai/gpt-4o")[0] == "openrouter"
    assert chosen(Settings(), None, None) == ("openai", None)  # OpenRouter names no model
    with pytest.raises(SettingsError, match="--backend"):
        chosen(Settings(), None, "claude-nope")
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    monkeypatch.delenv("OPENAI_API_KEY")
    assert chosen(Settings(), None, "claude-nope")[0] == "openrouter"  # it is the only one


def test_it_is_shown_as_it_comes_and_ctrl_c_ends_it(
    terminal: Any, env: dict[str, str], sim: Simulator, hangs: Answer
) -> None:
    sim.default = hangs
    asking = terminal("ask", "Count", **env)
    asking.see("one")
    asking.type("\x03")
    assert asking.end() == 130
    assert "Traceback" not in asking.shown


def test_a_terminal_is_not_steered_by_a_model(
    franca: Run, terminal: Any, env: dict[str, str], sim: Simulator
) -> None:
    sim.default = text_reply("a\x1b]0;title\x07b\x9b2Jc")
    asking = terminal("ask", "Hi", **env)
    assert asking.end() == 0
    assert "\x1b" not in asking.shown
    assert "\x9b" not in asking.shown
    assert franca("ask", "Hi", **env).stdout == "a\x1b]0;title\x07b\x9b2Jc\n"

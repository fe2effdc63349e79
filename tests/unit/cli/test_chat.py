"""`franca chat`: at a terminal and on pipes."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from franca.testing import Answer, Simulator, error, text_reply

KEY = "a-key-that-nobody-may-see"
Run = Callable[..., "subprocess.CompletedProcess[str]"]
Write = Callable[..., Path]


@pytest.fixture
def env(sim: Simulator, settings_file: Write) -> dict[str, str]:
    """Settings with two backends, each on OpenAI's wire."""
    backends = {
        "local": {"models": {"m": {"endpoints": ["one"]}, "n": {"endpoints": ["one"]}}},
        "deepseek": {"models": {"deep": {"endpoints": ["one"]}}},
    }
    return {"FRANCA_SETTINGS": str(settings_file(sim.url, backends=backends))}


def said(sim: Simulator) -> list[list[Any]]:
    """What each request said, by turn."""
    return [[turn["content"] for turn in request.body["messages"]] for request in sim.requests]


def test_turns_are_remembered(franca: Run, env: dict[str, str], sim: Simulator) -> None:
    done = franca("chat", stdin="first\n\n  second  ", **env)
    assert (done.returncode, done.stdout) == (0, "You said: first\nYou said: second\n")
    assert said(sim) == [["first"], ["first", "You said: first", "second"]]


def test_commands(
    franca: Run, env: dict[str, str], sim: Simulator, tmp_path: Path, dot: bytes
) -> None:
    (tmp_path / "dot.png").write_bytes(dot)
    lines = [
        *("/system Be brief.", "first", "/model n", "/clear", "second", "/system -"),
        *("/image dot.png", "third", "/exit", "never"),
    ]
    done = franca("chat", stdin="\n".join(lines), **env)
    assert done.returncode == 0, done.stderr
    assert [request.body["model"] for request in sim.requests] == ["m", "n", "n"]
    first, second, third = said(sim)
    assert first == ["Be brief.", "first"]
    assert second == ["Be brief.", "second"]
    assert third[:2] == ["second", "You said: second"]
    assert [part["type"] for part in third[2]] == ["image_url", "text"]


@pytest.mark.parametrize("typed", ["a dot.png", "'a dot.png'", '"a dot.png"', r"a\ dot.png"])
def test_a_path_as_a_terminal_pastes_it(
    franca: Run, env: dict[str, str], sim: Simulator, tmp_path: Path, dot: bytes, typed: str
) -> None:
    (tmp_path / "a dot.png").write_bytes(dot)
    done = franca("chat", stdin=f"/image {typed}\nWhat is it?", **env)
    assert done.returncode == 0, done.stderr
    assert len(said(sim)[0][0]) == 2
    assert franca("chat", stdin="/image 'open", **env).returncode == 1


def test_a_model_of_another_backend(franca: Run, env: dict[str, str], sim: Simulator) -> None:
    done = franca("chat", "--json", stdin="a\n/model deep\nb", **env)
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(one["backend"], one["model"]) for one in told] == [
        ("local", "m"),
        ("deepseek", "deep"),
    ]
    assert said(sim)[1] == ["a", "You said: a", "b"]


def test_json_is_a_line_each(franca: Run, env: dict[str, str], sim: Simulator) -> None:
    sim.script(error(401, f"wrong key {KEY}"), text_reply("one two three", cut_events=2))
    done = franca("chat", "--json", stdin="a\nb\nc\n/usage\n/nothing", **env)
    assert done.returncode == 1
    refused, cut, whole, usage, unknown = (json.loads(line) for line in done.stdout.splitlines())
    assert (refused["content"], refused["error"]["type"]) == (None, "AuthenticationError")
    assert (cut["content"], cut["error"]["type"]) == ("one", "StreamInterrupted")
    assert (whole["content"], whole["error"], whole["stopped"]) == ("You said: c", None, False)
    assert usage["usage"]["answers"] == 1
    assert usage["usage"]["completion_tokens"] == whole["usage"]["completion_tokens"]
    assert unknown["error"]["type"] == "CommandError"
    assert KEY not in done.stdout + done.stderr


def test_what_failed_is_not_in_the_conversation(
    franca: Run, env: dict[str, str], sim: Simulator
) -> None:
    sim.script(error(401, "no"), text_reply("one two three", cut_events=2))
    assert franca("chat", stdin="a\nb\nc", **env).returncode == 1
    assert said(sim)[2] == ["b", "one", "c"]  # of the answer that broke, what came is kept


def test_a_model_that_is_not_there(franca: Run, env: dict[str, str], sim: Simulator) -> None:
    done = franca("chat", stdin="/model nope\nstill here", **env)
    assert done.returncode == 1
    assert "known: m, n" in done.stderr
    assert done.stdout == "You said: still here\n"
    assert franca("chat", "--backend", "local", "--model", "nope", **env).returncode == 2


def test_ctrl_c_stops_the_answer_and_keeps_what_came(
    terminal: Any, env: dict[str, str], sim: Simulator, hangs: Answer
) -> None:
    sim.script(hangs)
    chat = terminal("chat", **env)
    chat.see("> ")
    chat.type("first\n")
    chat.see("one")
    chat.type("\x03")
    chat.see("(stopped; what came is kept)")
    chat.see("> ")
    chat.type("second\n")
    chat.see("You said: second")
    chat.see("> ")
    chat.type("\x04")
    assert chat.end() == 0
    assert said(sim)[1] == ["first", "one", "second"]
    assert "Traceback" not in chat.shown


def test_ctrl_c_before_anything_came(terminal: Any, env: dict[str, str], sim: Simulator) -> None:
    arrived: list[object] = []
    sim.script(lambda received: arrived.append(received) or text_reply("", hang=True))
    chat = terminal("chat", **env)
    chat.see("> ")
    chat.type("first\n")
    while not arrived:
        assert chat.process.poll() is None
        time.sleep(0.02)
    chat.type("\x03")
    assert chat.see("(stopped; the question is not kept)").endswith(
        "\n(stopped; the question is not kept)"
    )
    chat.see("> ")
    chat.type("second\n")
    chat.see("You said: second")
    assert said(sim)[1] == ["second"]


def test_ctrl_c_at_the_prompt_ends_it(terminal: Any, env: dict[str, str], sim: Simulator) -> None:
    chat = terminal("chat", **env)
    chat.see("> ")
    chat.type("half")
    chat.see("half")  # else Ctrl-C takes it from under readline, which then waits for another key
    assert chat.interrupted() == 130
    assert "Traceback" not in chat.shown
    assert sim.count == 0


def test_the_terminal_remembers_what_was_typed(
    terminal: Any, env: dict[str, str], sim: Simulator
) -> None:
    pytest.importorskip("readline")
    chat = terminal("chat", **env)
    chat.see("> ")
    chat.type("first\n")
    chat.see("You said: first")
    chat.see("> ")
    chat.type("\x1b[A\n")  # the key ↑
    chat.see("You said: first")
    assert said(sim)[1][-1] == "first"


@pytest.mark.skipif(os.name != "posix", reason="sends a signal")
def test_sigint_where_nobody_is_at_the_terminal(
    env: dict[str, str], sim: Simulator, hangs: Answer
) -> None:
    sim.script(hangs)
    command = [sys.executable, "-m", "franca", "chat"]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env={**os.environ, **env}
    ) as chat:
        assert chat.stdin
        assert chat.stdout
        chat.stdin.write("first\nsecond\n")
        chat.stdin.flush()
        assert chat.stdout.read(3) == "one"
        chat.send_signal(signal.SIGINT)
        _, errors = chat.communicate(timeout=60)
    assert chat.returncode == 130
    assert "Traceback" not in errors
    assert sim.count == 1


def test_an_empty_answer_is_not_sent_back(franca: Run, env: dict[str, str], sim: Simulator) -> None:
    sim.script(text_reply(""))
    done = franca("chat", stdin="a\nb", **env)
    assert (done.returncode, done.stdout) == (0, "You said: b\n")
    assert "nothing came" in done.stderr
    assert said(sim)[1] == ["b"]

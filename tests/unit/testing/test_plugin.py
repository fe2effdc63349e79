"""The fixtures, as a user's own pytest runs them; and the examples, which use nothing else."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from franca.testing import Simulator

EXAMPLES = Path(__file__).parents[3] / "examples"
HEAD = """
import pytest
from franca import CallError, create_chat_client
from franca.testing import Answer, error, rate_limited

pytest_plugins = ["franca.testing.pytest_plugin"]

def ask(question="?", backend="openai", **options):
    return create_chat_client(backend, **options).create_completion(question).content
"""


def run(folder, *arguments, **variables):
    """pytest's output, and how many tests had which outcome."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("FRANCA_", "PYTEST"))}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--rootdir", ".", *arguments],
        cwd=folder,
        env={**environment, "PYTHONDONTWRITEBYTECODE": "1", **variables},
        capture_output=True,
        text=True,
        timeout=100,
    )
    last = done.stdout.splitlines()[-1].partition(" in ")[0]
    return done.stdout, {word: int(n) for n, word in re.findall(r"(\d+) ([a-z]+)", last)}


@pytest.fixture
def write(tmp_path):
    (tmp_path / "pytest.ini").write_text("[pytest]\n")

    def written(text):
        (tmp_path / "test_it.py").write_text(HEAD + text)
        return tmp_path

    return written


def test_each_test_has_a_simulator_of_its_own(write):
    folder = write("""
client = None

def test_one(franca_simulator):
    global client
    client = create_chat_client("anthropic", "m")
    franca_simulator.script("Hello", "never asked for")
    franca_simulator.default = "changed"
    assert client.create_completion("?").content == "Hello"

def test_two(franca_simulator):
    assert (franca_simulator.count, franca_simulator.left, franca_simulator.requests) == (0, 0, [])
    assert client.create_completion("me").content == "You said: me"
    assert franca_simulator.connections == 1  # the one of before

def test_without():
    with pytest.raises(Exception, match="OPENAI_API_KEY"):
        ask()
""")
    output, outcomes = run(folder, OPENAI_API_KEY="")
    assert outcomes == {"passed": 3}, output


def test_one_test_is_not_held_to_anothers_failures(write):
    folder = write("""
@pytest.mark.parametrize("again", range(4))
def test_down(franca_simulator, again):
    franca_simulator.default = error(401, "no")
    for _ in range(3):
        with pytest.raises(CallError):
            ask()

def test_slow_down(franca_simulator):
    franca_simulator.script(*[error(503, "busy", headers={"retry-after": "3600"})] * 9)
    with pytest.raises(CallError):
        ask()

def test_well(franca_simulator):
    assert ask() == "You said: ?"
""")
    output, outcomes = run(folder)
    assert outcomes == {"passed": 6}, output


def test_a_script_for_all_clients(write):
    folder = write("""
def test_it(franca_script):
    script = franca_script("a", "b")
    assert [ask(), ask(backend="anthropic")] == ["a", "b"]
    assert franca_script("c") is script
    assert ask("more") == "c"
    assert [call.backend for call in script.calls] == ["openai", "anthropic", "openai"]
    script.assert_done()

def test_swallowed(franca_script):
    try:
        ask()
    except BaseException:
        pass
""")
    output, outcomes = run(folder)
    assert outcomes == {"passed": 2, "error": 1}, output
    assert "1 calls, and the script has 0 answers" in output


def test_a_cassette_for_each_test(write):
    folder = write("""
@pytest.mark.parametrize("word", ["a/b", "ü"])
def test_words(franca_cassette, word):
    assert ask(word, model="m", base_url=URL, api_key="a-key-of-mine") == f"You said: {word}"
    franca_cassette.assert_done()
""")
    text = (folder / "test_it.py").read_text("utf-8")
    with Simulator() as sim:
        (folder / "test_it.py").write_text(text + f"\nURL = '{sim.url}/v1'\n", "utf-8")
        output, outcomes = run(folder)
        assert outcomes == {"failed": 2}, output
        assert "FRANCA_RECORD=auto" in output
        assert "a-key-of-mine" not in output.replace('api_key="a-key-of-mine"', "")
        for variables in ({"FRANCA_RECORD": "record"}, {}, {"FRANCA_RECORD": "auto"}):
            output, outcomes = run(folder, **variables)
            assert outcomes == {"passed": 2}, output
        assert sim.count == 2
    found = sorted(path.name for path in (folder / "cassettes" / "test_it").iterdir())
    assert len(found) == 2
    assert "test_words[a_b].jsonl" in found


def test_it_loads_little(write):
    folder = write("""
def test_it():
    import sys
    heavy = {"openai", "anthropic", "pydantic", "httpx", "httpx2", "asyncio", "aiohttp"}
    assert not any(name.startswith("franca.testing.s") for name in sys.modules)
    assert {n for n in sys.modules if n.startswith("franca")} == {
        "franca", "franca.lazy", "franca.testing", "franca.testing.pytest_plugin", "franca.version"
    }
""")
    text = (folder / "test_it.py").read_text("utf-8")
    bare = text.replace("from franca import CallError, create_chat_client\n", "")
    bare = bare.replace("from franca.testing import Answer, error, rate_limited\n", "")
    (folder / "test_it.py").write_text(bare, "utf-8")
    output, outcomes = run(folder)
    assert outcomes == {"passed": 1}, output


def test_the_examples():
    output, outcomes = run(EXAMPLES)
    assert outcomes.get("passed", 0) >= 4, output
    assert outcomes.keys() <= {"passed", "warning", "warnings"}, output


def test_the_documentation_shows_the_examples():
    page = (EXAMPLES.parent / "docs" / "testing.md").read_text("utf-8")
    shown = re.findall(r"^```python\n(.*?)^```$", page, re.M | re.S)
    there = "".join((EXAMPLES / name).read_text() for name in ("service.py", "test_service.py"))
    assert len(shown) == 3
    assert [block for block in shown if block not in there] == []

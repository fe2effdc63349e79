"""Paste what the commands show into docs/cli.md, or check that it still is what they show.

    python scripts/cli_docs.py              write each block anew
    python scripts/cli_docs.py --check      exit status 1 where one differs, and say which
    python scripts/cli_docs.py ask chat     only these

Each block stands between `<!-- screen NAME WIDTH -->` and `<!-- end -->`. Its commands are typed
into a shell in a tmux of that width, in an empty home, against the simulator; the block is what the
terminal showed. Needs tmux and bash. Times and ports are not compared.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from franca.testing import Simulator, text_reply
from franca.testing.answers import Answer, Received

DOCUMENT = Path(__file__).parents[1] / "docs" / "cli.md"
BLOCK = re.compile(r"(<!-- screen (\S+) (\d+) -->\n).*?(<!-- end -->)", re.DOTALL)
KEY = "sk-simulated-0123456789abcdef"
PATIENCE = 120.0  # seconds for one step
HEIGHT = 400
PORT = "50080"  # what the simulator's free one, of as many digits, is shown as
HOME = "/home/my-name"  # the same for the temporary home

SHELL = r"\$$"  # its prompt
CTRL_C = "\x03"

Step = str | tuple[str, str]
"""A command line; or what is typed, and the pattern of what is shown before the next step."""

SCENES: dict[str, Sequence[Step]] = {
    "help": ["franca --help"],
    "ask": [
        'franca ask "What is the capital of France?"',
        'echo "Bonjour, le monde" | franca ask "Translate into English:" - -v',
    ],
    "ask-json": [
        'franca ask --json "What is the capital of France?" > calls.jsonl',
        "franca ask --json --backend anthropic Hello >> calls.jsonl",
        "franca cost calls.jsonl",
    ],
    "chat": [
        ("franca chat", r"\n>$"),
        ("What is the capital of France?", r"Paris\.\n>$"),
        ("Count to a hundred.", "three,"),
        (CTRL_C, r"kept\)\n>$"),
        ("/model claude-sonnet-4-6", r"\)\n>$"),
        ("And the capital of Japan?", r"Tokyo\.\n>$"),
        ("/usage", r"\)\n>$"),
        ("/exit", SHELL),
    ],
    "init": ["franca settings init -o mine.json"],
    "settings-check": ["franca settings check", "franca settings check broken.json; echo $?"],
    "settings-show": [
        "franca settings init -o mine.json > init.log",
        "franca settings show mine.json",
    ],
    "settings-schema": ["franca settings schema | head -n 4"],
    "models": ["franca models --backend deepseek"],
    "check": ["franca check"],
    "health": ["franca health"],
    "limits": ["franca ask Hello", "franca limits"],
    "tokens": [
        'franca tokens "How many tokens is this?" --model gpt-6-luna',
        "franca tokens notes.txt --model claude-sonnet-4-6",
    ],
    "cost": [
        "franca cost --model gpt-6-luna --prompt-tokens 9000 --completion-tokens 800 --cached 7000",
        "franca cost --model gpt-6-luna --prompt-tokens 12000 --batch --json",
    ],
    "demo": ["franca demo --simulate"],
    "local": [("franca local --port 0", "ends it"), (CTRL_C, SHELL)],
    "token-server": [("franca token-server --port 0", "ends it"), (CTRL_C, SHELL)],
}
NOTES = "Count me.\n" * 40
SAID = {
    "capital of France": "Paris.",
    "capital of Japan": "Tokyo.",
    "Translate": "Hello, world",
}


def answer(received: Received) -> Answer:
    """What the model of these screens says."""
    asked = json.dumps(received.body["messages"][-1], ensure_ascii=False)
    if "hundred" in asked:
        return text_reply("One, two, three, four, five, six", cut_events=4, hang=True)
    said = next((text for words, text in SAID.items() if words in asked), "Hello!")
    return text_reply(said)


def settings(url: str) -> dict[str, Any]:
    """Two vendors, both of them the simulator."""
    return {
        "VERSION": "2",
        "endpoints": [
            {"id": "openai-main", "api_base": f"{url}/v1", "api_key": KEY, "rpm": 60, "tpm": 90000},
            {"id": "anthropic-main", "api_base": url, "api_key": KEY, "rpm": 50},
        ],
        "backends": {
            "openai": {"models": {"gpt-6-luna": {"endpoints": ["openai-main"]}}},
            "anthropic": {"models": {"claude-sonnet-4-6": {"endpoints": ["anthropic-main"]}}},
        },
        "rate_limit": {
            "enabled": True,
            "backend": "diskcache",
            "diskcache": {"cache_dir": "limits"},
        },
    }


def broken(url: str) -> dict[str, Any]:
    """The same with three mistakes."""
    document = settings(url)
    document["endpoints"][0]["rpm"] = "many"
    document["endpoints"][1]["api_bse"] = document["endpoints"][1].pop("api_base")
    document["backends"]["openai"]["models"]["gpt-6-luna"]["endpoints"] = ["opnai-main"]
    return document


@dataclass
class Screen:
    """A shell in a tmux of its own."""

    socket: str
    width: int

    def tmux(self, *arguments: str) -> str:
        command = ["tmux", "-L", self.socket, "-f", os.devnull, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    def shown(self) -> str:
        lines = self.tmux("capture-pane", "-p").splitlines()
        return "\n".join(line.rstrip() for line in lines).strip("\n")

    def perform(self, step: Step) -> None:
        typed, awaited = (step, SHELL) if isinstance(step, str) else step
        before = self.shown()
        if typed == CTRL_C:
            self.tmux("send-keys", "C-c")
        else:
            self.tmux("send-keys", "-l", typed)
            self.tmux("send-keys", "Enter")
        end = time.monotonic() + PATIENCE
        while not re.search(awaited, self.shown()[len(before) :]):
            if time.monotonic() > end:
                raise SystemExit(f"no {awaited!r} after {typed!r}:\n{self.shown()}")
            time.sleep(0.05)


@contextmanager
def screen(width: int, home: Path, env: dict[str, str]) -> Generator[Screen]:
    """A screen whose shell is in `home`'s folder `work`, with that environment and no other."""
    one = Screen(f"franca-{home.name}", width)
    given = [f"{name}={value}" for name, value in env.items()]
    shell = ["env", "-i", *given, f"HOME={home}", "bash", "--norc", "--noprofile"]
    size = ("-x", str(width), "-y", str(HEIGHT))
    try:
        one.tmux("new-session", "-d", *size, "-c", str(home / "work"), *shell)
        while one.shown() != "$":
            time.sleep(0.05)
        yield one
    finally:
        subprocess.run(["tmux", "-L", one.socket, "kill-server"], capture_output=True, check=False)


def environment(home: Path) -> dict[str, str]:
    """The shell's: the `franca` of this checkout, and keys that are none."""
    (home / "bin").mkdir()
    command = home / "bin" / "franca"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m franca "$@"\n')
    command.chmod(0o755)
    weights = os.environ.get("FRANCA_CACHE_DIR", str(Path.home() / ".cache" / "franca"))
    return {
        "PATH": f"{home / 'bin'}{os.pathsep}{os.defpath}",
        "PS1": "$ ",
        "LANG": "C.UTF-8",
        "TERM": "screen-256color",
        "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
        "FRANCA_SETTINGS": "settings.json",
        "FRANCA_CACHE_DIR": weights,
        "OPENAI_API_KEY": KEY,
        "ANTHROPIC_API_KEY": KEY,
    }


def play(name: str, width: int) -> str:
    """What the terminal shows after a scene."""
    home = Path(tempfile.mkdtemp(prefix=""))
    try:
        (home / "work").mkdir()
        with Simulator(api_key=KEY, default=answer) as simulator:
            for file, document in (("settings", settings), ("broken", broken)):
                text = json.dumps(document(simulator.url), indent=2)
                (home / "work" / f"{file}.json").write_text(text)
            (home / "work" / "notes.txt").write_text(NOTES)
            with screen(width, home, environment(home)) as one:
                for step in SCENES[name]:
                    one.perform(step)
                shown = one.shown().removesuffix("\n$")
            port = simulator.url.rpartition(":")[2]
        return shown.replace(port, PORT).replace(str(home), HOME)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def plain(shown: str) -> str:
    """What is compared: without times, ports of servers, and the widths that hang on them."""
    shown = re.sub(r"[\d,.]+ (ms|s)\b", r"N \1", shown)
    shown = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:N", shown)
    return re.sub(r"[─━ ]+", " ", shown)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", choices=[*SCENES, []], help="only these blocks")
    parser.add_argument("--check", action="store_true", help="compare, and write nothing")
    options = parser.parse_args()
    differs: list[str] = []

    def block(found: re.Match[str]) -> str:
        name, width = found[2], int(found[3])
        if options.names and name not in options.names:
            return found[0]
        new = f"{found[1]}```console\n{play(name, width)}\n```\n{found[4]}"
        if plain(new) == plain(found[0]):
            return found[0]
        differs.append(f"{name} {width}")
        return new

    text = BLOCK.sub(block, DOCUMENT.read_text("utf-8"))
    if not options.check:
        DOCUMENT.write_text(text, "utf-8")
    sys.stdout.write("".join(f"{one}\n" for one in differs))
    sys.exit(bool(differs) and options.check)


if __name__ == "__main__":
    main()

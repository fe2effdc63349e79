"""What the documentation shows is true: code runs, settings load, tables match, links lead."""

import json
import os
import re
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

from franca.backends import ANTHROPIC_MESSAGES, BACKENDS, Row
from franca.settings import Settings
from franca.testing import Simulator

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
SHOWN_ADDRESS = "http://127.0.0.1:8080"


@dataclass
class Block:
    page: str
    line: int
    language: str
    mark: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks() -> list[Block]:
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for match in re.finditer(r"^```(\w*) ?(\w*)\n(.*?)^```$", text, re.M | re.S):
            line = text[: match.start()].count("\n") + 1
            found.append(Block(str(page.relative_to(ROOT)), line, *match.groups()))
    return found


BLOCKS = blocks()


def of(language: str, mark: str | None = None) -> list[Block]:
    return [b for b in BLOCKS if b.language == language and mark in (None, b.mark)]


@pytest.mark.parametrize("block", of("python"), ids=str)
def test_python_compiles(block: Block) -> None:
    compile(block.text, str(block), "exec")


@pytest.mark.parametrize("block", of("python", "runnable"), ids=str)
def test_python_runs(block: Block) -> None:
    with Simulator() as sim:
        code = block.text.replace(SHOWN_ADDRESS, sim.url)
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("block", of("json"), ids=str)
def test_json_parses(block: Block) -> None:
    json.loads(block.text)


@pytest.mark.parametrize("block", of("toml"), ids=str)
def test_toml_parses(block: Block) -> None:
    tomllib.loads(block.text)


@pytest.mark.parametrize("block", of("json", "settings"), ids=str)
def test_settings_load(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in re.findall(r"\$\{env:(\w+)\}", block.text):
        monkeypatch.setenv(name, "redis://127.0.0.1" if name.endswith("_URL") else "a-key")
    for name in re.findall(r"\$\{file:([^}]+)\}", block.text):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("a-key\n")
    (tmp_path / "settings.json").write_text(block.text)
    assert list(Settings(tmp_path / "settings.json", strict=True).targets())


def described(row: Row) -> str:
    wire = "Anthropic messages" if row.wire == ANTHROPIC_MESSAGES else "OpenAI chat"
    key = f"`{row.key}`" if row.key else "–"
    return f"| `{row.backend.value}` | {wire} | {', '.join(row.urls)} | {key} |"


@pytest.mark.parametrize("page", ["README.md", "README.zh-CN.md"])
def test_the_table_of_backends(page: str) -> None:
    lines = (ROOT / page).read_text(encoding="utf-8").splitlines()
    shown = [line for line in lines if line.startswith("| `")]
    assert shown == [described(row) for row in BACKENDS.values()]


def test_the_two_readmes_show_the_same_code() -> None:
    def shapes(page: str) -> list[tuple[str, str]]:
        return [(b.language, b.mark) for b in BLOCKS if b.page == page]

    assert shapes("README.md") == shapes("README.zh-CN.md")


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    assert [t for t in targets if not (page.parent / t).exists()] == []


def test_the_map_names_every_part() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    source = ROOT / "src" / "franca"
    parts = [p.name for p in source.iterdir() if p.is_dir() and (p / "__init__.py").exists()]
    assert [part for part in parts if f"  {part}/ " not in text] == []


def test_the_lock_names_no_host() -> None:
    lock = (ROOT / "pdm.lock").read_text(encoding="utf-8")
    assert "://" not in lock
    assert "path = " not in lock


@pytest.mark.skipif(os.name != "posix", reason="asks for the executable bit")
def test_ci_can_be_run() -> None:
    assert os.access(ROOT / ".ci" / "run", os.X_OK)

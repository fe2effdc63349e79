"""docs/cli.md: a block for each command, at two widths, and what it shows is so."""

import importlib.util
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from franca.cli.app import app

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs" / "cli.md").read_text("utf-8")


@pytest.fixture(scope="module")
def script() -> Any:
    spec = importlib.util.spec_from_file_location("cli_docs", ROOT / "scripts" / "cli_docs.py")
    assert spec
    assert spec.loader
    module = sys.modules["cli_docs"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def names(of: Any, *before: str) -> list[str]:
    inner = getattr(of, "commands", None)
    if inner is None:
        return [" ".join(before)]
    return [name for key, one in inner.items() for name in names(one, *before, key)]


def test_every_command_is_shown_narrow_and_wide(script: Any) -> None:
    blocks = {(m[2], m[3]): m[0] for m in script.BLOCK.finditer(TEXT)}
    assert set(blocks) == {(name, width) for name in script.SCENES for width in ("60", "120")}
    for width in (60, 120):
        shown = "".join(text for (_, at), text in blocks.items() if at == str(width))
        typed = set(re.findall(r"franca ((?:settings )?[a-z-]+)", shown))
        assert set(names(get_command(app))) <= typed


def test_no_line_is_wider_than_the_terminal(script: Any) -> None:
    for found in script.BLOCK.finditer(TEXT):
        assert all(len(line) <= int(found[3]) for line in found[0].splitlines()[1:-1])


@pytest.mark.skipif(not shutil.which("tmux"), reason="no tmux")
@pytest.mark.parametrize("name", ["help", "settings-check"])
def test_what_is_shown_is_so(script: Any, name: str) -> None:
    (block,) = (m[0] for m in script.BLOCK.finditer(TEXT) if (m[2], m[3]) == (name, "60"))
    assert script.plain(script.play(name, 60)) in script.plain(block)

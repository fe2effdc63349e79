"""What docs/reliability.md says of settings and faults is what the code has."""

from __future__ import annotations

from dataclasses import fields
from math import inf
from pathlib import Path

from broken_streams import DAMAGES
from faulty import FAULTS, Fault

from franca.settings.policy import DEFAULT, STRATEGIES

PAGE = (Path(__file__).parents[2] / "docs" / "reliability.md").read_text(encoding="utf-8")
ELSEWHERE = {"rates"}  # docs/prices.md
ROWS = [
    [cell.strip() for cell in line.strip("| ").split(" | ")]
    for line in PAGE.splitlines()
    if line.startswith("| ")
]


def test_every_setting_and_its_default() -> None:
    shown = {
        row[0].strip("`"): row[2].removesuffix(" s").strip("`") for row in ROWS if len(row) == 4
    }
    for each in fields(DEFAULT):
        if each.name in ELSEWHERE:
            continue
        default = getattr(DEFAULT, each.name)
        said = f"{default:g}" if isinstance(default, float | int) else str(default or "none")
        assert shown[each.name] == (said if default else "none"), each.name


def test_every_strategy() -> None:
    shown = [row[0].strip("`") for row in ROWS if len(row) == 2]
    assert set(STRATEGIES) <= set(shown)


def test_every_fault() -> None:
    shown = {row[0]: row[1:] for row in ROWS}
    columns = [(1, 1), (1, 2), (inf, 1), (inf, 2), (inf, 4)]
    for fault in FAULTS:
        *cells, wait = shown[fault.name]
        assert cells == [_cell(fault, bad, endpoints) for bad, endpoints in columns]
        assert (wait == "–") == (not fault.wait)
    assert {damage.name for damage in DAMAGES} <= shown.keys()


def _cell(fault: Fault, bad: float, endpoints: int) -> str:
    end = "answer" if fault.answered(endpoints, bad) else fault.error.__name__
    return f"{fault.requests(endpoints, bad)}: {end}"

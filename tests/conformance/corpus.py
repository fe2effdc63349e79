"""The recorded exchanges: from the folder that FRANCA_WIRE_CORPUS names, or beside the checkout."""

from __future__ import annotations

import functools
import json
import os
from pathlib import Path
from typing import Any

import pytest

Record = dict[str, Any]
_BESIDE = Path(__file__).parents[2] / ".." / "shared" / "wire-corpus"


@functools.cache
def _all() -> tuple[Record, ...]:
    folder = Path(os.environ.get("FRANCA_WIRE_CORPUS") or _BESIDE)
    files = sorted(folder.glob("*.jsonl")) if folder.is_dir() else []
    lines = (line for file in files for line in file.read_text("utf-8").splitlines())
    return tuple(json.loads(line) for line in lines if line.strip())


def records(wire: str) -> list[Record]:
    """The exchanges of a wire; the test is skipped where there is no corpus."""
    found = [record for record in _all() if record["wire"] == wire]
    if not found:
        pytest.skip("no wire corpus: FRANCA_WIRE_CORPUS names no folder with exchanges")
    return found


def name(record: Record) -> str:
    """How a record is told in a failing test."""
    return f"{record['vendor']}: {record['case']}"

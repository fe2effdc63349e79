"""The soak, in small: see `benchmarks/soak.py`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

SOAK = Path(__file__).parents[2] / "benchmarks" / "soak.py"
CALLS = 1000


def test_each_call_is_answered_once_or_fails_with_one_typed_error(tmp_path: Path) -> None:
    report = tmp_path / "soak.json"
    command = [sys.executable, str(SOAK), "--calls", str(CALLS), "--json", str(report)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    figures = json.loads(report.read_text())
    assert figures["met"], done.stdout
    assert figures["answered"] + sum(figures["errors"].values()) == CALLS
    assert figures["answered"] > 0.8 * CALLS
    assert figures["kills"] >= 1
    assert figures["upstream"] > CALLS

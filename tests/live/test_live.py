"""Every model at every endpoint of a real settings file; costs money, so only when asked."""

import os
from pathlib import Path

import pytest

from franca.cli import check
from franca.cli.source import load

FILE = os.environ.get("FRANCA_LIVE_SETTINGS")


@pytest.mark.skipif(not FILE, reason="FRANCA_LIVE_SETTINGS names no settings file")
def test_every_endpoint_answers() -> None:
    outcomes = check.check(load(Path(FILE or "")))
    check.show(outcomes)
    assert [one for one in outcomes if not one.ok] == []

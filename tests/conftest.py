"""What holds for every test."""

import signal

import pytest

from franca.limits.redis import link

signal.signal(signal.SIGINT, signal.default_int_handler)  # what runs this may have it ignored


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine's slow answer is an answer: what is away is stopped or killed by the test."""
    monkeypatch.setattr(link, "PATIENCE", 3.0)

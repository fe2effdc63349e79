"""What holds for every test."""

import signal

import pytest
from hypothesis import HealthCheck, settings

from franca.limits.redis import link

signal.signal(signal.SIGINT, signal.default_int_handler)  # what runs this may have it ignored
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")  # how long an example takes says nothing on a shared machine


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine's slow answer is an answer: what is away is stopped or killed by the test."""
    monkeypatch.setattr(link, "PATIENCE", 3.0)

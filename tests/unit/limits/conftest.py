"""A real Redis where there is one."""

from collections.abc import Iterator
from itertools import count

import pytest
from on_redis import needed

from franca.limits.redis import RedisStore
from franca.testing.redis_server import RedisServer

_numbers = count()


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """A server for all tests that leave it running; each uses keys of its own."""
    needed()
    with RedisServer() as server:
        yield server


@pytest.fixture
def own_server() -> Iterator[RedisServer]:
    """A server that the test may kill and stop."""
    needed()
    with RedisServer() as server:
        yield server


@pytest.fixture
def needs_redis() -> None:
    """For a test that starts its own."""
    needed()


@pytest.fixture
def store(redis_server: RedisServer) -> Iterator[RedisStore]:
    """A store on the server for all."""
    store = RedisStore(redis_server.url)
    yield store
    store.close()


@pytest.fixture
def key() -> str:
    """A scope of the test's own."""
    return f"scope-{next(_numbers)}"

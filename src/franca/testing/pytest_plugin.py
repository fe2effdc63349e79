"""Fixtures for tests of what calls franca: `pytest_plugins = ["franca.testing.pytest_plugin"]`.

Each holds for every client of the process, whatever its backend and settings, sync and async, and
gives clients a made-up key where the environment has none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from franca.testing import Cassette, Script, Simulator
    from franca.testing.scripted import Scripted


_FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, Any, Any]:
    """Notes that a test has failed: its fixtures need not say so again."""
    if call.excinfo is not None:
        item.stash[_FAILED] = True
    return (yield)


def _failed(request: pytest.FixtureRequest) -> bool:
    return request.node.stash.get(_FAILED, False)


@pytest.fixture(scope="session")
def _franca_server() -> Iterator[Simulator]:
    """One server for all tests: a client that outlives its test finds it again."""
    from franca.testing import Simulator

    with Simulator() as simulator:
        yield simulator


@pytest.fixture
def franca_simulator(_franca_server: Simulator) -> Iterator[Simulator]:
    """A `franca.testing.Simulator` that all clients go to, over real HTTP; new to each test."""
    from franca.testing import use_simulator

    with use_simulator(_franca_server):
        yield _franca_server
    _franca_server.reset()


@pytest.fixture
def franca_script(request: pytest.FixtureRequest) -> Iterator[Callable[..., Script]]:
    """`franca_script("Hello", RateLimitError("slow"))`: all clients give these answers, one a call,
    without a network; returns the `franca.testing.Script`, with `.calls` and `.assert_done()`.

    A call that has no answer fails the test, even where the code under test caught the error.
    """
    from franca.testing import use_script

    with use_script() as script:

        def told(*answers: Scripted) -> Script:
            script.add(*answers)
            return script

        yield told
    if len(script.calls) > script.answers and not _failed(request):
        script.assert_done()


@pytest.fixture
def franca_cassette(request: pytest.FixtureRequest) -> Iterator[Cassette]:
    """A `franca.testing.Cassette` in `cassettes/<module>/<test>.jsonl` beside the test's file.

    It replays; `FRANCA_RECORD=auto pytest` records what is missing, `FRANCA_RECORD=record` all.
    """
    from franca.testing import Cassette

    name = re.sub(r"[^\w\-\[\].,=]+", "_", request.node.name)
    path = request.path.parent / "cassettes" / request.path.stem / f"{name}.jsonl"
    cassette = Cassette(path)
    with cassette:
        yield cassette
        if _failed(request):
            cassette.missed = None

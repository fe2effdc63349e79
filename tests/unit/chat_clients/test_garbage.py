"""A failed call is gone at once: its error does not hold the frames that raise it."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from types import FrameType

import pytest

from franca import CallError, create_chat_client
from franca.testing import Answer, Simulator, error


@pytest.fixture
def garbage() -> Iterator[list[object]]:
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    yield gc.garbage
    gc.set_debug(0)
    gc.garbage.clear()
    gc.enable()


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "answer",
    [error(500), error(400), Answer(reset="before_headers")],
    ids=["500", "400", "reset"],
)
def test_nothing_is_left(answer: Answer, stream: bool, garbage: list[object]) -> None:
    def fails() -> None:
        try:
            client.create_completion("hi", stream=stream, max_retries=1, retry_delay=0)
        except CallError:
            return
        raise AssertionError("it was answered")

    with Simulator(default=answer) as sim:
        client = create_chat_client("local", "m", base_url=f"{sim.url}/v1")
        fails()
        gc.collect()
        garbage.clear()
        fails()
        gc.collect()
    frames = [o.f_code.co_qualname for o in garbage if isinstance(o, FrameType)]
    assert [name for name in frames if name != "fails"] == []

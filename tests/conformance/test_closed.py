"""A client that is closed while its calls wait for an answer."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from franca import create_async_chat_client, create_chat_client
from franca.errors import ConnectionError
from franca.testing import Answer, Simulator

KINDS = pytest.mark.parametrize("kind", ["openai", "anthropic", "openai_azure"])
STREAMED = pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])


@pytest.fixture
def sim() -> Iterator[Simulator]:
    with Simulator(default=Answer(hang=True)) as running:
        yield running


def place(sim: Simulator, kind: str) -> dict[str, Any]:
    """Two endpoints, neither of which answers."""
    url = sim.url if kind != "openai" else f"{sim.url}/v1"
    endpoint = {"api_base": url, "api_key": "a-key", "model_id": "m", "endpoint_type": kind}
    ends = [endpoint, {**endpoint, "id": "other"}]
    backend = "anthropic" if kind == "anthropic" else "local"
    return {"backend": backend, "model": "m", "endpoints": ends}


@KINDS
@STREAMED
def test_a_thread_inside_a_call_is_told_at_once(kind: str, streamed: bool, sim: Simulator) -> None:
    client, met = create_chat_client(**place(sim, kind)), []

    def calls() -> None:
        with pytest.raises(ConnectionError, match="was closed") as caught:
            (client.create_stream if streamed else client.create_completion)("hi", max_tokens=5)
        met.append(caught.value)

    thread = threading.Thread(target=calls, daemon=True)
    thread.start()
    while not sim.count:
        thread.join(0.01)
    client.close()
    thread.join(60)
    assert met
    assert sim.count == 1, "nothing more was sent"
    assert [end.failures for end in client.health()] == [0, 0]


@KINDS
@STREAMED
def test_a_task_inside_a_call_is_told_at_once(kind: str, streamed: bool, sim: Simulator) -> None:
    async def go() -> None:
        client = create_async_chat_client(**place(sim, kind))

        async def call() -> object:
            if streamed:
                return await client.create_stream("hi", max_tokens=5)
            return await client.create_completion("hi", max_tokens=5)

        task = asyncio.create_task(call())
        while not sim.count:
            await asyncio.sleep(0.01)
        await client.aclose()
        with pytest.raises(ConnectionError, match="was closed"):
            await asyncio.wait_for(task, 60)
        assert [end.failures for end in client.health()] == [0, 0]

    asyncio.run(go())
    assert sim.count == 1, "nothing more was sent"

"""How a stream has ended, as its hooks and its endpoint's health are told."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from franca import CallEvent, Hooks, create_async_chat_client, create_chat_client
from franca.errors import CallError, StreamInterrupted, TimeoutError
from franca.testing import Answer, Simulator
from franca.wire.stream import StreamReader

HELLO = 'data: {"choices":[{"index":0,"delta":{"content":"hello"}}]}\n\n'
ERROR = 'data: {"error":{"message":"melting","code":500}}\n\n'
SILENT = Answer(sse=[HELLO] * 2, cut_events=1, hang=True)
WAYS = pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])


class Told:
    """The hooks of a client, and what they were told at a stream's end."""

    def __init__(self) -> None:
        self.ends: list[str] = []
        self.hooks = Hooks(on_response=self._keep, on_error=self._keep, on_cancel=self._keep)

    def _keep(self, event: CallEvent) -> None:
        if event.error is not None:
            self.ends.append("error")
        else:
            said = event.result.content if event.result else None
            self.ends.append(f"answer: {said}")


@pytest.fixture
def sim() -> Iterator[Simulator]:
    with Simulator() as running:
        yield running


@pytest.fixture
def told() -> Told:
    return Told()


def place(sim: Simulator, told: Told) -> dict[str, Any]:
    azure = sim.default is SILENT
    kind = {"endpoint_type": "openai_azure"} if azure else {}
    url = sim.url if azure else f"{sim.url}/v1"
    endpoint = {"api_base": url, "api_key": "a-key", "model_id": "m", **kind}
    return {"backend": "local", "model": "m", "endpoints": [endpoint], "hooks": told.hooks}


def broken(given: dict[str, Any], *, is_async: bool, **params: Any) -> tuple[CallError, int]:
    """(how a stream broke, its endpoint's failures in a row)."""

    async def go() -> tuple[CallError, int]:
        async with create_async_chat_client(**given) as client:
            with pytest.raises(CallError) as raised:
                await client.create_stream("hi", max_retries=0, **params).result()
            return raised.value, client.health()[0].failures

    if is_async:
        return asyncio.run(go())
    with create_chat_client(**given) as client:
        with pytest.raises(CallError) as raised:
            client.create_stream("hi", max_retries=0, **params).result()
        return raised.value, client.health()[0].failures


@WAYS
def test_an_end_without_the_end_mark_is_a_failure(
    is_async: bool, sim: Simulator, told: Told
) -> None:
    sim.script(Answer(sse=[HELLO] * 2))
    error, failures = broken(place(sim, told), is_async=is_async)
    assert isinstance(error, StreamInterrupted)
    assert (told.ends, failures) == (["error"], 1)


@WAYS
def test_the_callers_deadline_says_nothing_of_the_endpoint(
    is_async: bool, sim: Simulator, told: Told
) -> None:
    sim.script(Answer(sse=[HELLO] * 2, cut_events=1, hang=True))
    error, failures = broken(place(sim, told), is_async=is_async, deadline=6.0)
    assert isinstance(error, StreamInterrupted)
    assert isinstance(error.__cause__, TimeoutError)
    assert (told.ends, failures) == (["error"], 0)


@WAYS
def test_silence_says_something_of_it_where_an_sdk_sends_too(
    is_async: bool, sim: Simulator, told: Told
) -> None:
    sim.default = SILENT
    error, failures = broken(place(sim, told), is_async=is_async, timeout=600, idle_timeout=3.0)
    assert isinstance(error, StreamInterrupted)
    assert (told.ends, failures) == (["error"], 1)


def test_one_that_another_thread_closes_has_not_failed(sim: Simulator, told: Told) -> None:
    sim.script(Answer(sse=[HELLO] * 2, cut_events=1, hang=True))
    seen, reads = [], threading.Event()

    def reading() -> None:
        with suppress(StreamInterrupted):
            for delta in stream:
                seen.append(delta.content)
                reads.set()

    with create_chat_client(**place(sim, told)) as client:
        stream = client.create_stream("hi")
        thread = threading.Thread(target=reading, daemon=True)
        thread.start()
        assert reads.wait(60)
        while thread.is_alive():  # until it is amid a read
            stream.close()
            thread.join(0.1)
        assert told.ends == ["answer: hello"]
        assert client.health()[0].failures == 0
    assert seen == ["hello"]


@pytest.mark.parametrize("status", [200, 400])
def test_one_that_two_tasks_open_is_opened_once(status: int, sim: Simulator) -> None:
    async def go() -> tuple[Any, Any]:
        async with create_async_chat_client("local", "m", base_url=f"{sim.url}/v1") as client:
            stream = client.create_stream("hi")

            async def opened() -> object:
                return await stream

            both = await asyncio.gather(opened(), opened(), return_exceptions=True)
            await stream.aclose()
            return both

    sim.default = Answer(status=status)
    one, other = asyncio.run(go())
    assert (type(one), str(one)) == (type(other), str(other))
    assert len(sim.requests) == 1


@WAYS
def test_one_whose_client_is_closed_breaks(is_async: bool, sim: Simulator, told: Told) -> None:
    """Its connection goes with the last client of its endpoint."""
    sim.script(Answer(sse=[HELLO] * 2, cut_events=1, hang=True))

    async def go() -> None:
        client = create_async_chat_client(**place(sim, told))
        stream = await client.create_stream("hi")
        await client.aclose()
        with pytest.raises(StreamInterrupted):
            await stream.result()

    if is_async:
        asyncio.run(go())
    else:
        client = create_chat_client(**place(sim, told))
        stream = client.create_stream("hi")
        client.close()
        with pytest.raises(StreamInterrupted):
            stream.result()
    assert told.ends == ["error"]


@pytest.mark.parametrize("seen", [[], [HELLO]], ids=["unseen", "seen"])
@pytest.mark.parametrize("sse", [": here\n\n", ERROR], ids=["end", "error"])
@WAYS
def test_one_that_breaks_leaves_no_cycle(
    is_async: bool, sse: str, seen: list[str], sim: Simulator, told: Told
) -> None:
    sim.default = Answer(sse=[*seen, sse])
    options: dict[str, Any] = {"max_retries": 1, "retry_delay": 0}

    async def fails() -> None:
        with suppress(CallError):
            await client.create_stream("hi", **options).result()

    def fails_too() -> None:
        with suppress(CallError):
            blocking.create_stream("hi", **options).result()

    loop = asyncio.new_event_loop()
    fail = (lambda: loop.run_until_complete(fails())) if is_async else fails_too
    client = create_async_chat_client(**place(sim, told))
    with create_chat_client(**place(sim, told)) as blocking:
        fail()
        gc.collect()
        gc.disable()
        gc.set_debug(gc.DEBUG_SAVEALL)
        try:
            fail()
            gc.collect()
            left = [type(o) for o in gc.garbage if isinstance(o, CallError | StreamReader)]
        finally:
            gc.set_debug(0)
            gc.garbage.clear()
            gc.enable()
    loop.run_until_complete(client.aclose())
    loop.close()
    assert not left

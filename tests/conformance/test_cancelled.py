"""Streams that nobody reads to the end: nothing of them is left, here or at the server."""

from __future__ import annotations

import asyncio
import gc
import os
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from servers import JSON, Server, servers, settings

from franca import (
    AsyncChatClient,
    ChatClient,
    Settings,
    create_async_chat_client,
    create_chat_client,
)
from franca.errors import StreamInterrupted
from franca.limits.model import Look, Standing
from franca.limits.scopes import scope
from franca.testing import Answer, Simulator

STREAMS = {"memory": 500, "diskcache": 100}  # of each kind of client
SLOW = ("-m", "franca.testing", "--reply-tokens", "30", "--gap", "0.002")
LIMITS = {"concurrent_requests": 24, "rpm": 1_000_000, "tpm": 10**9}
HELLO = 'data: {"choices":[{"index":0,"delta":{"content":"hello"}}]}\n\n'
LONG = 30.0  # seconds to wait for what comes sooner
needs_proc = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts Linux's sockets")


class Left(Exception):
    """What a caller's own code raises in the middle."""


def sockets(pid: int | str = "self") -> int:
    """A process's open TCP sockets."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    known, found = {f"socket:[{line.split()[9]}]" for line in lines}, 0
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):  # closed meanwhile
            found += os.readlink(link) in known
    return found


def until(true: Callable[[], bool]) -> bool:
    """Whether it becomes true."""
    end = time.monotonic() + LONG
    while not (now := true()) and time.monotonic() < end:
        gc.collect()
        time.sleep(0.02)
    return now


def standing(given: Settings) -> Standing:
    (target,) = given.resolve("local", "m")
    found = scope(target)
    assert found is not None
    answer = found.store.perform(Look(found.store, found.key, found.rules))
    assert isinstance(answer, Standing)
    return answer


def walk_away(client: ChatClient, seed: int) -> None:
    """Begin a stream, and leave it at a random event in a random way."""
    chance = random.Random(seed)
    way, events = chance.choice(["close", "break", "unread", "raise", "end"]), chance.randint(0, 30)
    stream = client.create_stream("hi")
    if way == "unread":
        return
    if way == "raise":
        with suppress(Left), stream:
            for _ in range(events):
                next(stream)
            raise Left
        return
    for number, _ in enumerate(stream):
        if number >= events and way != "end":
            break
    if way == "close":
        stream.close()


async def awalk_away(client: AsyncChatClient, seed: int) -> None:
    """The same; a task may be cancelled at any moment, while the stream is opened too."""
    chance = random.Random(seed)
    way, events = (
        chance.choice(["close", "break", "unread", "raise", "cancel"]),
        chance.randint(0, 30),
    )
    if way == "unread":
        await client.create_stream("hi")
    elif way == "cancel":
        task = asyncio.create_task(_read(client, 1000))
        await asyncio.sleep(chance.uniform(0, 0.15))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    elif way == "raise":
        with suppress(Left):
            async with client.create_stream("hi") as stream:
                for _ in range(events):
                    await anext(stream)
                raise Left
    else:
        stream = await _read(client, events)
        if way == "close":
            await stream.aclose()


async def _read(client: AsyncChatClient, events: int) -> Any:
    stream = client.create_stream("hi")
    number = 0
    async for _ in stream:
        if (number := number + 1) > events:
            break
    return stream


def nothing_is_left(server: Server, given: Settings, client: Any, before: tuple[int, int]) -> None:
    stands = standing(given)
    assert (stands.busy, stands.waiting) == (0, 0)
    assert [health.busy for health in client.health()] == [0]
    assert until(lambda: sockets() <= before[0])
    assert until(lambda: sockets(server.pid) <= before[1])


@pytest.fixture(params=["memory", "diskcache"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> JSON:
    if request.param == "diskcache":
        pytest.importorskip("diskcache")
    place = {"cache_dir": str(tmp_path)}
    return {"enabled": True, "backend": request.param, "diskcache": place}


@needs_proc
def test_blocking_streams_left_at_random(store: JSON) -> None:
    with servers(1, SLOW) as (server,):
        given = settings([server.url], limits=LIMITS, rate_limit=store)
        before = sockets(), sockets(server.pid)
        client = create_chat_client("local", "m", settings=given, max_wait=LONG)
        with client, ThreadPoolExecutor(24) as pool:
            list(pool.map(lambda seed: walk_away(client, seed), range(STREAMS[store["backend"]])))
        nothing_is_left(server, given, client, before)


@needs_proc
def test_asyncio_streams_left_at_random(store: JSON) -> None:
    async def scene(server: Server, given: Settings) -> None:
        made = create_async_chat_client("local", "m", settings=given, max_wait=LONG)
        async with made as client:
            gate = asyncio.Semaphore(48)  # more than the limit has slots: some wait for theirs

            async def one(seed: int) -> None:
                async with gate:
                    await awalk_away(client, seed)

            before = sockets(), sockets(server.pid)
            await asyncio.gather(*map(one, range(STREAMS[store["backend"]])))
            end = time.monotonic() + LONG
            while asyncio.all_tasks() != {asyncio.current_task()} and time.monotonic() < end:
                gc.collect()
                await asyncio.sleep(0.02)
            assert asyncio.all_tasks() == {asyncio.current_task()}
        nothing_is_left(server, given, client, before)

    with servers(1, SLOW) as (server,):
        asyncio.run(scene(server, settings([server.url], limits=LIMITS, rate_limit=store)))


def test_another_thread_may_close_what_one_reads() -> None:
    endless = Answer(sse=[HELLO], cut_events=1, hang=True)
    with Simulator(default=endless) as sim, ThreadPoolExecutor(1) as pool:
        client = create_chat_client("local", "m", settings=settings([sim.url]))
        stream = client.create_stream("hi")
        assert next(stream).content == "hello"
        reading = pool.submit(stream.result)
        until(reading.running)
        time.sleep(0.2)  # until it waits for more; where it does not yet, the close ends it too
        stream.close()
        with suppress(StreamInterrupted):
            assert reading.result(LONG).content == "hello"
        assert [health.busy for health in client.health()] == [0]
        assert until(lambda: sim.connections == 0)

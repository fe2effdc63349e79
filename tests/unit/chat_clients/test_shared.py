"""Shared clients under threads, loops, reloads and forks: nobody hears another's answer."""

import asyncio
import gc
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from franca import create_async_chat_client, create_chat_client
from franca.settings import Settings
from franca.testing import Answer, Received, Simulator
from franca.transport import links

THREADS, LOOPS, CALLS = 8, 4, 25


def answer(received: Received) -> Answer:
    """Repeats the question with all that could be mixed up."""
    body = received.body
    asked = body["messages"][-1]["content"]
    key = received.headers["authorization"].removeprefix("Bearer ")
    return Answer(text=f"{asked}|{body['model']}|{body['temperature']}|{key}|{received.query}")


@pytest.fixture
def sim():
    with Simulator(default=answer, record=False) as simulator:
        yield simulator


def document(sim: Simulator, name: str) -> dict[str, Any]:
    """Models whose id, endpoint and key all bear the document's name."""
    model = {"id": f"m-{name}", "endpoints": [f"at-{name}"]}
    place = {"id": f"at-{name}", "api_base": f"{sim.url}/v1", "api_key": f"key-{name}"}
    return {
        "VERSION": "2",
        "endpoints": [place],
        "backends": {"openai": {"models": {"m": model, "n": {**model, "id": f"n-{name}"}}}},
    }


class Reloading:
    """Loads two documents in turn until it is left."""

    def __init__(self, sim: Simulator) -> None:
        self.documents = [document(sim, "one"), document(sim, "two")]
        self.settings, self.times = Settings(**self.documents[0]), 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._reload)

    def __enter__(self) -> "Reloading":
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._over.set()
        self._thread.join()

    def _reload(self) -> None:
        while not self._over.wait(0.002):
            self.times += 1
            self.settings.load(self.documents[self.times % 2])


def params_of(who: str, turn: int) -> tuple[str, dict[str, Any]]:
    question = f"{who}-{turn}"
    return question, {
        "model": "n" if turn % 2 else None,
        "temperature": hash(question) % 100 / 100 if turn % 3 else None,
        "extra_query": {"q": question} if turn % 5 else None,
    }


def check(result: Any, question: str, params: dict[str, Any]) -> None:
    name = result.endpoint_id.removeprefix("at-")
    assert name in {"one", "two"}
    temperature = 0.125 if params["temperature"] is None else params["temperature"]
    query = f"q={question}" if params["extra_query"] else ""
    model = f"{params['model'] or 'm'}-{name}"
    assert result.content == f"{question}|{model}|{temperature}|key-{name}|{query}"


def in_thread(client: Any, who: str) -> None:
    for turn in range(CALLS):
        question, params = params_of(who, turn)
        if turn % 4:
            check(client.create_completion(question, **params), question, params)
        else:
            check(client.create_stream(question, **params).result(), question, params)


async def in_loop(client: Any, who: str) -> None:
    async def one(turn: int) -> None:
        question, params = params_of(who, turn)
        if turn % 4:
            check(await client.create_completion(question, **params), question, params)
        else:
            check(await client.create_stream(question, **params).result(), question, params)

    await asyncio.gather(*map(one, range(CALLS)))


def test_threads_and_loops_while_settings_are_reloaded(sim):
    with Reloading(sim) as reloading, ThreadPoolExecutor(THREADS + LOOPS) as pool:
        place: dict[str, Any] = {"settings": reloading.settings, "temperature": 0.125}
        with create_chat_client("openai", "m", **place) as blocking:
            aio = create_async_chat_client("openai", "m", **place)
            for number in range(LOOPS):  # one after another
                asyncio.run(in_loop(aio, f"after{number}"))
            running = [pool.submit(in_thread, blocking, f"thread{n}") for n in range(THREADS)]
            running += [
                pool.submit(lambda n=n: asyncio.run(in_loop(aio, f"loop{n}"))) for n in range(LOOPS)
            ]
            for each in running:
                each.result(60)
            asyncio.run(aio.aclose())
    assert reloading.times > 10


def test_reloads_of_the_same_endpoints_make_no_links(sim):
    before = len(links._shared)
    settings = Settings(**document(sim, "one"))
    place: dict[str, Any] = {"settings": settings, "temperature": 0.5}

    async def main():
        async with create_async_chat_client("openai", "m", **place) as aio:
            for _ in range(30):
                settings.load(document(sim, "one"))
                await aio.create_completion("hello")
            entry = links._loops[asyncio.get_running_loop()]
            assert len(entry.held) == 1
        assert entry.held == {}

    with create_chat_client("openai", "m", **place) as blocking:
        for _ in range(30):
            settings.load(document(sim, "one"))
            blocking.create_completion("hello")
            with create_chat_client("openai", "m", **place) as other:
                other.create_completion("hello")
        assert len(links._shared) == before + 1
        assert sim.connections == 1
    assert len(links._shared) == before
    asyncio.run(main())


def test_clients_that_are_dropped_share_one_link(sim):
    settings = Settings(**document(sim, "one"))
    before = len(links._shared)
    for _ in range(50):
        create_chat_client("openai", "m", settings=settings, temperature=0.5).create_completion("a")
    gc.collect()
    assert len(links._shared) <= before + 1
    assert sim.connections == 1
    with create_chat_client("openai", "m", settings=settings, temperature=0.5) as last:
        last.create_completion("a")
    assert len(links._shared) == before, "the last one that is closed closes the link"


def test_loops_that_are_over_are_forgotten(sim):
    place: dict[str, Any] = {"settings": Settings(**document(sim, "one")), "temperature": 0.5}
    aio = create_async_chat_client("openai", "m", **place)
    for _ in range(5):
        asyncio.run(in_loop_once(aio))
    assert len(aio._transport._held) == 1
    assert not [loop for loop in links._loops if loop.is_closed()]
    asyncio.run(aio.aclose())
    assert not aio._transport._held


async def in_loop_once(client: Any) -> None:
    await client.create_completion("hello")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_has_its_own_connections(sim):
    settings = Settings(**document(sim, "one"))
    place: dict[str, Any] = {"settings": settings, "temperature": 0.5}
    with create_chat_client("openai", "m", **place) as client:
        aio = create_async_chat_client("openai", "m", **place)
        client.create_completion("parent")
        stream = client.create_stream("parent streams")
        assert sim.connections == 1
        child = os.fork()
        if child == 0:
            os._exit(_in_child(client, aio, sim))
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert stream.result().content.startswith("parent streams|")
        assert client.create_completion("parent again").content.startswith("parent again|")
        assert sim.connections == 1


def _in_child(client: Any, aio: Any, sim: Simulator) -> int:
    try:
        for turn in range(3):
            said = client.create_completion(f"child {turn}").content
            assert said.startswith(f"child {turn}|")
        asyncio.run(in_loop_once(aio))
        return 0 if len(links._shared) == 1 else 3
    except BaseException:
        return 2

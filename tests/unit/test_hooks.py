"""What a client tells its hooks: which moments, in which order, with which facts."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from franca import CallEvent, Hooks, create_async_chat_client, create_chat_client
from franca.errors import InvalidRequestError, StreamInterrupted
from franca.testing import Answer, Simulator, error, rate_limited, text_reply

MOMENTS = ("on_request", "on_response", "on_retry", "on_failover", "on_error", "on_cancel")


class Heard:
    """Hooks that keep what they are told."""

    def __init__(self) -> None:
        self.events: list[tuple[str, CallEvent]] = []
        self.hooks = Hooks(**{moment: self._keep(moment) for moment in MOMENTS})

    def _keep(self, moment: str) -> Any:
        return lambda event: self.events.append((moment, event))

    @property
    def moments(self) -> list[str]:
        return [f"{name.removeprefix('on_')} {event.attempt}" for name, event in self.events]


@pytest.fixture
def sim() -> Iterator[Simulator]:
    with Simulator() as running:
        yield running


@pytest.fixture
def heard() -> Heard:
    return Heard()


def given(sim: Simulator, *hooks: Hooks, names: str = "a") -> dict[str, Any]:
    endpoints = [{"api_base": f"{sim.url}/{name}/v1", "api_key": "the-key"} for name in names]
    return {
        "backend": "local", "model": "m", "endpoints": endpoints, "hooks": hooks,
        "retry_delay": 0.0, "random_endpoint": False,
    }  # fmt: skip


def ask(place: dict[str, Any], *, is_async: bool, stream: bool, **params: Any) -> Any:
    async def go() -> Any:
        async with create_async_chat_client(**place) as client:
            if stream:
                return await client.create_stream("hi", **params).result()
            return await client.create_completion("hi", **params)

    if is_async:
        return asyncio.run(go())
    with create_chat_client(**place) as client:
        if stream:
            return client.create_stream("hi", **params).result()
        return client.create_completion("hi", **params)


each = pytest.mark.parametrize(
    "how",
    [{"is_async": a, "stream": s} for a in (False, True) for s in (False, True)],
    ids=["sync-whole", "sync-stream", "async-whole", "async-stream"],
)


@each
def test_a_call(how: dict[str, bool], sim: Simulator, heard: Heard) -> None:
    result = ask(given(sim, heard.hooks), **how)
    assert heard.moments == ["request 1", "response 1"]
    (_, asked), (_, answered) = heard.events
    assert asked.call is answered.call
    assert answered.result is not None
    assert answered.result.content == result.content
    assert (answered.first_token is not None) == how["stream"]
    assert 0 <= asked.elapsed <= answered.elapsed
    assert (asked.backend, asked.model, asked.model_id) == ("local", "m", "m")
    assert asked.endpoint_type == "openai"
    assert asked.url == f"{sim.url}/a/v1"


@each
def test_tries(how: dict[str, bool], sim: Simulator, heard: Heard) -> None:
    sim.script(error(503), rate_limited("0"), "fine")
    ask(given(sim, heard.hooks, names="ab"), **how)
    assert heard.moments == [
        "request 1", "failover 2", "request 2", "retry 3", "request 3", "response 3",
    ]  # fmt: skip
    failover, retry = heard.events[1][1], heard.events[3][1]
    assert failover.error is not None
    assert failover.error.status_code == 503
    assert failover.wait is None
    assert retry.error is not None
    assert retry.error.status_code == 429
    assert retry.wait is not None
    assert heard.events[2][1].endpoint_id == failover.endpoint_id


@each
def test_an_error(how: dict[str, bool], sim: Simulator, heard: Heard) -> None:
    sim.script(error(400))
    with pytest.raises(InvalidRequestError) as raised:
        ask(given(sim, heard.hooks), **how)
    assert heard.moments == ["request 1", "error 1"]
    assert heard.events[-1][1].error is raised.value


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_a_broken_stream(is_async: bool, sim: Simulator, heard: Heard) -> None:
    sim.script(Answer(text="some words " * 9, cut_events=4))
    with pytest.raises(StreamInterrupted) as raised:
        ask(given(sim, heard.hooks), is_async=is_async, stream=True)
    assert heard.moments == ["request 1", "error 1"]
    assert heard.events[-1][1].error is raised.value


def test_a_stream_that_is_closed(sim: Simulator, heard: Heard) -> None:
    sim.script(Answer(text="some words " * 9, gap=0.01))
    with create_chat_client(**given(sim, heard.hooks)) as client:
        with client.create_stream("hi") as stream:
            next(stream)
            assert heard.moments == ["request 1"]
        assert heard.moments == ["request 1", "response 1"]
    result = heard.events[-1][1].result
    assert result is not None
    assert result.finish_reason is None


async def test_a_cancelled_call(sim: Simulator, heard: Heard) -> None:
    sim.script(Answer(hang=True))
    async with create_async_chat_client(**given(sim, heard.hooks)) as client:
        task = asyncio.create_task(client.create_completion("hi"))
        while not sim.count:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert heard.moments == ["request 1", "cancel 1"]
    assert isinstance(heard.events[-1][1].cause, asyncio.CancelledError)


def test_an_interrupted_call(sim: Simulator, heard: Heard) -> None:
    def interrupted() -> str:
        raise KeyboardInterrupt

    place: Any = given(sim, heard.hooks) | {"endpoints": None, "base_url": sim.url}
    with (
        create_chat_client(**place, api_key=interrupted) as client,
        pytest.raises(KeyboardInterrupt),
    ):
        client.create_completion("hi")
    assert heard.moments == ["request 1", "cancel 1"]


def test_a_listeners_fault_is_not_the_calls(sim: Simulator, heard: Heard) -> None:
    def fails(event: CallEvent) -> None:
        raise RuntimeError("the-canary of a listener")

    bad = Hooks(**dict.fromkeys(MOMENTS, fails))
    ask(given(sim, bad, heard.hooks), is_async=False, stream=False)
    assert heard.moments == ["request 1", "response 1"]


def test_one_clients_hooks_are_not_anothers(sim: Simulator, heard: Heard) -> None:
    with create_chat_client(**given(sim, heard.hooks)), create_chat_client(**given(sim)) as other:
        other.create_completion("hi")
    assert heard.events == []


def test_events_show_no_secret(sim: Simulator, heard: Heard) -> None:
    url = sim.url.replace("://", "://user:hunter2hunter2@")
    place = given(sim, heard.hooks) | {"endpoints": [{"api_base": url, "api_key": "the-key"}]}
    sim.script(text_reply("a-said-thing"))
    ask(place, is_async=False, stream=False)
    assert heard.events[0][1].url == sim.url
    text = repr(heard.events)
    assert not [word for word in ("the-key", "hunter2", "'hi'", "a-said-thing") if word in text]

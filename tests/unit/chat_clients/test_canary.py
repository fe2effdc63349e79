"""A key and a prompt, planted: neither comes out in a log, an error, a traceback or a repr.

A vendor's own message may quote the prompt, and is shown without keys: it says what is wrong.
The whole of what a vendor said is in `.body` alone.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import traceback
from collections.abc import Iterator
from typing import Any

import pytest

from franca import create_async_chat_client, create_chat_client
from franca.errors import (
    APIError,
    AuthenticationError,
    CallError,
    ConnectionError,
    FrancaError,
    InvalidRequestError,
    SettingsError,
    StreamInterrupted,
    TimeoutError,
)
from franca.settings import Settings
from franca.settings.adhoc import adhoc
from franca.testing import Answer, Simulator, error, exchange

KEYS = ["sk-canary-0123456789abcdef", "hunter2hunter2hunter2"]
PROMPT = "the-canary-prompt sings of a thing nobody may ever know"
WIRES = {
    "openai": {"endpoint_type": "openai"},
    "anthropic": {"endpoint_type": "anthropic"},
    "azure": {"endpoint_type": "openai_azure"},
    "vertex": {
        "endpoint_type": "anthropic_vertex",
        "credentials": {"project_id": "p", "location": "l"},
    },
}
Raised = pytest.ExceptionInfo[FrancaError]


@pytest.fixture
def sim() -> Iterator[Simulator]:
    with Simulator() as running:
        yield running


@pytest.fixture(params=KEYS, ids=["sk", "plain"])
def key(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=WIRES)
def wire(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def is_async(request: pytest.FixtureRequest) -> bool:
    return request.param


@pytest.fixture(autouse=True)
def _nothing_in_the_logs(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Whatever a test does: every logger at DEBUG, and neither canary in any record."""
    names = ["openai", "anthropic", "httpx2", "httpcore2", "httpx", "httpcore", "asyncio", "franca"]
    for name in [*names, *logging.root.manager.loggerDict]:
        caplog.set_level(logging.DEBUG, name)
    caplog.set_level(logging.DEBUG)
    yield
    lines = [record.getMessage() + repr(record.args) for record in caplog.records]
    assert not [line for line in lines for key in KEYS if key in line]
    assert not [line for line in lines if PROMPT in line]


def place(wire: str, url: str, key: Any, **more: Any) -> tuple[str, dict[str, Any]]:
    backend = "anthropic" if wire in ("anthropic", "vertex") else "local"
    return backend, {**WIRES[wire], "api_base": url, "api_key": key, **more}


def ask(given: tuple[str, dict[str, Any]], *, is_async: bool, stream: bool = False, **params: Any):
    """One call and one try; where it streams, all of it is read."""
    backend, endpoint = given
    params.setdefault("max_retries", 0)
    if not is_async:
        with create_chat_client(backend, "m", endpoints=[endpoint]) as client:
            if stream:
                return client.create_stream(PROMPT, **params).result()
            return client.create_completion(PROMPT, **params)

    async def go() -> Any:
        async with create_async_chat_client(backend, "m", endpoints=[endpoint]) as client:
            if stream:
                return await client.create_stream(PROMPT, **params).result()
            return await client.create_completion(PROMPT, **params)

    return asyncio.run(go())


def shown(raised: BaseException) -> str:
    """All that a program prints of an error and of those behind it."""
    texts, error = [], raised
    while error is not None:
        texts += [str(error), repr(error), repr(error.args)]
        error = error.__cause__ or error.__context__
    return "\n".join([*texts, *traceback.format_exception(raised)])


def silent(raised: Raised, *, prompt: bool = True) -> None:
    text = shown(raised.value)
    assert not [key for key in KEYS if key in text], text
    assert not (prompt and PROMPT in text), text


def closed_port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return unused.getsockname()[1]


@pytest.mark.parametrize("stream", [False, True])
def test_a_refusal_that_echoes_the_key(
    wire: str, key: str, stream: bool, is_async: bool, sim: Simulator
) -> None:
    sim.script(error(401, f"Incorrect API key provided: {key}"))
    with pytest.raises(AuthenticationError) as raised:
        ask(place(wire, sim.url, key), is_async=is_async, stream=stream)
    silent(raised)
    assert "Incorrect API key provided: ***" in str(raised.value)


def test_a_refusal_that_quotes_the_prompt(
    wire: str, key: str, is_async: bool, sim: Simulator
) -> None:
    sim.script(exchange({"status": 400, "reply": {"error": {"message": "bad", "input": PROMPT}}}))
    with pytest.raises(InvalidRequestError) as raised:
        ask(place(wire, sim.url, key), is_async=is_async)
    silent(raised)
    assert PROMPT.encode() in (raised.value.body or b"")


def test_a_working_call(wire: str, key: str, is_async: bool, sim: Simulator) -> None:
    for stream in (False, True):
        answer = ask(place(wire, sim.url, key), is_async=is_async, stream=stream)
        assert PROMPT in answer.content


def test_nobody_listens(wire: str, key: str, is_async: bool) -> None:
    given = place(wire, f"http://127.0.0.1:{closed_port()}", key)
    with pytest.raises(ConnectionError) as raised:
        ask(given, is_async=is_async)
    silent(raised)


@pytest.mark.parametrize("stream", [False, True])
def test_no_answer_in_time(
    wire: str, key: str, stream: bool, is_async: bool, sim: Simulator
) -> None:
    sim.script(Answer(hang=True))
    with pytest.raises(TimeoutError) as raised:
        ask(place(wire, sim.url, key), is_async=is_async, stream=stream, timeout=0.2)
    silent(raised)


@pytest.mark.parametrize("ending", ["\n", "\r\nx-evil: 1", "é", "密"])
def test_a_key_that_no_header_carries(
    wire: str, key: str, ending: str, is_async: bool, sim: Simulator
) -> None:
    with pytest.raises(CallError) as raised:
        ask(place(wire, sim.url, key + ending), is_async=is_async)
    silent(raised)
    assert not any("x-evil" in sent.headers for sent in sim.requests)


@pytest.mark.parametrize("body", ["{broken", f'{{"choices": "{PROMPT}"}}', "[]", ""])
def test_an_answer_that_is_not_of_the_wire(
    wire: str, key: str, body: str, is_async: bool, sim: Simulator
) -> None:
    sim.script(Answer(body=body))
    with pytest.raises(APIError) as raised:
        ask(place(wire, sim.url, key), is_async=is_async)
    silent(raised)


@pytest.mark.parametrize("garbage", [False, True], ids=["cut", "garbage"])
def test_a_stream_that_breaks(
    wire: str, key: str, garbage: bool, is_async: bool, sim: Simulator
) -> None:
    sim.script(lambda received: Answer(text=PROMPT * 20, cut_after=1500))
    if garbage:
        events = {"choices": [{"index": 0, "delta": {"content": "seen"}}]}
        start = {"type": "content_block_start", "index": 0, "content_block": {"type": "text"}}
        text = {"type": "text_delta", "text": "seen"}
        delta = {"type": "content_block_delta", "index": 0, "delta": text}
        first = [start, delta] if wire in ("anthropic", "vertex") else [events]
        sim._script.clear()
        sim.script(Answer(sse=[*first, f'event: x\ndata: {{"{PROMPT} {key}\n\n'], gap=0.05))
    with pytest.raises(StreamInterrupted) as raised:
        ask(place(wire, sim.url, key), is_async=is_async, stream=True)
    silent(raised)
    assert raised.value.partial.content


def test_a_request_that_cannot_be_built(wire: str, key: str, is_async: bool) -> None:
    given = place(wire, "http://127.0.0.1:9", key)
    with pytest.raises((InvalidRequestError, TypeError)) as raised:
        ask(given, is_async=is_async, extra_body={"x": object(), "y": PROMPT})
    assert PROMPT not in str(raised.value)
    wrong: Any = {"tempratur": PROMPT}
    with pytest.raises(TypeError) as unknown:
        ask(given, is_async=is_async, **wrong)
    assert PROMPT not in str(unknown.value)


@pytest.mark.parametrize(
    "wrong",
    [
        {"timeout": "never"},
        {"verify": "/nowhere.pem"},
        {"proxy": "nonsense://u:hunter2hunter2hunter2@h"},
        {"endpoint_type": "openia"},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_settings_that_are_wrong(key: str, wrong: dict[str, Any], is_async: bool) -> None:
    with pytest.raises(SettingsError) as raised:
        ask(place("openai", "http://127.0.0.1:9", key, **wrong), is_async=is_async)
    silent(raised)


async def test_nothing_shows_in_a_repr(wire: str, key: str, sim: Simulator) -> None:
    backend, endpoint = place(wire, sim.url, key, id="e", headers={"x-secret": key})
    named = {name: value for name, value in endpoint.items() if name != "id"}
    (target,) = adhoc(backend, "m", endpoints=[named])
    models = {"m": {"endpoints": ["e"]}}
    settings = Settings()
    settings.load(
        {"VERSION": "2", "endpoints": [endpoint], "backends": {backend: {"models": models}}}
    )
    client = create_chat_client(backend, "m", settings=settings)
    aclient = create_async_chat_client(backend, "m", settings=settings)
    stream = client.create_stream(PROMPT)
    astream = await aclient.create_stream(PROMPT)
    things: list[Any] = [client, aclient, stream, astream, target, target.endpoint, settings]
    things += [settings.snapshot, settings.export(), client._transport, vars(client)]
    text = "".join(f"{thing!r} {thing!s}" for thing in things)
    stream.close()
    await astream.aclose()
    client.close()
    await aclient.aclose()
    assert key not in text
    assert PROMPT not in text

"""What the logger `franca` writes, at which level, and that it never holds a key or a prompt."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from franca import Hooks, create_async_chat_client, create_chat_client
from franca.errors import CallError
from franca.testing import Answer, Simulator, error, rate_limited

KEYS = ["sk-canary-0123456789abcdef", "hunter2hunter2hunter2"]
PROMPT = "the-canary-prompt sings of a thing nobody may ever know"
FEW = {"max_retries": 2, "retry_delay": 0.001, "timeout": 5.0}


_numbers = count()  # each test's endpoints are new ones, of whose health nothing is known


@pytest.fixture(scope="module")
def server() -> Iterator[Simulator]:
    with Simulator() as running:
        yield running


@pytest.fixture
def sim(server: Simulator) -> Simulator:
    server.reset()
    return server


def places(sim: Simulator, key: str = "k") -> list[dict[str, str]]:
    return [{"api_base": f"{sim.url}/{next(_numbers)}/v1", "api_key": key} for _ in range(2)]


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.DEBUG, "franca")
    return caplog


def lines(log: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    mine = [record for record in log.records if record.name == "franca"]
    assert not [record for record in mine if record.exc_info]
    return [(record.levelname, record.getMessage()) for record in mine]


def faults(key: str) -> dict[str, Answer]:
    """Answers that repeat the key and the prompt wherever a vendor could."""
    echo = {"error": {"message": f"{key} {PROMPT}", "code": key, "type": PROMPT, "param": PROMPT}}
    other = {"error": {"message": PROMPT, "type": PROMPT, "code": f"{PROMPT}: {key}"}}
    page = f"<html><body>{PROMPT} {key}</body></html>"
    said = {"x-request-id": key}
    return {
        "500": Answer(500, body=echo, headers=said),
        "503": Answer(503, body=other),
        "429": Answer(429, body=echo, headers={"retry-after": "0"}),
        "401": Answer(401, body=echo),
        "403": Answer(403, body=other),
        "400": Answer(400, body=echo),
        "page": Answer(502, body=page, headers={"content-type": "text/html"}),
        "no json": Answer(body=f"{{{PROMPT} {key}"),
        "not the wire's": Answer(body={"choices": PROMPT, "key": key}),
        "a reset": Answer(reset="before_headers"),
        "a late reset": Answer(reset="after_headers"),
        "a cut": Answer(text=f"{PROMPT} {key} " * 9, cut_events=3),
        "a fault": Answer(text=f"{PROMPT} {key}", cut_events=1, fault=f"{PROMPT} {key}"),
    }


def ask(given: Any, *, is_async: bool, stream: bool) -> None:
    """One call, whatever comes of it."""

    async def go() -> None:
        async with create_async_chat_client(**given) as client:
            stream and await client.create_stream(PROMPT).result()
            stream or await client.create_completion(PROMPT)

    try:
        if is_async:
            asyncio.run(go())
            return
        with create_chat_client(**given) as client:
            stream and client.create_stream(PROMPT).result()
            stream or client.create_completion(PROMPT)
    except CallError:
        pass


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("key", KEYS, ids=["sk", "plain"])
@pytest.mark.parametrize("fault", faults(""))
def test_no_key_and_no_prompt(
    fault: str, key: str, stream: bool, is_async: bool, sim: Simulator, log: Any
) -> None:
    sim.default = faults(key)[fault]
    endpoints = places(sim, key)
    hooks = Hooks(on_request=lambda event: [][1])  # a listener that fails is named too
    given: Any = {"backend": "local", "model": "m", "endpoints": endpoints, "hooks": hooks, **FEW}
    ask(given, is_async=is_async, stream=stream)
    shown = lines(log)
    assert ("ERROR", "franca: a hook (on_request) raised IndexError") in shown
    text = "".join(
        f"{line}{record.args!r}" for (_, line), record in zip(shown, log.records, strict=False)
    )
    assert key not in text
    assert PROMPT not in text
    with create_chat_client(**given) as client:
        health = repr(client.health())
    assert key not in health
    assert PROMPT not in health


def test_the_levels(sim: Simulator, log: Any) -> None:
    sim.script(error(503), rate_limited("0"), error(401), "fine")
    given: Any = {"endpoints": places(sim), "random_endpoint": False, **FEW, "max_retries": 4}
    with create_chat_client("local", "m", **given) as client:
        client.create_completion("hi")
    told = lines(log)
    assert [level for level, _ in told].count("WARNING") == 1
    assert [level for level, _ in told].count("INFO") == 3
    assert "ProviderError HTTP 503; try 2, local/" in told[0][1].replace(" (server_error)", "")
    assert any("is out for" in line and "AuthenticationError HTTP 401" in line for _, line in told)


def test_a_call_that_goes_well_says_nothing(sim: Simulator, log: Any) -> None:
    with create_chat_client("local", "m", base_url=f"{sim.url}/v1", api_key="k") as client:
        client.create_completion("hi")
        client.create_stream("hi").result()
    assert lines(log) == []

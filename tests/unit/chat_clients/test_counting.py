"""What a client's prompt costs: counted here, at a token server, or by the vendor."""

from __future__ import annotations

import asyncio
import base64
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from franca import create_async_chat_client, create_chat_client
from franca.chat_clients import counting
from franca.errors import APIError, InvalidRequestError
from franca.settings import Settings
from franca.testing import Answer, Simulator, error
from franca.tokens import count_messages_tokens

TURNS = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?"}]
TOOL = {
    "type": "function",
    "function": {"name": "f", "parameters": {"type": "object", "properties": {}}},
}
CLAUDE = "claude-sonnet-4-5"
DOT = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
"""A picture of one pixel."""


@pytest.fixture
def sim() -> Iterator[Simulator]:
    with Simulator() as simulator:
        yield simulator


def counted(backend: str, model: str, url: str, turns: Any, **how: Any) -> list[int]:
    """The count by the blocking client and by the asyncio one."""
    place: Any = {"base_url": url, "api_key": "a-key-0123456789"}
    with create_chat_client(backend, model, **place) as client:
        blocking = client.count_tokens(turns, **how)

    async def ask() -> int:
        async with create_async_chat_client(backend, model, **place) as client:
            return await client.count_tokens(turns, **how)

    return [blocking, asyncio.run(ask())]


def test_it_counts_here_and_sends_nothing(sim: Simulator) -> None:
    here = count_messages_tokens(messages=TURNS, tools=[TOOL], model=CLAUDE)
    assert counted("anthropic", CLAUDE, sim.url, TURNS, tools=[TOOL]) == [here, here]
    here = count_messages_tokens(messages="Why?", model="gpt-5")
    assert counted("openai", "gpt-5", f"{sim.url}/v1", "Why?") == [here, here]
    assert sim.requests == []


def test_the_vendor_counts_where_it_is_asked(sim: Simulator) -> None:
    sim.script(*[Answer(body={"input_tokens": 4_321})] * 2)
    assert counted("anthropic", CLAUDE, sim.url, TURNS, tools=[TOOL], exact=True) == [4_321] * 2
    for request in sim.requests:
        assert request.path == "/v1/messages/count_tokens"
        assert request.body == {
            "model": CLAUDE,
            "system": "Be brief.",
            "messages": [{"role": "user", "content": "Why?"}],
            "tools": [{"name": "f", "input_schema": {"type": "object", "properties": {}}}],
        }
        assert "a-key-0123456789" in " ".join(request.headers.values())


@pytest.mark.parametrize(
    ("backend", "base"), [("anthropic", ""), ("moonshot", "/v1"), ("zhipuai", "/api/paas/v4")]
)
def test_the_simulators_own_count(sim: Simulator, backend: str, base: str) -> None:
    assert counted(backend, "m", sim.url + base, TURNS, exact=True) == [3, 3]  # words


def test_a_vendor_without_such_an_endpoint(sim: Simulator) -> None:
    with pytest.raises(InvalidRequestError, match="openai has no endpoint that counts"):
        counted("openai", "gpt-5", f"{sim.url}/v1", TURNS, exact=True)
    assert sim.requests == []


def test_a_refusal_is_the_calls(sim: Simulator) -> None:
    sim.script(error(400, "messages: too many"))
    with pytest.raises(InvalidRequestError, match="too many"):
        counted("anthropic", CLAUDE, sim.url, TURNS, exact=True)


def test_vertex_counts_and_bedrock_says_that_it_cannot(sim: Simulator) -> None:
    vertex = {"credentials": {"project_id": "p", "location": "us-east5"}, "api_key": "k" * 16}
    aws = {
        "aws_access_key": "AKIAEXAMPLE",
        "aws_secret_key": "no-secret",
        "aws_region": "us-west-2",
    }
    at: dict[str, Any] = {"endpoints": [{"api_base": sim.url, **vertex}]}
    with create_chat_client("anthropic", "m", endpoint_type="anthropic_vertex", **at) as client:
        assert client.count_tokens(TURNS, exact=True) == 3
    assert sim.requests[0].path.endswith("/models/count-tokens:rawPredict")
    at = {"endpoints": [{"api_base": sim.url, "credentials": aws}]}
    with (
        create_chat_client("anthropic", "m", endpoint_type="anthropic_bedrock", **at) as client,
        pytest.raises(APIError, match="not supported in Bedrock"),
    ):
        client.count_tokens(TURNS, exact=True)
    assert len(sim.requests) == 1


def test_the_settings_token_server_counts(sim: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    threads: list[int] = []

    class There:
        def count_messages_tokens(self, **question: Any) -> int:
            asked.append(question)
            threads.append(threading.get_ident())
            return 77_777

    monkeypatch.setattr(counting, "_counter", lambda url, key: There() if "[::1]:9" in url else 0)
    settings = Settings(
        VERSION="2",
        endpoints=[{"id": "e", "api_base": sim.url, "api_key": "k" * 16}],
        backends={"anthropic": {"models": {"mine": {"id": CLAUDE, "endpoints": ["e"]}}}},
        token_server={"host": "::1", "port": 9},
    )
    client = create_chat_client("anthropic", "mine", settings=settings)
    assert client.count_tokens(iter(TURNS), tools=[TOOL]) == 77_777
    assert asked == [{"messages": TURNS, "tools": [TOOL], "model": CLAUDE, "backend": "anthropic"}]
    apart = create_async_chat_client("anthropic", "mine", settings=settings)
    assert asyncio.run(apart.count_tokens(TURNS)) == 77_777
    assert threads[1] != threading.get_ident()  # not on the event loop
    thinks = create_chat_client("anthropic", "mine", settings=settings, thinking=True)
    assert thinks.count_tokens(TURNS) != 77_777  # the server is not told of thinking


def test_what_the_vendor_counts_is_what_a_call_would_send(sim: Simulator, tmp_path: Path) -> None:
    path = tmp_path / "dot.png"
    path.write_bytes(DOT)
    turns: Any = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": path}}]}]
    counted("anthropic", CLAUDE, sim.url, turns, exact=True)
    with create_chat_client("anthropic", CLAUDE, base_url=sim.url, api_key="k" * 16) as client:
        client.create_completion(turns)
    *counts, call = [request.body["messages"] for request in sim.requests]
    assert counts == [call, call]


def test_a_file_is_counted_here(sim: Simulator, tmp_path: Path) -> None:
    path = tmp_path / "dot.png"
    path.write_bytes(DOT)
    sizes = []
    for url in (path, DOT, "data:image/png;base64," + base64.b64encode(DOT).decode()):
        block = {"type": "image_url", "image_url": {"url": url}}
        sizes += counted("anthropic", CLAUDE, sim.url, [{"role": "user", "content": [block]}])
    assert len(set(sizes)) == 1
    assert sizes[0] < 20
    assert sim.requests == []

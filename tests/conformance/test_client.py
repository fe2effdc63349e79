"""The recorded replies, served from loopback, through the public client: nothing is lost on the
way, whatever the packets."""

from __future__ import annotations

import asyncio
import json
import os
import random
from collections.abc import Iterator
from typing import Any

import pytest
from corpus import name, records

from franca import BackendType, create_async_chat_client, create_chat_client
from franca.errors import (
    AuthenticationError,
    CallError,
    InvalidRequestError,
    NotFoundError,
    ProviderError,
    RateLimitError,
)
from franca.flow.health import forget
from franca.settings.adhoc import adhoc
from franca.testing import Answer, Simulator
from franca.wire import wire
from franca.wire.sse import Decoder

WIRES = {"openai-chat": ("local", "/v1"), "anthropic-messages": ("anthropic", "")}
BY_STATUS = {400: InvalidRequestError, 401: AuthenticationError, 404: NotFoundError,
             422: InvalidRequestError, 429: RateLimitError, 500: ProviderError,
             529: ProviderError}  # fmt: skip


@pytest.fixture(scope="module")
def sim() -> Iterator[Simulator]:
    with Simulator() as running:
        yield running


def _place(wire_name: str, url: str) -> tuple[str, dict[str, Any]]:
    backend, suffix = WIRES[wire_name]
    return backend, {"base_url": url + suffix, "api_key": "sk-test-0123456789abcdef"}


def _expected(record: dict[str, Any], target: Any) -> Any:
    """The pure decoder's result, which the other conformance tests hold against the recording."""
    format_ = wire(record["wire"])
    if not record["stream"]:
        return format_.parse(json.dumps(record["reply"]).encode(), target)
    decoder, fold = Decoder(), format_.Fold(target)
    for event in [*decoder.feed(record["sse"].encode()), *decoder.end()]:
        fold.feed(*event)
    return fold.result()


@pytest.mark.parametrize("wire_name", WIRES)
def test_every_whole_reply_comes_through(wire_name: str, sim: Simulator) -> None:
    backend, place = _place(wire_name, sim.url)
    (target,) = adhoc(backend, "m", **place)
    with create_chat_client(backend, "m", **place) as client:
        for record in records(wire_name):
            if record["stream"] or record["status"] != 200 or record["reply"] is None:
                continue
            sim.script(Answer(body=record["reply"]))
            result = client.create_completion("x", max_tokens=100)
            assert result.model_dump() == _expected(record, target).model_dump(), name(record)
            assert result.raw == record["reply"]


@pytest.mark.parametrize("wire_name", WIRES)
@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_every_stream_comes_through_in_any_packets(
    wire_name: str, is_async: bool, sim: Simulator
) -> None:
    backend, place = _place(wire_name, sim.url)
    (target,) = adhoc(backend, "m", **place)
    chance = random.Random(20261121)
    streams = [r for r in records(wire_name) if r["stream"] and r["status"] == 200]
    every = bool(os.environ.get("FRANCA_ALL_CUTS"))
    short = streams if every else sorted(streams, key=lambda r: len(r["sse"]))[:4]
    for record in streams:
        sizes = [chance.randint(2, 700)] + (
            [1] if record in short and (every or not is_async) else []
        )
        for size in sizes:
            sim.script(Answer(sse=record["sse"], chunk=size))
            result = _read(backend, place, is_async)
            assert result.model_dump() == _expected(record, target).model_dump(), name(record)


def _read(backend: str, place: dict[str, Any], is_async: bool) -> Any:
    if not is_async:
        with create_chat_client(backend, "m", **place) as client:
            return client.create_stream("x", max_tokens=100).result()

    async def read() -> Any:
        async with create_async_chat_client(backend, "m", **place) as client:
            return await client.create_stream("x", max_tokens=100).result()

    return asyncio.run(read())


@pytest.mark.parametrize("wire_name", WIRES)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_every_error_is_of_its_class(wire_name: str, stream: bool, sim: Simulator) -> None:
    backend, place = _place(wire_name, sim.url)
    with create_chat_client(backend, "m", **place) as client:
        for record in records(wire_name):
            if record["status"] == 200 or record["reply"] is None:
                continue
            sim.script(Answer(record["status"], body=record["reply"], headers=_headers(record)))
            with pytest.raises(BY_STATUS[record["status"]]) as caught:
                client.create_completion("x", max_tokens=100, stream=stream, max_retries=0)
            assert isinstance(caught.value, CallError)
            assert caught.value.status_code == record["status"]
            assert caught.value.backend == backend
            assert caught.value.body
            forget()  # a Retry-After holds the endpoint for the next call


def _headers(record: dict[str, Any]) -> dict[str, str]:
    return {k: v for k, v in record["headers"].items() if k.lower() != "content-length"}


@pytest.mark.parametrize("wire_name", WIRES)
def test_every_history_goes_out_as_it_was_recorded(wire_name: str, sim: Simulator) -> None:
    for record in records(wire_name):
        recorded = record["request"]
        messages = list(recorded["messages"])
        if "system" in recorded:
            messages.insert(0, {"role": "system", "content": recorded["system"]})
        before = json.dumps(messages)
        backend, place = _place(wire_name, sim.url)
        if wire_name == "openai-chat":
            backend = record["vendor"] if record["vendor"] in list(BackendType) else "openai"
        with create_chat_client(backend, "m", **place) as client:
            client.create_completion(messages, max_tokens=100)
        sent = sim.requests[-1].body
        assert sent["messages"] == recorded["messages"], name(record)
        assert sent.get("system") == recorded.get("system"), name(record)
        assert json.dumps(messages) == before

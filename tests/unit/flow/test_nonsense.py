"""Answers that no vendor should give: each is one typed error, or as good as any other."""

from __future__ import annotations

import json
from typing import Any

import pytest
from world import World, request, target

from franca.errors import APIError, InvalidRequestError, StreamInterrupted
from franca.flow import Reply
from franca.settings.target import Endpoint, Target
from franca.types import EndpointType
from franca.wire import encode
from franca.wire.stream import StreamReader

DEEP = b"[" * 100_000  # deeper than any decoder follows
ANTHROPIC = Endpoint("a", EndpointType.Anthropic, "http://nonsense.test")
PLACES = {
    "openai-chat": target("a"),
    "anthropic-messages": Target("anthropic", "m", "m", ANTHROPIC, wire="anthropic-messages"),
}
CALL = {"index": 0, "id": "c", "function": {"name": "f", "arguments": DEEP.decode()}}
EVENTS: dict[str, list[dict[str, Any]]] = {
    "openai-chat": [{"choices": [{"index": 0, "delta": {"tool_calls": [CALL]}}]}],
    "anthropic-messages": [
        {"type": "message_start", "message": {"id": "m", "content": [], "usage": {}}},
        {
            "type": "content_block_start",
            "index": 0,
            "content_block": {"type": "tool_use", "id": "c", "name": "f", "input": {}},
        },
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "input_json_delta", "partial_json": DEEP.decode()},
        },
    ],
}
wires = pytest.mark.parametrize("name", list(PLACES))


@wires
@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("head", [b"", b'{"error":', b'{"choices":[{"message":', b'{"content":'])
def test_one_nested_deeper_than_can_be_read(name: str, streamed: bool, head: bytes) -> None:
    body = head + DEEP
    answer = b"data: " + body + b"\n\n" if streamed else Reply(200, {}, body)
    world = World({"a": [answer] * 2})
    error = world.ask([PLACES[name]], request(stream=streamed, max_retries=1))
    assert type(error) is APIError
    assert len(world.sent) == 2


@wires
def test_arguments_nested_deeper_than_can_be_read_are_not_whole(name: str) -> None:
    """A model that goes round in a circle writes such."""
    reader = StreamReader(PLACES[name])
    for event in EVENTS[name]:
        kind = event.get("type", "")
        reader.feed(f"event: {kind}\ndata: {json.dumps(event)}\n\n".encode())
    error = reader.broken(APIError("cut"))
    assert isinstance(error, StreamInterrupted)
    assert not error.partial.tool_calls


def test_a_body_that_holds_itself_is_the_callers_mistake() -> None:
    body: dict[str, Any] = {}
    body["body"] = body
    with pytest.raises(InvalidRequestError):
        encode(body)

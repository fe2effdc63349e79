"""Targets of every backend, and what goes to them and comes from them."""

from __future__ import annotations

import json
from typing import Any

from franca.backends import BACKENDS
from franca.settings.target import Endpoint, Target
from franca.types import (
    BackendType,
    ChatCompletion,
    ChatDelta,
    ChatRequest,
    EndpointType,
    Message,
)
from franca.wire import wire
from franca.wire.stream import StreamReader

HI = [Message("user", "hi")]
MCP = {"type": "mcp", "name": "wiki", "url": "https://mcp.example/mcp"}


def on(backend: str, **changes: Any) -> Target:
    row = BACKENDS[BackendType(backend)]
    endpoint = Endpoint("e", EndpointType.OpenAI, "http://127.0.0.1")
    return Target(backend, "m", "m", endpoint, wire=row.wire, quirks=row.quirks, **changes)


def body(target: Target, tools: list[Any], policy: Any = "strict", **params: Any) -> dict[str, Any]:
    request = ChatRequest(HI, {"tools": tools, **params}, capability_policy=policy)
    built = wire(target.wire).build(request, target)
    return {k: v for k, v in built.items() if k not in ("model", "messages", "max_tokens")}


def parsed(backend: str, reply: dict[str, Any]) -> ChatCompletion:
    target = on(backend)
    return wire(target.wire).parse(json.dumps(reply).encode(), target)


def streamed(backend: str, *events: Any) -> tuple[list[ChatDelta], ChatCompletion]:
    reader = StreamReader(on(backend))
    lines = [f"data: {event if isinstance(event, str) else json.dumps(event)}" for event in events]
    deltas = reader.feed("".join(f"{line}\n\n" for line in lines).encode()) + reader.end()
    return deltas, reader.result()


def again(result: ChatCompletion, backend: str) -> Any:
    """The answer as it goes out on the next turn."""
    target = on(backend)
    [written] = wire(target.wire).write_messages([Message("assistant", result.parts)], target)
    return written


def message(**fields: Any) -> dict[str, Any]:
    return {"type": "message", "role": "assistant", "id": "m", "content": [], **fields}


def reply(said: dict[str, Any], **top: Any) -> dict[str, Any]:
    said = {"role": "assistant", **said}
    return {"id": "r", "choices": [{"index": 0, "message": said, "finish_reason": "stop"}], **top}


def chunk(delta: dict[str, Any], reason: str | None = None, **top: Any) -> dict[str, Any]:
    return {"id": "r", "choices": [{"index": 0, "delta": delta, "finish_reason": reason}], **top}

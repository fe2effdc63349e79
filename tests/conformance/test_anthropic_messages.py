"""Every recorded exchange of the wire, read, folded and written with nothing lost.

FRANCA_ALL_CUTS=1 cuts each whole stream at every byte offset; else at some.
"""

from __future__ import annotations

import copy
import itertools
import json
import os
from typing import Any

import pytest
from corpus import Record, name, records

from franca.backends import BACKENDS
from franca.errors import InvalidRequestError, NotFoundError, RateLimitError
from franca.settings.target import Endpoint, Target
from franca.types import (
    BackendType,
    ChatCompletion,
    ChatDelta,
    ChatRequest,
    EndpointType,
    Message,
    Usage,
)
from franca.wire.anthropic_messages import Fold, build, parse, read_request, write_messages
from franca.wire.failures import failure
from franca.wire.sse import Decoder, Event

WIRE = "anthropic-messages"
STRIDE = 1 if os.environ.get("FRANCA_ALL_CUTS") else 101
ERRORS = {400: InvalidRequestError, 404: NotFoundError, 429: RateLimitError}
TARGET = Target(
    "anthropic",
    "m",
    "m",
    Endpoint("e", EndpointType.Anthropic, "http://127.0.0.1"),
    wire=WIRE,
    quirks=BACKENDS[BackendType.Anthropic].quirks,
)
COUNTS = {
    "cache_read_input_tokens": "cached_tokens",
    "cache_creation_input_tokens": "cache_write_tokens",
    "output_tokens": "completion_tokens",
}


def wholes() -> list[Record]:
    return [r for r in records(WIRE) if r["status"] == 200 and isinstance(r.get("reply"), dict)]


def streams() -> list[Record]:
    return [r for r in records(WIRE) if r["stream"] and r.get("sse")]


def fold(events: list[Event]) -> tuple[Fold, list[ChatDelta]]:
    folding = Fold(TARGET)
    return folding, [delta for event in events for delta in folding.feed(*event)]


def decode(*pieces: bytes) -> list[Event]:
    decoder = Decoder()
    return [e for piece in pieces for e in decoder.feed(piece)] + decoder.end()


def accumulated(sse: str) -> dict[str, Any]:
    """The whole reply that the events make, by the vendor's rules, in the plainest way."""
    reply: dict[str, Any] = {}
    for line in sse.splitlines():
        if not line.startswith("data:"):
            continue
        event = json.loads(line[5:])
        content = reply.get("content", [])
        match event["type"]:
            case "message_start":
                reply = event["message"]
            case "content_block_start":
                content.append(event["content_block"])
            case "content_block_delta":
                extend(content[event["index"]], event["delta"])
            case "message_delta":
                reply["usage"].update(event["usage"])
                reply.update(event["delta"])
    for block in reply["content"]:
        if isinstance(block.get("input"), str):
            block["input"] = json.loads(block["input"])
    return reply


def extend(block: dict[str, Any], delta: dict[str, Any]) -> None:
    match delta["type"]:
        case "text_delta":
            block["text"] += delta["text"]
        case "thinking_delta":
            block["thinking"] += delta["thinking"]
        case "signature_delta":
            block["signature"] = delta["signature"]
        case "citations_delta":
            block["citations"].append(delta["citation"])
        case "input_json_delta":
            block["input"] = (block["input"] or "") + delta["partial_json"]


def check(result: ChatCompletion, reply: dict[str, Any]) -> None:
    """All that `reply` says is in `result`, and goes back as it came."""
    content = [b for b in reply["content"] if b.get("text", "x").strip()]
    again = write_messages([Message("user", "?"), Message("assistant", result.parts)], TARGET)
    assert [b for m in again[1:] for b in m["content"]] == content
    assert [c.id for c in result.tool_calls] == ids(reply, "tool_use")
    assert [c.index for c in result.tool_calls] == list(range(len(result.tool_calls)))
    inputs = [b["input"] for b in reply["content"] if b["type"] == "tool_use"]
    assert [json.loads(c.arguments) for c in result.tool_calls] == inputs
    texts = [b["text"] for b in reply["content"] if b["type"] == "text"]
    assert result.content == ("".join(texts) if texts else None)
    thoughts = "".join(b["thinking"] for b in reply["content"] if b["type"] == "thinking")
    assert result.reasoning_content == (thoughts or None)
    assert (result.id, result.model) == (reply["id"], reply["model"])
    assert result.native_finish_reason == reply["stop_reason"]
    assert result.finish_reason not in (None, "other")
    assert result.usage is not None
    check_usage(result.usage, reply["usage"])
    known = ("id", "model", "content", "stop_reason", "usage", "type", "role")
    rest = {k: v for k, v in reply.items() if k not in known and v is not None}
    assert rest.items() <= (result.extra or {}).items()
    assert result.choices[0].parts == result.parts


def ids(reply: dict[str, Any], kind: str) -> list[str]:
    return [b["id"] for b in reply["content"] if b["type"] == kind]


def check_usage(usage: Usage, counts: dict[str, Any]) -> None:
    cache = counts.get("cache_read_input_tokens", 0) + counts.get("cache_creation_input_tokens", 0)
    assert usage.prompt_tokens == counts["input_tokens"] + cache
    assert usage.total_tokens == usage.prompt_tokens + counts["output_tokens"]
    for theirs, ours in COUNTS.items():
        assert getattr(usage, ours) == counts.get(theirs)
    details = counts.get("output_tokens_details") or {}
    assert usage.reasoning_tokens == details.get("thinking_tokens")
    found = dict(usage.extra or {})
    for key, value in counts.items():
        if key in COUNTS or key == "input_tokens" or value is None:
            continue
        for inner, leaf in value.items() if isinstance(value, dict) else [("", value)]:
            if (key, inner) != ("output_tokens_details", "thinking_tokens") and leaf is not None:
                assert found.pop(f"{key}.{inner}".rstrip(".")) == leaf
    assert not found


def test_replies() -> None:
    for record in wholes():
        body = json.dumps(record["reply"]).encode()
        result = parse(body, TARGET)
        check(result, record["reply"])
        assert result.raw == record["reply"], name(record)


def test_arguments_are_the_vendors_own_text() -> None:
    for record in wholes():
        body = json.dumps(record["reply"], indent=1).encode()
        for call in parse(body, TARGET).tool_calls:
            assert call.arguments.encode() in body, name(record)


def test_streams() -> None:
    for record in streams():
        folding, _ = fold(decode(record["sse"].encode()))
        assert folding.done, name(record)
        reply = accumulated(record["sse"])
        check(folding.result(), reply)
        whole = parse(json.dumps(reply, separators=(",", ":")).encode(), TARGET)
        for call in whole.tool_calls + (streamed := folding.result()).tool_calls:
            call.arguments = json.loads(call.arguments)  # their blanks differ
        assert streamed == whole, name(record)


def test_deltas_join_to_the_whole() -> None:
    for record in streams():
        folding, deltas = fold(decode(record["sse"].encode()))
        result = folding.result()
        assert "".join(d.content or "" for d in deltas) == (result.content or "")
        thoughts = "".join(d.reasoning_content or "" for d in deltas)
        assert thoughts == (result.reasoning_content or "")
        pieces = [piece for d in deltas for piece in d.tool_calls or ()]
        for call in result.tool_calls:
            mine = [p for p in pieces if p.index == call.index]
            assert (mine[0].id, mine[0].name) == (call.id, call.name)
            assert "".join(p.arguments or "" for p in mine) == call.arguments
        assert [d.finish_reason for d in deltas if d.finish_reason] == [result.finish_reason]
        assert [d.usage for d in deltas if d.usage] == [result.usage]
        assert all(d.raw for d in deltas)


def test_streams_cut_at_every_byte() -> None:
    """The fold sees events only: where the events are the same, so is the result. A cut reaches no
    farther than its own event and the next: each pair is cut at every byte, the whole at some."""
    for record in streams():
        body = record["sse"].encode()
        events = decode(body)
        for cut in range(0, len(body) + 1, STRIDE):
            assert decode(body[:cut], body[cut:]) == events, (name(record), cut)
        frames = body.split(b"\n\n")
        for first, second in itertools.pairwise(frames):
            pair = first + b"\n\n" + second + b"\n\n"
            expected = decode(pair)
            for cut in range(len(first) + 2):
                assert decode(pair[:cut], pair[cut:]) == expected, (name(record), cut)
        assert decode(*(body[i : i + 1] for i in range(len(body)))) == events, name(record)


def test_streams_cut_off_leave_only_whole_calls() -> None:
    for record in streams():
        events = decode(record["sse"].encode())
        for count in range(len(events)):
            folding, _ = fold(events[:count])
            result = folding.result()
            assert all(isinstance(json.loads(c.arguments), dict) for c in result.tool_calls)
            assert folding.done == any(b"message_stop" in data for _, data in events[:count])
            write_messages([Message("assistant", result.parts)], TARGET)


def test_histories() -> None:
    for record in records(WIRE):
        asked = copy.deepcopy(record["request"])
        body = build(ChatRequest(read_request(asked)), TARGET)
        assert body["messages"] == record["request"]["messages"], name(record)
        assert body.get("system") == record["request"].get("system"), name(record)
        assert asked == record["request"], name(record)


def test_parameters() -> None:
    """A request said in our parameters is the recorded one."""
    for record in records(WIRE):
        asked = record["request"]
        same = ("tools", "tool_choice", "thinking", "max_tokens")
        params = {k: asked[k] for k in same if k in asked}
        config = asked.get("output_config", {})
        if "format" in config:
            params["response_format"] = config["format"]
        if "effort" in config:
            params["reasoning_effort"] = config["effort"]
        others = ("cache_control", "container", "mcp_servers")
        params["extra_body"] = {k: asked[k] for k in others if k in asked}
        request = ChatRequest(read_request(asked), params, stream=asked["stream"])
        recorded = {k: v for k, v in asked.items() if k not in ("model", "stream")}
        built = {k: v for k, v in build(request, TARGET).items() if k not in ("model", "stream")}
        assert built == recorded, name(record)


def test_errors() -> None:
    for record in records(WIRE):
        if record["status"] != 200:
            body = json.dumps(record["reply"]).encode()
            error = failure(record["status"], record["headers"], body, TARGET)
            assert type(error) is ERRORS[record["status"]], name(record)
            with pytest.raises(InvalidRequestError):
                parse(body, TARGET)

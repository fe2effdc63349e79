"""Every block type that the vendor's SDK knows survives a reply, a stream and a history."""

from __future__ import annotations

import json
import types
import typing
from typing import Any

import anthropic.types as sdk
import anthropic.types.beta as beta
import pytest
from anthropic import BaseModel
from typing_extensions import is_typeddict

from franca.settings.target import Endpoint, Target
from franca.types import EndpointType, Message, NativePart, ReasoningPart, TextPart, ToolCall
from franca.wire.anthropic_messages import Fold, parse, read_message, write_messages

TARGET = Target("anthropic", "m", "m", Endpoint("e", EndpointType.Anthropic, "http://x"))
HEAD = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m"}
OURS = {"text": TextPart, "thinking": ReasoningPart, "tool_use": ToolCall}


def members(union: Any) -> list[Any]:
    """The types of a union, whatever it is wrapped in."""
    origin = typing.get_origin(union)
    if origin is typing.Annotated:
        return members(typing.get_args(union)[0])
    if origin in (typing.Union, types.UnionType):
        return [inner for arg in typing.get_args(union) for inner in members(arg)]
    return [union]


def sample(kind: Any, depth: int = 0) -> Any:
    """A value of the type, with all its fields."""
    kind = next(k for k in members(kind) if k is not type(None))
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Required, typing.NotRequired):
        return sample(args[0], depth)
    if origin is typing.Literal:
        return args[0]
    if is_typeddict(kind):
        return {k: sample(v, depth + 1) for k, v in typing.get_type_hints(kind).items()}
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        fields = kind.model_fields.items()
        return {field.alias or k: sample(field.annotation, depth + 1) for k, field in fields}
    if origin is dict or kind in (dict, object):
        return {"key": [1, "two", None, {"three": 3.5}]}
    if origin is not None:  # a list, an iterable
        return [sample(args[0], depth + 1)] if depth < 9 else []
    return {str: "words", int: 3, bool: True, float: 0.5}[kind]


def blocks(*unions: Any) -> list[Any]:
    found = {kind.__name__: sample(kind) for union in unions for kind in members(union)}
    return [pytest.param(block, id=name) for name, block in sorted(found.items())]


@pytest.mark.parametrize("block", blocks(sdk.ContentBlockParam, beta.BetaContentBlockParam))
def test_history(block: dict[str, Any]) -> None:
    turn = {"role": "user", "content": [block]}
    assert write_messages(read_message(turn), TARGET) == [turn]


@pytest.mark.parametrize("block", blocks(sdk.ContentBlock, beta.BetaContentBlock))
def test_reply_and_stream(block: dict[str, Any]) -> None:
    reply = {**HEAD, "content": [block], "stop_reason": "end_turn"}
    result = parse(json.dumps(reply, separators=(",", ":")).encode(), TARGET)
    written = write_messages([Message("assistant", result.parts)], TARGET)
    assert written[0]["content"] == [block]
    expected = ReasoningPart if "thinking" in block["type"] else OURS.get(block["type"], NativePart)
    assert isinstance(result.parts[0], expected)

    folding = Fold(TARGET)
    for event in (
        {"type": "message_start", "message": {**HEAD, "content": []}},
        {"type": "content_block_start", "index": 0, "content_block": block},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}},
        {"type": "message_stop"},
    ):
        folding.feed("", json.dumps(event).encode())
    assert folding.result() == result


def test_a_block_of_tomorrow_is_kept() -> None:
    block = {"type": "hologram", "text": "not ours", "depth": 3}
    result = parse(json.dumps({**HEAD, "content": [block]}).encode(), TARGET)
    assert result.parts == [NativePart("anthropic-messages", block)]
    assert result.content is None


def test_a_field_of_tomorrow_goes_back() -> None:
    block = {"type": "text", "text": "hi", "mood": "calm"}
    result = parse(json.dumps({**HEAD, "content": [block]}).encode(), TARGET)
    assert result.content == "hi"
    assert write_messages([Message("assistant", result.parts)], TARGET)[0]["content"] == [block]


def test_odd_forms_are_kept_as_they_are() -> None:
    for block in (
        {"type": "text", "text": ""},
        {"type": "text", "text": "a", "citations": None},
        {"type": "thinking", "thinking": "hm"},
        {"type": "thinking", "thinking": "hm", "signature": ""},
        {"type": "tool_use", "id": "a.b:1", "name": "f", "input": {}},
        {"type": "tool_use", "id": "a", "name": "f", "input": [1]},
        {"type": "tool_result", "tool_use_id": "a"},
        {"type": "tool_result", "tool_use_id": "a", "content": None, "is_error": None},
        {"type": "tool_result", "tool_use_id": "a", "content": []},
        {"type": "image", "source": {"type": "base64"}},
        {"type": "image", "source": {"type": "s3", "url": "s3://x"}},
        {"type": "document", "source": {"type": "base64", "media_type": "text/a", "data": "é"}},
        {"type": "document", "source": {"type": "content", "content": "x"}, "title": None},
        {"type": ["odd"]},
        {},
    ):
        turn = {"role": "user", "content": [block]}
        assert write_messages(read_message(turn), TARGET) == [turn], block

"""A stream of the wire, in any order of its blocks."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from franca.errors import APIError, ProviderError, RateLimitError
from franca.settings.target import Endpoint, Target
from franca.types import ChatDelta, EndpointType, NativePart, ReasoningPart, TextPart
from franca.wire.anthropic_messages import Fold

TARGET = Target("anthropic", "m", "m", Endpoint("e", EndpointType.Anthropic, "http://x"))
START = {"id": "msg_1", "model": "m", "usage": {"input_tokens": 5, "output_tokens": 1}}
DELTAS = {"text": "text_delta", "thinking": "thinking_delta", "input": "input_json_delta"}


def feed(folding: Fold, *events: dict[str, Any]) -> list[ChatDelta]:
    return [d for event in events for d in folding.feed("", json.dumps(event).encode())]


def start(index: int, **block: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": block}


def delta(index: int, kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, **fields}}


def stop(index: int) -> dict[str, Any]:
    return {"type": "content_block_stop", "index": index}


def end(reason: str = "end_turn", **usage: Any) -> list[dict[str, Any]]:
    last = {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": usage}
    return [last, {"type": "message_stop"}]


def block_events(index: int, kind: str, pieces: list[str]) -> list[dict[str, Any]]:
    if kind == "text":
        opening = start(index, type="text", text="")
        growing = [delta(index, "text_delta", text=piece) for piece in pieces]
    elif kind == "thinking":
        opening = start(index, type="thinking", thinking="", signature="")
        growing = [delta(index, "thinking_delta", thinking=piece) for piece in pieces]
        growing.append(delta(index, "signature_delta", signature=f"s{index}"))
    else:
        opening = start(index, type=kind, id=f"t{index}", name="f", input={})
        text = json.dumps({"said": pieces})
        cuts = [text[i : i + 3] for i in range(0, len(text), 3)]
        growing = [delta(index, "input_json_delta", partial_json=piece) for piece in ["", *cuts]]
    return [opening, *growing, stop(index)]


KINDS = st.sampled_from(["text", "thinking", "tool_use", "server_tool_use"])
BLOCKS = st.lists(st.tuples(KINDS, st.lists(st.text(max_size=5), max_size=3)), max_size=5)


@settings(max_examples=60, deadline=None)
@given(BLOCKS, st.randoms(use_true_random=False))
def test_interleaved_blocks_give_the_same(blocks: list[Any], random: Any) -> None:
    lanes = [block_events(i, kind, pieces) for i, (kind, pieces) in enumerate(blocks)]
    opening = {"type": "message_start", "message": START}
    closing = end(input_tokens=5, output_tokens=9)
    plain, mixed = Fold(TARGET), Fold(TARGET)
    feed(plain, opening, *(event for lane in lanes for event in lane), *closing)
    waiting = [list(lane) for lane in lanes]
    events = []
    while waiting := [lane for lane in waiting if lane]:
        events.append(random.choice(waiting).pop(0))
    deltas = feed(mixed, opening, *events, *closing)
    result = mixed.result()
    assert result == plain.result()
    calls: dict[str, str] = {}
    names: dict[int, str] = {}
    for piece in [p for d in deltas for p in d.tool_calls or ()]:
        names.setdefault(piece.index, piece.id or "")
        calls[names[piece.index]] = calls.get(names[piece.index], "") + (piece.arguments or "")
    assert calls == {call.id: call.arguments for call in result.tool_calls}


def test_an_empty_input_is_an_empty_object() -> None:
    folding = Fold(TARGET)
    deltas = feed(folding, start(0, type="tool_use", id="a", name="f", input={}), stop(0), *end())
    assert folding.result().tool_calls[0].arguments == "{}"
    assert [d.tool_calls[0].arguments for d in deltas if d.tool_calls] == [None, "{}"]


def test_the_last_counts_win_and_none_is_added() -> None:
    folding = Fold(TARGET)
    buckets = {"ephemeral_5m_input_tokens": 7}
    counts = {"input_tokens": 5, "cache_creation_input_tokens": 7, "cache_creation": buckets}
    feed(folding, {"type": "message_start", "message": {**START, "usage": counts}})
    feed(folding, *end(output_tokens=9, cache_read_input_tokens=2, input_tokens=None)[:1])
    feed(folding, *end(output_tokens=11, server_tool_use={"web_search_requests": 1}))
    usage = folding.result().usage
    assert usage is not None
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (14, 11, 25)
    assert (usage.cached_tokens, usage.cache_write_tokens) == (2, 7)
    assert usage.extra == {
        "cache_creation.ephemeral_5m_input_tokens": 7,
        "server_tool_use.web_search_requests": 1,
    }


def test_nothing_is_visible_before_the_first_content() -> None:
    folding = Fold(TARGET)
    first = [{"type": "message_start", "message": START}, {"type": "ping"}]
    assert feed(folding, *first, start(0, type="text", text="")) == []
    overloaded = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    with pytest.raises(ProviderError, match="Overloaded"):
        feed(folding, overloaded)


def test_an_error_event_is_told_by_its_body() -> None:
    body = b'{"error":{"type":"rate_limit_error","message":"slow down"}}'
    with pytest.raises(RateLimitError):
        Fold(TARGET).feed("error", body)


@pytest.mark.parametrize(
    "data",
    [
        b"not json",
        b"[]",
        b'{"type":"content_block_start","index":0}',
        b'{"type":"content_block_delta","index":"x","delta":{}}',
        b'{"type":"message_start","message":null}',
    ],
)
def test_a_malformed_event_is_an_api_error(data: bytes) -> None:
    with pytest.raises(APIError):
        Fold(TARGET).feed("", data)


def test_unknown_events_and_deltas_are_passed_over() -> None:
    folding = Fold(TARGET)
    hologram = start(0, type="hologram", depth=3)
    shown = feed(folding, {"type": "tomorrow"}, hologram, delta(0, "depth_delta", by=1), stop(0))
    native = NativePart("anthropic-messages", {"type": "hologram", "depth": 3})
    assert [d.part for d in shown] == [native]
    assert folding.result().parts == [native]


def test_what_comes_whole_is_shown_as_a_part() -> None:
    folding = Fold(TARGET)
    shown = feed(
        folding,
        start(0, type="thinking", thinking="", signature=""),
        delta(0, "thinking_delta", thinking="hm"),
        delta(0, "signature_delta", signature="s"),
        stop(0),
        start(1, type="redacted_thinking", data="xyz"),
        stop(1),
        start(2, type="text", text="", citations=[]),
        delta(2, "citations_delta", citation={"url": "u"}),
        delta(2, "text_delta", text="said"),
        stop(2),
        start(3, type="compaction", content=None),
        delta(3, "compaction_delta", content="summary", encrypted_content="seal"),
        stop(3),
    )
    whole = [
        ReasoningPart("hm", signature="s"),
        ReasoningPart("", encrypted="xyz"),
        TextPart("said", citations=[{"url": "u"}]),
        NativePart(
            "anthropic-messages",
            {"type": "compaction", "content": "summary", "encrypted_content": "seal"},
        ),
    ]
    assert folding.result().parts == whole
    assert [d.part for d in shown if d.part] == [
        ReasoningPart("", signature="s"),
        whole[1],
        TextPart("", citations=[{"url": "u"}]),
        whole[3],
    ]


def test_a_call_cut_short_is_left_out_until_the_end() -> None:
    folding = Fold(TARGET)
    feed(folding, start(0, type="tool_use", id="a", name="f", input={}))
    assert folding.result().tool_calls == []
    feed(folding, delta(0, "input_json_delta", partial_json='{"a": '))
    assert folding.result().parts == []
    feed(folding, stop(0), *end("max_tokens"))
    assert folding.result().tool_calls[0].arguments == '{"a": '
    assert folding.result().finish_reason == "length"

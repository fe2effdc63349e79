"""What vendors' own tools did, streamed: whatever the cuts between packets, and over turns."""

from __future__ import annotations

import json
from itertools import cycle
from typing import Any

import pytest
from builtin_targets import again, chunk, message, on, parsed, reply, streamed
from hypothesis import given, settings
from hypothesis import strategies as st
from test_builtin_anthropic import BLOCKS, events

from franca.errors import StreamInterrupted
from franca.types import BuiltinCall, ImagePart, Message, NativePart, ReasoningPart, Source
from franca.wire import wire
from franca.wire.stream import StreamReader

PAINTED: dict[str, Any] = {
    "id": "c1",
    "type": "function",
    "function": {"name": "generate_image", "arguments": '{"prompt": "ein Fuß"}'},
    "metadata": {"tool_type": "image", "integration_id": "i1"},
}
MINE = {"id": "m1", "type": "function", "function": {"name": "mine", "arguments": "{}"}}
PICTURE = {"type": "image_url", "image_url": "https://a.example/i.jpg"}


def mistral(delta: Any, reason: str | None, name: str, usage: Any = None) -> dict[str, Any]:
    top = {"usage": usage} if usage else {}
    return {**chunk(delta, reason, **top), "id": name, "p": "abc"}


def bill(asked: int, said: int) -> dict[str, Any]:
    details = {"prompt_tokens_details": {"cached_tokens": 1}}
    return {
        "prompt_tokens": asked,
        "completion_tokens": said,
        "total_tokens": asked + said,
        **details,
    }


LAST = mistral({"index": 2, "content": [PICTURE]}, "stop", "r2", bill(20, 3))
HOSTED = [
    mistral({"role": "assistant", "index": 0, "content": ""}, None, "r1"),
    mistral({"index": 0, "tool_calls": [{**PAINTED, "index": 0}]}, "tool_calls", "r1", bill(10, 2)),
    mistral({"role": "tool", "index": 1, "tool_call_id": "c1", "content": '{"url": "u"}',
             "metadata": {"tool_call_result": {"type": "success"}}}, None, "r1"),
    mistral({"role": "assistant", "index": 2, "content": ""}, None, "r2"),
    mistral({"index": 2, "content": "Hier: "}, None, "r2"),
    LAST,
    LAST,  # as the vendor does
    "[DONE]",
]  # fmt: skip
RECORD = {
    "type": "reasoning.server_tool_call",
    "tool_name": "openrouter:web_search",
    "arguments": '{"query": "q"}',
    "result": '[{"url": "https://a.example", "title": "Über A"}]',
    "tool_call_id": "t1",
}
OTHER = {**RECORD, "tool_name": "openrouter:bash", "tool_call_id": "t2", "result": "ok"}
THOUGHT = {"type": "reasoning.text", "text": "hm", "index": 0, "format": "anthropic-claude-v1"}
NOTE = {"type": "url_citation", "url_citation": {"url": "https://b.example", "title": "B"}}
FOUND = [{"title": "Über A", "link": "https://a.example", "content": "c", "refer": "ref_1"}]
ASKED_MCP = {
    "id": "c1",
    "type": "mcp",
    "index": 0,
    "mcp": {"type": "mcp_call", "server_label": "wiki", "name": "ask", "arguments": '{"q": "ü"}'},
}
SEARCHED = {"type": "server_tool_use", "id": "s1", "name": "deepseek_web_search",
            "input": {"query": "q"}}  # fmt: skip
PAGES = {
    "type": "web_search_tool_result",
    "tool_use_id": "s1",
    "content": [{"type": "web_search_result", "url": "https://a.example", "title": "Über A"}],
}
STREAMS: dict[str, tuple[str, list[Any]]] = {
    "anthropic": ("anthropic", events(BLOCKS)),
    "anthropic-messages of deepseek": ("anthropic", events([SEARCHED, PAGES])),
    "mistral": ("mistral", HOSTED),
    "openrouter": (
        "openrouter",
        [
            chunk({"reasoning_details": [THOUGHT]}),
            chunk({"reasoning_details": [RECORD, OTHER]}),
            chunk({"reasoning_details": [{**THOUGHT, "text": "so"}], "content": "Es w"}),
            chunk({"content": "ar.", "annotations": [NOTE]}),
            chunk({}, "stop"),
            "[DONE]",
        ],
    ),
    "zhipuai": (
        "zhipuai",
        [
            chunk({"tool_calls": [ASKED_MCP]}),
            chunk({"tool_calls": [{"index": 0, "id": "c1", "mcp": {"output": {"a": "ß"}}}]}),
            chunk({"content": "Über"}, web_search=FOUND),
            chunk({}, "stop", web_search=FOUND),
            "[DONE]",
        ],
    ),
    "ernie": (
        "ernie",
        [
            chunk({"content": "今"}, search_results=[{"index": 1, "url": "https://a.example"}]),
            chunk({"content": "天^[1]^"}),
            chunk({}, "stop", search_results=[{"index": 1, "url": "https://a.example"}]),
            "[DONE]",
        ],
    ),
    "stepfun": (
        "stepfun",
        [
            chunk({"tool_calls": [{"index": 0, "id": "w1", "type": "web_search",
                                   "function": {"name": "web_search", "arguments": "{}"},
                                   "results": [{"url": "https://a.example"}]}]}),
            chunk({"content": "今天"}),
            chunk({}, "stop"),
            "[DONE]",
        ],
    ),
}  # fmt: skip


def told(deltas: list[Any]) -> Any:
    calls = [call for delta in deltas for call in delta.tool_calls or ()]
    parts = [delta.part for delta in deltas if delta.part]
    return "".join(delta.content or "" for delta in deltas), calls, parts


@pytest.mark.parametrize("name", STREAMS)
@settings(max_examples=50, deadline=None)
@given(sizes=st.lists(st.integers(1, 60), min_size=1, max_size=20))
def test_cuts_change_nothing(name: str, sizes: list[int]) -> None:
    backend, lines = STREAMS[name]
    whole, want = streamed(backend, *lines)
    texts = [line if isinstance(line, str) else json.dumps(line, ensure_ascii=False)
             for line in lines]  # fmt: skip
    data = "".join(f"data: {text}\n\n" for text in texts).encode()
    reader, deltas, at = StreamReader(on(backend)), [], 0
    for size in cycle(sizes):
        deltas += reader.feed(data[at : at + size])
        at += size
        if at >= len(data):
            break
    deltas += reader.end()
    result = reader.result()
    assert told(deltas) == told(whole)
    assert result.model_dump() == want.model_dump()
    assert result.builtin_calls == want.builtin_calls != []
    assert result.sources == want.sources


def test_a_hosted_tool_between_two_messages_of_a_stream() -> None:
    deltas, result = streamed("mistral", *HOSTED)
    assert [d.tool_calls for d in deltas if d.tool_calls] == []  # nobody has to answer it
    assert [d.finish_reason for d in deltas if d.finish_reason] == ["stop"]
    assert (result.tool_calls, result.finish_reason, result.content) == ([], "stop", "Hier: ")
    [call] = result.builtin_calls
    assert (call.name, call.id, call.output) == ("generate_image", "c1", {"url": "u"})
    assert call.is_error is False
    assert len([p for p in result.parts if isinstance(p, ImagePart)]) == 1
    assert result.extra is None
    usage = result.usage
    assert usage is not None
    assert (usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens) == (30, 5, 2)
    billed = [d.usage.total_tokens for d in deltas if d.usage]
    assert billed == [12, 35, 35]
    target = on("mistral")
    sent = wire(target.wire).write_messages([Message("assistant", result.parts)], target)
    assert sent[0]["tool_calls"][0]["metadata"] == PAINTED["metadata"]
    assert [m["role"] for m in sent] == ["assistant", "tool", "assistant"]


def test_a_stream_that_is_cut_behind_a_hosted_call_has_not_ended() -> None:
    lines = [f"data: {json.dumps(event)}\n\n" for event in HOSTED[:3]]
    reader = StreamReader(on("mistral"))
    reader.feed("".join(lines).encode())
    with pytest.raises(StreamInterrupted, match="before its end mark"):
        reader.end()


def test_the_callers_call_beside_a_hosted_one() -> None:
    both = {"index": 0, "tool_calls": [{**PAINTED, "index": 0}, {**MINE, "index": 1}]}
    deltas, folded = streamed("mistral", mistral(both, "tool_calls", "r1"), "[DONE]")
    said = {"role": "assistant", "content": "", "tool_calls": [PAINTED, MINE]}
    whole = parsed(
        "mistral", {"id": "r", "choices": [{"messages": [said], "finish_reason": "tool_calls"}]}
    )
    assert [c.name for d in deltas for c in d.tool_calls or ()] == ["mine"]
    for result in (whole, folded):
        assert [c.id for c in result.tool_calls] == ["m1"]
        assert [(c.kind, c.output) for c in result.builtin_calls] == [("generate_image", None)]


def test_what_stands_among_openrouters_thoughts() -> None:
    details = [{**THOUGHT, "text": "hmso"}, RECORD, OTHER]
    whole = parsed("openrouter", reply({"content": "Es war.", "reasoning_details": details,
                                        "annotations": [NOTE]}))  # fmt: skip
    deltas, folded = streamed("openrouter", *STREAMS["openrouter"][1])
    for result in (whole, folded):
        first, second = result.builtin_calls
        source = Source("https://a.example", "Über A")
        output = [{"url": "https://a.example", "title": "Über A"}]
        assert first == BuiltinCall(
            "web_search", "openrouter:web_search", "t1", {"query": "q"}, output, [source]
        )
        assert (second.kind, second.output) == ("code_execution", "ok")
        assert result.sources == [Source("https://b.example", "B"), source]
        assert again(result, "openrouter")["reasoning_details"] == details
        assert result.reasoning_content == "hmso"
        assert [block["type"] for block in again(result, "anthropic")["content"]] == ["text"]
    shown = [d.part for d in deltas if isinstance(d.part, ReasoningPart)]
    assert [part.call.id for part in shown if part.call] == ["t1", "t2"]
    assert ReasoningPart("hm").call is None


def test_a_paused_turn_goes_on_where_it_stopped() -> None:
    asked = BLOCKS[:2]
    lines = events(asked)
    lines[-2]["delta"]["stop_reason"] = "pause_turn"
    _, paused = streamed("anthropic", *lines)
    assert paused.finish_reason == "pause"
    assert again(paused, "anthropic")["content"] == asked
    resumed = parsed("anthropic", message(content=BLOCKS[2:4], stop_reason="end_turn"))
    parts = [*paused.parts, *resumed.parts]
    target = on("anthropic")
    [sent] = wire(target.wire).write_messages([Message("assistant", parts)], target)
    assert sent["content"] == BLOCKS[:4]


def test_deepseeks_own_words_on_anthropics_wire() -> None:
    result = parsed("anthropic", message(content=[SEARCHED, PAGES], stop_reason="end_turn"))
    [call] = result.builtin_calls
    assert (call.kind, call.name) == ("web_search", "deepseek_web_search")
    assert result.sources == [Source("https://a.example", "Über A")]
    assert all(isinstance(part, NativePart) for part in result.parts)
    assert again(result, "anthropic")["content"] == [SEARCHED, PAGES]

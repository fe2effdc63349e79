"""What the tools of vendors on OpenAI's wire did, read back; and what any block tells."""

from __future__ import annotations

import json
from typing import Any

import pytest
from builtin_targets import again, chunk, on, parsed, reply, streamed
from hypothesis import given, settings
from hypothesis import strategies as st

from franca.types import (
    ChatCompletion,
    Message,
    NativePart,
    Source,
    TextPart,
)
from franca.wire import wire

RESULTS = {"results": [{"title": "T", "url": "https://a.example", "content": "c", "score": 0.9}]}
RAN: dict[str, Any] = {
    "index": 0,
    "type": "search",
    "arguments": '{"query": "q"}',
    "output": "Title: T",
    "search_results": RESULTS,
}
COUNTED = {"index": 1, "type": "python", "arguments": '{"code": "print(1)"}', "output": ""}


def test_groqs_executed_tools_whole_and_streamed() -> None:
    whole = parsed("groq", reply({"content": "a", "executed_tools": [RAN, COUNTED]}))
    begun = {k: RAN[k] for k in ("index", "type", "arguments")}
    deltas, folded = streamed(
        "groq",
        chunk({"role": "assistant", "executed_tools": [begun]}),
        chunk({"executed_tools": [RAN]}),
        chunk({"content": "a"}),
        chunk({"executed_tools": [COUNTED]}),
        chunk({}, "stop"),
        "[DONE]",
    )
    for result in (whole, folded):
        assert result.tool_calls == []
        first, second = result.builtin_calls
        assert (first.kind, first.name, first.input) == ("web_search", "search", {"query": "q"})
        assert first.output == {"output": "Title: T", "search_results": RESULTS}
        assert first.sources == [Source("https://a.example", "T", "c")]
        assert (second.kind, second.input) == ("code_execution", {"code": "print(1)"})
        assert again(result, "groq") == {"role": "assistant", "content": "a"}  # it takes none back
    assert folded.parts == whole.parts
    native = [part for part in whole.parts if isinstance(part, NativePart)]
    assert [d.part for d in deltas if d.part] == native


def call(name: str, called: str) -> dict[str, Any]:
    function = {"name": name, "arguments": '{"query": "q"}'}
    return {"id": called, "type": "function", "function": function}


SEEN = {"0": {"url": "https://a.example", "title": "T", "snippets": ["s"]}}
REFERENCE = {
    "type": "tool_reference",
    "tool": "web_search",
    "title": "B",
    "url": "https://b.example",
}
SEVERAL: list[dict[str, Any]] = [
    {
        "role": "assistant",
        "content": "Let me look.",
        "tool_calls": [call("web_search", "s1"), call("ask_wiki", "s2")],
    },
    {"role": "tool", "tool_call_id": "s1", "content": json.dumps(SEEN)},
    {"role": "tool", "tool_call_id": "s2", "content": "so it is"},
    {
        "role": "assistant",
        "content": [{"type": "text", "text": "It was"}, REFERENCE],
        "tool_calls": [call("mine", "m1")],
    },
]


def test_mistrals_answer_in_several_messages() -> None:
    choice = {"index": 0, "messages": SEVERAL, "finish_reason": "tool_calls"}
    whole = parsed("mistral", {"id": "r", "choices": [choice]})
    numbered = [{**m, "index": at} for at, m in enumerate(SEVERAL)]
    first = [
        {**numbered[0], "tool_calls": None},
        {"index": 0, "tool_calls": SEVERAL[0]["tool_calls"]},
    ]
    deltas, folded = streamed(
        "mistral",
        *[chunk(delta) for delta in [*first, *numbered[1:]]],
        chunk({"index": 3, "content": ""}, "tool_calls"),
        "[DONE]",
    )
    for result in (whole, folded):
        assert result.content == "Let me look.It was"
        assert [(c.id, c.name, c.index) for c in result.tool_calls] == [("m1", "mine", 0)]
        assert result.extra is None
        assert [(c.kind, c.id, c.output) for c in result.builtin_calls] == [
            ("web_search", "s1", SEEN),
            ("ask_wiki", "s2", "so it is"),
        ]
        found = [Source("https://b.example", "B"), Source("https://a.example", "T")]
        assert result.sources == found
    target = on("mistral")
    sent = wire(target.wire).write_messages([Message("assistant", whole.parts)], target)
    one, two = SEVERAL[0]["tool_calls"]
    assert sent == [
        {"role": "assistant", "content": "Let me look.", "tool_calls": [one]},
        SEVERAL[1],
        {"role": "assistant", "tool_calls": [two]},
        SEVERAL[2],
        SEVERAL[3],
    ]
    assert "".join(d.content or "" for d in deltas) == "Let me look.It was"
    assert [c.name for d in deltas for c in d.tool_calls or ()] == ["mine"]
    native = [p for p in whole.parts if isinstance(p, NativePart) and p.call]
    assert [d.part for d in deltas if isinstance(d.part, NativePart) and d.part.call] == native
    on_anthropic = again(whole, "anthropic")["content"]
    assert [block["type"] for block in on_anthropic] == ["text", "text", "tool_use"]


def test_a_stream_that_numbers_its_only_message() -> None:
    deltas, result = streamed(
        "local",
        chunk({"index": 0, "role": "assistant", "content": "a"}),
        chunk({"index": 0, "content": "b", "tool_calls": [{"index": 0, **ASKED}]}),
        chunk({"index": 0}, "tool_calls"),
        "[DONE]",
    )
    assert (result.content, [c.name for c in result.tool_calls]) == ("ab", ["mine"])
    assert [d.content for d in deltas] == ["a", "b", None]
    assert [c.id for c in deltas[-1].tool_calls or ()] == ["call_2"]


@pytest.mark.parametrize(
    ("backend", "fields"),
    [
        ("zhipuai", {"web_search": [{"link": "https://a.example", "title": "T", "content": "c"}]}),
        ("ernie", {"search_results": [{"index": 1, "url": "https://a.example", "title": "T"}]}),
        (
            "hunyuan",
            {"search_info": {"search_results": [{"url": "https://a.example", "title": "T"}]}},
        ),
        ("xai", {"citations": ["https://a.example"]}),
    ],
)
def test_what_a_search_found_in_a_field_of_the_reply(backend: str, fields: dict[str, Any]) -> None:
    whole = parsed(backend, reply({"content": "a"}, **fields))
    deltas, folded = streamed(
        backend,
        chunk({"content": "a"}, **fields),
        chunk({}, "stop", **fields),
        "[DONE]",
    )
    [name] = fields
    part = NativePart("openai-chat", fields)
    assert [d.part for d in deltas if d.part] == [part]
    for result in (whole, folded):
        assert result.parts == [TextPart("a"), part]
        [call] = result.builtin_calls
        assert (call.kind, call.output) == ("web_search", fields[name])
        assert [source.url for source in result.sources] == ["https://a.example"]
        assert again(result, backend) == {"role": "assistant", "content": "a"}


def test_sources_in_the_first_chunk_of_a_stream() -> None:
    note = {"type": "url_citation", "url": "https://a.example", "title": "T", "summary": "s"}
    deltas, result = streamed(
        "xiaomi",
        chunk({"role": "assistant", "content": "", "annotations": [note]}),
        chunk({"content": "a"}),
        chunk({}, "stop"),
        "[DONE]",
    )
    assert isinstance(deltas[0].part, TextPart)
    found = [Source("https://a.example", "T", "s")]
    assert deltas[0].part.sources == found == result.sources
    assert result.content == "a"


SERVED: dict[str, Any] = {
    "id": "call_1",
    "type": "mcp",
    "mcp": {
        "id": "mcp_1",
        "type": "mcp_call",
        "server_label": "wiki",
        "name": "ask",
        "arguments": '{"q": 1}',
        "output": {"a": 2},
    },
}
ASKED = {"id": "call_2", "type": "function", "function": {"name": "mine", "arguments": "{}"}}


def test_a_call_that_the_vendor_answers_is_no_tool_call() -> None:
    whole = parsed("zhipuai", reply({"content": "a", "tool_calls": [SERVED, ASKED]}))
    begun = {**SERVED, "index": 0, "mcp": {**SERVED["mcp"], "output": None}}
    deltas, folded = streamed(
        "zhipuai",
        chunk({"tool_calls": [begun]}),
        chunk({"tool_calls": [{"index": 0, "id": "call_1", "mcp": {"output": {"a": 2}}}]}),
        chunk({"content": "a", "tool_calls": [{"index": 1, **ASKED}]}),
        chunk({}, "tool_calls"),
        chunk({}, "tool_calls"),
        "[DONE]",
    )
    for result in (whole, folded):
        assert [(c.id, c.name, c.index) for c in result.tool_calls] == [("call_2", "mine", 0)]
        [call] = result.builtin_calls
        assert (call.kind, call.name, call.server) == ("mcp", "ask", "wiki")
        assert (call.id, call.input, call.output) == ("call_1", {"q": 1}, {"output": {"a": 2}})
    assert again(whole, "zhipuai")["tool_calls"] == [SERVED, ASKED]
    assert [c.name for d in deltas for c in d.tool_calls or ()] == ["mine"]
    assert [d.part.call.kind for d in deltas if isinstance(d.part, NativePart) and d.part.call] == [
        "mcp"
    ]


def test_a_function_under_a_strange_type_is_still_the_callers() -> None:
    result = parsed("local", reply({"tool_calls": [{**ASKED, "type": "tool"}]}))
    assert [c.name for c in result.tool_calls] == ["mine"]
    searched = {**ASKED, "type": "web_search", "results": [{"url": "https://a.example"}]}
    result = parsed("stepfun", reply({"tool_calls": [searched]}))
    assert (result.tool_calls, result.sources) == ([], [Source("https://a.example")])


def test_moonshots_search_is_answered_by_its_arguments() -> None:
    asked = {
        "id": "$web_search:0",
        "type": "builtin_function",
        "function": {"name": "$web_search", "arguments": '{"search_result":{"id":"x"}}'},
    }
    whole = parsed("moonshot", reply({"content": "", "tool_calls": [asked]}))
    _, folded = streamed(
        "moonshot",
        chunk({"tool_calls": [{"index": 0, **asked}]}),
        chunk({}, "tool_calls"),
        "[DONE]",
    )
    for result in (whole, folded):
        [call] = result.tool_calls
        assert (call.name, call.arguments) == ("$web_search", '{"search_result":{"id":"x"}}')
        assert again(result, "moonshot")["tool_calls"] == [asked]


@pytest.mark.parametrize(
    "block",
    [
        {"type": "hologram"},
        {"type": 7},
        {"executed_tools": []},
        {"executed_tools": ["x"]},
        {"annotations": [{}]},
        {"messages": [{}, {}]},
        {"messages": [{"tool_calls": 1}, {"content": "a"}]},
        {"citations": [1], "web_search": []},
        {},
    ],
)
def test_a_block_of_no_tool(block: dict[str, Any]) -> None:
    assert NativePart("openai-chat", block).call is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.sampled_from(
        ["server_tool_use", "mcp_tool_use", "web_search_tool_result", "mcp", "https://a.example"]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(
            ["type", "name", "id", "input", "content", "tool_calls", "executed_tools", "messages",
             "function", "arguments", "output", "url", "title", "cited_text", "citations", "mcp",
             "tool_use_id", "is_error", "search_results"]
        ),
        inner,
        max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip
FIELDS = ["type", "executed_tools", "tool_calls", "messages", "id", "content", "citations", "input"]


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(FIELDS), JSON))
def test_any_block_can_be_read(block: dict[str, Any]) -> None:
    part = NativePart("openai-chat", block)
    result = ChatCompletion(parts=[part, TextPart("a", citations=[block])])
    for call in result.builtin_calls:
        assert isinstance(call.kind, str)
        assert call.model_dump()["kind"] == call.kind
    assert all(isinstance(source, Source) for source in result.sources)
    assert part.of_tool in (True, False)

"""What Anthropic's own tools did, read back."""

from __future__ import annotations

import json
from typing import Any

from builtin_targets import again, message, on, parsed, reply, streamed

from franca.types import (
    BuiltinCall,
    Message,
    NativePart,
    Source,
    TextPart,
)
from franca.wire import wire

FOUND = {
    "type": "web_search_result",
    "url": "https://a.example/1",
    "title": "One",
    "encrypted_content": "EqgfCioIARgB",
    "page_age": "April 30, 2025",
}
CITED = {
    "type": "web_search_result_location",
    "url": "https://a.example/1",
    "title": "One",
    "encrypted_index": "Eo8BCioIBxgC",
    "cited_text": "so it was",
}
BLOCKS: list[dict[str, Any]] = [
    {"type": "text", "text": "Let me look."},
    {
        "type": "server_tool_use",
        "id": "srvtoolu_1",
        "name": "web_search",
        "input": {"query": "q"},
        "caller": {"type": "direct"},
    },
    {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [FOUND]},
    {"type": "text", "text": "It was.", "citations": [CITED]},
    {
        "type": "server_tool_use",
        "id": "srvtoolu_2",
        "name": "bash_code_execution",
        "input": {"command": "ls"},
    },
    {
        "type": "bash_code_execution_tool_result",
        "tool_use_id": "srvtoolu_2",
        "content": {"type": "bash_code_execution_tool_result_error", "error_code": "unavailable"},
    },
    {
        "type": "mcp_tool_use",
        "id": "mcptoolu_3",
        "name": "ask",
        "server_name": "wiki",
        "input": {"question": "?"},
    },
    {
        "type": "mcp_tool_result",
        "tool_use_id": "mcptoolu_3",
        "is_error": False,
        "content": [{"type": "text", "text": "!"}],
    },
    {"type": "tool_use", "id": "toolu_4", "name": "mine", "input": {"a": 1}},
]
CALLS = [
    BuiltinCall(
        "web_search",
        "web_search",
        "srvtoolu_1",
        {"query": "q"},
        [FOUND],
        [Source("https://a.example/1", "One")],
        False,
    ),
    BuiltinCall(
        "code_execution",
        "bash_code_execution",
        "srvtoolu_2",
        {"command": "ls"},
        BLOCKS[5]["content"],
        [],
        True,
    ),
    BuiltinCall(
        "mcp",
        "ask",
        "mcptoolu_3",
        {"question": "?"},
        [{"type": "text", "text": "!"}],
        [],
        False,
        "wiki",
    ),
]


def events(blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The blocks as the vendor streams them: inputs and texts in pieces, results in the start."""
    out: list[dict[str, Any]] = [{"type": "message_start", "message": message()}]
    for index, block in enumerate(blocks):
        pieces: list[dict[str, Any]] = []
        start = dict(block)
        if "input" in block:
            text = json.dumps(block["input"], separators=(",", ":"))
            start["input"] = {}
            pieces += [
                {"type": "input_json_delta", "partial_json": t} for t in (text[:4], text[4:])
            ]
        if block["type"] == "text":
            start = {"type": "text", "text": ""}
            pieces += [{"type": "text_delta", "text": block["text"]}]
            for citation in block.get("citations", ()):
                start["citations"] = []
                pieces.append({"type": "citations_delta", "citation": citation})
        out.append({"type": "content_block_start", "index": index, "content_block": start})
        out += [{"type": "content_block_delta", "index": index, "delta": p} for p in pieces]
        out.append({"type": "content_block_stop", "index": index})
    done = {"type": "message_delta", "delta": {"stop_reason": "tool_use"}}
    return [*out, done, {"type": "message_stop"}]


def test_anthropics_tools_whole_and_streamed() -> None:
    whole = parsed("anthropic", message(content=BLOCKS, stop_reason="tool_use"))
    deltas, folded = streamed("anthropic", *events(BLOCKS))
    for result in (whole, folded):
        assert result.builtin_calls == CALLS
        assert [call.name for call in result.tool_calls] == ["mine"]
        assert result.sources == [Source("https://a.example/1", "One", "so it was")]
        assert again(result, "anthropic")["content"] == BLOCKS
    native = [part for part in whole.parts if isinstance(part, NativePart)]
    assert [d.part for d in deltas if isinstance(d.part, NativePart)] == native
    assert {c.name for d in deltas for c in d.tool_calls or () if c.name} == {"mine"}


def test_a_call_that_is_not_answered_yet_and_an_answer_to_an_earlier_one() -> None:
    paused = parsed("anthropic", message(content=BLOCKS[:2], stop_reason="pause_turn"))
    assert paused.finish_reason == "pause"
    assert [(c.kind, c.output) for c in paused.builtin_calls] == [("web_search", None)]
    resumed = parsed("anthropic", message(content=[BLOCKS[7]], stop_reason="end_turn"))
    assert [(c.kind, c.id, c.input) for c in resumed.builtin_calls] == [("mcp", "mcptoolu_3", None)]


def test_documents_that_were_fetched_or_cited() -> None:
    fetched = {
        "type": "web_fetch_tool_result",
        "tool_use_id": "s",
        "content": {
            "type": "web_fetch_result",
            "url": "https://a.example/doc",
            "content": {
                "type": "document",
                "source": {"type": "text", "media_type": "text/plain", "data": "…"},
                "title": "A paper",
            },
        },
    }
    place = {
        "type": "char_location",
        "cited_text": "word",
        "document_index": 0,
        "document_title": "Mine",
        "start_char_index": 0,
        "end_char_index": 4,
    }
    text = {"type": "text", "text": "t", "citations": [place]}
    result = parsed("anthropic", message(content=[fetched, text]))
    assert result.sources == [
        Source(None, "Mine", "word"),
        Source("https://a.example/doc", "A paper"),
    ]
    assert result.builtin_calls[0].kind == "web_fetch"


def test_what_a_vendors_tool_did_stays_with_it() -> None:
    result = parsed("anthropic", message(content=BLOCKS, stop_reason="tool_use"))
    elsewhere = again(result, "deepseek")
    assert elsewhere["content"] == "Let me look.It was."
    assert [c["function"]["name"] for c in elsewhere["tool_calls"]] == ["mine"]
    only = Message("assistant", [NativePart("anthropic-messages", BLOCKS[2])])
    assert wire("openai-chat").write_messages([only], on("openai"))[0]["content"] == ""

    note = {"type": "url_citation", "url_citation": {"url": "https://a.example", "title": "A"}}
    ran = {"index": 0, "type": "search", "arguments": "{}", "output": "o"}
    groq = parsed("groq", reply({"content": "a", "annotations": [note], "executed_tools": [ran]}))
    assert groq.sources[0] == Source("https://a.example", "A")
    assert again(groq, "anthropic")["content"] == [{"type": "text", "text": "a"}]
    signed = NativePart("openai-chat", {"thought_signature": "s"})
    assert wire("anthropic-messages").write_messages(
        [Message("assistant", [TextPart("a"), signed])], on("anthropic")
    ) == [{"role": "assistant", "content": [{"type": "text", "text": "a"}]}]

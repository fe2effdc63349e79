"""Tools that the vendor runs itself: asked for in franca's words, and what they did read back."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any, Literal, Required, get_args, get_origin, get_type_hints

import pytest
from anthropic import types
from anthropic.types import AnthropicBetaParam
from anthropic.types import beta as beta_types
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat.completion_create_params import WebSearchOptions
from pydantic import TypeAdapter

from franca.backends import BACKENDS, Quirks
from franca.errors import InvalidRequestError
from franca.settings import Settings
from franca.settings.target import Endpoint, Target
from franca.settings.wires import quirks_of
from franca.types import (
    BackendType,
    BuiltinCall,
    ChatCompletion,
    ChatDelta,
    ChatRequest,
    EndpointType,
    Message,
    NativePart,
    Source,
    TextPart,
)
from franca.wire import wire
from franca.wire.anthropic_messages import betas
from franca.wire.stream import StreamReader

HI = [Message("user", "hi")]
PLACE = {"type": "approximate", "city": "Utrecht", "country": "NL"}
FUNCTION: dict[str, Any] = {"type": "function", "function": {"name": "f", "parameters": {}}}
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


@pytest.mark.parametrize(
    ("backend", "kind", "fields"),
    [
        ("openai", "web_search", {"web_search_options": {}}),
        ("qwen", "web_search", {"enable_search": True}),
        ("qwen", "code_execution", {"enable_code_interpreter": True}),
        ("groq", "web_search", {"tools": [{"type": "browser_search"}]}),
        ("groq", "code_execution", {"tools": [{"type": "code_interpreter"}]}),
        (
            "stepfun",
            "web_search",
            {"tools": [{"type": "web_search", "function": {"description": "Searches the web."}}]},
        ),
        (
            "baichuan",
            "web_search",
            {"tools": [{"type": "web_search", "web_search": {"enable": True}}]},
        ),
        ("mistral", "web_search", {"tools": [{"type": "web_search"}]}),
        ("mistral", "code_execution", {"tools": [{"type": "code_interpreter"}]}),
        ("xiaomi", "web_search", {"tools": [{"type": "web_search"}]}),
        ("hunyuan", "web_search", {"enable_enhancement": True, "search_info": True}),
        (
            "openrouter",
            "web_search",
            {"tools": [{"type": "openrouter:web_search", "parameters": {}}]},
        ),
        ("openrouter", "web_fetch", {"tools": [{"type": "openrouter:web_fetch"}]}),
        (
            "anthropic",
            "web_search",
            {"tools": [{"type": "web_search_20250305", "name": "web_search"}]},
        ),
        (
            "anthropic",
            "web_fetch",
            {"tools": [{"type": "web_fetch_20250910", "name": "web_fetch"}]},
        ),
        (
            "anthropic",
            "code_execution",
            {"tools": [{"type": "code_execution_20250825", "name": "code_execution"}]},
        ),
    ],
)
def test_each_vendors_form(backend: str, kind: str, fields: dict[str, Any]) -> None:
    quirks = copy.deepcopy(BACKENDS[BackendType(backend)].quirks)
    assert body(on(backend), [{"type": kind}]) == fields
    beside = [*fields.get("tools", [])]
    mixed = body(on(backend), [FUNCTION, {"type": kind}])
    assert [t for t in mixed["tools"] if t.get("name") != "f" and t != FUNCTION] == beside
    assert BACKENDS[BackendType(backend)].quirks == quirks


def test_options_go_where_the_vendor_wants_them() -> None:
    tool = {
        "type": "web_search",
        "max_uses": 2,
        "allowed_domains": ["a.example"],
        "blocked_domains": None,
        "user_location": PLACE,
    }
    [anthropics] = body(on("anthropic"), [tool])["tools"]
    assert anthropics == {
        "type": "web_search_20250305",
        "name": "web_search",
        "max_uses": 2,
        "allowed_domains": ["a.example"],
        "user_location": PLACE,
    }
    [openrouters] = body(on("openrouter"), [tool])["tools"]
    assert openrouters["parameters"] == {
        "max_uses": 2,
        "allowed_domains": ["a.example"],
        "user_location": PLACE,
    }
    near = {"type": "web_search", "user_location": PLACE, "search_context_size": "low"}
    assert body(on("openai"), [near]) == {
        "web_search_options": {
            "search_context_size": "low",
            "user_location": {
                "type": "approximate",
                "approximate": {"city": "Utrecht", "country": "NL"},
            },
        }
    }
    assert body(on("xiaomi"), [{"type": "web_search", "user_location": PLACE}])["tools"] == [
        {"type": "web_search", "user_location": PLACE}
    ]


@pytest.mark.parametrize(
    ("backend", "tool", "named"),
    [
        ("deepseek", {"type": "web_search"}, "web_search"),
        ("xai", {"type": "web_search"}, "web_search"),
        ("openai", MCP, "mcp"),
        ("anthropic", {"type": "file_search", "vector_store_ids": ["v"]}, "file_search"),
        ("qwen", {"type": "web_search", "allowed_domains": ["a.example"]}, "allowed_domains"),
        ("anthropic", {**MCP, "headers": {"X-Team": "t"}}, "headers"),
    ],
)
def test_what_a_vendor_does_not_have_goes_by_the_policy(
    backend: str, tool: dict[str, Any], named: str
) -> None:
    with pytest.raises(InvalidRequestError, match=f"{backend}.*'{named}'"):
        body(on(backend), [tool])
    assert body(on(backend), [tool], "passthrough", tool_choice="auto")["tools"] == [tool]
    with pytest.warns(UserWarning, match=named):
        left = body(on(backend), [tool], "warn", tool_choice="auto")
    if named == tool["type"]:  # nothing is left to choose from
        assert left == {}
    with pytest.warns(UserWarning, match=named):
        assert FUNCTION["function"]["name"] in str(body(on(backend), [FUNCTION, tool], "warn"))


@pytest.mark.parametrize(
    "tool",
    [
        {"type": "web_search", "web_search": {"enable": True, "search_engine": "search_std"}},
        {"type": "web_search", "max_keyword": 3},
        {"type": "builtin_function", "function": {"name": "$web_search"}},
        {"type": "browser_search"},
        {"type": "openrouter:datetime"},
        {"type": "code_interpreter", "container": {"type": "auto"}},
        {"type": "web_search_20260318", "name": "web_search", "response_inclusion": "excluded"},
        {"type": "mcp_toolset", "mcp_server_name": "wiki"},
        {"type": "bash_20250124", "name": "bash"},
        {"google_search": {}},
        {"type": "connector", "connector_id": "wiki"},
        {"type": "memory_20250818", "name": "memory"},
        {"type": "tool_search_tool_bm25_20251119", "name": "tool_search_tool_bm25"},
    ],
)
@pytest.mark.parametrize("backend", ["anthropic", "zhipuai", "local"])
def test_a_vendors_own_tool_goes_as_it_is(backend: str, tool: dict[str, Any]) -> None:
    assert body(on(backend), [tool])["tools"] == [tool]


def test_mcp_servers() -> None:
    secret = {**MCP, "authorization_token": "t0ken", "allowed_tools": ["ask", "read"]}
    other = {
        "type": "mcp",
        "server_label": "files",
        "server_url": "https://files.example/sse",
        "headers": {"Authorization": "Bearer t1"},
        "require_approval": "never",
    }
    built = body(on("anthropic"), [secret, FUNCTION, other])
    assert built["mcp_servers"] == [
        {
            "type": "url",
            "name": "wiki",
            "url": "https://mcp.example/mcp",
            "authorization_token": "t0ken",
        },
        {
            "type": "url",
            "name": "files",
            "url": "https://files.example/sse",
            "authorization_token": "t1",
        },
    ]
    assert built["tools"][1:] == [
        {
            "type": "mcp_toolset",
            "mcp_server_name": "wiki",
            "default_config": {"enabled": False},
            "configs": {"ask": {"enabled": True}, "read": {"enabled": True}},
        },
        {"type": "mcp_toolset", "mcp_server_name": "files"},
    ]
    with pytest.raises(InvalidRequestError, match="'mcp' needs 'url'"):
        body(on("anthropic"), [{"type": "mcp", "name": "wiki"}])
    with pytest.raises(InvalidRequestError) as refused:
        body(on("groq"), [secret])
    assert "t0ken" not in str(refused.value)


def test_a_model_without_functions_may_search() -> None:
    target = on("openai", function_call_available=False)
    assert body(target, [{"type": "web_search"}]) == {"web_search_options": {}}
    with pytest.raises(InvalidRequestError, match="'tools'"):
        body(target, [{"type": "web_search"}, FUNCTION])


def test_settings_name_a_form_of_their_own(tmp_path: Path) -> None:
    compound = {"compound_custom": {"tools": {"enabled_tools": ["web_search"]}}}
    forms = {"web_search": compound, "code_execution": {"compound_custom": {"tools": {"x": 1}}}}
    document = {
        "VERSION": "2",
        "endpoints": [{"id": "g", "api_key": "k"}],
        "backends": {
            "groq": {
                "models": {
                    "groq/compound": {
                        "endpoints": ["g"],
                        "capabilities": {"builtin_tools": forms},
                    }
                }
            }
        },
    }
    (tmp_path / "settings.json").write_text(json.dumps(document))
    [target] = Settings(tmp_path / "settings.json").resolve("groq", "groq/compound")
    assert body(target, [{"type": "web_search"}, {"type": "code_execution"}]) == {
        "compound_custom": {"tools": {"enabled_tools": ["web_search"], "x": 1}}
    }


def test_another_vendor_on_anthropics_wire_has_none_of_its_tools() -> None:
    quirks = quirks_of("anthropic-messages", BACKENDS[BackendType.DeepSeek])
    assert quirks.builtin_tools == {}
    assert quirks.thinking == "anthropic"


def test_options_within_a_text() -> None:
    headers = {"Authorization": "Bearer ${authorization_token}"}
    form = {"tools": [{"label": "${name}", "headers": headers, "${x}": 1}]}
    quirks = Quirks(builtin_tools={"mcp": form})
    target = Target("v", "m", "m", Endpoint("e", EndpointType.OpenAI, "http://x"), quirks=quirks)
    named = {**MCP, "authorization_token": "t"}
    with pytest.warns(UserWarning, match="'url'"):
        [tool] = body(target, [named], "warn")["tools"]
    assert tool == {"label": "wiki", "headers": {"Authorization": "Bearer t"}, "${x}": 1}
    with pytest.warns(UserWarning, match="'url'"):
        [tool] = body(target, [MCP], "warn")["tools"]
    assert tool == {"label": "wiki", "headers": {}, "${x}": 1}


@pytest.mark.parametrize(
    ("fields", "given", "want"),
    [
        ({"tools": [MCP]}, None, "mcp-client-2025-11-20"),
        ({"tools": [{"type": "code_execution"}]}, None, None),
        ({"tools": [{"type": "web_search"}]}, {"anthropic-beta": "x-2026-01-01"}, None),
        (
            {"tools": [{"type": "code_execution_20250522", "name": "code_execution"}]},
            None,
            "code-execution-2025-05-22",
        ),
        ({"tools": [MCP, {**MCP, "name": "b"}]}, None, "mcp-client-2025-11-20"),
        (
            {"extra_body": {"mcp_servers": [{"type": "url", "name": "a", "url": "u"}]}},
            None,
            "mcp-client-2025-04-04",
        ),
        (
            {"tools": [MCP]},
            {"Anthropic-Beta": "skills-2025-10-02, files-api-2025-04-14"},
            "skills-2025-10-02,files-api-2025-04-14,mcp-client-2025-11-20",
        ),
        ({"tools": [MCP]}, {"anthropic-beta": "mcp-client-2026-09-15"}, None),
    ],
)
def test_the_betas_that_tools_need(fields: Any, given: Any, want: str | None) -> None:
    target = on("anthropic")
    request = ChatRequest(HI, fields, extra_headers=given)
    built = wire(target.wire).build(request, target)
    found = wire(target.wire).headers(built, request, target)
    assert found == ({"anthropic-beta": want} if want else {})


def kinds(union: Any) -> dict[str, Any]:
    """The types of tools that a vendor's SDK knows."""
    hints = {tool: get_type_hints(tool, include_extras=True) for tool in get_args(union)}
    return {get_args(h["type"])[0]: t for t, h in hints.items() if "type" in h and names_one(h)}


def names_one(hints: dict[str, Any]) -> bool:
    inner = hints["type"]
    hints["type"] = get_args(inner)[0] if get_origin(inner) is Required else inner
    return get_origin(hints["type"]) is Literal


def test_the_sdk_knows_the_betas_and_the_tools() -> None:
    released, beta = kinds(types.ToolUnionParam), kinds(beta_types.BetaToolUnionParam)
    listed = [a for arg in get_args(AnthropicBetaParam) for a in get_args(arg)]
    assert set(betas._OF_TOOL.values()) <= set(listed)
    legacy = {"code_execution_20250522"}
    assert set(betas._OF_TOOL) - legacy == beta.keys() - released.keys()
    every = [
        {"type": "web_search", "max_uses": 1, "blocked_domains": ["a"], "user_location": PLACE},
        {"type": "web_fetch", "max_uses": 1, "allowed_domains": ["a"]},
        {"type": "code_execution"},
        {**MCP, "authorization_token": "t", "allowed_tools": ["ask"]},
    ]
    built = body(on("anthropic"), every)
    for tool in built["tools"]:
        TypeAdapter(beta[tool["type"]]).validate_python(tool)
        assert tool.keys() <= get_type_hints(beta[tool["type"]]).keys()
    form = beta_types.BetaRequestMCPServerURLDefinitionParam
    TypeAdapter(list[form]).validate_python(built["mcp_servers"])
    near = body(on("openai"), [{"type": "web_search", "user_location": PLACE}])
    TypeAdapter(WebSearchOptions).validate_python(near["web_search_options"])


def test_a_beta_of_the_endpoint_stays() -> None:
    target = on("anthropic", headers={"anthropic-beta": "a-2026-01-01"})
    request = ChatRequest(HI, {"tools": [MCP]})
    built = wire(target.wire).build(request, target)
    found = wire(target.wire).headers(built, request, target)
    assert found == {"anthropic-beta": "a-2026-01-01,mcp-client-2025-11-20"}
    plain = on("openai")
    assert wire(plain.wire).headers({"tools": [MCP]}, request, plain) == {}


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


def message(**fields: Any) -> dict[str, Any]:
    return {"type": "message", "role": "assistant", "id": "m", "content": [], **fields}


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
    groq = parsed("groq", reply({"content": "a", "annotations": [note], "executed_tools": [RAN]}))
    assert groq.sources[0] == Source("https://a.example", "A")
    assert again(groq, "anthropic")["content"] == [{"type": "text", "text": "a"}]
    signed = NativePart("openai-chat", {"thought_signature": "s"})
    assert wire("anthropic-messages").write_messages(
        [Message("assistant", [TextPart("a"), signed])], on("anthropic")
    ) == [{"role": "assistant", "content": [{"type": "text", "text": "a"}]}]


def reply(said: dict[str, Any], **top: Any) -> dict[str, Any]:
    said = {"role": "assistant", **said}
    return {"id": "r", "choices": [{"index": 0, "message": said, "finish_reason": "stop"}], **top}


def chunk(delta: dict[str, Any], reason: str | None = None, **top: Any) -> dict[str, Any]:
    return {"id": "r", "choices": [{"index": 0, "delta": delta, "finish_reason": reason}], **top}


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


@given(st.dictionaries(st.sampled_from(FIELDS), JSON))
def test_any_block_can_be_read(block: dict[str, Any]) -> None:
    part = NativePart("openai-chat", block)
    result = ChatCompletion(parts=[part, TextPart("a", citations=[block])])
    for call in result.builtin_calls:
        assert isinstance(call.kind, str)
        assert call.model_dump()["kind"] == call.kind
    assert all(isinstance(source, Source) for source in result.sources)
    assert part.of_tool in (True, False)


def test_a_form_is_replaced_whole() -> None:
    quirks = Quirks(builtin_tools={"web_search": {"a": 1}})
    assert quirks.merge(builtin_tools={"mcp": {}}).builtin_tools == {"mcp": {}}
    assert isinstance(hash(quirks), int)

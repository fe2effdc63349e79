"""Tools that the vendor runs itself, asked for in franca's words."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any, Literal, Required, get_args, get_origin, get_type_hints

import pytest
from anthropic import types
from anthropic.types import AnthropicBetaParam
from anthropic.types import beta as beta_types
from builtin_targets import HI, MCP, body, on
from openai.types.chat.completion_create_params import WebSearchOptions
from pydantic import TypeAdapter

from franca.backends import BACKENDS, Quirks
from franca.errors import InvalidRequestError
from franca.settings import Settings
from franca.settings.target import Endpoint, Target
from franca.settings.wires import of_cloud, quirks_of
from franca.types import (
    BackendType,
    ChatRequest,
    EndpointType,
)
from franca.wire import wire
from franca.wire.anthropic_messages import betas

PLACE = {"type": "approximate", "city": "Utrecht", "country": "NL"}
FUNCTION: dict[str, Any] = {"type": "function", "function": {"name": "f", "parameters": {}}}


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
        (
            "zhipuai",
            "web_search",
            {
                "tools": [
                    {
                        "type": "web_search",
                        "web_search": {
                            "search_engine": "search_std",
                            "enable": True,
                            "search_result": True,
                        },
                    }
                ]
            },
        ),
        (
            "ernie",
            "web_search",
            {"web_search": {"enable": True, "enable_citation": True, "enable_trace": True}},
        ),
        ("xiaomi", "web_search", {"tools": [{"type": "web_search"}]}),
        ("hunyuan", "web_search", {"enable_enhancement": True, "search_info": True}),
        (
            "openrouter",
            "web_search",
            {"tools": [{"type": "openrouter:web_search", "parameters": {}}]},
        ),
        (
            "openrouter",
            "web_fetch",
            {"tools": [{"type": "openrouter:web_fetch", "parameters": {}}]},
        ),
        (
            "openrouter",
            "code_execution",
            {"tools": [{"type": "openrouter:bash", "parameters": {"engine": "openrouter"}}]},
        ),
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
    fetch = {"type": "web_fetch", "max_uses": 1, "blocked_domains": ["b.example"]}
    [fetches] = body(on("openrouter"), [fetch])["tools"]
    assert fetches["parameters"] == {"max_uses": 1, "blocked_domains": ["b.example"]}
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


@pytest.mark.parametrize(
    ("kind", "tools"),
    [
        (EndpointType.Anthropic, {"web_search", "web_fetch", "code_execution", "mcp"}),
        (EndpointType.AnthropicVertex, {"web_search"}),
        (EndpointType.AnthropicBedrock, set()),
    ],
)
def test_the_clouds_have_few_of_claudes_tools(kind: EndpointType, tools: set[str]) -> None:
    quirks = BACKENDS[BackendType.Anthropic].quirks
    assert of_cloud(quirks, kind).builtin_tools.keys() == tools


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


def test_a_form_is_replaced_whole() -> None:
    quirks = Quirks(builtin_tools={"web_search": {"a": 1}})
    assert quirks.merge(builtin_tools={"mcp": {}}).builtin_tools == {"mcp": {}}
    assert isinstance(hash(quirks), int)

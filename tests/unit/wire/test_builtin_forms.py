"""Each vendor's own form of a tool, and what to do where it has none on this wire."""

from __future__ import annotations

from typing import Any

import pytest
from builtin_targets import MCP, body, on

from franca.backends import BACKENDS, Quirks
from franca.errors import InvalidRequestError
from franca.settings.build import make_target
from franca.settings.target import Endpoint
from franca.settings.wires import at_address
from franca.types import BackendType, EndpointType

URLS = BACKENDS[BackendType.ZhiPuAI].urls


def test_a_file_search_in_each_vendors_words() -> None:
    tool = {"type": "file_search", "vector_store_ids": ["v"]}
    assert body(on("mistral"), [tool])["tools"] == [
        {"type": "document_library", "library_ids": ["v"]}
    ]
    assert body(on("zhipuai"), [tool])["tools"] == [
        {"type": "retrieval", "retrieval": {"knowledge_id": "v"}}
    ]
    [stepfuns] = body(on("stepfun"), [tool])["tools"]
    assert stepfuns["type"] == "retrieval"
    assert stepfuns["function"]["options"]["vector_store_id"] == "v"
    several = {"type": "file_search", "vector_store_ids": ["v", "w"]}
    assert body(on("mistral"), [several])["tools"][0]["library_ids"] == ["v", "w"]
    with pytest.raises(InvalidRequestError, match="more than one of 'vector_store_ids'"):
        body(on("zhipuai"), [several])
    with pytest.warns(UserWarning, match="more than one of 'vector_store_ids'"):
        assert body(on("stepfun"), [several], "warn") == {}  # not half of a tool


def test_an_option_in_a_form_that_the_vendor_cannot_take_is_not_dropped() -> None:
    for backend, tool, named in (
        ("openai", {"type": "web_search", "user_location": "Utrecht"}, "'user_location'"),
        ("zhipuai", {"type": "web_search", "allowed_domains": ["a.example", "b.example"]},
         "more than one of 'allowed_domains'"),
        ("zhipuai", {"type": "web_search", "allowed_domains": []}, "an empty 'allowed_domains'"),
    ):  # fmt: skip
        with pytest.raises(InvalidRequestError, match=named):
            body(on(backend), [tool])
    one = {"type": "web_search", "allowed_domains": ["a.example"], "search_context_size": "high"}
    search = body(on("zhipuai"), [one])["tools"][0]["web_search"]
    assert (search["search_domain_filter"], search["content_size"]) == ("a.example", "high")


@pytest.mark.parametrize(
    ("backend", "kind", "instead"),
    [
        ("openai", "file_search", "OpenAI's Responses API alone; give the model a function"),
        ("deepseek", "web_search", "endpoint_type 'anthropic' with api_base https://api.deepseek"),
        ("gemini", "web_search", "Google's own API alone"),
        ("groq", "mcp", "Groq's Responses API alone"),
        ("mistral", "web_search", "Mistral's Conversations API alone"),
        ("mistral", "mcp", "{'type': 'connector', 'connector_id': its name}"),
        ("moonshot", "web_search", r"'function': {'name': '\$web_search'}"),
        ("minimax", "web_search", "/v1/coding_plan/search"),
        ("xai", "mcp", "xAI's Responses API alone"),
        ("doubao", "web_search", "Ark's Responses API alone"),
    ],
)
def test_what_a_vendor_has_elsewhere_is_refused_with_what_to_do(
    backend: str, kind: str, instead: str
) -> None:
    tool = {**MCP, "type": kind, "vector_store_ids": ["v"]}
    options = {"mcp": ("name", "url"), "file_search": ("vector_store_ids",)}.get(kind, ())
    tool = {"type": kind, **{name: tool[name] for name in options}}
    with pytest.raises(InvalidRequestError, match=rf"{backend}.*'{kind}' here: .*{instead}"):
        body(on(backend), [tool])
    assert body(on(backend), [tool], "passthrough")["tools"] == [tool]


def test_the_addresses_of_one_vendor_have_forms_of_their_own() -> None:
    search = [{"type": "web_search"}]
    here = make_target("zhipuai", "m", "m", Endpoint("e", EndpointType.OpenAI, URLS["cn"]))
    there = make_target("zhipuai", "m", "m", Endpoint("e", EndpointType.OpenAI, URLS["intl"]))
    engines = [body(at, search)["tools"][0]["web_search"]["search_engine"] for at in (here, there)]
    assert engines == ["search_std", "search_pro_jina"]
    place = Endpoint("e", EndpointType.Anthropic, "https://api.deepseek.com/anthropic")
    deepseeks = make_target("deepseek", "deepseek-flash", "deepseek-flash", place)
    assert body(deepseeks, [{"type": "web_search"}, {"type": "web_fetch"}])["tools"] == [
        {"type": "deepseek_web_search", "name": "deepseek_web_search"},
        {"type": "deepseek_read_url", "name": "deepseek_read_url"},
    ]
    own = Quirks(builtin_tools={"web_search": {"x": 1}})
    assert at_address(own, BACKENDS[BackendType.OpenAI], URLS["intl"]) is own


@pytest.mark.parametrize(
    ("given", "headers", "transport"),
    [
        ({}, None, "streamable-http"),
        ({"authorization_token": "t"}, {"Authorization": "Bearer t"}, "streamable-http"),
        ({"headers": {"X-Team": "a"}}, {"X-Team": "a"}, "streamable-http"),
        (
            {"headers": {"X-Team": "a"}, "authorization_token": "t"},
            {"X-Team": "a", "Authorization": "Bearer t"},
            "streamable-http",
        ),
        ({"url": "https://mcp.example/sse?key=k"}, None, "sse"),
    ],
)
def test_an_mcp_server_for_zhipuai(given: Any, headers: Any, transport: str) -> None:
    tool = {**MCP, "allowed_tools": ["ask"], **given}
    [sent] = body(on("zhipuai"), [tool])["tools"]
    want = {
        "server_label": "wiki",
        "server_url": tool["url"],
        "transport_type": transport,
        "allowed_tools": ["ask"],
        **({"headers": headers} if headers else {}),
    }
    assert sent == {"type": "mcp", "mcp": want}

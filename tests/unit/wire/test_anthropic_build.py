"""Calls and conversations as this wire's requests."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from franca.backends import Quirks
from franca.errors import InvalidRequestError
from franca.settings.target import Endpoint, Target
from franca.types import (
    AudioPart,
    CapabilityPolicy,
    ChatRequest,
    DocumentPart,
    EndpointType,
    ImagePart,
    Message,
    NativePart,
    Part,
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolCall,
    ToolResult,
)
from franca.wire.anthropic_messages import build, read_message, write_messages

USER = Message("user", "hi")
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
NATIVE_TOOL = {"type": "web_search_20250305", "name": "web_search"}


def target(**changes: Any) -> Target:
    quirks = Quirks(thinking="anthropic").merge(**changes.pop("quirks", {}))
    endpoint = Endpoint("e", EndpointType.Anthropic, "http://x")
    return Target("anthropic", "m", "m-1", endpoint, quirks=quirks, **changes)


def body(policy: CapabilityPolicy = "strict", on: Target | None = None, **params: Any) -> Any:
    return build(ChatRequest([USER], params, capability_policy=policy), on or target())


def content(*parts: Part, on: Target | None = None) -> Any:
    written = write_messages([Message("user", list(parts))], on or target())
    return written[0]["content"] if written else None


def test_the_least_request() -> None:
    messages = [{"role": "user", "content": "hi"}]
    assert body() == {"model": "m-1", "max_tokens": 4096, "messages": messages}
    assert build(ChatRequest([USER], stream=True), target())["stream"] is True


@pytest.mark.parametrize(
    ("params", "fields"),
    [
        ({"stop": "x"}, {"stop_sequences": ["x"]}),
        ({"stop": ("x", "y")}, {"stop_sequences": ["x", "y"]}),
        (
            {"temperature": 0, "top_p": 0.5, "top_k": 3},
            {"temperature": 0, "top_p": 0.5, "top_k": 3},
        ),
        ({"tool_choice": "required"}, {"tool_choice": {"type": "any"}}),
        ({"tool_choice": "none"}, {"tool_choice": {"type": "none"}}),
        ({"tool_choice": "f"}, {"tool_choice": {"type": "tool", "name": "f"}}),
        (
            {"tool_choice": {"type": "function", "function": {"name": "f"}}},
            {"tool_choice": {"type": "tool", "name": "f"}},
        ),
        ({"tool_choice": {"type": "any"}}, {"tool_choice": {"type": "any"}}),
        (
            {"tools": [NATIVE_TOOL], "parallel_tool_calls": False},
            {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
        ),
        (
            {"tools": [NATIVE_TOOL], "parallel_tool_calls": False, "tool_choice": "f"},
            {"tool_choice": {"type": "tool", "name": "f", "disable_parallel_tool_use": True}},
        ),
        ({"parallel_tool_calls": False}, {"tool_choice": None}),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"schema": SCHEMA}}},
            {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
        ),
        ({"response_format": {"type": "text"}}, {"output_config": None}),
        ({"reasoning_effort": "xhigh"}, {"output_config": {"effort": "xhigh"}, "thinking": None}),
        ({"reasoning_effort": "minimal"}, {"output_config": {"effort": "low"}}),
        ({"reasoning_effort": "none"}, {"thinking": {"type": "disabled"}}),
        ({"thinking": False}, {"thinking": {"type": "disabled"}}),
        ({"thinking": {"type": "adaptive"}}, {"thinking": {"type": "adaptive"}}),
        ({"user": "u"}, {"metadata": {"user_id": "u"}}),
        ({"metadata": {"user_id": "v"}}, {"metadata": {"user_id": "v"}}),
        ({"service_tier": "default"}, {"service_tier": "standard_only"}),
        ({"extra_body": {"container": "c", "max_tokens": 7}}, {"container": "c", "max_tokens": 7}),
        ({"stream_options": {"include_usage": True}}, {"stream_options": None}),
        ({"n": 1, "logprobs": False, "store": False}, {"n": None, "logprobs": None}),
    ],
)
def test_parameters(params: dict[str, Any], fields: dict[str, Any]) -> None:
    before = copy.deepcopy(params)
    built = body(**params)
    assert {name: built.get(name) for name in fields} == fields
    assert params == before


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("seed", 1),
        ("n", 2),
        ("logprobs", True),
        ("top_logprobs", 2),
        ("frequency_penalty", 0.5),
        ("presence_penalty", 0.5),
        ("logit_bias", {"1": 2}),
        ("modalities", ["audio"]),
        ("audio", {"voice": "x"}),
        ("prediction", {"type": "content"}),
        ("store", True),
        ("verbosity", "low"),
        ("prompt_cache_key", "k"),
        ("safety_identifier", "s"),
        ("web_search_options", {}),
        ("response_format", {"type": "json_object"}),
        ("service_tier", "flex"),
        ("tool_choice", {"type": "allowed_tools"}),
        ("tomorrow", 1),
    ],
)
def test_what_the_wire_cannot_carry(name: str, value: Any) -> None:
    with pytest.raises(InvalidRequestError, match=name):
        body(**{name: value})
    with pytest.warns(UserWarning, match=name):
        assert body("warn", **{name: value}) == body()
    assert body("passthrough", **{name: value})[name] == value


@pytest.mark.parametrize(
    "choice", ["required", "f", {"type": "any"}, {"type": "tool", "name": "f"}]
)
def test_a_model_that_no_tool_is_forced_on(choice: Any) -> None:
    free = target(quirks={"forced_tools": False})
    with pytest.raises(InvalidRequestError, match="tool_choice"):
        body(on=free, tool_choice=choice)
    with pytest.warns(UserWarning, match="tool_choice"):
        assert "tool_choice" not in body("warn", on=free, tool_choice=choice)
    for kind in ("auto", "none"):
        assert body(on=free, tool_choice=kind)["tool_choice"] == {"type": kind}


def test_the_vendors_own_refusals() -> None:
    with pytest.raises(InvalidRequestError, match="top_k"):
        body(on=target(quirks={"unsupported": ("top_k",)}), top_k=3)
    no_thinking = target(quirks={"thinking": "none"})
    ways: list[dict[str, Any]] = [{"thinking": True}, {"reasoning_effort": "low"}]
    for params in ways:
        with pytest.raises(InvalidRequestError):
            body(on=no_thinking, **params)


def test_tools() -> None:
    function = {"name": "f", "description": "d", "parameters": SCHEMA, "strict": True}
    cache = {"type": "ephemeral"}
    flat = {"type": "function", "name": "g", "parameters": None, "strict": None}
    own = {"name": "h", "input_schema": SCHEMA}
    nested = {"type": "function", "function": function, "cache_control": cache}
    tools = [nested, flat, own, NATIVE_TOOL]
    assert body(tools=tools)["tools"] == [
        {
            "name": "f",
            "description": "d",
            "strict": True,
            "cache_control": cache,
            "input_schema": SCHEMA,
        },
        {"name": "g", "input_schema": {"type": "object", "properties": {}}},
        own,
        NATIVE_TOOL,
    ]


def test_max_tokens_and_the_thinking_budget() -> None:
    assert body(on=target(max_output_tokens=900))["max_tokens"] == 900
    assert body(max_tokens=5, on=target(max_output_tokens=900))["max_tokens"] == 5
    for thinking in (True, "low", "max", {"type": "enabled", "budget_tokens": 9000}):
        rooms: list[dict[str, Any]] = [{}, {"max_tokens": 10000}]
        for params in rooms:
            built = body(thinking=thinking, **params)
            assert 1024 <= built["thinking"]["budget_tokens"] < built["max_tokens"]
    for none in (0, -1):
        with pytest.raises(InvalidRequestError, match="max_tokens"):
            body(max_tokens=none)
    with pytest.raises(InvalidRequestError, match="1024"):
        body(max_tokens=1000, thinking=True)


def test_models_that_think_as_they_see_fit() -> None:
    adaptive = target(quirks={"thinking": "anthropic_adaptive"})
    ways: list[dict[str, Any]] = [{"thinking": "high"}, {"reasoning_effort": "high"}]
    for params in ways:
        built = body(on=adaptive, **params)
        assert built["thinking"] == {"type": "adaptive"}
        assert built["output_config"] == {"effort": "high"}
    assert body(on=adaptive, thinking=True)["thinking"] == {"type": "adaptive"}
    assert body(on=adaptive, reasoning_effort="none")["thinking"] == {"type": "disabled"}


@pytest.mark.parametrize("off", [{"thinking": False}, {"reasoning_effort": "none"}])
def test_thought_that_cannot_be_switched_off(off: dict[str, Any]) -> None:
    between = target(quirks={"thinking": "anthropic_between"})
    assert body(on=between, **off)["thinking"] == {"type": "between_tools"}
    always = target(quirks={"thinking": "anthropic_always"})
    with pytest.raises(InvalidRequestError, match="does not take"):
        body(on=always, **off)
    for model in (between, always):
        assert body(on=model, thinking="low")["thinking"] == {"type": "adaptive"}


def test_sampling_parameters_where_only_the_defaults_are_taken() -> None:
    fixed = target(quirks={"unsupported": ("temperature", "top_p", "top_k")})
    assert body(on=fixed, temperature=1, top_p=1.0) == body(on=fixed)
    others: list[dict[str, Any]] = [{"temperature": 0}, {"top_p": 0.5}, {"top_k": 3}]
    for given in others:
        with pytest.raises(InvalidRequestError, match="does not take"):
            body(on=fixed, **given)


def test_system() -> None:
    cached = TextPart("b", extra={"cache_control": {"type": "ephemeral"}})

    def system(*messages: Message) -> Any:
        return build(ChatRequest([*messages, USER]), target()).get("system")

    assert system() is None
    assert system(Message("system", "a")) == "a"
    block = {"type": "text", "text": "b", "cache_control": {"type": "ephemeral"}}
    assert system(Message("system", [cached])) == [block]
    both = system(Message("system", "a"), Message("developer", [cached]))
    assert both == [{"type": "text", "text": "a"}, block]


def test_later_system_messages() -> None:
    late = Message("system", "be brief")
    answer = Message("assistant", "ok")
    placed = {"role": "system", "content": "be brief"}
    user, said = {"role": "user", "content": "hi"}, {"role": "assistant", "content": "ok"}
    tagged = {"role": "user", "content": "<system>\nbe brief\n</system>"}
    assert write_messages([USER, late], target()) == [user, placed]
    assert write_messages([USER, answer, late, USER], target()) == [user, said, user, placed]
    assert write_messages([USER, answer, late], target()) == [user, said, tagged]
    older = target(quirks={"inline_system": False})
    assert write_messages([USER, late, answer, USER], older) == [user, tagged, said, user]


def test_an_openai_conversation() -> None:
    calls: list[Part] = [
        TextPart(""),
        ToolCall("call.1:x", "f", '{"a": 1}', extra={"extra_content": {"google": {}}}),
        ToolCall("b", "g", ""),
        ToolCall("c", "h", "{broken"),
    ]
    history = [
        Message("user", "hi", name="ann"),
        Message("assistant", calls, extra={"refusal": None, "content": None}),
        Message("tool", [ToolResult("call.1:x", "1", name="f")]),
        Message("tool", [ToolResult("b", [TextPart("2")], is_error=True)]),
        Message("user", "so?"),
        Message("assistant", None, extra={"content": None}),
        Message("assistant", ""),
    ]
    before = copy.deepcopy(history)
    result = {"type": "tool_result", "tool_use_id": "call_1_x", "content": "1"}
    error = {"type": "tool_result", "tool_use_id": "b", "is_error": True}
    assert write_messages(history, target()) == [
        {"role": "user", "content": "hi"},
        {
            "role": "assistant",
            "content": [
                {"type": "tool_use", "id": "call_1_x", "name": "f", "input": {"a": 1}},
                {"type": "tool_use", "id": "b", "name": "g", "input": {}},
                {"type": "tool_use", "id": "c", "name": "h", "input": {"INVALID_JSON": "{broken"}},
            ],
        },
        {
            "role": "user",
            "content": [result, {**error, "content": [{"type": "text", "text": "2"}]}],
        },
        {"role": "user", "content": "so?"},
    ]
    assert history == before


def test_thoughts() -> None:
    signed = ReasoningPart("hm", signature="s")
    assert content(signed) == [{"type": "thinking", "thinking": "hm", "signature": "s"}]
    hidden = [{"type": "redacted_thinking", "data": "x"}]
    assert content(ReasoningPart("", encrypted="x")) == hidden
    others = ReasoningPart("hm"), ReasoningPart("hm", signature="s", field="reasoning_details")
    assert content(TextPart("a"), *others) == [{"type": "text", "text": "a"}]
    assert content(*others) is None


@pytest.mark.parametrize(
    ("part", "source"),
    [
        (ImagePart(url="https://x/a.png"), {"type": "url", "url": "https://x/a.png"}),
        (
            ImagePart(url="data:image/gif;base64,AAAA"),
            {"type": "base64", "media_type": "image/gif", "data": "AAAA"},
        ),
        (
            ImagePart(data="/9j/4AAQ"),
            {"type": "base64", "media_type": "image/jpeg", "data": "/9j/4AAQ"},
        ),
        (ImagePart(file_id="f"), {"type": "file", "file_id": "f"}),
        (DocumentPart(url="https://x/a.pdf"), {"type": "url", "url": "https://x/a.pdf"}),
        (
            DocumentPart(data="data:application/pdf;base64,AAAA"),
            {"type": "base64", "media_type": "application/pdf", "data": "AAAA"},
        ),
        (
            DocumentPart(data="aGk=", media_type="text/markdown"),
            {"type": "text", "media_type": "text/plain", "data": "hi"},
        ),
        (DocumentPart(text="hi"), {"type": "text", "media_type": "text/plain", "data": "hi"}),
        (DocumentPart(file_id="f"), {"type": "file", "file_id": "f"}),
    ],
)
def test_pictures_and_documents(part: Part, source: dict[str, Any]) -> None:
    assert content(part) == [{"type": part.type, "source": source}]


def test_parts_without_a_form_here() -> None:
    foreign = NativePart("openai-chat", {"type": "x"})
    for part in (AudioPart(data="AA", format="wav"), foreign):
        with pytest.raises(InvalidRequestError):
            content(part)
        with pytest.warns(UserWarning, match="left out"):
            assert write_messages([Message("user", [part])], target(), "warn") == []
        assert write_messages([Message("user", [part])], target(), "passthrough")
    for empty in (ImagePart(), DocumentPart(), DocumentPart(data="é", media_type="text/plain")):
        with pytest.raises(InvalidRequestError):
            content(empty)
    with pytest.raises(InvalidRequestError, match="URL"):
        content(ImagePart(url="https://x/a"), on=target(quirks={"url_images": False}))
    assert content(RefusalPart("no")) == [{"type": "text", "text": "no"}]


def test_a_whole_reply_as_a_message_leaves_its_head_behind() -> None:
    reply = {"type": "message", "id": "m", "role": "assistant", "usage": {}, "content": "a"}
    written = write_messages(read_message(reply), target())
    assert written == [{"role": "assistant", "content": "a"}]


@pytest.mark.parametrize("message", [{"role": "x", "content": ""}, {"role": "user", "content": 1}])
def test_no_message_of_this_wire(message: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequestError):
        read_message(message)

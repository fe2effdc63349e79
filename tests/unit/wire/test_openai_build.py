from __future__ import annotations

import copy
from typing import Any

import pytest
from openai_targets import target

from franca.errors import InvalidRequestError
from franca.types import ChatRequest, Message
from franca.wire.openai_chat import build

HI = [Message("user", "hi")]


def body(params: dict[str, Any], *, stream: bool = False, **quirks: Any) -> dict[str, Any]:
    built = build(ChatRequest(HI, params, stream), target(**quirks))
    assert built.pop("model") == "m-1"
    assert built.pop("messages") == [{"role": "user", "content": "hi"}]
    return built


def test_parameters_go_out_under_the_vendors_names() -> None:
    params = {"temperature": 0, "max_tokens": 5, "seed": 1, "stop": ("a", "b"), "n": None}
    quirks: dict[str, Any] = {
        "max_tokens_field": "max_completion_tokens",
        "renamed": (("seed", "random_seed"),),
    }
    assert body(params, **quirks) == {
        "temperature": 0,
        "max_completion_tokens": 5,
        "random_seed": 1,
        "stop": ["a", "b"],
    }


def test_a_stream_asks_for_usage() -> None:
    want = {"stream": True, "stream_options": {"x": 1, "include_usage": True}}
    assert body({"stream_options": {"x": 1}}, stream=True) == want
    assert body({}, stream=True, stream_usage=False) == {"stream": True}


@pytest.mark.parametrize("most", [0, -1, 1.5, True])
def test_max_tokens_must_be_positive(most: Any) -> None:
    with pytest.raises(InvalidRequestError, match="max_tokens"):
        body({"max_tokens": most})


def test_what_the_vendor_refuses_goes_by_the_policy() -> None:
    request = ChatRequest(HI, {"seed": 1})
    at = target(unsupported=("seed",))
    with pytest.raises(InvalidRequestError, match="'seed'") as caught:
        build(request, at)
    assert (caught.value.backend, caught.value.endpoint_id) == ("vendor", "e1")
    request.capability_policy = "warn"
    with pytest.warns(UserWarning, match="'seed'"):
        assert "seed" not in build(request, at)
    request.capability_policy = "passthrough"
    assert build(request, at)["seed"] == 1


def test_what_the_model_cannot_do_is_refused() -> None:
    tool = {"type": "function", "function": {"name": "f"}}
    schema = {"type": "json_schema", "json_schema": {"name": "s"}}
    no_calls = target(fields={"function_call_available": False})
    with pytest.raises(InvalidRequestError, match="'tools'"):
        build(ChatRequest(HI, {"tools": [tool]}), no_calls)
    with pytest.raises(InvalidRequestError, match="json_schema"):
        build(ChatRequest(HI, {"response_format": schema}), target(json_schema=False))
    assert body({"response_format": schema}) == {"response_format": schema}


def test_tools_of_either_form() -> None:
    schema = {"type": "object"}
    tools = [
        {"name": "f", "description": "d", "input_schema": schema, "cache_control": {"type": "x"}},
        {"type": "function", "function": {"name": "g"}},
        {"type": "function", "name": "h", "parameters": schema, "strict": True},
        {"type": "openrouter:web_search", "parameters": {}},
        {"type": "web_search_20250305", "name": "web_search"},
    ]
    before = copy.deepcopy(tools)
    assert body({"tools": tools})["tools"] == [
        {
            "type": "function",
            "function": {"name": "f", "description": "d", "parameters": schema},
            "cache_control": {"type": "x"},
        },
        tools[1],
        {"type": "function", "function": {"name": "h", "strict": True, "parameters": schema}},
        tools[3],
        tools[4],
    ]
    assert tools == before
    assert body({"tools": []}) == {}


NAMED = {"type": "function", "function": {"name": "f"}}


@pytest.mark.parametrize(
    ("choice", "want"),
    [
        ("auto", "auto"),
        ("none", "none"),
        ("required", "required"),
        ("any", "required"),
        ("f", NAMED),
        ({"type": "tool", "name": "f"}, NAMED),
        ({"type": "any"}, "required"),
        ({"type": "auto"}, "auto"),
        (NAMED, NAMED),
        ({"type": "allowed_tools", "x": 1}, {"type": "allowed_tools", "x": 1}),
    ],
)
def test_tool_choice(choice: Any, want: Any) -> None:
    assert body({"tool_choice": choice}) == {"tool_choice": want}


def test_anthropics_no_parallel_calls() -> None:
    choice = {"type": "auto", "disable_parallel_tool_use": True}
    assert body({"tool_choice": choice}) == {"tool_choice": "auto", "parallel_tool_calls": False}


BUDGET = {"type": "enabled", "budget_tokens": 99}
CONFIG = {"include_thoughts": True}


@pytest.mark.parametrize(
    ("form", "params", "want"),
    [
        ("reasoning_effort", {"thinking": True}, {"reasoning_effort": "medium"}),
        ("reasoning_effort", {"thinking": False}, {"reasoning_effort": "none"}),
        ("reasoning_effort", {"thinking": "low"}, {"reasoning_effort": "low"}),
        ("reasoning_effort", {"thinking": {"type": "disabled"}}, {"reasoning_effort": "none"}),
        ("reasoning_effort", {"reasoning_effort": "high"}, {"reasoning_effort": "high"}),
        ("thinking_type", {"thinking": True}, {"thinking": {"type": "enabled"}}),
        ("thinking_type", {"thinking": False}, {"thinking": {"type": "disabled"}}),
        ("thinking_type", {"thinking": BUDGET}, {"thinking": BUDGET}),
        ("thinking_type", {"thinking": {"clear": 1}}, {"thinking": {"clear": 1}}),
        (
            "thinking_type",
            {"reasoning_effort": "high"},
            {"thinking": {"type": "enabled"}, "reasoning_effort": "high"},
        ),
        ("enable_thinking", {"thinking": False}, {"enable_thinking": False}),
        ("enable_thinking", {"thinking": BUDGET}, {"enable_thinking": True, "thinking_budget": 99}),
        (
            "enable_thinking",
            {"thinking": "low"},
            {"enable_thinking": True, "thinking_budget": 4096},
        ),
        ("reasoning_object", {"thinking": True}, {"reasoning": {"enabled": True}}),
        ("reasoning_object", {"thinking": "none"}, {"reasoning": {"enabled": False}}),
        ("reasoning_object", {"reasoning_effort": "low"}, {"reasoning": {"effort": "low"}}),
        ("reasoning_object", {"thinking": BUDGET}, {"reasoning": {"max_tokens": 99}}),
        ("reasoning_object", {"thinking": {"exclude": True}}, {"reasoning": {"exclude": True}}),
        ("thinking_config", {"thinking": False}, {"reasoning_effort": "none"}),
        ("thinking_config", {"thinking": "low"}, {"reasoning_effort": "low"}),
        (
            "thinking_config",
            {"thinking": True},
            {"extra_body": {"google": {"thinking_config": CONFIG}}},
        ),
    ],
)
def test_thinking(form: Any, params: dict[str, Any], want: dict[str, Any]) -> None:
    assert body(params, thinking=form) == want


@pytest.mark.parametrize(
    ("form", "value"), [("none", True), ("reasoning_effort", BUDGET), ("none", False)]
)
def test_thinking_that_cannot_be_said_is_refused(form: Any, value: Any) -> None:
    with pytest.raises(InvalidRequestError, match="'thinking'"):
        body({"thinking": value}, thinking=form)


def test_extra_body_is_laid_over() -> None:
    extra = {"temperature": 1, "stream_options": {"y": 2}}
    want = {"temperature": 1, "stream": True, "stream_options": {"include_usage": True, "y": 2}}
    assert body({"temperature": 0, "extra_body": extra}, stream=True) == want
    assert extra == {"temperature": 1, "stream_options": {"y": 2}}

"""A call → the body of a request.

The wire's own fields that franca has no parameter for (`container`, `context_management`,
`cache_control`, `speed` …) go in `extra_body`. `stream_options` says nothing here: a stream of this
wire always ends with its usage.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from franca.settings.target import Target
from franca.types import ChatRequest
from franca.wire.anthropic_messages.blocks import JSON
from franca.wire.anthropic_messages.messages import write_messages, write_system
from franca.wire.builtin import joined, write_builtin
from franca.wire.policy import invalid, unsupported, with_turns

LEAST_BUDGET = 1024
"""The smallest `budget_tokens` that the vendor takes."""
_BUDGETS = {
    "minimal": 1024,
    "low": 2048,
    "medium": 8192,
    "high": 16384,
    "xhigh": 32768,
    "max": 65536,
}
_EFFORTS = {"minimal": "low"}
_ADAPTIVE = ("anthropic_adaptive", "anthropic_between", "anthropic_always")
_OFF: dict[str, JSON | None] = {
    "none": None,
    "never": {},
    "anthropic": {"thinking": {"type": "disabled"}},
    "anthropic_adaptive": {"thinking": {"type": "disabled"}},
    "anthropic_between": {"thinking": {"type": "between_tools"}},
    "anthropic_always": None,
}
"""Thinking switched off; None where it cannot be."""
_TIERS = {"auto": "auto", "default": "standard_only", "standard_only": "standard_only"}
_SHARED = ("metadata", "output_config")
"""Fields of the body that several parameters write to."""
_NEUTRAL: dict[str, Any] = {
    "n": 1,
    "logprobs": False,
    "top_logprobs": 0,
    "frequency_penalty": 0,
    "presence_penalty": 0,
    "logit_bias": {},
    "modalities": ["text"],
    "store": False,
    "temperature": 1,
    "top_p": 1,
}
"""Values that ask for what the wire does anyway."""


def build(request: ChatRequest, target: Target) -> JSON:
    """The JSON body for `target`.

    Raises:
        InvalidRequestError: a parameter or a part that the wire cannot carry, under the policy
            `strict`; `max_tokens` that leaves no room for an answer.
    """
    policy = request.capability_policy
    body: JSON = {"model": target.model_id, "max_tokens": 0}
    if (system := write_system(request.messages, target, policy)) is not None:
        body["system"] = system
    body["messages"] = write_messages(request.messages, target, policy)
    for name, value in request.params.items():
        _put(name, value, body, request, target)
    body = _builtin(body, request, target)
    _parallel(body, request)
    if target.quirks.thinking in _ADAPTIVE and request.params.get("reasoning_effort"):
        body.setdefault("thinking", {"type": "adaptive"})  # those models' effort starts no thought
    _limits(body, request, target)
    if request.stream:
        body["stream"] = True
    body.update(request.params.get("extra_body") or {})
    return with_turns(body, target)


def _put(name: str, value: Any, body: JSON, request: ChatRequest, target: Target) -> None:
    if value is None or (name in _NEUTRAL and value == _NEUTRAL[name]):
        return
    writer = None if name in target.quirks.unsupported else _WRITERS.get(name)
    fields = writer(value, target) if writer else None
    if fields is None:
        if unsupported(name, value, request, target):
            body[name] = value
        return
    for field, written in fields.items():
        body[field] = {**body.get(field, {}), **written} if field in _SHARED else written


def _builtin(body: JSON, request: ChatRequest, target: Target) -> JSON:
    """The tools in franca's words (`web_search`, `mcp` …) in the vendor's."""
    given = body.get("tools")
    if not given:
        return body
    body["tools"], fields = write_builtin(given, request, target)
    body = joined(body, fields) if fields else body
    if not body["tools"]:  # all were left out, and with them what there was to choose from
        del body["tools"]
        body.pop("tool_choice", None)
    return body


def _limits(body: JSON, request: ChatRequest, target: Target) -> None:
    """`max_tokens`, which the wire requires, above the thinking budget, which counts in it."""
    given = request.params.get("max_tokens")
    if given is not None and given <= 0:
        raise invalid(f"max_tokens is {given}: it must be at least 1", target)
    thinking = body.get("thinking")
    budget = thinking.get("budget_tokens") if isinstance(thinking, dict) else None
    room = target.answer_room or target.quirks.default_max_tokens
    most = given or (room if target.max_output_tokens else None)
    body["max_tokens"] = most or room + (budget or 0)
    asked = request.params.get("thinking")
    if budget is None or most is None or isinstance(asked, Mapping):
        return
    if most <= LEAST_BUDGET:
        raise invalid(f"max_tokens is {most}: thinking alone takes {LEAST_BUDGET}", target)
    body["thinking"] = {
        **body["thinking"],
        "budget_tokens": max(LEAST_BUDGET, min(budget, most // 2)),
    }


def _parallel(body: JSON, request: ChatRequest) -> None:
    """`parallel_tool_calls=False` has its place in the tool choice, where there are tools."""
    choice = body.get("tool_choice") or {"type": "auto"}
    off = request.params.get("parallel_tool_calls") is False and body.get("tools")
    if off and choice.get("type") != "none":
        body["tool_choice"] = {"disable_parallel_tool_use": True, **choice}


def _tools(tools: Any, target: Target) -> JSON:
    return {"tools": [_tool(tool) for tool in tools]}


def _tool(tool: Mapping[str, Any]) -> JSON:
    """OpenAI's form (nested, or flat as in its Responses) in this wire's; others as they are."""
    if tool.get("type") != "function":
        return dict(tool)
    given = {k: v for k, v in tool.items() if k not in ("type", "function")}
    given.update(tool.get("function") or {})
    schema = given.pop("parameters", None)
    written = {k: v for k, v in given.items() if v is not None}
    return {**written, "input_schema": {"type": "object", "properties": {}, **(schema or {})}}


def _tool_choice(choice: Any, target: Target) -> JSON | None:
    written = _chosen(choice)
    forced = written is not None and written["tool_choice"].get("type") in ("any", "tool")
    return None if forced and not target.quirks.forced_tools else written


def _chosen(choice: Any) -> JSON | None:
    if isinstance(choice, str):
        kind = {"auto": "auto", "none": "none", "required": "any", "any": "any"}.get(choice)
        return {"tool_choice": {"type": kind} if kind else {"type": "tool", "name": choice}}
    if choice.get("type") == "function":
        named = choice.get("function") or choice
        return {"tool_choice": {"type": "tool", "name": named["name"]}}
    if choice.get("type") == "allowed_tools":
        return None
    return {"tool_choice": dict(choice)}


def _response_format(form: Mapping[str, Any], target: Target) -> JSON | None:
    """The schema alone: the wire knows neither its name, and is always strict."""
    if form.get("type") == "text":
        return {}
    schema = form.get("schema") or (form.get("json_schema") or {}).get("schema")
    takes = target.quirks.json_schema and target.response_format_available is not False
    if form.get("type") != "json_schema" or schema is None or not takes:
        return None
    return {"output_config": {"format": {"type": "json_schema", "schema": schema}}}


def _reasoning_effort(effort: str, target: Target) -> JSON | None:
    if effort == "none":
        return _OFF.get(target.quirks.thinking, _OFF["anthropic"])
    if target.quirks.thinking in ("none", "never"):
        return None
    return {"output_config": {"effort": _EFFORTS.get(effort, effort)}}


def _thinking(thinking: Any, target: Target) -> JSON | None:
    """The vendor's own object goes as it is. On, or an effort: a budget, or where the model thinks
    as long as it sees fit, the effort."""
    if isinstance(thinking, Mapping):
        return {"thinking": dict(thinking)}
    if thinking is False or thinking == "none":
        return _OFF.get(target.quirks.thinking, _OFF["anthropic"])
    if target.quirks.thinking in ("none", "never"):
        return None
    if target.quirks.thinking not in _ADAPTIVE:
        budget = _BUDGETS.get(thinking, _BUDGETS["medium"])
        return {"thinking": {"type": "enabled", "budget_tokens": budget}}
    adaptive: JSON = {"thinking": {"type": "adaptive"}}
    effort = {} if thinking is True else {"effort": _EFFORTS.get(thinking, thinking)}
    return {**adaptive, "output_config": effort} if effort else adaptive


def _service_tier(tier: str, target: Target) -> JSON | None:
    return {"service_tier": _TIERS[tier]} if tier in _TIERS else None


def _same(name: str) -> Callable[[Any, Target], JSON]:
    return lambda value, target: {name: value}


_WRITERS: dict[str, Callable[[Any, Target], JSON | None]] = {
    "temperature": _same("temperature"),
    "top_p": _same("top_p"),
    "top_k": _same("top_k"),
    "stop": lambda stop, _: {"stop_sequences": [stop] if isinstance(stop, str) else list(stop)},
    "tools": _tools,
    "tool_choice": _tool_choice,
    "response_format": _response_format,
    "reasoning_effort": _reasoning_effort,
    "thinking": _thinking,
    "user": lambda user, _: {"metadata": {"user_id": user}},
    "metadata": lambda metadata, _: {"metadata": dict(metadata)},
    "service_tier": _service_tier,
    "max_tokens": lambda *_: {},
    "parallel_tool_calls": lambda *_: {},
    "stream_options": lambda *_: {},
    "extra_body": lambda *_: {},
}
"""How each parameter is written: fields of the body; None where its value has no form here."""

"""A request's body."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from franca.settings.target import Target
from franca.types import ChatRequest
from franca.wire.builtin import joined, read_builtin, write_builtin
from franca.wire.openai_chat.messages import write_messages
from franca.wire.openai_chat.thinking import write_thinking
from franca.wire.policy import invalid, refuse, unsupported, with_turns

JSON = dict[str, Any]
_PLAIN = frozenset(
    {"temperature", "top_p", "top_k", "frequency_penalty", "presence_penalty", "logit_bias",
     "seed", "n", "parallel_tool_calls", "logprobs", "top_logprobs", "user", "metadata",
     "service_tier", "modalities", "audio", "prediction", "store", "verbosity",
     "prompt_cache_key", "safety_identifier", "web_search_options", "response_format"}
)  # fmt: skip
_APART = frozenset(
    {"max_tokens", "tools", "tool_choice", "stop", "thinking", "reasoning_effort",
     "stream_options", "extra_body"}
)  # fmt: skip


def build(request: ChatRequest, target: Target) -> JSON:
    """The JSON body; shares the caller's values and changes none.

    Raises:
        InvalidRequestError: `max_tokens` is not positive; or, under `strict`, the vendor does not
            take a parameter or a part of a message.
    """
    params, quirks = _allowed(request, target), target.quirks
    body: JSON = {
        "model": target.model_id,
        "messages": write_messages(request.messages, target, request.capability_policy),
    }
    renamed = dict(quirks.renamed)
    for name, value in params.items():
        if name not in _APART:
            body[renamed.get(name, name)] = value
    if (most := params.get("max_tokens")) is not None:
        if isinstance(most, bool) or not isinstance(most, int) or most <= 0:
            raise invalid(f"max_tokens is {most!r}: it must be a positive whole number", target)
        body[quirks.max_tokens_field] = most
    if (stop := params.get("stop")) is not None:
        body[renamed.get("stop", "stop")] = stop if isinstance(stop, str) else list(stop)
    body = _tools(params, body, request, target)
    write_thinking(params, body, request, target)
    if request.stream:
        body["stream"] = True
        _stream_options(params.get("stream_options"), body, request, target)
    return with_turns(merged(body, params.get("extra_body")), target)


def headers(body: JSON, request: ChatRequest, target: Target) -> dict[str, str]:
    """What the body needs in HTTP headers: nothing on this wire."""
    del body, request, target
    return {}


def merged(body: JSON, more: Mapping[str, Any] | None) -> JSON:
    """`body` with `more` laid over it; objects at the top are joined."""
    for key, value in (more or {}).items():
        old = body.get(key)
        both = isinstance(old, Mapping) and isinstance(value, Mapping)
        body[key] = {**old, **value} if both else value
    return body


def _allowed(request: ChatRequest, target: Target) -> JSON:
    """The parameters that are given and may be sent."""
    given = {name: value for name, value in request.params.items() if value is not None}
    for name in [name for name in given if _cannot(name, given[name], target)]:
        if not unsupported(name, given[name], request, target):
            del given[name]
    if _needs_schema(given.get("response_format")) and not target.quirks.json_schema:
        why = f"{target.backend} takes no json_schema in response_format"
        if not refuse(why, request.capability_policy, target):
            del given["response_format"]
    return given


def _cannot(name: str, value: Any, target: Target) -> bool:
    if name == "tools" and target.function_call_available is False:
        return any(read_builtin(tool) is None for tool in value)
    if name == "response_format" and target.response_format_available is False:
        return True
    if name == "n" and value == 1:  # what every vendor does anyway
        return False
    return name in target.quirks.unsupported or not (name in _PLAIN or name in _APART)


def _needs_schema(form: Any) -> bool:
    return isinstance(form, Mapping) and form.get("type") == "json_schema"


def _stream_options(given: Any, body: JSON, request: ChatRequest, target: Target) -> None:
    if target.quirks.stream_usage:
        body["stream_options"] = {**(given or {}), "include_usage": True}
    elif given and unsupported("stream_options", given, request, target):
        body["stream_options"] = given


def _tools(params: JSON, body: JSON, request: ChatRequest, target: Target) -> JSON:
    given = params.get("tools") or ()
    tools, fields = write_builtin(given, request, target)
    if tools:
        body["tools"] = [write_tool(tool) for tool in tools]
    body = joined(body, fields) if fields else body
    choice = params.get("tool_choice")
    if choice is None or (given and "tools" not in body):  # nothing left to choose from
        return body
    body["tool_choice"] = write_tool_choice(choice)
    if isinstance(choice, Mapping) and choice.get("disable_parallel_tool_use"):
        body.setdefault("parallel_tool_calls", False)
    return body


_FUNCTION = ("name", "description", "strict")


def write_tool(tool: Mapping[str, Any]) -> Mapping[str, Any]:
    """A tool of either form in OpenAI's; a vendor's own tool as it is."""
    if "function" in tool or not isinstance(tool.get("name"), str):
        return tool
    field = "input_schema" if "input_schema" in tool else "parameters"
    if tool.get("type") not in (None, "function", "custom") or field not in tool:
        return tool
    function = {name: tool[name] for name in _FUNCTION if name in tool}
    function["parameters"] = tool[field]
    others = {k: v for k, v in tool.items() if k not in (*_FUNCTION, field, "type")}
    return {"type": "function", "function": function, **others}


def write_tool_choice(choice: Any) -> Any:
    """OpenAI's word or object for a choice in any form; a plain text names a tool."""
    if isinstance(choice, str):
        if choice in ("auto", "none", "required"):
            return choice
        return "required" if choice == "any" else _named(choice)
    kind = choice.get("type")
    if kind in ("auto", "none", "any"):
        return "required" if kind == "any" else kind
    if kind in ("tool", "function") and isinstance(choice.get("name"), str):
        return _named(choice["name"])
    return choice


def _named(name: str) -> JSON:
    return {"type": "function", "function": {"name": name}}

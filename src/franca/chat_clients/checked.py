"""The forms of a call's parameters, looked at before anything is built from them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from math import inf
from numbers import Integral, Real
from typing import Any
from uuid import UUID

from franca.errors import InvalidRequestError

Form = tuple[Callable[[Any], bool], str]


def _number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and value == value


def _whole(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def _texts(value: Any) -> bool:
    plain = isinstance(value, Collection) and not isinstance(value, bytes | Mapping)
    return plain and all(isinstance(item, str) for item in value)


def _tools(value: Any) -> bool:
    plain = isinstance(value, Collection) and not isinstance(value, str | bytes | Mapping)
    return plain and all(isinstance(item, Mapping) for item in value)


def _headers(value: Any) -> bool:
    return isinstance(value, Mapping) and all(isinstance(v, str) for v in value.values())


_TEXT: Form = (lambda v: isinstance(v, str), "a text")
_NAME: Form = (lambda v: isinstance(v, str | UUID), "a text")  # JSON has a UUID as its text
_SWITCH: Form = (lambda v: isinstance(v, bool), "True or False")
_MAPPING: Form = (lambda v: isinstance(v, Mapping), "a mapping")
_NUMBER: Form = (lambda v: _number(v) and abs(v) < inf, "a number")
_WHOLE: Form = (_whole, "a whole number")
_SECONDS: Form = (_number, "a number of seconds")
_FROM_0: Form = (lambda v: _number(v) and v >= 0, "a number of seconds from 0 on")
_ABOVE_0: Form = (lambda v: _number(v) and v > 0, "a number of seconds above 0")
_FROM_1: Form = (lambda v: _whole(v) and v > 0, "a whole number from 1 on")
_MODELS = "a model's name, or a list of names"
_POLICIES = ("strict", "warn", "passthrough")

_FORMS: dict[str, Form] = {
    **dict.fromkeys(("temperature", "top_p", "frequency_penalty", "presence_penalty"), _NUMBER),
    **dict.fromkeys(("top_k", "seed", "top_logprobs"), _WHOLE),
    **dict.fromkeys(("user", "prompt_cache_key", "safety_identifier"), _NAME),
    **dict.fromkeys(("service_tier", "verbosity", "reasoning_effort", "affinity_key"), _TEXT),
    **dict.fromkeys(("parallel_tool_calls", "logprobs", "store"), _SWITCH),
    **dict.fromkeys(
        ("logit_bias", "metadata", "audio", "prediction", "web_search_options", "stream_options",
         "extra_body", "extra_query"), _MAPPING),
    **dict.fromkeys(("timeout", "idle_timeout"), _ABOVE_0),
    **dict.fromkeys(("max_wait", "retry_delay"), _FROM_0),
    "deadline": _SECONDS,
    **dict.fromkeys(("n", "max_tokens"), _FROM_1),
    "max_retries": (lambda v: _whole(v) and v >= 0, "a whole number from 0 on"),
    "stop": (_texts, "a text, or a list of texts"),
    "modalities": (lambda v: _texts(v) and not isinstance(v, str), "a list of texts"),
    "tools": (_tools, "a list of mappings, each a tool"),
    "tool_choice": (
        lambda v: isinstance(v, str | Mapping),
        "'auto', 'none', 'required', a tool's name, or a wire's own mapping"),
    "response_format": (
        lambda v: isinstance(v, Mapping),
        "{'type': 'json_object'} or {'type': 'json_schema', 'json_schema': …}"),
    "thinking": (
        lambda v: isinstance(v, bool | str | Mapping),
        "True, False, an effort such as 'high', or the vendor's own mapping"),
    "fallback_models": (_texts, _MODELS),
    "context_fallback": (lambda v: isinstance(v, bool) or _texts(v), f"True, {_MODELS}"),
    "capability_policy": (lambda v: v in _POLICIES, "'strict', 'warn' or 'passthrough'"),
    "extra_headers": (_headers, "a mapping of texts to texts"),
}  # fmt: skip


def check(name: str, value: Any) -> None:
    """Nothing, where a parameter's value is of its form.

    Raises:
        InvalidRequestError: it is not; names the parameter, and shows no value that may be secret.
    """
    form = _FORMS.get(name)
    if form is not None and not form[0](value):
        shown = repr(value) if isinstance(value, Real) else type(value).__name__
        raise InvalidRequestError(f"{name}: expected {form[1]}, got {shown}")

"""The thinking switch, in each vendor's form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from franca.settings.target import Target
from franca.types import ChatRequest
from franca.wire.policy import unsupported

JSON = dict[str, Any]
_BUDGETS = {"minimal": 1024, "low": 4096, "medium": 8192, "high": 16384, "xhigh": 32768}
"""Tokens for an effort, where the vendor counts tokens; `max` is the vendor's own most."""


class _Wish(NamedTuple):
    """What the caller wants: on or off, an effort, a budget, the vendor's own object."""

    on: bool
    effort: str | None
    budget: int | None
    own: Mapping[str, Any] | None


def write_thinking(params: JSON, body: JSON, request: ChatRequest, target: Target) -> None:
    """Put `thinking` and `reasoning_effort` into the body, as the quirks say.

    Raises:
        InvalidRequestError: under `strict`, where the vendor has no form for the wish.
    """
    given = {k: params[k] for k in ("thinking", "reasoning_effort") if k in params}
    if not given:
        return
    writer = _FORMS.get(target.quirks.thinking)
    fields = writer(_wish(given)) if writer else None
    if fields is not None and not _refused(fields, target):
        body.update(fields)
        return
    for name, value in given.items():
        if unsupported(name, value, request, target):
            body[name] = value


def _refused(fields: JSON, target: Target) -> bool:
    return any(name in target.quirks.unsupported for name in fields)


def _wish(given: JSON) -> _Wish:
    thinking, effort = given.get("thinking"), given.get("reasoning_effort")
    if isinstance(thinking, str):
        thinking, effort = thinking != "none", effort or thinking
    if not isinstance(thinking, Mapping):
        on = thinking if thinking is not None else effort != "none"
        return _Wish(bool(on), effort, None, None)
    budget = thinking.get("budget_tokens")
    if set(thinking) <= {"type", "budget_tokens"}:  # Anthropic's, which all can be told in
        on = thinking.get("type", "enabled") != "disabled"
        return _Wish(on, effort, budget, None if budget is not None else thinking)
    return _Wish(True, effort, budget, thinking)


def _off(wish: _Wish) -> bool:
    return not wish.on or wish.effort == "none"


def _never(wish: _Wish) -> JSON | None:
    return {} if _off(wish) else None


def _reasoning_effort(wish: _Wish) -> JSON | None:
    if wish.budget is not None or (wish.own and set(wish.own) != {"type"}):
        return None
    return {"reasoning_effort": "none" if _off(wish) else wish.effort or "medium"}


def _thinking_type(wish: _Wish) -> JSON | None:
    switch: JSON = {"type": "disabled" if _off(wish) else "enabled"}
    if wish.budget is not None:
        switch["budget_tokens"] = wish.budget
    fields: JSON = {"thinking": wish.own or switch}
    if wish.effort and not _off(wish):
        fields["reasoning_effort"] = wish.effort
    return fields


def _enable_thinking(wish: _Wish) -> JSON | None:
    if wish.own and "type" not in wish.own:
        return dict(wish.own)
    budget = wish.budget if wish.budget is not None else _BUDGETS.get(wish.effort or "")
    fields: JSON = {"enable_thinking": not _off(wish)}
    if budget is not None and not _off(wish):
        fields["thinking_budget"] = budget
    return fields


def _reasoning_object(wish: _Wish) -> JSON | None:
    if wish.own and "type" not in wish.own:
        return {"reasoning": wish.own}
    if _off(wish):
        return {"reasoning": {"enabled": False}}
    if wish.effort:
        return {"reasoning": {"effort": wish.effort}}
    if wish.budget is not None:
        return {"reasoning": {"max_tokens": wish.budget}}
    return {"reasoning": {"enabled": True}}


def _thinking_config(wish: _Wish) -> JSON | None:
    if wish.own and "type" not in wish.own:
        config = wish.own
    elif _off(wish):
        return {"reasoning_effort": "none"}
    elif wish.budget is not None:
        config = {"thinking_budget": wish.budget, "include_thoughts": True}
    elif wish.effort:
        return {"reasoning_effort": wish.effort}
    else:
        config = {"include_thoughts": True}
    return {"extra_body": {"google": {"thinking_config": config}}}


_FORMS = {
    "never": _never,
    "reasoning_effort": _reasoning_effort,
    "thinking_type": _thinking_type,
    "enable_thinking": _enable_thinking,
    "reasoning_object": _reasoning_object,
    "thinking_config": _thinking_config,
    "anthropic": _thinking_type,
}

"""Whether a call may be near its target's context: the look that every call gets, so it is cheap
and loads nothing that counts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from franca.settings.target import Target
from franca.tokens.truncate_sizes import surely_fits
from franca.types import ChatRequest
from franca.wire import encode

_AROUND = 1000
"""Tokens at most that vendors add to a prompt: around the tools, for thinking, for a schema."""


def near_limit(request: ChatRequest, target: Target) -> bool:
    """Whether a request has to be counted to know that it fits: what follows may take a while."""
    limit, params = target.context_length, request.params
    if limit is None:
        return False
    room = limit - answer_room(target, params) - most_around(params)
    return not surely_fits(request.messages, room)


def answer_room(target: Target, params: Mapping[str, Any]) -> int:
    """The tokens to leave for the answer: `max_tokens`, else as `Target.answer_room`, which is what
    Anthropic's wire sends in its place."""
    given = params.get("max_tokens")
    if isinstance(given, int) and given > 0:
        return given
    return target.answer_room or 0


def most_around(params: Mapping[str, Any]) -> int:
    """The tokens at most beside the messages: tools, a schema, what vendors write around them."""
    if "tools" not in params and "response_format" not in params:
        return _AROUND
    named = [params[name] for name in ("tools", "response_format") if params.get(name)]
    return _AROUND + (3 * len(encode(named)) if named else 0)

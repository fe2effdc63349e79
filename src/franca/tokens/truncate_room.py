"""Whether a call may be near its target's context: the look that every call gets, so it is cheap
and loads nothing that counts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from franca.backends import ANTHROPIC_MESSAGES
from franca.settings.target import Target
from franca.tokens.truncate_sizes import surely_fits
from franca.types import ChatRequest
from franca.wire import encode

SHARE = 8
"""One part in so many of the context is left for an answer whose length nobody named."""
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
    """The tokens to leave for the answer: `max_tokens`, else what the wire is going to send in its
    place, else an eighth of the context, at most `max_output_tokens`."""
    given, most = params.get("max_tokens"), target.max_output_tokens
    if isinstance(given, int) and given > 0:
        return given
    if target.wire == ANTHROPIC_MESSAGES:
        return most or target.quirks.default_max_tokens
    share = (target.context_length or 0) // SHARE
    return min(share, most) if most else share


def most_around(params: Mapping[str, Any]) -> int:
    """The tokens at most beside the messages: tools, a schema, what vendors write around them."""
    if "tools" not in params and "response_format" not in params:
        return _AROUND
    named = [params[name] for name in ("tools", "response_format") if params.get(name)]
    return _AROUND + (3 * len(encode(named)) if named else 0)

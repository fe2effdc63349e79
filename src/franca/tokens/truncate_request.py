"""A call fitted to where it goes: what `fit` has to know, read from the request and its target."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from math import inf
from typing import Any

from franca.errors import ContextLengthError
from franca.settings.target import Target
from franca.tokens.families import family_of
from franca.tokens.messages import count_messages_tokens, message_tokens
from franca.tokens.truncate import ContextLengthControl, Truncation, fit
from franca.tokens.truncate_room import answer_room, near_limit
from franca.tokens.truncate_sizes import Count, remembered
from franca.types import ChatRequest, Message, NativePart

_counters: dict[str, Count] = {}


def fit_request(
    request: ChatRequest,
    target: Target,
    control: ContextLengthControl,
    *,
    keep_prefix: bool | None = None,
    cut: bool = False,
) -> tuple[ChatRequest, Truncation | None]:
    """The request with its messages fitted to the target's context, and what was left out.

    The very same request where nothing has to go, where `control` is `none`, or where the target's
    context is not known.

    Args:
        control, cut: see `fit`.
        keep_prefix: see `fit`; None: where the request asks for prompt caching.

    Raises:
        ContextLengthError: what must stay does not fit. And as `fit`.
    """
    limit = target.context_length
    if control == "none" or limit is None or not near_limit(request, target):
        return request, None
    if keep_prefix is None:
        keep_prefix = asks_for_caching(request)
    try:
        fitted = fit(
            request.messages,
            limit=limit,
            control=control,
            count=counter(target),
            overhead=_around(request.params, target),
            reserve=answer_room(target, request.params),
            keep_prefix=keep_prefix,
            cut=cut,
            bound=_unknown,  # looked at above, before anything was counted
        )
    except ContextLengthError as error:
        error.backend, error.endpoint_id = target.backend, target.endpoint_id
        raise
    if fitted.truncation is None:
        return request, None
    return replace(request, messages=fitted.messages), fitted.truncation


def _unknown(_: Message) -> float:
    return inf


def counter(target: Target) -> Count:
    """The count of a message for a target's model, remembered for the life of the process."""
    family = family_of(target.model_id, target.backend)
    known = _counters.get(family.name)
    if known is None:
        known = remembered(lambda message: message_tokens(message, family))
        _counters[family.name] = known
    return known


def asks_for_caching(request: ChatRequest) -> bool:
    """Whether the request marks what is to be cached, or names a cache."""
    params = request.params
    if params.get("prompt_cache_key") or "cache_control" in (params.get("extra_body") or ()):
        return True
    if any("cache_control" in tool for tool in params.get("tools") or ()):
        return True
    return any(map(_marked, request.messages))


def _marked(message: Message) -> bool:
    if message.extra and "cache_control" in message.extra:
        return True
    content = message.content
    if not isinstance(content, list):
        return False
    extras = [part.extra for part in content if not isinstance(part, NativePart)]
    return any(extra and "cache_control" in extra for extra in extras)


def _around(params: Mapping[str, Any], target: Target) -> int:
    no_messages: Iterable[Message] = ()
    return count_messages_tokens(
        messages=no_messages,
        tools=params.get("tools"),
        model=target.model_id,
        backend=target.backend,
        response_format=params.get("response_format"),
        thinking=bool(params.get("thinking")),
        tool_choice=params.get("tool_choice"),
        wire=target.wire,
    )

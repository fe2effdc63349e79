"""A call's messages as its target takes them: fitted to its context."""

from __future__ import annotations

from collections.abc import Generator
from functools import partial
from typing import TYPE_CHECKING, Any

from franca.flow.effects import Effect, Work
from franca.settings.target import Target
from franca.tokens.truncate_room import near_limit
from franca.types import ChatRequest

if TYPE_CHECKING:
    from franca.tokens.truncate import Truncation


def fitted(
    request: ChatRequest, target: Target
) -> Generator[Effect, Any, tuple[ChatRequest, Truncation | None]]:
    """The request as it goes to this target, and what was left out of it.

    Raises:
        ContextLengthError: what must stay does not fit.
    """
    if target.context_length is None or request.context_length_control == "none":
        return request, None
    if not near_limit(request, target):
        return request, None
    from franca.tokens.truncate_request import fit_request

    return (yield Work(partial(fit_request, request, target, request.context_length_control)))

"""What happens to what a wire cannot carry: refused, left out with a warning, or sent anyway."""

from __future__ import annotations

import os
import sys
import warnings
from typing import Any

from franca.errors import InvalidRequestError
from franca.settings.target import Target
from franca.types import ChatRequest

CAPABILITY = "capability"
"""The code of what is refused before it is sent, for its target's sake."""

_HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


def unsupported(name: str, value: object, request: ChatRequest, target: Target) -> bool:
    """Apply the request's capability policy to the parameter `name`.

    Args:
        name: the parameter, as the caller knows it.
        value: what the caller gave; never shown, since it may be a secret.

    Returns:
        True where the parameter is to be sent as it is (`passthrough`), False where it is left
        out, after a warning (`warn`).

    Raises:
        InvalidRequestError: under `strict`; names parameter, backend and endpoint.
    """
    del value
    why = f"{target.backend} ({target.model}) does not take {name!r}"
    return refuse(why, request.capability_policy, target)


def refuse(why: str, policy: str, target: Target) -> bool:
    """The same for anything else that cannot be sent; `why` is the sentence to show."""
    if policy == "passthrough":
        return True
    if policy == "warn":
        warnings.warn(f"{why}: left out", UserWarning, stacklevel=_depth())
        return False
    raise invalid(f"{why}; capability_policy='warn' leaves it out", target)


def invalid(why: str, target: Target) -> InvalidRequestError:
    """The error for a request that is wrong before it is sent."""
    return InvalidRequestError(
        why, backend=target.backend, endpoint_id=target.endpoint_id, code=CAPABILITY
    )


def with_turns(body: dict[str, Any], target: Target) -> dict[str, Any]:
    """`body`, whose `messages` no vendor takes where nothing stands in them.

    Raises:
        InvalidRequestError: there is no turn.
    """
    if body["messages"] == []:
        raise invalid("messages: expected a turn at least, beside the system's", target)
    return body


def _depth() -> int:
    """How far up the caller's own line is, so that the warning points there."""
    frame, depth = sys._getframe(1), 1
    while frame.f_back and frame.f_code.co_filename.startswith(_HERE):
        frame, depth = frame.f_back, depth + 1
    return depth

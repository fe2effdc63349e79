"""Which of the targets that are left goes next, as their limits allow."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from franca.errors import RateLimitError
from franca.flow.effects import Effect
from franca.flow.fitting import fitted
from franca.settings.target import Target
from franca.types import ChatRequest

if TYPE_CHECKING:
    from franca.flow.permits import Permit
    from franca.limits.scopes import Scope
    from franca.tokens.truncate import Truncation


@dataclass(slots=True)
class Admitted:
    """A target that may be tried now, and the request as it goes there.

    Args:
        truncation: what was left out of it.
        permit: what it holds of the target's limits, None where nothing is limited.
    """

    target: Target
    request: ChatRequest
    truncation: Truncation | None = None
    permit: Permit | None = None


def admit(request: ChatRequest, targets: Sequence[Target]) -> Generator[Effect, Any, Admitted]:
    """The first target that need not wait, else the one that waits least, after its wait.

    Raises:
        ContextLengthError: the request does not fit into its context.
        RateLimitError: the wait would be longer than `max_wait`.
    """
    if len(targets) > 1:
        admitted, waits = yield from _first_free(request, targets)
        if not waits:
            return admitted
    else:
        admitted = Admitted(targets[0], *(yield from fitted(request, targets[0])))
    target, found = admitted.target, _scope(admitted.target)
    if found is None:
        return admitted
    from franca.flow.permits import Permit, acquire

    admitted.permit = permit = Permit(found, admitted.request)
    if found.book is not None and found.book.grant(found.rules, permit):
        return admitted
    patience = found.max_wait if request.max_wait is None else request.max_wait
    try:
        yield from acquire(found.store, found.key, found.rules, permit, patience)
    except RateLimitError as error:
        error.backend, error.endpoint_id = target.backend, target.endpoint_id
        raise
    return admitted


def _first_free(
    request: ChatRequest, targets: Sequence[Target]
) -> Generator[Effect, Any, tuple[Admitted, bool]]:
    """(the first that goes at once, else the one that waits least; whether it waits)."""
    from franca.flow.permits import Permit, attempt

    least, soonest = None, None
    for target in targets:
        admitted = Admitted(target, *(yield from fitted(request, target)))
        if (found := _scope(target)) is None:
            return admitted, False
        admitted.permit = permit = Permit(found, admitted.request)
        verdict = yield from attempt(found.store, found.key, found.rules, permit)
        if verdict.granted:
            return admitted, False
        if least is None or verdict.wait < least:
            least, soonest = verdict.wait, admitted
    assert soonest is not None
    return soonest, True


def _scope(target: Target) -> Scope | None:
    """What limits the target; where nothing does, nothing of the limits is loaded."""
    try:
        return target.kept["limits"]
    except KeyError:
        if target.counting is None:
            return target.kept.setdefault("limits", None)
    from franca.limits.scopes import scope

    return scope(target)

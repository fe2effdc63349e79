"""Which of the targets that are left goes next, as their limits allow."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from franca.errors import RateLimitError
from franca.flow.effects import Effect, Outcome
from franca.flow.permits import Permit
from franca.limits.acquire import acquire, attempt
from franca.limits.scopes import scope
from franca.settings.target import Target
from franca.types import ChatRequest

Admitted = tuple[Target, Permit | None]


def admit(request: ChatRequest, targets: Sequence[Target]) -> Generator[Effect, Outcome, Admitted]:
    """The first target that need not wait, else the one that waits least, after its wait.

    Raises:
        RateLimitError: the wait would be longer than `max_wait`.
    """
    target = targets[0] if len(targets) == 1 else None
    if target is None:
        free, target = yield from _first_free(request, targets)
        if free is not None:
            return free
    found = scope(target)
    if found is None:
        return target, None
    permit = Permit(found, request)
    patience = found.max_wait if request.max_wait is None else request.max_wait
    try:
        yield from acquire(found.store, found.key, found.rules, permit, patience)
    except RateLimitError as error:
        error.backend, error.endpoint_id = target.backend, target.endpoint_id
        raise
    return target, permit


def _first_free(
    request: ChatRequest, targets: Sequence[Target]
) -> Generator[Effect, Outcome, tuple[Admitted | None, Target]]:
    """(the first that goes at once, the one that waits least)."""
    least, soonest = None, targets[0]
    for target in targets:
        if (found := scope(target)) is None:
            return (target, None), target
        permit = Permit(found, request)
        verdict = yield from attempt(found.store, found.key, found.rules, permit)
        if verdict.granted:
            return (target, permit), target
        if least is None or verdict.wait < least:
            least, soonest = verdict.wait, target
    return None, soonest

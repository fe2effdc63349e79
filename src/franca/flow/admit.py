"""Which of the targets that may be tried goes next, as their limits allow."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, Any

from franca.errors import RateLimitError
from franca.flow.effects import Effect, Sleep
from franca.flow.fitting import fitted
from franca.flow.health import health_of
from franca.settings.target import Target
from franca.types import ChatRequest

if TYPE_CHECKING:
    from franca.flow.permits import Permit
    from franca.flow.run import Run
    from franca.limits.scopes import Scope
    from franca.tokens.truncate import Truncation


@dataclass(slots=True, eq=False)
class Admitted:
    """A target that may be tried now, and the request as it goes there.

    Args:
        truncation: what was left out of it.
        permit: what it holds of the target's limits, None where nothing is limited.
        probes: whether it is the one probe of a target that was out.
    """

    target: Target
    request: ChatRequest
    truncation: Truncation | None = None
    permit: Permit | None = None
    probes: bool = False


def admit(run: Run, targets: Sequence[Target]) -> Generator[Effect, Any, Admitted]:
    """The first target that need not wait, else the one that waits least, after its wait.

    Raises:
        ContextLengthError: the request does not fit into its context.
        RateLimitError: the wait would be longer than `max_wait`, or than the deadline.
    """
    request = run.request
    if len(targets) > 1:
        admitted, waits = yield from _first_free(run, targets)
        if not waits:
            return admitted
    else:
        admitted = Admitted(targets[0], *(yield from fitted(request, targets[0])))
    target, found = admitted.target, _scope(admitted.target)
    if found is None:
        yield from _unheld(run, target)
        return admitted
    permits = _permits()
    admitted.permit = permit = permits.Permit(found, admitted.request)
    if found.book is not None and found.book.grant(found.rules, permit):
        return admitted
    patience = run.patience(found.max_wait)
    try:
        yield from permits.acquire(found.store, found.key, found.rules, permit, patience)
    except RateLimitError as error:
        error.backend, error.endpoint_id = target.backend, target.endpoint_id
        raise
    return admitted


def _first_free(
    run: Run, targets: Sequence[Target]
) -> Generator[Effect, Any, tuple[Admitted, bool]]:
    """(the first that goes at once, else the one that waits least; whether it waits)."""
    least, soonest = None, None
    for target in targets:
        admitted = Admitted(target, *(yield from fitted(run.request, target)))
        if (found := _scope(target)) is None:
            wait = max(health_of(target).held - run.now(), 0.0)
        else:
            wait = yield from _wait(admitted, found)
        if not wait:
            return admitted, False
        if least is None or wait < least:
            least, soonest = wait, admitted
    assert soonest is not None
    return soonest, True


def _wait(admitted: Admitted, found: Scope) -> Generator[Effect, Any, float]:
    """Seconds until its limits allow it; 0 where they do, and it holds its permit."""
    from franca.limits.model import SECOND

    permits = _permits()
    admitted.permit = permit = permits.Permit(found, admitted.request)
    if found.book is not None and found.book.grant(found.rules, permit):
        return 0.0
    verdict = yield from permits.attempt(found.store, found.key, found.rules, permit)
    return 0.0 if verdict.granted else max(verdict.wait, 1) / SECOND


def _unheld(run: Run, target: Target) -> Generator[Effect, Any, None]:
    """Wait out what the vendor of an endpoint without limits asked for, while it asks for it."""
    health, now = health_of(target), run.now()
    if health.held <= now:
        return
    patience = run.patience(None)
    ends = now + (target.policy.max_retry_delay if patience is None else patience)
    while (wait := health.held - now) > 0:
        if now + wait > ends:
            raise RateLimitError(
                f"the vendor wants no request for another {wait:.3g} s",
                backend=target.backend,
                endpoint_id=target.endpoint_id,
                retry_after=wait,
            )
        yield Sleep(run.drawn(wait, ends - now))
        now = run.now()


@cache
def _permits() -> ModuleType:
    """Loaded with the first limit; an import at each call would cost a microsecond."""
    from franca.flow import permits

    return permits


def _scope(target: Target) -> Scope | None:
    """What limits the target; where nothing does, nothing of the limits is loaded."""
    try:
        return target.kept["limits"]
    except KeyError:
        if target.counting is None:
            return target.kept.setdefault("limits", None)
    from franca.limits.scopes import scope

    return scope(target)

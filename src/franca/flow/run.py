"""One call under way: what it may still do, and what it has met with."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from random import random
from typing import Any

from franca.errors import CallError, RateLimitError, TimeoutError
from franca.flow.health import Health, brief, health_of
from franca.flow.hooks import Hooks, Moment, Watch, log
from franca.flow.order import Turns
from franca.flow.retry import backoff, meaning
from franca.settings.policy import Strategy
from franca.settings.target import Target
from franca.types import ChatRequest

_SLOW = 60.0
"""Seconds: no quick failure counts for a slower answer than that."""


def _no_clock() -> float:
    raise RuntimeError("the flow has no clock of its own: its driver's client gives it one")


@dataclass(slots=True, frozen=True)
class Conduct:
    """A client's constants for all its calls.

    Args:
        now: seconds, of a clock that only grows. random: numbers in [0, 1).
        strategy: instead of the settings'.
        turns: whose turn it is.
    """

    now: Callable[[], float] = _no_clock
    random: Callable[[], float] = random
    strategy: Strategy | None = None
    hooks: tuple[Hooks, ...] = ()
    turns: Turns = field(default_factory=Turns)


@dataclass(slots=True, frozen=True)
class Route:
    """Where a call may go.

    Args:
        targets: the model's own endpoints.
        fallbacks: those of further models, for when none of these answers.
        context: those of models for a prompt that is too long for it.
    """

    targets: Sequence[Target]
    fallbacks: Sequence[Sequence[Target]] = ()
    context: Sequence[Sequence[Target]] = ()


class Run:
    """One call's state.

    Attributes:
        deadline: when it must be over, None for whenever.
        errors: what its tries met, oldest first.
        tries: how many there were. tried: where, by its health. last: where it was last sent.
        wait: seconds before the next.
        free: whether the next is outside the budgets of endpoints that are not out: the vendor has
            named its time, or has refused the key.
    """

    __slots__ = ("conduct", "deadline", "delay", "errors", "free", "last", "max_retries", "now",
                 "policy", "request", "tried", "tries", "wait", "watch")  # fmt: skip

    def __init__(self, request: ChatRequest, target: Target, conduct: Conduct) -> None:
        self.request, self.conduct, self.now = request, conduct, conduct.now
        self.policy = policy = target.policy
        self.max_retries = _given(request.max_retries, policy.max_retries)
        self.delay = _given(request.retry_delay, policy.retry_delay)
        span = _given(request.deadline, policy.deadline)
        self.deadline = None if span is None else conduct.now() + span
        self.errors: list[CallError] = []
        self.tries, self.free, self.wait = 0, True, 0.0
        self.tried: set[Health] = set()
        self.last: Target | None = None
        self.watch = Watch(conduct.hooks, request, conduct.now) if conduct.hooks else None

    def left(self) -> float | None:
        """Seconds until the deadline."""
        return None if self.deadline is None else max(self.deadline - self.now(), 0.0)

    def patience(self, otherwise: float | None) -> float | None:
        """Seconds to wait at most for limits, None for as long as it takes; a retry waits no longer
        than between tries.

        Args:
            otherwise: where the call names none.
        """
        most = [_given(self.request.max_wait, otherwise), self.left()]
        most += [self.policy.max_retry_delay] if self.tries else []
        return min((seconds for seconds in most if seconds is not None), default=None)

    def until(self, target: Target, began: float) -> float | None:
        """When a try that begins then must have its answer."""
        span = self.request.timeout or target.endpoint.timeout or self.policy.timeout
        if span is None:
            return self.deadline
        ends = began + span
        return ends if self.deadline is None else min(ends, self.deadline)

    def drawn(self, told: float, most: float, attempt: int = 1) -> float:
        """Seconds to wait before the n-th retry, on top of those that a vendor has told all of its
        callers: they do not come back together either.

        Args:
            most: in all. Of what the deadline leaves after the told ones half is for the answer.
        """
        wait = backoff(attempt, self.delay, self.policy.max_retry_delay, self.conduct.random())
        if not told:
            return wait
        room = most - told
        if (left := self.left()) is not None:
            room = min(room, (left - told) / 2)
        return told + max(min(wait, room), 0.0)

    def tell(self, moment: Moment, target: Target, **facts: Any) -> None:
        """Tell the hooks."""
        if self.watch is not None:
            self.watch.tell(moment, target, self.tries, **facts)

    def payable(self, target: Target) -> bool:
        """Whether all calls together may send the endpoint one more retry."""
        return self._gratis(target) or health_of(target).reserve >= 1

    def _gratis(self, target: Target) -> bool:
        """Whether it costs nothing of a budget: never where the endpoint is out, or every call
        would ask all whose keys are refused."""
        return not self.tries or (self.free and not health_of(target).until)

    def sends(self, target: Target) -> bool:
        """A try goes out; whether it is a retry that was paid for."""
        gratis = self._gratis(target)
        self.tries += 1
        if self.errors:
            self._again(target, self.errors[-1])
        health = health_of(target)
        self.tried.add(health)
        self.last = target
        self.tell("on_request", target)
        if gratis:
            return False
        health.reserve -= 1
        health.retries += 1
        return True

    def untried(self, targets: Iterable[Target]) -> Iterator[str]:
        """Those that were left out, and for what."""
        for target in targets:
            health = health_of(target)
            if health not in self.tried and health.open(self.now()):
                yield f"{target.endpoint_id}: {health.last}"

    def failed(self, target: Target, began: float, error: CallError) -> None:
        """A try has met this: remember it for the call and for the endpoint."""
        self.errors.append(error)
        kind, asked = meaning(error), isinstance(error, RateLimitError) and error.retry_after
        self.free, self.wait = bool(asked) or kind in ("out", "caller"), 0.0
        if not (isinstance(error, TimeoutError) and self._hurried(target, began)):
            judge(target, began, self.now(), error, stream=self.request.stream)

    def _hurried(self, target: Target, began: float) -> bool:
        """Whether the call's deadline, not the try's own timeout, has ended a try."""
        return self.deadline is not None and self.until(target, began) == self.deadline

    def _again(self, target: Target, error: CallError) -> None:
        retry = health_of(target) in self.tried
        facts: dict[str, Any] = {"error": error} | ({"wait": self.wait} if retry else {})
        self.tell("on_retry" if retry else "on_failover", target, **facts)
        if log.isEnabledFor(logging.INFO):
            how = f"again after {self.wait:.3g} s" if retry else "instead"
            place = f"{target.backend}/{target.endpoint_id}"
            log.info("franca: %s; try %d, %s %s", brief(error), self.tries, place, how)


def judge(target: Target, began: float, now: float, error: CallError, *, stream: bool) -> None:
    """What an error says of its endpoint."""
    health, policy, kind = health_of(target), target.policy, meaning(error)
    out = False
    if kind == "out":
        out = health.refused(began, now, policy, error)
    elif kind == "caller":
        if error.status_code:  # it is well enough to say so
            health.succeeded(began, now, policy, again=False)
    elif isinstance(error, RateLimitError):
        health.hold(now + (error.retry_after or 0.0))
    else:
        average = health.first if stream else health.whole
        average.add(max(now - began, min(2 * (average.value or 0.0), _SLOW)), now)
        health.hold(now + (error.retry_after or 0.0))  # as a 503 may ask
        out = health.failed(began, now, policy, error)
    if out:
        log.warning(
            "franca: %s/%s is out for %.0f s: %s",
            target.backend, target.endpoint_id, health.until - now, brief(error),
        )  # fmt: skip


def _given(asked: Any, otherwise: Any) -> Any:
    return otherwise if asked is None else asked

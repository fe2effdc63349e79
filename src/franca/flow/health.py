"""How an endpoint fares with a model: what its calls met with, whether it is out, and for how long.

Shared by all of a process's clients. Times are seconds on the caller's clock.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal
from weakref import WeakSet

from franca.errors import CallError
from franca.settings.policy import Policy
from franca.settings.target import Endpoint, Target

_PARTS = 6  # of the window in which errors are counted
_MEMORY = 10.0  # seconds in which an average of latency loses two thirds of its weight
_MOST = 20.0  # retries that good calls can put by
_SHARE = 0.2  # of a retry that a good call puts by, as the AWS SDKs have it
_WORD = re.compile(r"\S{1,80}")


@dataclass(slots=True, frozen=True)
class EndpointHealth:
    """An endpoint as `client.health()` shows it.

    Args:
        state: `closed`: it is called; `open`: it is out; `half_open`: the next call probes it.
        failures: in a row. error_rate: of the last `window` seconds, None without calls.
        out_for: seconds until it is probed.
        busy: this process's calls in flight there.
        latency: seconds to an answer, or to a stream's first visible event; moving averages that
            keep peaks. None before the first.
        last_error: the last failure's class, status and the vendor's code.
    """

    backend: str
    model: str
    endpoint_id: str
    state: Literal["closed", "open", "half_open"]
    failures: int
    error_rate: float | None
    out_for: float
    busy: int
    latency: float | None
    first_token: float | None
    last_error: str | None


class Average:
    """A moving average of latency that a peak lifts at once, and that time brings down."""

    __slots__ = ("at", "value")

    def __init__(self) -> None:
        self.value: float | None = None
        self.at = 0.0

    def add(self, seconds: float, now: float) -> None:
        """One more sample."""
        before = self.value
        if before is None or seconds > before:
            self.value = seconds
        else:
            old = math.exp((self.at - now) / _MEMORY)
            self.value = before * old + seconds * (1 - old)
        self.at = now

    def load(self, now: float) -> float:
        """What to expect; 0 where nothing is known, and less the longer nothing was heard."""
        return 0.0 if self.value is None else self.value * math.exp((self.at - now) / _MEMORY)


class Errors:
    """How many calls went well and how many failed in the last window."""

    __slots__ = ("_bad", "_good", "_part")

    def __init__(self) -> None:
        self._good, self._bad, self._part = [0] * _PARTS, [0] * _PARTS, 0

    def add(self, good: bool, now: float, window: float) -> None:
        """One more call."""
        self._turn(int(now * _PARTS / window))
        counts = self._good if good else self._bad
        counts[self._part % _PARTS] += 1

    def counts(self, now: float, window: float) -> tuple[int, int]:
        """(those that failed, all)."""
        self._turn(int(now * _PARTS / window))
        bad = sum(self._bad)
        return bad, bad + sum(self._good)

    def _turn(self, part: int) -> None:
        for gone in range(max(self._part + 1, part - _PARTS + 1), part + 1):
            self._good[gone % _PARTS] = self._bad[gone % _PARTS] = 0
        self._part = max(self._part, part)


_all: WeakSet[Health] = WeakSet()


class Health:
    """One endpoint's state for one model.

    Outcomes of calls that began before it was taken out say nothing of it since.

    Attributes:
        busy: this process's calls in flight, by an object of each.
        until: when it may be probed; 0 while it is not out.
        held: until when its vendor wants no request.
        reserve: retries that may be sent to it. retries: those that were paid for, under way.
    """

    __slots__ = (
        "__weakref__",
        "_ejections",
        "_errors",
        "_out",
        "_probe",
        "_reserve",
        "busy",
        "failures",
        "first",
        "held",
        "last",
        "reserve",
        "retries",
        "until",
        "whole",
    )  # fmt: skip

    def __init__(self, reserve: float) -> None:
        self._reserve = reserve
        self.anew()
        _all.add(self)

    def anew(self) -> None:
        """As if nothing had been asked of it yet."""
        self.busy: set[object] = set()
        self.failures = self.retries = self._ejections = 0
        self.until = self._out = self._probe = self.held = 0.0
        self.reserve = self._reserve
        self.first, self.whole = Average(), Average()
        self.last: str | None = None
        self._errors = Errors()

    def open(self, now: float) -> bool:
        """Whether it is out, or its one probe is under way."""
        return self.until > 0 and (now < self.until or now < self._probe)

    def probe(self, now: float, policy: Policy) -> bool:
        """Take the one probe of an endpoint whose time is over; False where none is due.

        Nothing is called between the look and the mark, so that no other thread comes between.
        """
        if not self.until or now < self.until or now < self._probe:
            return False
        self._probe = now + policy.recovery_time
        return True

    def unprobed(self) -> None:
        """The probe was not sent, or is over."""
        self._probe = 0.0

    def succeeded(self, began: float, now: float, policy: Policy, *, again: bool) -> None:
        """A call that began then was answered; `again`: it was a retry.

        A good retry gives back what it cost, and one more where nothing has failed of late: a crowd
        that moves here doubles with each round.
        """
        self.failures = 0
        gain = _SHARE
        if again:
            gain = 1.0 if self._errors.counts(now, policy.window)[0] else 2.0
        self.reserve = min(self.reserve + gain, max(_MOST, policy.budget))
        self._errors.add(True, now, policy.window)
        if self.until and began >= self._out:
            self.until = self._probe = 0.0

    def failed(self, began: float, now: float, policy: Policy, error: CallError) -> bool:
        """A call that began then failed by the endpoint's fault; whether that takes it out."""
        self.last = brief(error)
        self.failures += 1
        self._errors.add(False, now, policy.window)
        if began < self._out or now < self.until:
            return False
        if self.until or self._worn(now, policy):
            self.eject(now, policy)
            return True
        return False

    def refused(self, began: float, now: float, policy: Policy, error: CallError) -> bool:
        """The endpoint may not be used: it is out at once. Whether it was not before."""
        self.last = brief(error)
        if began < self._out or now < self.until:
            return False
        self.eject(now, policy)
        return True

    def eject(self, now: float, policy: Policy) -> None:
        """Out, the n-th time n times as long; who was well for long enough begins anew."""
        if now - self._out > 2 * policy.max_recovery_time:
            self._ejections = 0
        self._ejections += 1
        span = min(policy.recovery_time * self._ejections, policy.max_recovery_time)
        self._out, self.until, self._probe = now, now + span, 0.0

    def hold(self, until: float) -> None:
        """The vendor wants no request before then."""
        self.held = max(self.held, until)

    def _worn(self, now: float, policy: Policy) -> bool:
        if policy.failure_threshold and self.failures >= policy.failure_threshold:
            return True
        bad, calls = self._errors.counts(now, policy.window)
        return calls >= policy.min_calls and policy.error_rate < 1 and (
            bad >= policy.error_rate * calls
        )  # fmt: skip

    def report(self, target: Target, now: float) -> EndpointHealth:
        """How it stands."""
        bad, calls = self._errors.counts(now, target.policy.window)
        out = self.until > 0 and now < self.until
        return EndpointHealth(
            target.backend,
            target.model,
            target.endpoint_id,
            "open" if out else "half_open" if self.until else "closed",
            self.failures,
            bad / calls if calls else None,
            max(self.until - now, 0.0),
            len(self.busy),
            self.whole.value,
            self.first.value,
            self.last,
        )


def health_of(target: Target) -> Health:
    """The target's, the same for all clients of the endpoint's model."""
    try:
        return target.kept["health"]
    except KeyError:
        found = _health(target.endpoint, target.model_id, target.policy.budget)
        return target.kept.setdefault("health", found)


@lru_cache(maxsize=4096)
def _health(endpoint: Endpoint, model_id: str, budget: float) -> Health:
    return Health(budget)


def unhold() -> None:
    """No vendor wants anybody to wait any more: for tests, in which nobody waits."""
    for health in list(_all):
        health.held = 0.0


def forget() -> None:
    """Every endpoint begins anew in this process: for tests."""
    for health in list(_all):
        health.anew()


def brief(error: CallError) -> str:
    """An error in words that hold nothing of the prompt: its class, its status, and its code where
    that is a word: some vendors put a sentence there."""
    status = f" HTTP {error.status_code}" if error.status_code else ""
    code = f" ({error.code})" if _WORD.fullmatch(error.code or "") else ""
    return f"{type(error).__name__}{status}{code}"

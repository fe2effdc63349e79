"""How a lease is come by, whatever the store and whoever drives: one generator."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from franca.errors import RateLimitError
from franca.limits.model import (
    FOREVER,
    SECOND,
    Lease,
    Pause,
    Reserve,
    Rules,
    Settle,
    Store,
    Verdict,
)

_POLL = 2 * SECOND  # a ring may be lost: who waits for a slot asks again so often

Step = Reserve | Settle | Pause


def acquire(
    store: Store, key: str, rules: Rules, lease: Lease, max_wait: float | None = None
) -> Generator[Step, Any, None]:
    """Until the lease holds. Whatever ends this otherwise gives back the lease.

    Args:
        max_wait: seconds; None waits as long as it takes, 0 not at all.

    Raises:
        RateLimitError: it would have to wait longer; `retry_after` says how long.
    """
    patience = FOREVER if max_wait is None else int(max_wait * SECOND)
    ask = Reserve(store, key, rules, lease, patience)
    ends = 0
    try:
        while True:
            verdict = yield ask
            assert isinstance(verdict, Verdict)
            if verdict.granted:
                lease.at, lease.busy = verdict.now, verdict.busy
                return
            ends = ends or verdict.now + patience
            left = ends - verdict.now
            if not verdict.queued or left <= 0 or (verdict.known and verdict.wait > left):
                raise _refused(key, verdict)
            yield Pause(lease, verdict.wait if verdict.known else min(_POLL, left))
    except GeneratorExit:
        raise  # nobody is there to answer: the lease ends with its owner
    except BaseException:
        yield Settle(store, key, rules, lease)
        raise


def attempt(store: Store, key: str, rules: Rules, lease: Lease) -> Generator[Step, Any, Verdict]:
    """One try, which does not queue; gives back the lease where it is interrupted."""
    try:
        verdict = yield Reserve(store, key, rules, lease, 0)
    except GeneratorExit:
        raise
    except BaseException:
        yield Settle(store, key, rules, lease)
        raise
    assert isinstance(verdict, Verdict)
    if verdict.granted:
        lease.at, lease.busy = verdict.now, verdict.busy
    return verdict


def _refused(key: str, verdict: Verdict) -> RateLimitError:
    seconds = verdict.wait / SECOND
    if verdict.away:
        words = f"nothing is granted of the limits of {key} while who counts them does not answer"
    else:
        about = "" if verdict.known else "about "
        words = f"the limits of {key} are used up: it would have to wait {about}{seconds:.3g} s"
    return RateLimitError(words, retry_after=seconds)

"""`RateLimiter`: the same limits for whatever people call themselves."""

from __future__ import annotations

import math
import warnings
from collections.abc import Generator
from dataclasses import asdict, dataclass
from operator import index
from pathlib import Path
from types import TracebackType
from typing import Any

from franca.limits.acquire import acquire, attempt
from franca.limits.drive import adrive, aperform, drive
from franca.limits.model import (
    SECOND,
    Lease,
    Look,
    Rules,
    Settle,
    Standing,
    Store,
    Window,
)
from franca.limits.opening import open_store

_SPOKEN = {"requests/1": "requests a second"}


@dataclass(slots=True, frozen=True)
class Stats:
    """How a limiter stands, over all who share it.

    Args:
        requests_used etc.: within the last minute (second), limits that are not set count nothing.
        requests_limit etc.: None where no limit is set.
        concurrent: leases that are held.
        waiting: who waits.
        held_for: seconds until anybody is let through again.
    """

    requests_used: int = 0
    requests_limit: int | None = None
    requests_per_second_used: int = 0
    requests_per_second_limit: int | None = None
    tokens_used: int = 0
    tokens_limit: int | None = None
    input_tokens_used: int = 0
    input_tokens_limit: int | None = None
    output_tokens_used: int = 0
    output_tokens_limit: int | None = None
    concurrent: int = 0
    max_concurrent: int | None = None
    waiting: int = 0
    held_for: float = 0.0

    def as_dict(self) -> dict[str, int | float | None]:
        """The same as a dict."""
        return asdict(self)


class RateLimiter:
    """At most so many requests and tokens in any minute, and so many calls at a time.

    Limiters of one name, on one store, with the same kinds of limits, share them: in a process
    (`memory`), on a host (a directory) or across hosts (Redis). First come, first served.

    Args:
        requests_per_minute, tokens_per_minute, requests_per_second: in any minute or second,
            wherever it begins; None: any number.
        input_tokens_per_minute, output_tokens_per_minute: where the two are limited apart.
        max_concurrent: leases held at a time.
        store: `"memory"`, a directory, the URL of a Redis (`docs/limits.md` names the forms), or
            an open store.
        name: whose limits these are.
        lease_time: seconds after which the lease of a process that died is free again; 1 or more.

    Raises:
        ValueError: a limit or lease_time below 1, or a store that is none.
        MissingExtraError: what the store stands on is not installed.
    """

    def __init__(
        self,
        requests_per_minute: int | None = None,
        tokens_per_minute: int | None = None,
        max_concurrent: int | None = None,
        *,
        store: str | Path | Store = "memory",
        name: str = "default",
        requests_per_second: int | None = None,
        input_tokens_per_minute: int | None = None,
        output_tokens_per_minute: int | None = None,
        lease_time: float = 30.0,
    ) -> None:
        figures = {
            "requests_per_minute": requests_per_minute,
            "tokens_per_minute": tokens_per_minute,
            "input_tokens_per_minute": input_tokens_per_minute,
            "output_tokens_per_minute": output_tokens_per_minute,
            "requests_per_second": requests_per_second,
        }
        _check_limits({**figures, "max_concurrent": max_concurrent})
        if not (math.isfinite(lease_time) and lease_time >= 1):
            raise ValueError(f"lease_time is a number of seconds from 1 on, not {lease_time}")
        if not name:
            raise ValueError("a limiter's name is not empty")
        windows = tuple(_window(field, limit) for field, limit in figures.items() if limit)
        self.name = name
        self._key = f"limiter:{name}"
        self._rules = Rules(windows, max_concurrent or 0, int(lease_time * SECOND))
        self._store = open_store(store)

    def acquire(
        self,
        tokens: int = 0,
        *,
        input_tokens: int | None = None,
        output_tokens: int | None = None,
        timeout: float | None = None,
    ) -> Acquisition:
        """One request and its tokens, in `with`, `async with`, by `await` or by `.wait()`.

        Args:
            tokens: how many it will take, prompt and answer together.
            input_tokens, output_tokens: the two apart, in place of `tokens`.
            timeout: the seconds it may wait; None: as long as it takes, 0: not at all.

        Raises:
            ValueError: more than a limit, which waiting does not help; or a negative number.
            RateLimitError: when it waits: it would have to wait longer than `timeout`, and
                `retry_after` says how long.
        """
        if timeout is not None and not timeout >= 0:
            raise ValueError(f"timeout is a number of seconds from 0 on, not {timeout}")
        amounts = self._reserved(tokens, input_tokens, output_tokens)
        max_wait = timeout if timeout is not None and math.isfinite(timeout) else None
        return Acquisition(self._store, self._key, self._rules, amounts, max_wait)

    def try_acquire(
        self,
        tokens: int = 0,
        *,
        input_tokens: int | None = None,
        output_tokens: int | None = None,
    ) -> bool:
        """Count one request and its tokens if there is room now, and say whether there was.

        It waits for nothing and holds nothing: under `max_concurrent` a slot must be free at
        this moment, and is not taken. Where the call itself shall hold one, `acquire(timeout=0)`.
        A store on a disk or a Redis is asked; asyncio does that in `acquire(timeout=0)` too.

        Raises:
            ValueError: more than a limit, or a negative number.
        """
        amounts = self._reserved(tokens, input_tokens, output_tokens)
        place = self._store, self._key, self._rules, Lease(amounts)
        granted = drive(attempt(*place)).granted
        if granted:
            self._store.perform(Settle(*place, amounts))
        return granted

    def get_stats(self) -> Stats:
        """How it stands now; asks the store, which for a disk or a Redis blocks."""
        return _stats(self._rules, self._store.perform(self._look()))

    async def aget_stats(self) -> Stats:
        """The same for asyncio."""
        return _stats(self._rules, await aperform(self._look()))

    def __repr__(self) -> str:
        limits = [f"{window.limit} {_spoken(window)}" for window in self._rules.windows]
        limits += [f"{self._rules.slots} at a time"] if self._rules.slots else []
        return f"<RateLimiter {self.name!r}: {', '.join(limits) or 'no limits'}>"

    def _look(self) -> Look:
        return Look(self._store, self._key, self._rules)

    def _reserved(self, tokens: int, given: int | None, taken: int | None) -> tuple[int, ...]:
        amounts = _amounts(self._rules, tokens, given, taken)
        for amount, window in zip(amounts, self._rules.windows, strict=True):
            if amount > window.limit:
                spoken = window.name.replace("_", " ")
                raise ValueError(
                    f"{amount} {spoken} at once: the limit is {window.limit} {_spoken(window)}"
                )
        return amounts


class RateLease:
    """A request's place under the limits, held until its block ends or it is released.

    What it reserved counts as used, unless `settle` or `cancel` says otherwise before the end. One
    that is forgotten frees its slot when it has been forgotten for the limiter's `lease_time`.
    """

    __slots__ = ("_billed", "_hold", "_key", "_lease", "_open", "_rules", "_store")

    def __init__(self, store: Store, key: str, rules: Rules, lease: Lease) -> None:
        self._store, self._key, self._rules, self._lease = store, key, rules, lease
        self._billed: tuple[int, ...] | None = lease.amounts
        self._hold = 0
        self._open = True

    def settle(
        self,
        tokens: int | None = None,
        *,
        input_tokens: int | None = None,
        output_tokens: int | None = None,
    ) -> None:
        """Say what was used in truth, in all or input and output apart; it counts at the end.

        Raises:
            ValueError: a negative number, or one of input and output without the other.
        """
        if (input_tokens is None) != (output_tokens is None):
            raise ValueError("give both input_tokens and output_tokens, or tokens")
        if tokens is None and input_tokens is None:
            raise ValueError("give tokens, or input_tokens and output_tokens")
        self._billed = _amounts(self._rules, tokens or 0, input_tokens, output_tokens)

    def cancel(self) -> None:
        """Say that nothing was sent: the end gives back the request and all its tokens."""
        self._billed = None

    def hold(self, seconds: float) -> None:
        """Say that the vendor refused it (a 429): from the end on nobody is let through for so
        long, by any limiter that shares these limits.

        Raises:
            ValueError: not a number of seconds from 0 on.
        """
        if not (math.isfinite(seconds) and seconds >= 0):
            raise ValueError(f"a hold is a number of seconds from 0 on, not {seconds}")
        self._hold = int(seconds * SECOND)

    def release(self) -> None:
        """End it, once; asks the store, which for a disk or a Redis blocks."""
        if self._open:
            self._store.perform(self._end())
            self._open = False

    async def arelease(self) -> None:
        """The same for asyncio; finished even where the task is cancelled meanwhile."""
        if self._open:
            await aperform(self._end())
            self._open = False

    def _end(self) -> Settle:
        place = self._store, self._key, self._rules, self._lease
        return Settle(*place, self._billed, hold=self._hold)

    def __enter__(self) -> RateLease:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    async def __aenter__(self) -> RateLease:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.arelease()


class Acquisition:
    """What `RateLimiter.acquire` gives: a lease to come, once.

    `with` and `async with` hold it for their block; `.wait()` and `await` give the lease, which
    then has to be released. Used in none of these ways it limits nothing, and warns.
    """

    __slots__ = ("_held", "_max_wait", "_parts", "_used")

    def __init__(
        self, store: Store, key: str, rules: Rules, amounts: tuple[int, ...], wait: float | None
    ) -> None:
        self._parts = store, key, rules, Lease(amounts)
        self._max_wait = wait
        self._used = False
        self._held: RateLease | None = None

    def wait(self) -> RateLease:
        """Block until the lease is held; whatever interrupts this leaves nothing behind.

        Raises:
            RateLimitError: it would have to wait longer than its timeout.
        """
        self._once()
        drive(acquire(*self._parts, self._max_wait))
        return RateLease(*self._parts)

    def __await__(self) -> Generator[Any, None, RateLease]:
        return self._awaited().__await__()

    async def _awaited(self) -> RateLease:
        self._once()
        await adrive(acquire(*self._parts, self._max_wait))
        return RateLease(*self._parts)

    def _once(self) -> None:
        if self._used:
            raise RuntimeError("this was acquired before: each call has an acquire() of its own")
        self._used = True

    def __enter__(self) -> RateLease:
        self._held = self.wait()
        return self._held

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._held is not None:
            self._held.release()

    async def __aenter__(self) -> RateLease:
        self._held = await self
        return self._held

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._held is not None:
            await self._held.arelease()

    def __bool__(self) -> bool:
        raise TypeError("acquire() says nothing yet: use `with`, or try_acquire() for yes or no")

    def __del__(self) -> None:
        if not self._used:
            warnings.warn(
                "acquire() was neither entered nor awaited: nothing was limited",
                RuntimeWarning,
                stacklevel=2,
            )


def _check_limits(limits: dict[str, int | None]) -> None:
    for name, limit in limits.items():
        if limit is not None and (not isinstance(limit, int) or limit < 1):
            raise ValueError(f"{name} is a whole number from 1 on, or None for any: not {limit!r}")


def _window(field: str, limit: int) -> Window:
    if field == "requests_per_second":
        return Window("requests/1", limit, SECOND)
    return Window(field.removesuffix("_per_minute"), limit)


def _spoken(window: Window) -> str:
    return _SPOKEN.get(window.name, f"{window.name.replace('_', ' ')} a minute")


def _amounts(rules: Rules, tokens: int, given: int | None, taken: int | None) -> tuple[int, ...]:
    """What a request takes of each window: one, or its tokens, in all or of either side."""
    apart = given is not None or taken is not None
    tokens, given, taken = index(tokens), index(given or 0), index(taken or 0)
    if min(tokens, given, taken) < 0:
        raise ValueError("tokens are not below 0")
    if apart and tokens:
        raise ValueError("give either tokens, or input_tokens and output_tokens")
    counts = {"tokens": tokens + given + taken, "input_tokens": given, "output_tokens": taken}
    if tokens and any(window.name in ("input_tokens", "output_tokens") for window in rules.windows):
        raise ValueError("input and output are limited apart: give input_tokens and output_tokens")
    return tuple(counts.get(window.name, 1) for window in rules.windows)


def _stats(rules: Rules, standing: object) -> Stats:
    assert isinstance(standing, Standing)
    figures: dict[str, Any] = {}
    for window, used, limit in zip(rules.windows, standing.used, standing.limits, strict=True):
        name = "requests_per_second" if window.name == "requests/1" else window.name
        figures |= {f"{name}_used": used, f"{name}_limit": limit}
    return Stats(
        **figures,
        concurrent=standing.busy,
        max_concurrent=rules.slots or None,
        waiting=standing.waiting,
        held_for=standing.hold / SECOND,
    )

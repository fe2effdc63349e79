"""What is asked of a store: leases, and what is to be done with them."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from typing import Protocol

from franca.limits.rules import (
    BUCKETS,
    FOREVER,
    MINUTE,
    SECOND,
    Rules,
    Seen,
    Standing,
    Verdict,
    Window,
)

__all__ = [
    "BUCKETS",
    "FOREVER",
    "MINUTE",
    "SECOND",
    "Answer",
    "Ask",
    "Lease",
    "Look",
    "Pause",
    "Reserve",
    "Rules",
    "Seen",
    "Settle",
    "Standing",
    "Store",
    "Verdict",
    "Window",
]


class Lease:
    """One call's place under the limits, from its asking to its settling.

    Made by the caller, so that giving it back needs no answer. While this object lives its owner
    does; whoever renews leases holds it weakly.

    Args:
        amounts: what is reserved of each window, in the rules' order.
        margins: what must be free beside that, and is not reserved: room for an answer that is
            longer than expected.
    """

    __slots__ = ("__weakref__", "_rung", "_wake", "amounts", "at", "busy", "id", "margins")

    def __init__(self, amounts: tuple[int, ...], margins: tuple[int, ...] | None = None) -> None:
        self.id = f"{_ids.prefix}{next(_ids.numbers)}"
        self.amounts = amounts
        self.margins = margins or (0,) * len(amounts)
        self.at = 0  # when it was granted, on the store's clock; 0: not yet
        self.busy = 0  # how many were then
        self._rung = False
        self._wake: Callable[[], object] | None = None

    def ring(self) -> None:
        """Wake whoever sleeps on it: from any thread, before the sleep or during it."""
        self._rung = True
        if (wake := self._wake) is not None:
            wake()

    def sleep(self, microseconds: int) -> None:
        """Block so long, or until it rings."""
        bell = threading.Event()
        self._wake = bell.set
        if not self._rung:
            bell.wait(microseconds / SECOND)
        self._wake, self._rung = None, False

    async def asleep(self, microseconds: int) -> None:
        """The same for asyncio."""
        loop = asyncio.get_running_loop()
        bell = asyncio.Event()
        self._wake = lambda: _set_soon(loop, bell)
        try:
            if not self._rung:
                async with asyncio.timeout(microseconds / SECOND):
                    await bell.wait()
        except TimeoutError:
            pass
        finally:
            self._wake, self._rung = None, False


def _set_soon(loop: asyncio.AbstractEventLoop, bell: asyncio.Event) -> None:
    with suppress(RuntimeError):  # its loop has ended, and its sleeper with it
        loop.call_soon_threadsafe(bell.set)


class _Ids:
    """A process's own names for its leases."""

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """Another process has begun."""
        self.prefix, self.numbers = f"{os.urandom(6).hex()}.", count(1)


_ids = _Ids()
os.register_at_fork(after_in_child=_ids.renew)


@dataclass(slots=True)
class Reserve:
    """Grant the lease, or queue it where it need not wait longer than `patience`.

    Asked again with a lease that is granted or queued, it tells how that stands.
    """

    store: Store
    key: str
    rules: Rules
    lease: Lease
    patience: int = FOREVER


@dataclass(slots=True)
class Settle:
    """The end of a lease, granted or queued; a second one changes nothing.

    Args:
        billed: what it took of each window in truth; None gives back all.
        seen: what the vendor said.
        hold: nobody is granted anything for so long; 0: no word of it, negative: no longer.
    """

    store: Store
    key: str
    rules: Rules
    lease: Lease
    billed: tuple[int, ...] | None = None
    seen: tuple[Seen, ...] = ()
    hold: int = 0


@dataclass(slots=True)
class Look:
    """How a scope stands."""

    store: Store
    key: str
    rules: Rules


@dataclass(slots=True)
class Pause:
    """Sleep on the lease: until it rings, at most so many microseconds."""

    lease: Lease
    microseconds: int


Ask = Reserve | Settle | Look
Answer = Verdict | Standing | None


class Store(Protocol):
    """Who counts. `perform` blocks (memory: never), `aperform` is for asyncio; both are safe for
    threads. Neither raises for a store that is away: what then holds is the store's affair."""

    local: bool
    """Whether `perform` never waits for anything, so that asyncio may call it too."""

    def perform(self, ask: Ask) -> Answer: ...
    async def aperform(self, ask: Ask) -> Answer: ...

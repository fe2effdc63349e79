"""What the limits speak of: rules, leases, what is asked of a store and what it answers.

Times and spans are whole microseconds of the store's own clock.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Protocol

SECOND = 1_000_000
MINUTE = 60 * SECOND
FOREVER = 1 << 52
BUCKETS = 256
"""A window's span is cut into so many buckets; any 257 in a row stay within the limit."""


@dataclass(slots=True, frozen=True)
class Window:
    """At most `limit` of something in any `span` microseconds.

    Args:
        name: what is counted, and (in a short window) in how many seconds: `requests`, `tokens`,
            `input_tokens`, `output_tokens`, `requests/1`.
    """

    name: str
    limit: int
    span: int = MINUTE
    width: int = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "width", -(-self.span // BUCKETS))


@dataclass(slots=True, frozen=True)
class Rules:
    """The limits of one scope.

    Args:
        slots: leases at a time, 0 for any number.
        lease: how long a lease outlives its owner.
    """

    windows: tuple[Window, ...] = ()
    slots: int = 0
    lease: int = 30 * SECOND
    shape: str = field(init=False, repr=False)
    """What is counted, whatever the figures: ledgers of another shape are other ledgers."""
    keep: int = field(init=False, repr=False)
    """How long a lease's record is kept unless it is renewed: until nothing of it can be
    given back, where no slot waits for it."""

    def __post_init__(self) -> None:
        shape = ",".join(f"{w.name}:{w.span // SECOND}" for w in self.windows)
        longest = max((w.span for w in self.windows), default=0)
        object.__setattr__(self, "shape", shape)
        object.__setattr__(self, "keep", self.lease if self.slots else longest + self.lease)


class Lease:
    """One call's place under the limits, from its asking to its settling.

    Made by the caller, so that giving it back needs no answer. While this object lives its owner
    does; whoever renews leases holds it weakly.

    Args:
        amounts: what is reserved of each window, in the rules' order.
        margins: what must be free beside that, and is not reserved: room for an answer that is
            longer than expected.
    """

    __slots__ = ("__weakref__", "_rung", "_wake", "amounts", "at", "id", "margins")

    def __init__(self, amounts: tuple[int, ...], margins: tuple[int, ...] | None = None) -> None:
        self.id = f"{_ids.prefix}{next(_ids.numbers):x}"
        self.amounts = amounts
        self.margins = margins or (0,) * len(amounts)
        self.at = 0  # when it was granted, on the store's clock; 0: not yet
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
class Verdict:
    """A store's answer to `Reserve`.

    Args:
        granted: the lease holds; its `at` is set.
        now: when this was decided.
        wait: otherwise, how long until it can be granted.
        known: False where the wait is for a slot: then it is a guess.
        queued: it has its place in the queue, and will ring when it is granted sooner.
    """

    granted: bool
    now: int
    wait: int = 0
    known: bool = True
    queued: bool = False


@dataclass(slots=True)
class Seen:
    """What a vendor's reply said of one window: its limit there, and what is left of it."""

    window: int
    limit: int
    remaining: int


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


@dataclass(slots=True)
class Standing:
    """A scope's use at one moment: `used` of each window (in the rules' order), slots in use,
    leases waiting, and for how long it is held."""

    now: int
    used: tuple[int, ...]
    limits: tuple[int, ...]
    busy: int
    waiting: int
    hold: int


Ask = Reserve | Settle | Look
Answer = Verdict | Standing | None


class Store(Protocol):
    """Who counts. `perform` blocks (memory: never), `aperform` is for asyncio; both are safe for
    threads. Neither raises for a store that is away: what then holds is the store's affair."""

    local: bool
    """Whether `perform` never waits for anything, so that asyncio may call it too."""

    def perform(self, ask: Ask) -> Answer: ...
    async def aperform(self, ask: Ask) -> Answer: ...

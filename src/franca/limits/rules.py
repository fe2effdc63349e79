"""The data of the arithmetic: what is limited, and what is answered.

Times and spans are whole microseconds of the store's own clock.
"""

from __future__ import annotations

from dataclasses import dataclass, field

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


@dataclass(slots=True)
class Verdict:
    """A store's answer to `Reserve`.

    Args:
        granted: the lease holds; its `at` is set.
        now: when this was decided.
        wait: otherwise, how long until it can be granted.
        known: False where the wait is for a slot: then it is a guess.
        queued: it has its place in the queue, and will ring when it is granted sooner.
        busy: how many leases of the scope are granted now, this one included.
        away: who counts does not answer, and until it does nothing is granted.
    """

    granted: bool
    now: int
    wait: int = 0
    known: bool = True
    queued: bool = False
    busy: int = 0
    away: bool = False


@dataclass(slots=True)
class Seen:
    """What a vendor's reply said of one window: its limit there, and what is left of it."""

    window: int
    limit: int
    remaining: int


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

"""What is said to Redis and what it answers, as data: which script, its keys, its arguments."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache, lru_cache
from importlib.resources import files
from struct import pack, unpack
from typing import Any

import msgspec

from franca.limits.model import Lease, Reserve, Settle
from franca.limits.rules import FOREVER, MINUTE, Rules, Seen, Standing, Verdict
from franca.limits.window import RING

_encode = msgspec.msgpack.Encoder().encode
_HEAD = ("NOW", "SEQ", "HOLD", "BACK", "KEPT", "EXPIRY", "TOUCHED", "BUSY", "WAITING")
"""The state's numbers, in their order. BACK: until when it is held for those who restore."""
_EACH = ("LAST", "USED", "CURRENT", "CAP", "UNTIL", "FOREIGN", "FOREIGN_AT", "QUEUED", "FIRST")
"""Then each window's: as in `Ring`, and the last bucket's count, what the queue wants of it, and
the bucket before which nothing is counted."""
_NUMBERS = {"HEAD": len(_HEAD), "EACH": len(_EACH), "RING": RING, "FOREVER": FOREVER}
_NUMBERS |= {name: place for names in (_HEAD, _EACH) for place, name in enumerate(names, 1)}
_RULES = ("SLOTS", "LEASE", "KEEP", "TTL", "WINDOWS")
"""The rules' numbers, behind six texts; then each window's LIMIT, SPAN, WIDTH: at 3 i + LIMIT."""
_NUMBERS |= {name: place for place, name in enumerate((*_RULES, "LIMIT", "SPAN", "WIDTH"), 7)}
_NUMBERS |= {name: _NUMBERS[name] - 3 for name in ("LIMIT", "SPAN", "WIDTH")}
_BRACES = str.maketrans("{}", "()")  # a hash tag ends at its first brace


@dataclass(slots=True, frozen=True)
class Script:
    """A script's source, and the name the server knows it by."""

    text: str
    sha: str = field(init=False)

    def __post_init__(self) -> None:
        sha = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()
        object.__setattr__(self, "sha", sha)


@cache
def script(name: str) -> Script:
    """The script of a name: `reserve`, `settle`, `renew`, `look` or `restore`."""
    folder = files("franca.limits.redis") / "lua"
    parts = [(folder / f"{part}.lua").read_text("utf-8") for part in ("open", name, "close")]
    whole = "".join(parts)
    for part in ("cells", "book"):
        whole = whole.replace(f"-- include {part}\n", (folder / f"{part}.lua").read_text("utf-8"))
    return Script(re.sub(r"\$(\w+)", lambda name: str(_NUMBERS[name[1]]), whole))


@dataclass(slots=True, frozen=True)
class Scope:
    """A scope's keys in Redis, all of one hash slot, and its rules as the scripts read them."""

    book: str
    queue: str
    members: str
    given: tuple[bytes, ...] = field(repr=False)
    layouts: str = field(repr=False)
    rules: bytes = field(repr=False)


@lru_cache(1024)
def scope_of(prefix: str, key: str, rules: Rules) -> Scope:
    """Where the ledger of these rules is kept, whatever their figures."""
    tag = f"{prefix.translate(_BRACES)}:{{{f'{key}|{rules.shape}'.translate(_BRACES)}}}"
    longest = max([rules.lease, MINUTE, *(window.span for window in rules.windows)])
    count = len(rules.windows)
    head, record = len(_HEAD) + len(_EACH) * count, 4 + 2 * count
    layouts = f"<{'d' * head}s", f"<{'d' * record}s"
    flat = [rules.slots, rules.lease, rules.keep, 4 * longest, count]
    for window in rules.windows:
        flat += window.limit, window.span, window.width
    keys = [f"{tag}:{name}" for name in ("b", "q", "m")]
    given = b"2", keys[0].encode(), keys[1].encode()
    return Scope(*keys, given, "\0".join(layouts), pack(f"<{len(flat)}d", *flat))


@dataclass(slots=True)
class Known:
    """What a client knows of a scope's state: which one it is ("" for none yet), how many grants
    of it there were, and the name of the one to begin where there is none. Never changed: several
    threads read it."""

    epoch: str = ""
    seen: int = 0
    proposal: str = ""


@dataclass(slots=True)
class Command:
    """One call of a script: how many keys, the keys, the arguments."""

    script: str
    given: tuple[bytes, ...]


@dataclass(slots=True)
class Reply:
    """What a script answered.

    Args:
        lost: the state is not the one the client knew, and nothing was changed.
        epoch, seq: of the state that is; "" where there is none.
        values: the rest, in the script's own order.
        texts: the members, of `renew`.
    """

    lost: bool
    epoch: str
    seq: int
    values: tuple[int, ...]
    texts: tuple[str, ...] = ()


def read(raw: bytes | list[Any]) -> Reply:
    """A script's answer."""
    texts: tuple[str, ...] = ()
    if not isinstance(raw, bytes):
        texts, raw = tuple(text.decode() for text in raw[1]), raw[0]
    epoch, _, numbers = raw.partition(b"\0")
    seq, *values = unpack(f"<{len(numbers) // 8}q", numbers)
    return Reply(not values, epoch.decode(), seq, tuple(values), texts)


def _command(
    script: str,
    scope: Scope,
    known: Known,
    id_: str,
    now: int | None,
    text: str = "",
    numbers: Iterable[int] = (),
) -> Command:
    """What every script is asked, and this one: see open.lua."""
    texts = f"{known.epoch}\0{known.proposal}\0{id_}\0{scope.layouts}\0{text}\0".encode()
    figures = (-1 if now is None else now, known.seen, *numbers)
    packed = scope.rules + pack(f"<{len(figures)}d", *figures)
    return Command(script, (*scope.given, _layout(len(packed) // 8), texts + packed))


@cache
def _layout(count: int) -> bytes:
    return b"<ssssss" + b"d" * count


def reserve(
    scope: Scope, known: Known, ask: Reserve, owner: str, now: int | None = None
) -> Command:
    """Ledger.reserve.

    Args:
        owner: the channel on which the lease is rung.
        now: instead of the server's time, in tests.
    """
    lease = ask.lease
    numbers = (ask.patience, *lease.amounts, *lease.margins)
    return _command("reserve", scope, known, lease.id, now, owner, numbers)


def verdict(reply: Reply) -> Verdict:
    """The answer to `reserve`."""
    granted, now, wait, known, queued, busy = reply.values
    return Verdict(granted == 1, now, wait, known == 1, queued == 1, busy)


def settle(scope: Scope, known: Known, ask: Settle, now: int | None = None) -> Command:
    """Ledger.settle."""
    return end(scope, known, ask.lease, ask.billed, ask.seen, ask.hold, now)


def end(
    scope: Scope,
    known: Known,
    lease: Lease,
    billed: tuple[int, ...] | None = None,
    seen: tuple[Seen, ...] = (),
    hold: int = 0,
    now: int | None = None,
) -> Command:
    """The same without an ask."""
    words = [n for word in seen for n in (word.window + 1, word.limit, word.remaining)]
    took = billed or (0,) * len(lease.amounts)
    return _command("settle", scope, known, lease.id, now, "", (hold, *took, *words))


def look(scope: Scope, now: int | None = None) -> Command:
    """Ledger.look; of a state that is not there it makes none."""
    return _command("look", scope, Known(), "", now)


def standing(reply: Reply) -> Standing:
    """The answer to `look`."""
    now, busy, waiting, hold, *windows = reply.values
    return Standing(now, tuple(windows[::2]), tuple(windows[1::2]), busy, waiting, hold)


def renew(
    scope: Scope,
    known: Known,
    member: str,
    ids: list[str],
    channel: str = "",
    now: int | None = None,
) -> Command:
    """Ledger.renew; and the member lives.

    Args:
        channel: where the others hear of a new member, by the name of the scope's book.
    """
    _, book, queue, *argv = _command("renew", scope, known, "", now, member).given
    return Command(
        "renew", (b"3", book, queue, scope.members.encode(), *argv, _encode((channel, ids)))
    )


def members(reply: Reply) -> list[str]:
    """The answer to `renew`: who lives."""
    return list(reply.texts)


@dataclass(slots=True, frozen=True)
class Entry:
    """What a member remembers of one of its leases.

    Args:
        amounts: what it took in the end, or was granted so far.
        rest: for how many microseconds it still holds unless it is renewed.
        alone: the server has never heard of it, whenever it was.
    """

    id: str
    at: int
    amounts: tuple[int, ...]
    settled: bool
    rest: int = 0
    alone: bool = False


def restore(
    scope: Scope,
    known: Known,
    member: str,
    expected: list[str],
    span: int,
    entries: list[Entry],
    channel: str = "",
    now: int | None = None,
) -> Command:
    """Put back what a state forgot. Where nobody has yet begun the state `known.proposal` in place
    of `known.epoch`, this does, and nobody is granted anything until all who are expected have put
    back theirs, or `span` has passed. A member's second time changes nothing.

    Args:
        channel: where to tell the other members, by the name of the scope's book.
    """
    rows = [(e.id, e.at, e.settled + 2 * e.alone, e.rest, *e.amounts) for e in entries]
    asked = Known("", known.seen, known.proposal)
    command = _command("restore", scope, asked, "", now, member, (span,))
    more = b"".join(map(_encode, (known.epoch, expected, channel, rows)))
    return Command(command.script, (*command.given, more))


def awaited(reply: Reply) -> int:
    """The answer to `restore`: how many members it still waits for."""
    return reply.values[0]

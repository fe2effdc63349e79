"""A ledger as bytes, and back: msgpack, so that foreign bytes can be wrong but never run."""

from __future__ import annotations

import msgspec

from franca.limits.ledger import Granted, Ledger, Waiting
from franca.limits.model import FOREVER, Rules
from franca.limits.window import RING

_VERSION = 1
_HEAD = 4  # bytes that tell the length of what follows
_STEP = 1024  # and it is filled up so far: sqlite writes a row of the same size in half the time
_Ring = tuple[int, int, int, int, int, int, list[int]]
_Granted = tuple[int, int, tuple[int, ...], tuple[int, ...], int]
_Waiting = tuple[int, int, bool, tuple[int, ...], tuple[int, ...], int]


class _State(msgspec.Struct, array_like=True):
    version: int
    now: int
    hold: int
    kept: int
    expiry: int
    rings: list[_Ring]
    granted: dict[str, _Granted]
    queue: dict[str, _Waiting]


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_State)


def encode(ledger: Ledger) -> bytes:
    """All of a ledger, whose owners are whole numbers."""
    state = _encoder.encode(
        _State(
            _VERSION,
            ledger.now,
            ledger.hold,
            ledger.kept,
            ledger.expiry,
            [
                (r.last, r.used, r.cap, r.cap_until, r.foreign, r.foreign_at, r.counts)
                for r in ledger.rings
            ],
            {
                id_: (g.expires, g.at, g.amounts, g.used, g.owner)
                for id_, g in ledger.granted.items()
            },
            {
                id_: (w.expires, w.due, w.known, w.amounts, w.margins, w.owner)
                for id_, w in ledger.queue.items()
            },
        )
    )
    told = len(state).to_bytes(_HEAD, "big") + state
    return told.ljust(-(-len(told) // _STEP) * _STEP, b"\0")


def decode(state: bytes, rules: Rules) -> Ledger:
    """The ledger that was encoded.

    Raises:
        ValueError: these bytes are no ledger, one of other rules, or of another version.
    """
    told = _decoder.decode(state[_HEAD : _HEAD + int.from_bytes(state[:_HEAD], "big")])
    if told.version != _VERSION or len(told.rings) != len(rules.windows):
        raise ValueError(f"version {told.version}, {len(told.rings)} windows")
    ledger = Ledger(rules)
    ledger.now, ledger.hold, ledger.kept, ledger.expiry = (
        told.now,
        told.hold,
        told.kept,
        told.expiry,
    )
    for ring, (last, used, cap, cap_until, foreign, foreign_at, counts) in zip(
        ledger.rings, told.rings, strict=True
    ):
        ring.last, ring.used, ring.cap, ring.cap_until = last, used, cap, cap_until
        ring.foreign, ring.foreign_at, ring.counts = foreign, foreign_at, counts
        if len(counts) != RING:
            raise ValueError(f"{len(counts)} buckets")
    ledger.granted = {id_: Granted(*each) for id_, each in told.granted.items()}
    ledger.queue = {id_: Waiting(*each) for id_, each in told.queue.items()}
    return ledger


def rebase(ledger: Ledger, now: int) -> None:
    """After the clock began anew: what was used counts as just used, and holds and lower limits
    last as long as they still had to. No process outlives a reboot, so no lease does."""
    gone = now - ledger.now
    for ring in ledger.rings:
        ring.advance(ledger.now // ring.width)
        buckets = now // ring.width - ring.last
        turn = -buckets % RING
        ring.counts = [*ring.counts[turn:], *ring.counts[:turn]]
        ring.last += buckets
        ring.foreign_at += buckets * ring.width
        ring.cap_until += gone
    ledger.hold += gone
    ledger.granted.clear()
    ledger.queue.clear()
    ledger.now, ledger.expiry = now, FOREVER

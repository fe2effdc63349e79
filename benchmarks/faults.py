"""What a call makes of each fault, as a table: driven through the public client, both wires, sync
and async, whole and streamed, against the simulator. `tests/conformance/test_faults.py` holds it.

    python benchmarks/faults.py
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from itertools import chain
from math import inf
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "conformance"))

from broken_streams import DAMAGES, STREAMS, Damage, broken, state
from faulty import FAULTS, WAYS, Fault, Scene, Seen, first, limits

GROUPS = (
    ("once, 1 endpoint", 1, {1}),
    ("once, 2 or 4", 1, {2, 4}),
    ("always, 1", inf, {1}),
    ("always, 2", inf, {2}),
    ("always, 4", inf, {4}),
)
"""A column: how many requests meet the fault, and how many endpoints there are."""


def seen(all_of: Iterable[Seen]) -> str:
    """What callers saw, each thing once: how many requests, and how it ended."""
    return " / ".join(sorted({_one(each) for each in all_of}))


def _one(each: Seen) -> str:
    error = each.error
    return f"{len(each.requests)}: {type(error).__name__ if error else 'answer'}"


def wait(all_of: Iterable[Seen]) -> str:
    """The shortest time between two requests to one endpoint, in tenths of seconds."""
    tenths = min((int(gap * 10) for each in all_of for gap in each.gaps()), default=0)
    return f"{tenths / 10:g} s" if tenths else "–"


def fault_row(scene: Scene, fault: Fault) -> list[str]:
    """A fault, met by the first request or by all."""
    done: dict[float, list[Seen]] = {}
    for bad in (1, inf):
        jobs = [(way, first(bad, fault), limits(fault.timed, bad)) for way in WAYS]
        done[bad] = scene.play(jobs)
    cells = [
        seen(s for way, s in zip(WAYS, done[bad], strict=True) if way.endpoints in numbers)
        for _, bad, numbers in GROUPS
    ]
    return [fault.name, *cells, "–" if fault.timed else wait(chain(*done.values()))]


def damage_row(scene: Scene, damage: Damage) -> list[str]:
    """A way to break, by what had arrived: nothing visible, something, the whole answer."""
    ways = [way for way in WAYS if way.stream]
    cases = [(way, at) for way in ways for at in range(len(STREAMS[way.wire]) + 1)]
    params = limits(damage.timed, 1)
    done = scene.play([(way, broken(way, damage, at), params) for way, at in cases])
    states = [state(way, at) for way, at in cases]
    kinds = [
        [s for s, t in zip(done, states, strict=True) if not t.visible],
        [s for s, t in zip(done, states, strict=True) if t.visible and not t.done],
        [s for s, t in zip(done, states, strict=True) if t.done],
    ]
    return [damage.name, *map(seen, kinds)]


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print it as Markdown."""
    for row in (head, ["---"] * len(head), *rows):
        print(f"| {' | '.join(row)} |", flush=True)
    print()


def main() -> None:
    """The command."""
    with Scene() as scene:
        rows = (fault_row(scene, fault) for fault in FAULTS)
        table(["the server's answer", *(title for title, _, _ in GROUPS), "waits"], rows)
        head = ["nothing was visible", "something was", "the answer was whole"]
        table(["a stream's end", *head], (damage_row(scene, damage) for damage in DAMAGES))


if __name__ == "__main__":
    main()

"""What limits hold for a target, and who counts them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from operator import itemgetter
from weakref import WeakValueDictionary

from franca.limits.estimate import Estimate
from franca.limits.memory import Book, MemoryStore
from franca.limits.model import SECOND, Rules, Store, Window
from franca.limits.opening import open_store
from franca.settings.target import Counting, Target

_WINDOWS = (
    ("rpm", "requests", 60),
    ("tpm", "tokens", 60),
    ("itpm", "input_tokens", 60),
    ("otpm", "output_tokens", 60),
    ("rps", "requests/1", 1),
)
Counted = Callable[[tuple[int, int, int, int]], tuple[int, ...]]
_lock = threading.Lock()


class Learned:
    """What the calls of one scope have taught, shared by all its clients in this process: what to
    expect of one, how many were in flight when it was last asked, and for how many replies the
    vendor has not spoken of limits."""

    __slots__ = ("__weakref__", "busy", "estimate", "silent")

    def __init__(self) -> None:
        self.estimate = Estimate()
        self.busy = self.silent = 0


_learned: WeakValueDictionary[str, Learned] = WeakValueDictionary()


@dataclass(slots=True, frozen=True)
class Scope:
    """One endpoint for one model, where something is limited.

    Args:
        key: the scope's name in the store.
        max_wait: seconds, None for as long as it takes.
        output: the most tokens that an answer can have, None where that is not known.
        cached: whether tokens read from a prompt cache count.
        book: the scope's own in a store that never waits, to be asked on the spot: an effect would
            cost as much as its answer.
        counted: from (requests, tokens, input tokens, output tokens) to what each window counts.
        limits: of each window. least: the lowest of them.
    """

    key: str
    rules: Rules
    store: Store
    max_wait: float | None
    backend: str
    endpoint_id: str
    model: str
    output: int | None
    cached: bool
    book: Book | None = field(repr=False)
    counted: Counted = field(repr=False, compare=False)
    limits: tuple[int, ...] = field(repr=False, compare=False)
    least: int = field(repr=False, compare=False)
    learned: Learned = field(repr=False, compare=False)

    def reserve(
        self, prompt: int, output: int, margin: int
    ) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """A lease's amounts and margins for a request with so many tokens; `margin` is what its
        answer may exceed `output` by. More than a limit is the whole of it: estimates err."""
        amounts = self.amounts(prompt, output)
        if prompt + output > self.least:
            amounts = tuple(map(min, amounts, self.limits))
        return amounts, self.counted((0, margin, 0, margin))

    def amounts(self, prompt: int, output: int) -> tuple[int, ...]:
        """One request of so many tokens, as the windows count it."""
        return self.counted((1, prompt + output, prompt, output))


_WHAT = {"requests": 0, "requests/1": 0, "tokens": 1, "input_tokens": 2, "output_tokens": 3}


def scope(target: Target) -> Scope | None:
    """The target's, made once; None where nothing is limited."""
    try:
        return target.kept["limits"]
    except KeyError:
        return target.kept.setdefault("limits", _make(target))


def scopes(targets: Iterable[Target]) -> Iterator[Scope]:
    """Those of many targets, each once."""
    seen: set[str] = set()
    for found in map(scope, targets):
        if found is not None and found.key not in seen:
            seen.add(found.key)
            yield found


def rules_of(target: Target) -> Rules:
    """The target's figures as rules."""
    windows = tuple(
        Window(name, limit, seconds * SECOND)
        for figure, name, seconds in _WINDOWS
        if (limit := getattr(target, figure))
    )
    lease = int((target.counting.lease if target.counting else 30) * SECOND)
    return Rules(windows, target.concurrent_requests or 0, lease)


def _make(target: Target) -> Scope | None:
    counting, rules = target.counting, rules_of(target)
    if counting is None or not (rules.windows or rules.slots):
        return None
    key = f"{target.endpoint_id}/{target.model_id}"
    if not counting.shared:  # endpoints given without settings may share a name
        key += f"@{hash(target.endpoint) & 0xFFFFFFFF:08x}"
    with _lock:
        learned = _learned.setdefault(key, Learned())
    store, limits = _store(counting), tuple([window.limit for window in rules.windows])
    return Scope(
        key,
        rules,
        store,
        counting.max_wait,
        target.backend,
        target.endpoint_id,
        target.model,
        target.max_output_tokens,
        target.quirks.cached_limited,
        store.book(key, rules) if isinstance(store, MemoryStore) else None,
        _counted([_WHAT[window.name] for window in rules.windows]),
        limits,
        min(limits, default=1),
        learned,
    )


def _counted(places: list[int]) -> Counted:
    if len(places) < 2:  # of one, itemgetter gives no tuple
        return lambda counts: tuple([counts[place] for place in places])
    return itemgetter(*places)


def _store(counting: Counting) -> Store:
    if counting.place is None:
        return open_store("memory")
    place = counting.place.reveal()
    if counting.backend == "redis":
        return open_store(place, on_unavailable=counting.on_unavailable)
    return open_store(f"diskcache:{place}")

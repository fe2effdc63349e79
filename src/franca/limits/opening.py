"""From what people write (`memory`, a directory, a URL) to an open store: one for each, a process.

Stores that keep their books elsewhere are held weakly, and opened again when needed; memory is
kept for as long as the process lives, since its books are nowhere else.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Hashable
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from franca.limits.memory import MemoryStore
from franca.limits.model import Store

_FORMS = (
    "'memory', a directory (a path, './limits', 'diskcache:limits') or the URL of a Redis"
    " (redis://, rediss://, unix://, redis+sentinel://, redis+cluster://)"
)
_REDIS = re.compile(r"(?:rediss?(?:\+sentinel|\+cluster)?|unix)://.", re.I)
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]+:", re.I)  # two letters at least: `C:` is a drive

_memory = MemoryStore()
_open: WeakValueDictionary[Hashable, Any] = WeakValueDictionary()
_lock = threading.Lock()


def open_store(spec: str | Path | Store = "memory", **options: Any) -> Store:
    """The store that is meant; the same one for the same words and options.

    Args:
        spec: `"memory"`, a directory as a path, as text with a separator in it or as
            `diskcache:DIRECTORY`, the URL of a Redis, or a store, which is given back.
        options: what the store's own constructor takes, `on_unavailable=` of Redis.

    Raises:
        ValueError: it is none of these; no password that it holds is repeated.
        MissingExtraError: what the store stands on is not installed.
    """
    if not isinstance(spec, (str, Path)):
        return spec
    if spec == "memory":
        if options:
            raise ValueError(f"the memory store takes no options: {', '.join(options)}")
        return _memory
    if isinstance(spec, str) and _REDIS.match(spec):
        return _opened("redis", spec, options)
    return _opened("disk", str(_directory(spec)), options)


def _directory(spec: str | Path) -> Path:
    if isinstance(spec, str):
        head, _, rest = spec.partition(":")
        if head.lower() == "diskcache" and rest:
            spec = Path(rest)
        elif _SCHEME.match(spec) or not (_separated(spec) or spec in (".", "..", "~")):
            raise ValueError(f"a store of limits is {_FORMS}")
    return Path(os.path.realpath(Path(spec).expanduser()))


def _separated(text: str) -> bool:
    """Whether it holds a path's separator."""
    return any(mark in text for mark in (os.sep, os.altsep) if mark)


def _opened(kind: str, place: str, options: dict[str, Any]) -> Store:
    identity = (kind, place, tuple(sorted(options.items())))
    with _lock:
        if (store := _open.get(identity)) is None:
            store = _open[identity] = _new(kind, place, options)
    return store


def _new(kind: str, place: str, options: dict[str, Any]) -> Store:
    if kind == "redis":
        from franca.limits.redis import RedisStore

        return RedisStore(place, **options)
    from franca.limits.disk import DiskStore

    return DiskStore(place, **options)


def _forked() -> None:
    global _lock
    _lock = threading.Lock()  # another thread of the parent may have held it


os.register_at_fork(after_in_child=_forked)

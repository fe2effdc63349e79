"""A blocking call's time, looked at before every read.

An HTTP library's timeouts are of single reads: a reply that trickles is never late for them. What a
thread may still take is kept here, and connections are made to keep to it.
"""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from functools import lru_cache
from typing import Any

_OPENED = ("connect_tcp.complete", "connect_unix_socket.complete", "start_tls.complete")


class _Limit(threading.local):
    until: float | None = None


limit = _Limit()
"""Of each thread, when what it reads must have come; on the clock of `time.monotonic`."""


def trace(name: str, info: dict[str, Any]) -> None:
    """For a request's extension of that name: the connections that it opens keep to the limit."""
    if name.endswith(_OPENED):
        keep(info["return_value"])


def keep(stream: Any) -> None:
    """Have a connection's reads end at the limit of the thread that reads.

    What is none, or cannot be changed, is passed over: the library's own timeouts hold for it.
    """
    kind = type(stream)
    if hasattr(kind, "read") and not hasattr(kind, "limited"):
        with suppress(TypeError):
            stream.__class__ = _limited(kind)


def _before(request: Any) -> None:
    if limit.until is not None:
        request.extensions["trace"] = trace


def _after(response: Any) -> None:
    keep(response.extensions.get("network_stream"))


HOOKS = {"request": [_before], "response": [_after]}
"""For an HTTP client on which an SDK sends: its connections keep to the limit."""


def cut(stream: Any) -> None:
    """End a connection's reads in whatever thread they are."""
    sock = stream.get_extra_info("socket") if hasattr(stream, "get_extra_info") else None
    if sock is not None:
        with suppress(OSError):  # it has ended
            socket.socket.shutdown(sock, socket.SHUT_RDWR)


def hang_up(http: Any) -> None:
    """End what other threads read on an HTTP client that is about to be closed: with its socket
    closed under it, a read would wait for its timeout."""
    mounted = getattr(http, "_mounts", {}).values()
    for transport in (getattr(http, "_transport", None), *mounted):
        for connection in getattr(getattr(transport, "_pool", None), "connections", ()):
            while (inner := getattr(connection, "_connection", None)) is not None:
                connection = inner
            cut(getattr(connection, "_network_stream", None))


@lru_cache(maxsize=16)
def _limited(kind: type[Any]) -> type[Any]:
    """The same class, whose reads look at the limit."""

    def read(self: Any, max_bytes: int, timeout: float | None = None) -> bytes:
        if (until := limit.until) is not None:
            left = until - time.monotonic()
            if left <= 0:
                raise TimeoutError("no answer in time")
            timeout = left if timeout is None else min(timeout, left)
        return kind.read(self, max_bytes, timeout)

    return type(kind.__name__, (kind,), {"__slots__": (), "read": read, "limited": True})

"""How sleepers in other processes of the host are woken: datagrams on loopback.

A ring is a hint only: one that is lost, or that anybody else sent, changes no decision.
"""

from __future__ import annotations

import socket
import threading
import weakref
from collections.abc import Iterable
from contextlib import suppress
from typing import Protocol

_HOST = "127.0.0.1"


class Listening(Protocol):
    """Whose bell it is."""

    def hear(self, id_: str) -> None:
        """Somebody rang for this lease."""

    def tend(self) -> float:
        """Called at every waking; answers in how many seconds it wants to be called again."""
        ...


class Bell:
    """A socket, and the daemon thread that listens on it while its listener lives."""

    def __init__(self, listener: Listening) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((_HOST, 0))
        self.port: int = self._socket.getsockname()[1]
        self._open = threading.Event()
        self._open.set()
        weakref.finalize(listener, ring, [("", self.port)]).atexit = False
        threading.Thread(
            target=_listen,
            args=(weakref.ref(listener), self._socket, self._open),
            name="franca-limits",
            daemon=True,
        ).start()

    def close(self) -> None:
        """Let the thread end."""
        self._open.clear()
        ring([("", self.port)])

    def forked(self) -> None:
        """The child has no such thread, and leaves the socket to its parent."""
        self._socket.close()


def ring(whom: Iterable[tuple[str, int]]) -> None:
    """Ring for leases, each given with its owner's port; "" only wakes the thread."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for id_, port in whom:
            with suppress(OSError):
                sender.sendto(id_.encode(), (_HOST, port))


def _listen(
    listening: weakref.ref[Listening], bell: socket.socket, is_open: threading.Event
) -> None:
    with bell:
        while is_open.is_set() and (listener := listening()) is not None:
            bell.settimeout(listener.tend())
            del listener  # or it would never be collected
            with suppress(TimeoutError):
                id_ = bell.recv(64).decode(errors="replace")
                if id_ and (listener := listening()) is not None:
                    listener.hear(id_)
                    del listener

"""The thread that listens for rings, and renews what this process holds."""

from __future__ import annotations

import threading
import weakref
from contextlib import suppress
from typing import Any, Protocol

from franca.errors import SettingsError
from franca.limits.redis.link import Link

_AGAIN = 0.02  # seconds between two tries to connect
_IDLE = 0.25  # so often it looks whether anybody is still there


class Listening(Protocol):
    """Whose listener it is. Each is called in the thread, and may raise for a server away."""

    def hear(self, id_: str) -> None:
        """Somebody rang for this."""

    def tend(self) -> float:
        """Renew what is due; answers in how many seconds something is due again."""
        ...

    def back(self) -> None:
        """It listens; whatever was said before is lost."""

    def lost(self) -> None:
        """It listens no more."""

    def refused(self, error: SettingsError) -> None:
        """It may not listen: the user's mistake."""


class Listener:
    """A daemon thread, while its owner lives and until it is closed.

    Args:
        channels: the process's own first.
    """

    def __init__(self, owner: Listening, link: Link, channels: tuple[str, ...]) -> None:
        self._link, self._channel = link, channels[0]
        self._end = threading.Event()
        threading.Thread(
            target=_listen,
            args=(weakref.ref(owner), link, channels, self._end),
            name="franca-limits",
            daemon=True,
        ).start()

    def close(self) -> None:
        """Let the thread end, soon."""
        self._end.set()
        self._link.publish(self._channel, "")


def _listen(
    owner: weakref.ref[Listening], link: Link, channels: tuple[str, ...], end: threading.Event
) -> None:
    pubsub: Any = None
    while not end.is_set():
        if (listening := owner()) is None:
            break
        try:
            wait = min(listening.tend(), _IDLE)
            if pubsub is None:
                pubsub = link.subscribe(*channels)
            del listening  # or it would never be collected
            message = pubsub.get_message(timeout=wait)
            if message is not None and (listening := owner()) is not None:
                _heard(listening, message)
        except Exception as error:  # of the server: callers are told, and this thread tries again
            _drop(pubsub)
            pubsub = None
            if (listening := owner()) is not None:
                _failed(listening, link.meaning(error))
            listening = None
            end.wait(_AGAIN)
        listening = None
    _drop(pubsub)


def _heard(listening: Listening, message: dict[str, Any]) -> None:
    if message["type"] == "subscribe":
        listening.back()
    elif message["type"] == "message" and message["data"]:
        listening.hear(message["data"].decode(errors="replace"))


def _failed(listening: Listening, error: Exception) -> None:
    if isinstance(error, SettingsError):
        listening.refused(error)
    else:
        listening.lost()


def _drop(pubsub: Any) -> None:
    if pubsub is not None:
        with suppress(Exception):
            pubsub.close()

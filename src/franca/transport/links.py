"""Links shared by everybody in the process: one per endpoint, and per event loop where async.

A client holds references; closing it gives back its own and closes what nobody else holds.
"""

from __future__ import annotations

import asyncio
import os
import threading
import weakref
from collections.abc import AsyncGenerator
from typing import Protocol

from franca.settings.target import Endpoint
from franca.transport.clock import hang_up
from franca.transport.link import Link

Held = dict[Endpoint, Link]

_lock = threading.RLock()  # a collected client gives its references back amid anything
_shared: Held = {}


class Holder(Protocol):
    """A client's transport."""

    def forked(self) -> None: ...


holders: weakref.WeakSet[Holder] = weakref.WeakSet()


class Loop:
    """The links of one event loop. They are closed when the loop shuts its generators down, as
    `asyncio.run` does: that is the one moment at which they still can be."""

    __slots__ = ("_guard", "held")

    def __init__(self) -> None:
        self.held: Held = {}
        self._guard: AsyncGenerator[None, None] | None = None

    async def open(self, loop: asyncio.AbstractEventLoop) -> None:
        """Have the loop's end close the links."""
        self._guard = self._close_at_end(loop)
        await anext(self._guard)

    async def _close_at_end(self, loop: asyncio.AbstractEventLoop) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            _loops.pop(loop, None)
            for link in list(self.held.values()):
                await link.http.aclose()


_loops: dict[asyncio.AbstractEventLoop, Loop] = {}


def acquire(endpoint: Endpoint) -> Link:
    """A reference to the endpoint's blocking link."""
    with _lock:
        return _take(_shared, endpoint, is_async=False)


def release(endpoint: Endpoint, link: Link) -> None:
    """Give a reference back; the last one closes the link."""
    if _drop(_shared, endpoint, link):
        hang_up(link.http)
        link.http.close()


async def acquire_async(endpoint: Endpoint) -> Link:
    """A reference to the endpoint's link of the running loop."""
    loop = asyncio.get_running_loop()
    if loop not in _loops:
        for dead in [other for other in list(_loops) if other.is_closed()]:
            _loops.pop(dead, None)
        entry = _loops[loop] = Loop()
        await entry.open(loop)
    with _lock:
        return _take(_loops[loop].held, endpoint, is_async=True)


async def release_async(loop: asyncio.AbstractEventLoop, endpoint: Endpoint, link: Link) -> None:
    """Give a reference back; the last one closes the link, in its own loop only."""
    held = _loops[loop].held if loop in _loops else {}
    if _drop(held, endpoint, link) and loop is asyncio.get_running_loop():
        await link.http.aclose()


def forget(held: Held) -> None:
    """The holder was collected unclosed: its references go, idle links stay for the next one."""
    with _lock:
        for link in held.values():
            link.refs -= 1


def _take(held: Held, endpoint: Endpoint, *, is_async: bool) -> Link:
    link = held.get(endpoint)
    if link is None:
        link = held[endpoint] = Link(endpoint, is_async=is_async)
    link.refs += 1
    return link


def _drop(held: Held, endpoint: Endpoint, link: Link) -> bool:
    with _lock:
        link.refs -= 1
        if link.refs > 0:
            return False
        if held.get(endpoint) is link:
            del held[endpoint]
        return True


def _after_fork() -> None:
    global _lock
    _lock = threading.RLock()  # a collected client gives its references back amid anything
    _shared.clear()
    _loops.clear()
    for holder in list(holders):
        holder.forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)

"""The seam between franca and the network, where a test can stand: for every client of the process,
sync and async, whenever it was made and whatever it was given."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Generator, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

from franca.backends import BACKENDS
from franca.errors import CallError
from franca.flow import admit
from franca.flow.effects import Effect, Outcome, Reply, Send, Sleep
from franca.flow.health import forget, unhold
from franca.limits import scopes
from franca.settings.target import Target
from franca.transport.aio import AsyncTransport
from franca.transport.aio import Handle as AsyncHandle
from franca.transport.blocking import BlockingTransport, Handle

STAND_IN = "franca-testing-stand-in"
"""The key in the environment of those who have none."""


@dataclass(slots=True)
class Told:
    """A vendor's reply: its `body`, or, of an accepted streaming request, its `packets`."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: {"content-type": "application/json"})
    body: bytes = b""
    packets: Iterable[bytes] | None = None


Ask = Callable[[Send], Send | Told | CallError]
"""What goes out in place of a request, or what is told at once."""
Hear = Callable[[Send, Told], None]
"""Is told of each reply that came, a stream's once it is over."""


@contextmanager
def tapped(ask: Ask, hear: Hear | None = None, *, waits: bool = False) -> Generator[None]:
    """Everything that this process's clients send goes by `ask`, and what they get by `hear`.

    What they have learnt of their endpoints' health is forgotten before and after.

    Args:
        waits: whether limits hold, and what is to be waited between tries is waited.
    """
    below, abelow = BlockingTransport._send, AsyncTransport._send

    def send(self: BlockingTransport, wanted: Send) -> Reply | CallError:
        __tracebackhide__ = True
        step = ask(wanted)
        if not isinstance(step, Send):
            return reply_of(step)
        reply = below(self, step)
        return reply if hear is None else _heard(step, reply, hear)

    async def asend(self: AsyncTransport, wanted: Send) -> Reply | CallError:
        __tracebackhide__ = True
        step = ask(wanted)
        if not isinstance(step, Send):
            return areply_of(step)
        reply = await abelow(self, step)
        return reply if hear is None else _aheard(step, reply, hear)

    replaced: dict[Any, dict[str, Any]] = {
        BlockingTransport: {
            "_send": send,
            "run": final(BlockingTransport.run),
            "open": final(BlockingTransport.open),
        },
        AsyncTransport: {
            "_send": asend,
            "run": afinal(AsyncTransport.run),
            "open": afinal(AsyncTransport.open),
        },
    }
    if not waits:
        replaced[BlockingTransport]["_perform"] = _hurried(BlockingTransport._perform)
        replaced[AsyncTransport]["_perform"] = _ahurried(AsyncTransport._perform)
        replaced |= {admit: {"_scope": _unlimited}, scopes: {"scope": _unlimited}}
    with ExitStack() as stack:
        stack.callback(forget)
        for place, names in replaced.items():
            stack.enter_context(mock.patch.multiple(place, **names))
        forget()
        yield


class Final(BaseException):
    """An error that ends a call where it stands: not tried again, nor elsewhere."""

    def __init__(self, error: Exception) -> None:
        self.error = error


def final(method: Callable[..., Any]) -> Callable[..., Any]:
    """A method of the blocking driver, raising what a `Final` holds."""

    def called(*arguments: Any) -> Any:
        try:
            return method(*arguments)
        except Final as end:
            raise end.error from None

    return called


def afinal(method: Callable[..., Any]) -> Callable[..., Any]:
    """The same of the asyncio driver."""

    async def called(*arguments: Any) -> Any:
        try:
            return await method(*arguments)
        except Final as end:
            raise end.error from None

    return called


def _hurried(perform: Callable[..., Any]) -> Callable[..., Any]:
    def performed(self: BlockingTransport, effect: Effect) -> Outcome:
        return unhold() if isinstance(effect, Sleep) else perform(self, effect)

    return performed


def _unlimited(target: Target) -> None:
    return None


def _ahurried(perform: Callable[..., Any]) -> Callable[..., Any]:
    async def performed(self: AsyncTransport, effect: Effect) -> Outcome:
        return unhold() if isinstance(effect, Sleep) else await perform(self, effect)

    return performed


@contextmanager
def keys_in_place() -> Generator[None]:
    """A stand-in for each vendor's key that the environment lacks, so that clients can be made."""
    keys = [row.key for row in BACKENDS.values() if row.key]
    with mock.patch.dict(os.environ, {key: STAND_IN for key in keys if not os.environ.get(key)}):
        yield


def reply_of(told: Told | CallError) -> Reply | CallError:
    """A reply as the blocking driver has it."""
    if isinstance(told, CallError) or told.packets is None:
        return told if isinstance(told, CallError) else Reply(told.status, told.headers, told.body)
    return Reply(told.status, told.headers, handle=Handle(_nothing, iter(told.packets)))


def areply_of(told: Told | CallError) -> Reply | CallError:
    """A reply as the asyncio driver has it; to be called in a running loop."""
    if isinstance(told, CallError) or told.packets is None:
        return reply_of(told)
    handle = AsyncHandle(_anothing, _alate(iter(told.packets)))
    return Reply(told.status, told.headers, handle=handle)


def _heard(send: Send, reply: Reply | CallError, hear: Hear) -> Reply | CallError:
    if isinstance(reply, CallError) or reply.handle is None:
        _tell(send, reply, hear)
        return reply
    handle, once = reply.handle, _Once(send, reply, hear)
    chunks, close = handle.chunks, handle._close

    def closed() -> None:
        close()
        once.over()

    def kept() -> Iterator[bytes]:
        for chunk in chunks:
            yield once.keep(chunk)
        once.over()

    handle.chunks, handle._close = kept(), closed
    return reply


def _aheard(send: Send, reply: Reply | CallError, hear: Hear) -> Reply | CallError:
    if isinstance(reply, CallError) or reply.handle is None:
        _tell(send, reply, hear)
        return reply
    handle, once = reply.handle, _Once(send, reply, hear)
    chunks, close = handle.chunks, handle._close

    async def closed() -> None:
        await close()
        once.over()

    async def kept() -> AsyncIterator[bytes]:
        async for chunk in chunks:
            yield once.keep(chunk)
        once.over()

    handle.chunks, handle._close = kept(), closed
    return reply


class _Once:
    """A stream's packets, kept until it is over: read to the end, or closed."""

    __slots__ = ("_hear", "_packets", "_reply", "_send")

    def __init__(self, send: Send, reply: Reply, hear: Hear) -> None:
        self._send, self._reply = send, reply
        self._hear: Hear | None = hear
        self._packets: list[bytes] = []

    def keep(self, packet: bytes) -> bytes:
        self._packets.append(packet)
        return packet

    def over(self) -> None:
        hear, self._hear = self._hear, None
        if hear is not None:
            reply = self._reply
            hear(self._send, Told(reply.status, reply.headers, packets=self._packets))


def _tell(send: Send, reply: Reply | CallError, hear: Hear) -> None:
    """Tell of a whole reply; an SDK makes an error of a refusal, and of a network's failure."""
    if isinstance(reply, Reply):
        hear(send, Told(reply.status, reply.headers, reply.body))
    elif reply.status_code is not None:
        wait = reply.retry_after
        headers = {} if wait is None else {"retry-after": f"{wait:g}"}
        hear(send, Told(reply.status_code, headers, reply.body or b""))


async def _alate(packets: Iterator[bytes]) -> AsyncIterator[bytes]:
    for packet in packets:
        yield packet


def _nothing() -> None:
    """Nothing is open that could be closed."""


async def _anothing() -> Any:
    """Nothing is open that could be closed."""

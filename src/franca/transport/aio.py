"""The asyncio driver: performs a flow's effects and decides nothing."""

from __future__ import annotations

import asyncio
import time
import weakref
from collections.abc import AsyncIterator, Callable, Coroutine, Generator
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from franca.errors import CallError, ConnectionError
from franca.flow.effects import Close, Effect, Opened, Outcome, Read, Reply, Send, Sleep, Work
from franca.limits.drive import adrive, aperform
from franca.settings.target import Endpoint, Target
from franca.transport import links
from franca.transport.failures import Closed, late, translate
from franca.transport.link import Link, end_aside, frame, pieces
from franca.wire import encode

if TYPE_CHECKING:
    from franca.flow.ending import Ending

T = TypeVar("T")
_HeldByLoop = dict[asyncio.AbstractEventLoop, links.Held]


class Handle:
    """An open reply: its bytes as they come, and how to close it. Collected, it has its loop do
    so. `end` is called once, at its end; `deadline` is when that must have come, `idle` for how
    many seconds it may be silent."""

    __slots__ = ("_close", "_loop", "chunks", "deadline", "end", "idle")

    def __init__(
        self,
        close: Callable[[], Coroutine[Any, Any, None]],
        chunks: AsyncIterator[bytes],
        send: Send | None = None,
    ) -> None:
        self.chunks = chunks
        self._close: Callable[[], Coroutine[Any, Any, None]] | None = close
        self._loop = asyncio.get_running_loop()
        self.deadline, self.idle = (send.deadline, send.idle) if send else (None, None)
        self.end: Ending | None = None

    async def close(self) -> None:
        """Close the reply and settle its reservation, once."""
        close, self._close = self._close, None
        end, self.end = self.end, None
        try:
            if close is not None:
                await close()
        finally:
            if end is not None and (settle := end()) is not None:
                await aperform(settle)

    def __del__(self) -> None:
        if (close := self._close) is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(partial(_start, self._loop, close))
        if (end := self.end) is not None:
            end_aside(end)

    async def next(self) -> bytes | None:
        """The next bytes, None at the end. asyncio.TimeoutError where they do not come in time."""
        if self.deadline is None and self.idle is None:
            return await anext(self.chunks, None)
        left = None if self.deadline is None else self.deadline - time.monotonic()
        spans = [span for span in (left, self.idle) if span is not None]
        async with asyncio.timeout(min(spans)):
            return await anext(self.chunks, None)


class AsyncTransport:
    """Runs flows for one client, on links shared with all others of the same event loop.

    Args:
        http_client: the caller's own HTTP client, used for every endpoint and never closed here.
    """

    def __init__(self, http_client: Any = None) -> None:
        self._http = http_client
        self._held: _HeldByLoop = {}
        weakref.finalize(self, _forget, self._held).atexit = False
        links.holders.add(self)

    async def link(self, endpoint: Endpoint) -> Link:
        """The endpoint's link in the running loop, acquired at first use."""
        held = self._held.get(asyncio.get_running_loop())
        link = held.get(endpoint) if held is not None else None
        return await self._acquire(endpoint) if link is None else link

    def sdk(self, endpoint: Endpoint) -> Any:
        """A vendor's SDK client: of the running loop's link, else on a client of its own."""
        try:
            held = self._held.get(asyncio.get_running_loop(), {})
        except RuntimeError:
            held = {}
        return (held.get(endpoint) or Link(endpoint, is_async=True, http=self._http)).sdk

    async def run(self, flow: Generator[Effect, Outcome, T]) -> T:
        """Drive a flow to its result."""
        try:
            return await adrive(flow, self._perform)
        except Closed as closed:
            raise closed.error() from None

    async def open(self, flow: Generator[Effect, Outcome, Opened]) -> Opened:
        """Drive a stream's flow until it has committed."""
        opened = await self.run(flow)
        opened.handle.end, opened.handle.deadline = opened.end, opened.deadline
        return opened

    async def chunks(self, opened: Opened) -> AsyncIterator[bytes]:
        """What is left of a committed stream's bytes; who reads them closes the reply.

        Raises:
            CallError: the connection broke before the wire's end mark.
        """
        while (chunk := await self._read(opened.handle, opened.target)) is not None:
            if isinstance(chunk, CallError):
                if opened.reader.done:
                    return
                raise opened.reader.broken(chunk)
            yield chunk

    async def aclose(self) -> None:
        """Give back this client's references; another's connections stay."""
        everything = [self._held.popitem() for _ in range(len(self._held))]
        for loop, held in everything:
            for endpoint, link in held.items():
                if link.owned:
                    await links.release_async(loop, endpoint, link)

    def forked(self) -> None:
        """A child process must not speak on its parent's connections."""
        self._held.clear()

    async def _acquire(self, endpoint: Endpoint) -> Link:
        loop = asyncio.get_running_loop()
        if loop not in self._held:
            for dead in [other for other in list(self._held) if other.is_closed()]:
                links.forget(self._held.pop(dead, {}))
        if self._http is None:
            link = await links.acquire_async(endpoint)
        else:
            link = Link(endpoint, is_async=True, http=self._http)
        held = self._held.setdefault(loop, {})
        if endpoint in held:  # another task was first
            link.refs -= 1
        return held.setdefault(endpoint, link)

    async def _perform(self, effect: Effect) -> Outcome:
        if isinstance(effect, Send):
            return await self._send(effect)
        if isinstance(effect, Read):
            return await self._read(effect.handle, effect.target)
        if isinstance(effect, Close):
            return await effect.handle.close()
        if isinstance(effect, Sleep):
            return await asyncio.sleep(effect.seconds)
        if isinstance(effect, Work):
            return await asyncio.to_thread(effect.call)
        return await aperform(effect)

    async def _send(self, send: Send) -> Reply | CallError:
        if send.deadline is None:
            return await self._sent(send)
        try:
            async with asyncio.timeout(send.deadline - time.monotonic()):
                return await self._sent(send)
        except TimeoutError:
            return late(send.target)

    async def _sent(self, send: Send) -> Reply | CallError:
        link = None
        try:
            link = await self.link(send.target.endpoint)
            if not link.direct:
                return await _post(link, send)
            key = await asyncio.to_thread(link.key) if link.key else None
            response = await link.http.send(link.request(send, key), stream=send.request.stream)
            if not send.request.stream:
                return Reply(response.status_code, response.headers, response.content)
            if response.status_code >= 300:
                return Reply(response.status_code, response.headers, await _whole(response))
            handle = Handle(response.aclose, aiter(pieces(response, response.aiter_bytes)), send)
            return Reply(response.status_code, response.headers, handle=handle)
        except Exception as error:
            if (ours := translate(error, send.target)) is None:
                raise
            if isinstance(ours, ConnectionError) and link is not None and self._left(link):
                raise Closed(send.target) from None
            return ours

    def _left(self, link: Link) -> bool:
        """Whether this client was closed since it took the link."""
        held = self._held.get(asyncio.get_running_loop(), {})
        return link.owned and held.get(link.endpoint) is not link

    async def _read(self, handle: Handle, target: Target) -> bytes | CallError | None:
        try:
            return await handle.next()
        except TimeoutError:
            return late(target)
        except Exception as error:
            if (ours := translate(error, target)) is None:
                raise
            return ours


def _start(loop: asyncio.AbstractEventLoop, close: Callable[[], Coroutine[Any, Any, None]]) -> None:
    loop.create_task(close())


async def _whole(response: Any) -> bytes:
    try:
        return await response.aread()
    finally:
        await response.aclose()


async def _post(link: Link, send: Send) -> Reply:
    given = await asyncio.to_thread(link.post, send) if link.key else link.post(send)
    answer = await link.sdk.post(send.path, **given)
    if not send.request.stream:
        return Reply(200, {}, encode(answer))
    handle = Handle(answer.close, (frame(event) async for event in answer), send)
    return Reply(200, answer.response.headers, handle=handle)


def _forget(held: _HeldByLoop) -> None:
    for loop_held in list(held.values()):
        links.forget(loop_held)

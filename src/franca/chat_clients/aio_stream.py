"""A stream as the caller holds it, for asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from copy import copy
from types import AsyncGeneratorType, TracebackType
from typing import Self

from franca.errors import CallError
from franca.flow.effects import Opened
from franca.transport.aio import AsyncTransport
from franca.types import ChatCompletion, ChatDelta


class AsyncChatStream:
    """An open stream. Iterate it at once, or await it first to have it opened.

    Args:
        open_: opens the stream at the first use.
    """

    __slots__ = ("_deltas", "_once")

    def __init__(self, open_: Callable[[], Awaitable[Opened]], transport: AsyncTransport) -> None:
        self._once = _Once(open_)
        self._deltas = _iterate(self._once, transport)

    def __await__(self) -> Generator[object, None, Self]:
        yield from self._once.opened().__await__()
        return self

    def __aiter__(self) -> AsyncIterator[ChatDelta]:
        return self._deltas

    async def __anext__(self) -> ChatDelta:
        return await anext(self._deltas)

    async def result(self) -> ChatCompletion:
        """The folded whole; reads what has not been read yet.

        Raises:
            StreamInterrupted: the stream broke; carries what arrived.
        """
        opened = await self._once.opened()
        async for _ in self._deltas:
            pass
        return opened.reader.result()

    async def aclose(self) -> None:
        """Close the request. What has arrived stays available in `result()`."""
        if not self._deltas.ag_running:  # else another task reads, and sees the connection end
            await self._deltas.aclose()
        if self._once.value is not None:
            await self._once.value.handle.close()

    close = aclose

    async def __aenter__(self) -> Self:
        return await self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()


class _Once:
    """The opening, at most once. Apart from the stream, which would else hold itself through its
    generator, and walking away would close nothing until the collector comes by."""

    __slots__ = ("_failed", "_lock", "_open", "value")

    def __init__(self, open_: Callable[[], Awaitable[Opened]]) -> None:
        self._open, self._lock = open_, asyncio.Lock()
        self.value: Opened | None = None
        self._failed: CallError | None = None

    async def opened(self) -> Opened:
        """The stream; raises again what the first opening raised."""
        if self.value is not None:
            return self.value
        async with self._lock:  # two tasks may both be the first
            if self._failed is not None:
                raise _bare(self._failed)
            if self.value is None:
                try:
                    self.value = await self._open()
                except CallError as error:
                    self._failed = _bare(error)
                    raise
            return self.value


def _bare(error: CallError) -> CallError:
    """The same error without its tracebacks, which hold the stream."""
    bare = copy(error)
    bare.tried = tuple(map(copy, error.tried))
    return bare


async def _iterate(once: _Once, transport: AsyncTransport) -> AsyncGeneratorType[ChatDelta, None]:
    opened = await once.opened()
    reader = opened.reader
    try:
        for delta in opened.deltas:
            yield delta
        if opened.ended:
            return
        async for chunk in transport.chunks(opened):
            for delta in reader.feed(chunk):
                yield delta
        for delta in reader.end():
            yield delta
    finally:
        await opened.handle.close()

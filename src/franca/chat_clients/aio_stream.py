"""A stream as the caller holds it, for asyncio."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator
from types import TracebackType
from typing import Self

from franca.flow.effects import Opened
from franca.transport.aio import AsyncTransport
from franca.types import ChatCompletion, ChatDelta


class AsyncChatStream:
    """An open stream. Iterate it at once, or await it first to have it opened.

    Args:
        open_: opens the stream at the first use.
    """

    __slots__ = ("_deltas", "_open", "_opened", "_transport")

    def __init__(self, open_: Callable[[], Awaitable[Opened]], transport: AsyncTransport) -> None:
        self._open, self._transport = open_, transport
        self._opened: Opened | None = None
        self._deltas = self._start()

    def __await__(self) -> Generator[object, None, Self]:
        yield from self._ready().__await__()
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
        opened = await self._ready()
        async for _ in self._deltas:
            pass
        return opened.reader.result()

    async def aclose(self) -> None:
        """Close the request. What has arrived stays available in `result()`."""
        await self._deltas.aclose()
        if self._opened is not None:
            await self._opened.handle.close()

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

    async def _ready(self) -> Opened:
        if self._opened is None:
            self._opened = await self._open()
        return self._opened

    async def _start(self) -> AsyncGenerator[ChatDelta, None]:
        opened = await self._ready()
        reader = opened.reader
        chunks = self._transport.chunks(opened)
        try:
            for delta in opened.deltas:
                yield delta
            if opened.ended:
                return
            async for chunk in chunks:
                for delta in reader.feed(chunk):
                    yield delta
            for delta in reader.end():
                yield delta
        finally:
            await opened.handle.close()

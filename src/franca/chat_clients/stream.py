"""A stream as the caller holds it: iterate it, close it, ask it for the whole."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from types import TracebackType
from typing import Self

from franca.flow.effects import Opened
from franca.transport.blocking import BlockingTransport
from franca.types import ChatCompletion, ChatDelta


class ChatStream:
    """An open stream: an iterator of deltas, and a context manager that closes the request."""

    __slots__ = ("_deltas", "_opened")

    def __init__(self, opened: Opened, transport: BlockingTransport) -> None:
        self._opened = opened
        self._deltas = _iterate(opened, transport)

    def __iter__(self) -> Iterator[ChatDelta]:
        return self._deltas

    def __next__(self) -> ChatDelta:
        return next(self._deltas)

    def result(self) -> ChatCompletion:
        """The folded whole; reads what has not been read yet.

        Raises:
            StreamInterrupted: the stream broke; carries what arrived.
        """
        for _ in self._deltas:
            pass
        return self._opened.reader.result()

    def close(self) -> None:
        """Close the request. What has arrived stays available in `result()`.

        Any thread may do so: one that is reading then has a `StreamInterrupted`.
        """
        try:
            self._deltas.close()
        except ValueError:  # another thread reads: it sees the connection end, and closes it
            self._opened.handle.cut()
        else:
            self._opened.handle.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _iterate(opened: Opened, transport: BlockingTransport) -> Generator[ChatDelta, None, None]:
    reader = opened.reader
    try:
        yield from opened.deltas
        if opened.ended:
            return
        for chunk in transport.chunks(opened):
            yield from reader.feed(chunk)
        yield from reader.end()
    finally:
        opened.handle.close()

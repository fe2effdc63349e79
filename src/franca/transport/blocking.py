"""The blocking driver: performs a flow's effects and decides nothing."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from franca.errors import CallError, ConnectionError
from franca.flow.effects import Close, Effect, Opened, Outcome, Read, Reply, Send, Sleep, Work
from franca.limits.drive import drive, perform
from franca.settings.target import Endpoint, Target
from franca.transport import links
from franca.transport.clock import cut, keep, limit, trace
from franca.transport.failures import Closed, late, translate
from franca.transport.link import Link, end_aside, frame, over, pieces, quiet
from franca.wire import encode

if TYPE_CHECKING:
    from franca.flow.ending import Ending

T = TypeVar("T")


class Handle:
    """An open reply: its bytes as they come, and how to close it. Collected, it closes itself.

    `end` is called once, at its end; `deadline` is when that must have come; `stream` is the
    connection beneath, as the HTTP library has it.
    """

    __slots__ = ("_close", "_stream", "chunks", "deadline", "end")

    def __init__(
        self,
        close: Callable[[], None],
        chunks: Iterator[bytes],
        deadline: float | None = None,
        stream: Any = None,
    ) -> None:
        self._close, self.chunks, self.deadline = close, chunks, deadline
        self._stream = stream
        self.end: Ending | None = None

    def cut(self) -> None:
        """End what another thread reads; it then closes the reply."""
        if (end := self.end) is not None:
            end.left = True
        cut(self._stream)

    def close(self) -> None:
        """Close the reply; settle its reservation, once."""
        end, self.end = self.end, None
        try:
            self._close()
        finally:
            if end is not None and (settle := end()) is not None:
                perform(settle)

    def __del__(self) -> None:
        end, self.end = self.end, None
        self._close()
        if end is not None:
            end_aside(end)


class BlockingTransport:
    """Runs flows for one client, on links shared with all others.

    Args:
        http_client: the caller's own HTTP client, used for every endpoint and never closed here.
    """

    def __init__(self, http_client: Any = None) -> None:
        self._http = http_client
        self._held: links.Held = {}
        self._lock = threading.Lock()
        weakref.finalize(self, links.forget, self._held).atexit = False
        links.holders.add(self)

    def link(self, endpoint: Endpoint) -> Link:
        """The endpoint's link, acquired at first use."""
        link = self._held.get(endpoint)
        return self._acquire(endpoint) if link is None else link

    def run(self, flow: Generator[Effect, Outcome, T]) -> T:
        """Drive a flow to its result."""
        try:
            return drive(flow, self._perform)
        except Closed as closed:
            raise closed.error() from None

    def open(self, flow: Generator[Effect, Outcome, Opened]) -> Opened:
        """Drive a stream's flow until it has committed."""
        opened = self.run(flow)
        opened.handle.end, opened.handle.deadline = opened.end, opened.deadline
        return opened

    def chunks(self, opened: Opened) -> Iterator[bytes]:
        """What is left of a committed stream's bytes; who reads them closes the reply.

        Raises:
            CallError: the connection broke before the wire's end mark.
        """
        while (chunk := self._read(opened.handle, opened.target)) is not None:
            if isinstance(chunk, CallError):
                if opened.reader.done:
                    return
                raise opened.reader.broken(chunk)
            yield chunk

    def close(self) -> None:
        """Give back this client's references; another's connections stay."""
        held = [self._held.popitem() for _ in range(len(self._held))]
        for endpoint, link in held:
            if link.owned:
                links.release(endpoint, link)

    def forked(self) -> None:
        """A child process must not speak on its parent's connections."""
        self._lock = threading.Lock()
        self._held.clear()

    def _acquire(self, endpoint: Endpoint) -> Link:
        with self._lock:
            if (link := self._held.get(endpoint)) is None:
                if self._http is None:
                    link = links.acquire(endpoint)
                else:
                    link = Link(endpoint, is_async=False, http=self._http)
                self._held[endpoint] = link
            return link

    def _perform(self, effect: Effect) -> Outcome:
        if isinstance(effect, Send):
            return self._send(effect)
        if isinstance(effect, Read):
            return self._read(effect.handle, effect.target)
        if isinstance(effect, Close):
            return effect.handle.close()
        if isinstance(effect, Sleep):
            return time.sleep(effect.seconds)
        if isinstance(effect, Work):
            return effect.call()
        return perform(effect)

    def _send(self, send: Send) -> Reply | CallError:
        link = None
        try:
            link = self.link(send.target.endpoint)
            limit.until = send.deadline
            if not link.direct:
                return _post(link, send)
            request = link.request(send, link.key() if link.key else None)
            if send.deadline is not None:
                request.extensions["trace"] = trace
            response = link.http.send(request, stream=True)
            beneath = response.extensions.get("network_stream")
            keep(beneath)
            if response.status_code >= 300 or not send.request.stream:
                return Reply(response.status_code, response.headers, _whole(response, send))
            quiet(request, send)
            chunks = iter(pieces(response, response.iter_bytes))
            handle = Handle(response.close, chunks, send.deadline, beneath)
            return Reply(response.status_code, response.headers, handle=handle)
        except Exception as error:
            if (ours := translate(error, send.target)) is None:
                raise
            if isinstance(ours, ConnectionError) and link is not None and self._left(link):
                raise Closed(send.target) from None
            return ours
        finally:
            limit.until = None

    def _left(self, link: Link) -> bool:
        """Whether this client was closed since it took the link."""
        return link.owned and self._held.get(link.endpoint) is not link

    def _read(self, handle: Handle, target: Target) -> bytes | CallError | None:
        limit.until = handle.deadline
        try:
            chunk = next(handle.chunks, None)
            return late(target) if handle.deadline and chunk and over(handle.deadline) else chunk
        except Exception as error:
            if (ours := translate(error, target)) is None:
                raise
            return ours
        finally:
            limit.until = None


def _whole(response: Any, send: Send) -> bytes:
    """The body, read no longer than until the deadline."""
    try:
        chunks = pieces(response, response.iter_bytes)
        if send.deadline is None:
            return b"".join(chunks)
        parts = []
        for part in chunks:
            parts.append(part)
            if over(send.deadline):
                raise late(send.target)
        return b"".join(parts)
    finally:
        response.close()


def _post(link: Link, send: Send) -> Reply:
    answer = link.sdk.post(send.path, **link.post(send))
    if not send.request.stream:
        return Reply(200, {}, encode(answer))
    quiet(answer.response.request, send)
    beneath = answer.response.extensions.get("network_stream")
    keep(beneath)  # of an HTTP client of the caller's own too
    handle = Handle(answer.close, (frame(event) for event in answer), send.deadline, beneath)
    return Reply(200, answer.response.headers, handle=handle)

"""A small HTTP/1.1 server on asyncio: just what a misbehaving vendor needs."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import time
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from http import HTTPStatus

from franca.testing.answers import Received

Handler = Callable[[Received, "Connection"], Awaitable[None]]
_TOO_LONG = 64 * 1024 * 1024


class Connection(asyncio.Protocol):
    """One client's connection: requests come out of it one at a time, packets go into it."""

    def __init__(self, handler: Handler, wire_of: Callable[[str], str], open_: set) -> None:
        self._handler, self._wire_of, self._open = handler, wire_of, open_
        self._buffer = b""
        self._task: asyncio.Task[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()

    @property
    def busy(self) -> bool:
        """Whether a request is being answered."""
        return self._task is not None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.set_write_buffer_limits(high=0)  # so that a write is a packet
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._open.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._open.discard(self)
        self._writable.set()
        if self._task:
            self._task.cancel()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._next()

    def _next(self) -> None:
        if self._task is not None or self.transport.is_closing():
            return
        head, end, rest = self._buffer.partition(b"\r\n\r\n")
        if not end:
            return
        method, target, headers = _head(head)
        size = int(headers.get("content-length", "0"))
        if "transfer-encoding" in headers or size > _TOO_LONG:
            self.transport.write(b"HTTP/1.1 411 Length Required\r\ncontent-length: 0\r\n\r\n")
            self.transport.close()
        elif len(rest) >= size:
            self._buffer = rest[size:]
            path, _, query = target.partition("?")
            wire = self._wire_of(path)
            received = Received(method, path, query, headers, rest[:size], time.monotonic(), wire)
            self._task = asyncio.get_running_loop().create_task(self._answer(received))

    async def _answer(self, received: Received) -> None:
        try:
            await self._handler(received, self)
        except Exception:  # a script's own mistake: nobody shall wait for it
            self.transport.abort()
            raise
        finally:
            self._task = None
        self._next()

    async def send(self, packets: list[bytes], gap: float = 0.0) -> None:
        """Each packet as one TCP write, `gap` seconds apart."""
        for number, packet in enumerate(packets):
            if number and gap:
                await asyncio.sleep(gap)
            if self.transport.is_closing():
                return
            self.transport.write(packet)
            await self._writable.wait()

    def close(self) -> None:
        """Closes it once all is written."""
        self.transport.close()

    def reset(self) -> None:
        """Closes it with RST."""
        sock = self.transport.get_extra_info("socket")
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()


def _head(head: bytes) -> tuple[str, str, dict[str, str]]:
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, *_ = *first.split(" "), "/"
    pairs = (line.partition(":") for line in lines)
    return method, target, {name.strip().lower(): value.strip() for name, _, value in pairs}


def head(status: int, headers: dict[str, str]) -> bytes:
    """A reply's head."""
    reason = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else "Unknown"
    lines = [f"HTTP/1.1 {status} {reason}"]
    lines += (f"{name}: {value}" for name, value in {"date": _date(), **headers}.items())
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def _date() -> str:
    return formatdate(usegmt=True)


def framed(packets: list[bytes]) -> list[bytes]:
    """The packets as chunks of chunked transfer encoding, less the closing one."""
    return [b"%x\r\n%b\r\n" % (len(packet), packet) for packet in packets]

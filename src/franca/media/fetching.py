"""Fetching what a URL names, for vendors that do not: guarded, since the URL may be anybody's.

The address is looked up once, checked, and connected to as it is: a name that changes its address
in between leads nowhere else. No proxy of the environment is used: a proxy would look the name up
anew.
"""

from __future__ import annotations

import asyncio
import builtins
import io
import socket
import ssl
import threading
import time
from collections.abc import Callable
from http.client import HTTPException, HTTPResponse, IncompleteRead
from queue import Empty, SimpleQueue
from types import SimpleNamespace
from typing import Any, TypedDict, Unpack, cast

from franca.errors import ConnectionError, InvalidRequestError, TimeoutError
from franca.media.guard import Place, check, parse, redirected
from franca.media.kinds import media_type
from franca.version import __version__

MAX_BYTES = 20 * 1024 * 1024
MAX_REDIRECTS = 3
TIMEOUT = 20.0

Resolve = Callable[..., list[Any]]
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_FETCHED = ("image/", "application/pdf")
_CHUNK = 1 << 16


def fetch(
    url: str,
    *,
    max_bytes: int = MAX_BYTES,
    timeout: float = TIMEOUT,
    allow_private: bool = False,
    context: ssl.SSLContext | None = None,
    resolve: Resolve = socket.getaddrinfo,
) -> bytes:
    """The picture or the PDF at a URL.

    Args:
        max_bytes: the most to read, whatever the server announces.
        timeout: seconds for all of it: lookup, redirects, and the last byte.
        allow_private: whether addresses outside the public internet may be asked, as in an
            intranet.
        context: whom to trust over TLS; the system's own where None.
        resolve: looks up names, in the form of `socket.getaddrinfo`.

    Raises:
        InvalidRequestError: not http(s), an address that is refused, more than three redirects, a
            status below 500 other than 200, too large, or neither a picture nor a PDF.
        ConnectionError, TimeoutError: it could not be reached, or not in time.
    """
    deadline = time.monotonic() + timeout
    goal = parse(url)
    for _ in range(MAX_REDIRECTS + 1):
        try:
            with _connected(goal, deadline, allow_private, context, resolve) as sock:
                answer = _ask(sock, goal, deadline, max_bytes)
        except builtins.TimeoutError:
            raise TimeoutError(f"{goal.shown}: not fetched in {timeout:g} s", sent=False) from None
        except (OSError, HTTPException, ValueError) as error:
            why = f"{goal.shown} could not be fetched: {_reason(error)}"
            raise ConnectionError(why, sent=False) from None
        if isinstance(answer, bytes):
            return answer
        goal = redirected(goal, answer)
    raise InvalidRequestError(f"{goal.shown}: behind more than {MAX_REDIRECTS} redirects")


class FetchOptions(TypedDict, total=False):
    """How to fetch; see `fetch`."""

    max_bytes: int
    timeout: float
    allow_private: bool
    context: ssl.SSLContext | None
    resolve: Resolve


async def afetch(url: str, **how: Unpack[FetchOptions]) -> bytes:
    """The same, off the event loop."""
    return await asyncio.to_thread(fetch, url, **how)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise builtins.TimeoutError
    return left


def _connected(
    goal: Place,
    deadline: float,
    allow_private: bool,
    context: ssl.SSLContext | None,
    resolve: Resolve,
) -> socket.socket:
    addresses = _lookup(goal, deadline, resolve)
    if not allow_private:
        check(addresses, goal.host)
    failed: OSError = OSError("it has no address")
    for address in addresses:
        try:
            return _open(address, goal, deadline, context)
        except OSError as error:
            failed = error
    raise failed


def _lookup(goal: Place, deadline: float, resolve: Resolve) -> list[str]:
    """The addresses of the host. In a thread of its own, since a lookup knows no timeout."""
    box: SimpleQueue[Any] = SimpleQueue()

    def look() -> None:
        try:
            box.put(resolve(goal.host, goal.port, type=socket.SOCK_STREAM))
        except (OSError, ValueError) as error:
            box.put(error)

    threading.Thread(target=look, daemon=True).start()
    try:
        found = box.get(timeout=_left(deadline))
    except Empty:
        raise builtins.TimeoutError from None
    if isinstance(found, Exception):
        raise found
    return list(dict.fromkeys(entry[4][0] for entry in found))


def _open(
    address: str, goal: Place, deadline: float, context: ssl.SSLContext | None
) -> socket.socket:
    """A connection to that very address; over TLS the certificate must be the name's."""
    sock = socket.create_connection((address, goal.port), timeout=_left(deadline))
    if not goal.secure:
        return sock
    try:
        context = context or ssl.create_default_context()
        return context.wrap_socket(sock, server_hostname=goal.host)
    except BaseException:
        sock.close()
        raise


class _Timed(io.RawIOBase):
    """A socket's bytes until the deadline, however slowly they drip."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._sock, self._deadline = sock, deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._sock.settimeout(_left(self._deadline))
        return self._sock.recv_into(buffer)


def _ask(sock: socket.socket, goal: Place, deadline: float, most: int) -> bytes | str:
    """What is there, or where a redirect leads."""
    lines = (
        f"GET {goal.target} HTTP/1.1",
        f"Host: {goal.header}",
        f"User-Agent: franca/{__version__}",
        "Accept: image/*, application/pdf",
        "Accept-Encoding: identity",
        "Connection: close",
    )
    sock.settimeout(_left(deadline))
    sock.sendall("\r\n".join([*lines, "", ""]).encode("ascii"))
    source = io.BufferedReader(_Timed(sock, deadline))
    response = HTTPResponse(cast("Any", SimpleNamespace(makefile=lambda mode: source)))
    response.begin()
    if response.status in _REDIRECTS and (location := response.getheader("Location")):
        return location
    if response.status >= 500 or response.status == 429:
        raise OSError(f"status {response.status}")
    if response.status != 200:
        raise InvalidRequestError(f"{goal.shown} answered with status {response.status}")
    return _body(response, goal, most)


def _body(response: HTTPResponse, goal: Place, most: int) -> bytes:
    too_large = f"{goal.shown}: more than {most} bytes"
    if (response.length or 0) > most:
        raise InvalidRequestError(too_large)
    data = bytearray()
    while chunk := response.read(_CHUNK):
        data += chunk
        if len(data) > most:
            raise InvalidRequestError(too_large)
    if response.length:
        raise IncompleteRead(b"")
    whole = bytes(data)
    if not (media_type(whole) or "").startswith(_FETCHED):
        raise InvalidRequestError(f"{goal.shown}: neither a picture nor a PDF")
    return whole


def _reason(error: Exception) -> str:
    """What went wrong, in words that hold nothing of the answer."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate was refused: {error.verify_message}"
    if isinstance(error, socket.gaierror):
        return "no such host"
    if isinstance(error, IncompleteRead):
        return "it was cut short"
    if isinstance(error, OSError) and not error.errno and error.args:
        return str(error.args[0])
    return type(error).__name__

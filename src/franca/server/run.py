"""The token server as a process: its socket, its workers, its end."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING, Any

from franca.errors import FrancaError, MissingExtraError
from franca.server.token_server import MAX_BODY, token_app

try:
    import uvicorn
    from uvicorn.supervisors import Multiprocess
except ImportError as error:
    raise MissingExtraError("uvicorn", "server") from error

if TYPE_CHECKING:
    from fastapi import FastAPI

_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_KEEP_ALIVE = 75  # seconds
_ENDS_IN = 10  # seconds for what is in progress


class TokenServerError(FrancaError):
    """The token server cannot run."""


def serve(
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    api_key: str | None = None,
    workers: int = 1,
    max_body: int = MAX_BODY,
    announce: Callable[[str], object] | None = None,
) -> None:
    """Serve until Ctrl-C or SIGTERM; what is in progress is answered first.

    The address goes to stdout, on a line of its own, once connections are taken.

    Args:
        port: 0 takes any free one.
        api_key: asked of callers; required where `host` is not loopback.
        workers: processes that count, each with its own vocabularies.
        max_body: bytes of a request's body.
        announce: told the address, in place of that line.

    Raises:
        MissingExtraError: fastapi or uvicorn is not installed.
        TokenServerError: the address cannot be had.
    """
    if host not in _LOOPBACK and not api_key:
        raise TokenServerError(f"listening on {host} takes an --api-key")
    config = uvicorn.Config(
        partial(_app, api_key=api_key, max_body=max_body),
        factory=True,
        workers=workers,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE,
        timeout_graceful_shutdown=_ENDS_IN,
    )
    with _listening(host, port) as listening:
        signal.signal(signal.SIGTERM, _stop)
        with suppress(KeyboardInterrupt):
            (announce or partial(print, flush=True))(_address(listening))
            print("POST /count_tokens; Ctrl-C ends it", file=sys.stderr)  # noqa: T201
            _running(config, listening)()


def _app(*, api_key: str | None, max_body: int) -> FastAPI:
    """The application of one process; a worker's ends when the parent does, even by SIGKILL."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_after, args=(parent,), daemon=True).start()
    return token_app(api_key=api_key, max_body=max_body)


def _end_after(parent: Any) -> None:
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)


def _running(config: uvicorn.Config, listening: socket.socket) -> Callable[[], None]:
    if config.workers > 1:
        return Multiprocess(config, sockets=[listening]).run
    return partial(uvicorn.Server(config).run, sockets=[listening])


def _listening(host: str, port: int) -> socket.socket:
    try:
        found = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP, flags=socket.AI_PASSIVE
        )
        return _bound(*found[0])
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise TokenServerError(f"cannot listen on {host}:{port}: {why}") from None


def _bound(family: int, kind: int, protocol: int, name: str, address: tuple) -> socket.socket:
    """asyncio turns Nagle's delay off only where the socket names its protocol, which those of
    `socket.create_server` do not: each answer would come 40 ms late."""
    listening = socket.socket(family, kind, protocol)
    try:
        if os.name == "posix":
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(2048)
    except BaseException:
        listening.close()
        raise
    return listening


def _address(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _stop(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt

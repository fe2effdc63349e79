"""A token server's client: it counts there, and here where the server does not answer."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import time
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

from franca.errors import APIError
from franca.tokens import remote
from franca.tokens.counting import Backend, get_token_counts
from franca.tokens.messages import Tools, get_message_token_counts
from franca.types import MessageLike

_log = logging.getLogger("franca.tokens")
_IDLE = 32  # connections kept open
_LARGEST = 1 << 20
"""Bytes of a question; a larger one is counted here before it is over there."""
_HEADER = re.compile(r"[!-~]+")
_THIS_QUESTION = frozenset({400, 413, 422})
"""Refusals of one question; any other says that the server is of no use for now."""


class RemoteCounter:
    """Counts at a token server, and here where it does not answer. Share it between threads.

    Questions of more than a megabyte are counted here at once.

    Args:
        url: the server's address.
        api_key: the key it asks for, or what gives it anew for each question.
        timeout: seconds for connecting, and for each read.
        rest: seconds for which a server that failed is not asked again.
        clock: seconds that only grow.

    Raises:
        ValueError: the address is none of http or https, or no header can carry the key.
    """

    def __init__(
        self,
        url: str,
        *,
        api_key: str | Callable[[], str] | None = None,
        timeout: float = 2.0,
        rest: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        place = urlsplit(url)
        if place.scheme not in ("http", "https") or not place.hostname:
            raise ValueError("a token server's address begins with http:// or https:// and a host")
        kind = HTTPSConnection if place.scheme == "https" else HTTPConnection
        self._connect = partial(kind, place.hostname, place.port, timeout=timeout)
        self._name = f"{place.hostname}:{place.port or ''}".rstrip(":")
        self._path = place.path.rstrip("/") + remote.PATH
        self._key = api_key
        if isinstance(api_key, str):
            _headers(api_key)
        self._rest, self._clock = remote.Rest(rest), clock
        self._seconds = rest
        self._idle: deque[HTTPConnection] = deque(maxlen=_IDLE)
        self._pid = os.getpid()

    def count_tokens(self, text: str, model: str = "", backend: Backend = None) -> int:
        """A text's tokens; see `franca.tokens.get_token_counts`."""
        asked = self._ask(lambda: remote.text_question(text, model, backend))
        return get_token_counts(text, model, backend) if asked is None else asked

    def count_messages_tokens(
        self,
        *,
        messages: Iterable[MessageLike] | str,
        tools: Tools | None = None,
        model: str = "",
        backend: Backend = None,
    ) -> int:
        """A prompt's tokens; see `franca.tokens.get_message_token_counts`. A conversation that is
        not plain JSON is counted here."""
        turns = messages if isinstance(messages, str) else list(messages)
        asked = self._ask(lambda: remote.messages_question(turns, tools, model, backend))
        if asked is not None:
            return asked
        return get_message_token_counts(messages=turns, tools=tools, model=model, backend=backend)

    async def acount_tokens(self, text: str, model: str = "", backend: Backend = None) -> int:
        """`count_tokens`, off the event loop."""
        return await asyncio.to_thread(self.count_tokens, text, model, backend)

    async def acount_messages_tokens(
        self,
        *,
        messages: Iterable[MessageLike] | str,
        tools: Tools | None = None,
        model: str = "",
        backend: Backend = None,
    ) -> int:
        """`count_messages_tokens`, off the event loop."""
        count = partial(self.count_messages_tokens, messages=messages, tools=tools)
        return await asyncio.to_thread(count, model=model, backend=backend)

    def close(self) -> None:
        """Close the connections; a later count opens new ones."""
        while self._idle:
            self._idle.pop().close()

    def _ask(self, question: Callable[[], bytes | None]) -> int | None:
        """The server's count, None where it has none to give."""
        body = question()
        if body is None or len(body) > _LARGEST or not self._rest.over(self._clock()):
            return None
        try:
            status, reply = self._post(body)
            if status in _THIS_QUESTION:
                self._rest.end()
                return None
            if status != 200:
                raise APIError(f"HTTP {status}")
            total = remote.read(reply)
        except (OSError, HTTPException, APIError, ValueError) as error:
            self._failed(error)
            return None
        self._rest.end()
        return total

    def _failed(self, error: Exception) -> None:
        if self._rest.begin(self._clock()):
            why = str(error) if isinstance(error, APIError) else type(error).__name__
            told = "the token server %s does not serve (%s): counting here, asking it every %g s"
            _log.warning(told, self._name, why, self._seconds)

    def _post(self, body: bytes) -> tuple[int, bytes]:
        """A kept connection may have been closed meanwhile: then once more, on a new one."""
        kept = self._kept()
        if kept is not None:
            try:
                return self._exchange(kept, body)
            except TimeoutError:
                raise
            except (OSError, HTTPException):
                pass
        return self._exchange(self._connect(), body)

    def _exchange(self, connection: HTTPConnection, body: bytes) -> tuple[int, bytes]:
        try:
            given = self._key
            key = given if given is None or isinstance(given, str) else given()
            connection.request("POST", self._path, body, _headers(key))
            response = connection.getresponse()
            answer = response.status, response.read()
        except BaseException:
            connection.close()
            raise
        if response.will_close:
            connection.close()
        else:
            self._idle.append(connection)
        return answer

    def _kept(self) -> HTTPConnection | None:
        if self._pid != os.getpid():  # a child must not speak on its parent's connections
            self._pid = os.getpid()
            self.close()
        try:
            return self._idle.pop()
        except IndexError:
            return None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._name})"


def _headers(api_key: str | None) -> dict[str, str]:
    headers = {"Content-Type": "application/json"}
    if api_key:
        if not _HEADER.fullmatch(api_key):  # the HTTP library's own error would repeat it
            raise ValueError("the key holds characters that HTTP cannot carry")
        headers["Authorization"] = f"Bearer {api_key}"
    return headers

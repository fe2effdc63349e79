"""What a token server is asked and what its reply says; nothing is sent from here.

`franca.transport.token_server.RemoteCounter` sends, `franca token-server` answers.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from franca.errors import APIError
from franca.tokens.counting import Backend
from franca.tokens.engine import valid
from franca.tokens.messages import Tools

PATH = "/count_tokens"


def text_question(text: str, model: str = "", backend: Backend = None) -> bytes:
    """The body that asks for a text's count."""
    return _body({"text": text}, model, backend)


def messages_question(
    messages: Iterable[Any] | str,
    tools: Tools | None = None,
    model: str = "",
    backend: Backend = None,
) -> bytes | None:
    """The body that asks for a prompt's count; None where it is not plain JSON (bytes, paths,
    objects): such a conversation is counted where it is."""
    turns = [{"role": "user", "content": messages}] if isinstance(messages, str) else list(messages)
    try:
        return _body(
            {"messages": turns} | ({"tools": list(tools)} if tools else {}), model, backend
        )
    except (TypeError, ValueError, RecursionError):
        return None


def _body(asked: dict[str, Any], model: str, backend: Backend) -> bytes:
    named = {"model": model} | ({"backend": str(backend)} if backend else {})
    return valid(json.dumps(asked | named, ensure_ascii=False, allow_nan=False)).encode()


def read(body: bytes) -> int:
    """The count in a reply.

    Raises:
        APIError: it is not of the server's form.
    """
    try:
        reply = json.loads(body)
    except ValueError:
        reply = None
    total = reply.get("total_tokens") if isinstance(reply, Mapping) else None
    if not isinstance(total, int) or isinstance(total, bool) or total < 0:
        raise APIError("the token server's reply has no total_tokens")
    return total


class Rest:
    """After a failure the server is left alone for some seconds; then one caller tries, and the
    others go on as if it were still away until that one knows.

    Args:
        seconds: how long; `now` is of any clock in seconds that only grows.
    """

    __slots__ = ("_seconds", "_until")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._until: float | None = None

    def over(self, now: float) -> bool:
        """Whether to ask now."""
        if self._until is None:
            return True
        if now < self._until:
            return False
        self._until = now + self._seconds
        return True

    def begin(self, now: float) -> bool:
        """It failed. Whether it had been well before."""
        was_well, self._until = self._until is None, now + self._seconds
        return was_well

    def end(self) -> None:
        """It answered."""
        self._until = None

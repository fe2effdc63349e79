"""What a flow asks of its driver, and what it is told. A failed effect's outcome is the error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from franca.errors import CallError
from franca.settings.target import Target
from franca.types import ChatDelta, ChatRequest
from franca.wire.stream import StreamReader


@dataclass(slots=True)
class Send:
    """Post `body` to `target`; the outcome is a `Reply`."""

    target: Target
    path: str
    body: dict[str, Any]
    request: ChatRequest


@dataclass(slots=True)
class Reply:
    """An answer: whole (`body`), or, of an accepted streaming request, still open (`handle`)."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""
    handle: Any = None


@dataclass(slots=True)
class Read:
    """The next bytes of an open reply; the outcome is None at its end."""

    handle: Any
    target: Target


@dataclass(slots=True)
class Close:
    """Drop an open reply."""

    handle: Any


@dataclass(slots=True)
class Opened:
    """A stream that has committed: from here on the driver owns it."""

    target: Target
    reader: StreamReader
    handle: Any
    deltas: list[ChatDelta]
    ended: bool


Effect = Send | Read | Close
Outcome = Reply | bytes | None | CallError

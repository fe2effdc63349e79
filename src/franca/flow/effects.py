"""What a flow asks of its driver, and what it is told. A failed effect's outcome is the error."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from franca.errors import CallError
from franca.settings.target import Target
from franca.types import ChatDelta, ChatRequest, Usage
from franca.wire.stream import StreamReader

if TYPE_CHECKING:
    from franca.flow.permits import Permit
    from franca.limits.model import Answer, Ask, Pause, Settle


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
class Work:
    """Call this, which may take a while, where it keeps nobody else waiting; the outcome is what
    it returns."""

    call: Callable[[], Any]


@dataclass(slots=True)
class Opened:
    """A stream that has committed: from here on the driver owns it."""

    target: Target
    reader: StreamReader
    handle: Any
    deltas: list[ChatDelta]
    ended: bool
    permit: Permit | None = None

    def settlement(self) -> Callable[[], Settle] | None:
        """What settles the stream's reservation when it ends, however; None where nothing is
        limited. Holds the stream's reader, not the stream."""
        return None if self.permit is None else partial(_settled, self.permit, self.reader)


def _settled(permit: Permit, reader: StreamReader) -> Settle:
    usage = reader.usage
    if usage is not None and not reader.done:
        usage = Usage(prompt_tokens=usage.prompt_tokens, cached_tokens=usage.cached_tokens)
    return permit.answered(usage)


if TYPE_CHECKING:
    Effect = Send | Read | Close | Work | Ask | Pause
    Outcome = Reply | bytes | None | CallError | Answer
else:  # where nothing is limited, nothing of the limits is loaded
    Effect = Send | Read | Close | Work
    Outcome = Reply | bytes | None | CallError

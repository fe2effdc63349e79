"""What a flow asks of its driver, and what it is told. A failed effect's outcome is the error."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from franca.errors import CallError
from franca.settings.target import Target
from franca.types import ChatDelta, ChatRequest
from franca.wire.stream import StreamReader

if TYPE_CHECKING:
    from franca.flow.ending import Ending
    from franca.limits.model import Answer, Ask, Pause


@dataclass(slots=True)
class Send:
    """Post `body` to `target`; the outcome is a `Reply`.

    Args:
        deadline: when the answer must be there, of a stream its first visible event; on the
            clock of `time.monotonic`. None: the HTTP library's own timeouts hold.
        idle: seconds that an open stream may be silent.
    """

    target: Target
    path: str
    body: dict[str, Any] = field(repr=False)
    request: ChatRequest
    deadline: float | None = None
    idle: float | None = None


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
class Sleep:
    """Nothing, for so many seconds."""

    seconds: float


@dataclass(slots=True)
class Opened:
    """A stream that has committed: from here on the driver owns it.

    Args:
        end: to be called once when it ends, however; gives what settles its reservation, None
            where nothing is limited. Holds the stream's reader, not the stream.
        deadline: when it must have ended, None for whenever.
    """

    target: Target
    reader: StreamReader
    handle: Any
    deltas: list[ChatDelta]
    ended: bool
    end: Ending
    deadline: float | None = None


if TYPE_CHECKING:
    Effect = Send | Read | Close | Sleep | Work | Ask | Pause
    Outcome = Reply | bytes | None | CallError | Answer
else:  # where nothing is limited, nothing of the limits is loaded
    Effect = Send | Read | Close | Sleep | Work
    Outcome = Reply | bytes | None | CallError

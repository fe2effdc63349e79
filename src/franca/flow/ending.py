"""What is to be done when a stream has ended, however it did."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from franca.errors import CallError, StreamInterrupted, TimeoutError
from franca.flow.admit import Admitted
from franca.flow.health import health_of
from franca.flow.run import judge
from franca.types import Usage
from franca.wire.stream import StreamReader

if TYPE_CHECKING:
    from franca.flow.hooks import Watch
    from franca.limits.model import Settle


class Ending:
    """Called at a stream's end, gives what settles its reservation, None where nothing is limited.

    Holds the stream's reader and nothing that holds the stream: who drops a stream ends it.

    Attributes:
        left: whether its own reader has closed it, so that how it broke says nothing.
    """

    __slots__ = ("_admitted", "_attempt", "_began", "_deadline", "_first", "_now", "_reader",
                 "_watch", "left")  # fmt: skip

    def __init__(
        self,
        admitted: Admitted,
        reader: StreamReader,
        began: float,
        now: Callable[[], float],
        watch: Watch | None,
        attempt: int,
        deadline: float | None,
    ) -> None:
        self._admitted, self._reader, self._began = admitted, reader, began
        self._now, self._watch, self._attempt = now, watch, attempt
        self._first, self._deadline, self.left = now() - began, deadline, False

    @property
    def watched(self) -> bool:
        """Whether hooks are told, which are anybody's code."""
        return self._watch is not None

    def __call__(self) -> Settle | None:
        """Free its place, tell the hooks, say what it was billed."""
        admitted, now = self._admitted, self._now()
        target, broken = admitted.target, self._reader.failed
        health_of(target).busy.discard(admitted)
        if not (broken is None or self.left or self._late(broken, now)):
            met = broken.__cause__
            met = met if isinstance(met, CallError) else broken
            judge(target, self._began, now, met, stream=True)
        if self._watch is not None:
            self._tell(self._watch)
        return None if admitted.permit is None else admitted.permit.answered(self._usage())

    def _late(self, broken: CallError, now: float) -> bool:
        """Whether the call's own deadline has ended it."""
        over = self._deadline is not None and now >= self._deadline
        return over and isinstance(broken.__cause__, TimeoutError)

    def _tell(self, watch: Watch) -> None:
        target, broken = self._admitted.target, self._reader.failed
        if broken is not None and not self.left:
            watch.tell("on_error", target, self._attempt, error=broken, first_token=self._first)
            return
        cut = isinstance(broken, StreamInterrupted)
        result = broken.partial if cut else self._reader.result()
        watch.tell("on_response", target, self._attempt, result=result, first_token=self._first)

    def _usage(self) -> Usage | None:
        """What was billed; of a stream that has not ended, its prompt alone is known."""
        usage = self._reader.usage
        if usage is not None and not self._reader.done:
            return Usage(prompt_tokens=usage.prompt_tokens, cached_tokens=usage.cached_tokens)
        return usage

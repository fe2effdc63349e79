"""A reply's stream: bytes in, deltas out, and the folded whole at the end."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Protocol
from weakref import ref

from franca.errors import APIError, CallError, StreamInterrupted
from franca.settings.target import Target
from franca.types import ChatCompletion, ChatDelta, Usage
from franca.wire import wire
from franca.wire.failures import failure
from franca.wire.sse import Decoder, Event


class Fold(Protocol):
    """A wire's stream, event by event.

    `done` is True once the wire's own end mark has come. `feed` gives what the event makes visible
    and raises the vendor's own error where the event is one; `result` is what has come so far.
    """

    done: bool

    def __init__(self, target: Target) -> None: ...
    def feed(self, name: str, data: bytes) -> list[ChatDelta]: ...
    def result(self) -> ChatCompletion: ...


class StreamReader:
    """One reply's stream, whatever drives it.

    A failure before anything was visible is the plain error, so that another endpoint may be
    tried; after it, `StreamInterrupted` with what arrived.

    Args:
        finish: what is done to a folded result.
    """

    __slots__ = ("_broken", "_decoder", "_finish", "_fold", "_target", "visible")

    def __init__(
        self, target: Target, finish: Callable[[ChatCompletion], object] | None = None
    ) -> None:
        self._finish = finish
        self._decoder = Decoder()
        self._fold: Fold = wire(target.wire).Fold(target)
        self._target = target
        self._broken: tuple[CallError, ref[CallError]] | None = None
        self.visible = False

    def feed(self, data: bytes) -> list[ChatDelta]:
        """The deltas that these bytes complete."""
        return self._deltas(self._decoder.feed(data))

    def end(self) -> list[ChatDelta]:
        """The connection has ended. Raises where the wire's end mark is missing."""
        rest = self._decoder.rest.strip()
        deltas = self._deltas(self._decoder.end())
        if self._fold.done:
            return deltas
        if b'"error' in rest and rest[:1] in b"{[":  # no stream: an error under status 200
            raise self.broken(self._malformed(rest))
        raise self.broken(self._error("the stream ended before its end mark", rest))

    def result(self) -> ChatCompletion:
        """What has arrived, folded. Raises what the stream broke with: a part is not the whole."""
        if self._broken is None:
            return self._folded()
        raise self._again(*self._broken)

    def _folded(self) -> ChatCompletion:
        result = self._fold.result()
        if self._finish is not None:
            self._finish(result)
        return result

    @property
    def done(self) -> bool:
        """Whether the wire's end mark has come."""
        return self._fold.done

    @property
    def failed(self) -> CallError | None:
        """What the stream broke with."""
        return None if self._broken is None else self._again(*self._broken)

    @property
    def usage(self) -> Usage | None:
        """What has been billed, as far as the vendor has said."""
        return self._fold.result().usage

    def broken(self, error: CallError) -> CallError:
        """The error to raise for a stream that cannot go on; remembered if it was visible.

        Not held: the traceback of what is raised holds this reader.
        """
        if not self.visible:
            return error
        interrupted = self._interrupted(error.with_traceback(None))
        self._broken = error, ref(interrupted)
        return interrupted

    def _again(self, cause: CallError, raised: ref[CallError]) -> CallError:
        """What was raised, where somebody still has it."""
        return raised() or self.broken(cause)

    def _interrupted(self, error: CallError) -> StreamInterrupted:
        interrupted = StreamInterrupted(
            error.message,
            partial=self._folded(),
            backend=self._target.backend,
            endpoint_id=self._target.endpoint_id,
            body=error.body,
        )
        interrupted.__cause__ = error
        return interrupted

    def _deltas(self, events: list[Event]) -> list[ChatDelta]:
        deltas: list[ChatDelta] = []
        feed = self._fold.feed
        for name, data in events:
            try:
                deltas += feed(name, data)
            except CallError as error:
                failed = error
            except ValueError:
                failed = self._malformed(data)
            else:
                continue
            if self._fold.done:  # an answer that is whole stays whole, whatever follows it
                break
            try:
                raise self.broken(failed)
            finally:
                del failed  # its traceback holds this frame
        self.visible = self.visible or bool(deltas)
        return deltas

    def _malformed(self, data: bytes) -> CallError:
        try:
            json.loads(data)
        except (ValueError, RecursionError):
            return self._error("the stream holds a line that is not JSON", data)
        return failure(None, {}, data, self._target)

    def _error(self, message: str, body: bytes = b"") -> CallError:
        return APIError(
            message,
            backend=self._target.backend,
            endpoint_id=self._target.endpoint_id,
            body=body,
            retryable=True,
        )

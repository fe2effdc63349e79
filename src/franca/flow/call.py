"""One call: try the targets in order, moving past those that cannot be reached."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from franca.errors import CallError, ConnectionError, TimeoutError
from franca.flow.effects import Close, Effect, Opened, Outcome, Read, Reply, Send
from franca.settings.target import Target
from franca.types import ChatCompletion, ChatDelta, ChatRequest
from franca.wire import wire
from franca.wire.failures import failure
from franca.wire.stream import StreamReader


def complete(
    request: ChatRequest, targets: Sequence[Target]
) -> Generator[Effect, Outcome, ChatCompletion]:
    """The whole answer.

    Raises:
        CallError: the vendor's refusal, or that no target could be reached.
    """
    target, reply = yield from _answer(request, targets)
    return wire(target.wire).parse(reply.body, target)


def stream(request: ChatRequest, targets: Sequence[Target]) -> Generator[Effect, Outcome, Opened]:
    """The answer in pieces, up to its first visible one.

    Raises:
        CallError: as `complete`, and for a stream that breaks before anything is visible.
    """
    target, reply = yield from _answer(request, targets)
    reader = StreamReader(target)
    deltas: list[ChatDelta] = []
    ended = False
    try:
        while not (deltas or ended):
            chunk = yield Read(reply.handle, target)
            if isinstance(chunk, CallError):
                raise chunk
            ended = chunk is None
            deltas = reader.feed(chunk) if isinstance(chunk, bytes) else reader.end()
    except CallError:
        yield Close(reply.handle)
        raise
    return Opened(target, reader, reply.handle, deltas, ended)


def _answer(
    request: ChatRequest, targets: Sequence[Target]
) -> Generator[Effect, Outcome, tuple[Target, Reply]]:
    unreachable: list[CallError] = []
    for target in targets:
        format_ = wire(target.wire)
        reply = yield Send(target, format_.PATH, format_.build(request, target), request)
        if isinstance(reply, Reply):
            if reply.status >= 300:
                raise failure(reply.status, reply.headers, reply.body, target)
            return target, reply
        assert isinstance(reply, CallError)
        if not _never_left(reply):
            raise reply
        unreachable.append(reply)
    raise _none_reached(unreachable)


def _never_left(error: CallError) -> bool:
    return isinstance(error, ConnectionError | TimeoutError) and not error.sent


def _none_reached(errors: list[CallError]) -> CallError:
    if len(errors) == 1:
        return errors[0]
    tried = "; ".join(f"{e.endpoint_id}: {e.message}" for e in errors)
    return ConnectionError(
        f"none of {len(errors)} endpoints could be reached: {tried}",
        sent=False,
        backend=errors[0].backend if errors else None,
    )

"""One call: try the targets in order, moving past those that cannot be reached."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from functools import partial

from franca.errors import CallError, ConnectionError, TimeoutError
from franca.flow.admit import Admitted, admit
from franca.flow.billing import finish
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
        CallError: the vendor's refusal, that no target could be reached, that the limits would
            have it wait too long, or that it does not fit into the model's context.
    """
    admitted, reply = yield from _answer(request, targets)
    target, permit = admitted.target, admitted.permit
    try:
        result = wire(target.wire).parse(reply.body, target)
    except CallError:
        if permit is not None:
            yield permit.kept()
        raise
    finish(result, target, admitted.truncation)
    if permit is not None and (settle := permit.done(result.usage, reply.headers)) is not None:
        yield settle
    return result


def stream(request: ChatRequest, targets: Sequence[Target]) -> Generator[Effect, Outcome, Opened]:
    """The answer in pieces, up to its first visible one.

    Raises:
        CallError: as `complete`, and for a stream that breaks before anything is visible.
    """
    admitted, reply = yield from _answer(request, targets)
    target, permit = admitted.target, admitted.permit
    told = partial(finish, target=target, truncation=admitted.truncation)
    reader = StreamReader(target, told)
    deltas: list[ChatDelta] = []
    ended = False
    try:
        if permit is not None and (words := permit.told(reply.headers)) is not None:
            yield words
        while not (deltas or ended):
            chunk = yield Read(reply.handle, target)
            if isinstance(chunk, CallError):
                raise chunk
            ended = chunk is None
            deltas = reader.feed(chunk) if isinstance(chunk, bytes) else reader.end()
    except GeneratorExit:
        raise
    except BaseException:
        yield Close(reply.handle)
        if permit is not None:
            yield permit.kept()
        raise
    return Opened(target, reader, reply.handle, deltas, ended, permit)


def _answer(
    request: ChatRequest, targets: Sequence[Target]
) -> Generator[Effect, Outcome, tuple[Admitted, Reply]]:
    unreachable: list[CallError] = []
    while targets:
        admitted = yield from admit(request, targets)
        permit, target = admitted.permit, admitted.target
        reply = yield from _send(admitted)
        if isinstance(reply, Reply) and reply.status < 300:
            return admitted, reply
        if isinstance(reply, Reply):
            error = failure(reply.status, reply.headers, reply.body, target)
            if permit is not None:
                yield permit.refused(error, reply.headers)
            raise error
        if permit is not None:
            yield permit.back() if _never_left(reply) else permit.kept()
        if not _never_left(reply):
            raise reply
        unreachable.append(reply)
        targets = [other for other in targets if other is not target]
    raise _none_reached(unreachable)


def _send(admitted: Admitted) -> Generator[Effect, Outcome, Reply | CallError]:
    """One try. What interrupts it settles its permit."""
    target, request, permit = admitted.target, admitted.request, admitted.permit
    format_ = wire(target.wire)
    settled = permit.back if permit is not None else None
    try:
        body = format_.build(request, target)
        settled = permit.kept if permit is not None else None
        reply = yield Send(target, format_.PATH, body, request)
    except GeneratorExit:
        raise
    except BaseException:
        if settled is not None:
            yield settled()
        raise
    assert isinstance(reply, Reply | CallError)
    return reply


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

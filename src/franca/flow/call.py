"""One call: tried, tried again and elsewhere, until there is an answer or one error."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from franca.errors import CallError, ContextLengthError, RateLimitError
from franca.flow.admit import Admitted, admit
from franca.flow.billing import finish
from franca.flow.built import built
from franca.flow.effects import Close, Effect, Opened, Outcome, Read, Reply, Send, Sleep
from franca.flow.ending import Ending
from franca.flow.health import health_of
from franca.flow.order import fit, order
from franca.flow.retry import meaning, summed, unlike
from franca.flow.run import Conduct, Route, Run
from franca.settings.target import Target
from franca.types import ChatCompletion, ChatDelta, ChatRequest
from franca.wire import wire
from franca.wire.failures import failure
from franca.wire.stream import StreamReader

if TYPE_CHECKING:
    from franca.flow.permits import Permit
    from franca.limits.model import Settle

T = TypeVar("T")
Flow = Generator[Effect, Outcome, T]
One = Callable[[Run, Admitted, float], Flow[T]]
"""A single try at an admitted target, begun then; raises what it met with."""
_TURN = 0.05  # seconds after which who waits for a budget looks again, at the least


def complete(request: ChatRequest, route: Route, conduct: Conduct) -> Flow[ChatCompletion]:
    """The whole answer.

    Raises:
        CallError: the caller's own mistake; or what the last try met with, when there is nothing
            left to try, with the others in `tried`; or that the limits, the context or the deadline
            do not allow the call.
    """
    return _call(Run(request, route.targets[0], conduct), route, _whole)


def stream(request: ChatRequest, route: Route, conduct: Conduct) -> Flow[Opened]:
    """The answer in pieces, up to its first visible one.

    Raises:
        CallError: as `complete`, and for a stream that breaks before anything is visible.
    """
    return _call(Run(request, route.targets[0], conduct), route, _opened)


def _call(run: Run, route: Route, one: One[T]) -> Flow[T]:
    try:
        return (yield from _routed(run, route, one))
    except CallError as error:
        if run.watch is not None:
            run.tell("on_error", _last(run, route, error), error=error)
        raise
    except BaseException as error:
        if run.watch is not None:
            run.tell("on_cancel", run.watch.last or route.targets[0], cause=error)
        raise
    finally:
        run.errors.clear()  # their tracebacks hold this run


def _last(run: Run, route: Route, error: CallError) -> Target:
    """The target that an error came from."""
    groups = ([run.last] if run.last else [], route.targets, *route.fallbacks, *route.context)
    came = (t for group in groups for t in group if t.endpoint_id == error.endpoint_id)
    return next(came, route.targets[0])


def _routed(run: Run, route: Route, one: One[T]) -> Flow[T]:
    try:
        return (yield from _anywhere(run, (route.targets, *route.fallbacks), one, route.targets))
    except ContextLengthError as error:
        if not route.context:
            raise
        error.tried = ()  # one error names them all, and may be one of these
        if error not in run.errors:
            run.errors.append(error)
    return (yield from _anywhere(run, route.context, one, route.context[-1]))


def _anywhere(
    run: Run, groups: Sequence[Sequence[Target]], one: One[T], own: Sequence[Target]
) -> Flow[T]:
    """The first model that answers. Those whose endpoints are all out are passed over, unless all
    of all are.

    Args:
        own: the model that was meant; what another cannot take is not the caller's mistake.
    """
    now = run.now()
    well = [g for g in groups if len(groups) == 1 or fit(g, now)] or groups
    for group in well:
        try:
            result = yield from _among(run, group, one, more=group is not well[-1])
        except CallError as error:
            if group is own:
                error.tried = tuple(e for e in run.errors if e is not error)
                raise
            if error not in run.errors:  # else a try has met it
                run.errors.append(error)
            continue
        if result is not None:
            return result
        if (left := run.left()) is not None and left <= 0:
            break
    raise _failed(run, groups)


def _failed(run: Run, groups: Sequence[Sequence[Target]]) -> CallError:
    """The one error of a call; not a name where it is raised, whose frame it would keep alive."""
    error = summed(run.errors)
    error.out = tuple(run.untried(t for group in groups for t in group))
    return error


def _among(run: Run, group: Sequence[Target], one: One[T], *, more: bool) -> Flow[T | None]:
    """One model's endpoints, until one answers; None when there is nothing left to try.

    Args:
        more: whether there is another model to go to.

    Raises:
        CallError: the caller's own mistake.
    """
    left, fresh, before = list(group), list(group), run.tries
    pool = (yield from _next(run, left, fresh, 0, more=more)) if run.errors else list(group)
    while pool:
        try:
            admitted = yield from _choice(run, pool)
        except RateLimitError as error:  # our own limits, or a vendor's wish
            run.errors.append(error)
            return None
        if run.errors and not run.payable(admitted.target):  # others have spent it meanwhile
            yield from _unsent(admitted)
            pool = [t for t in pool if t is not admitted.target]
            continue
        try:
            return (yield from _try(run, admitted, one))
        except CallError as error:
            kind = meaning(error)
            if kind == "caller" and not (left := unlike(error, admitted.target, left)):
                raise
        fresh = [t for t in fresh if t is not admitted.target]
        if kind != "again":
            left = [t for t in left if t is not admitted.target]
        pool = yield from _next(run, left, fresh, run.tries - before, more=more)
    return None


def _choice(run: Run, pool: Sequence[Target]) -> Flow[Admitted]:
    """Where the next try goes: by tier, health, strategy and limits."""
    if len(pool) == 1 and not health_of(pool[0]).until:
        return (yield from admit(run, pool))
    now, conduct, policy = run.now(), run.conduct, run.policy
    strategy = conduct.strategy or policy.strategy
    ordered = yield from order(pool, run.request, strategy, now, conduct.random, conduct.turns)
    probes = [t for t in ordered if health_of(t).probe(now, policy)]
    chosen = None
    try:
        admitted = yield from admit(run, ordered)
        chosen = admitted.target
        admitted.probes = chosen in probes
    finally:
        for target in probes:
            if target is not chosen:
                health_of(target).unprobed()
    return admitted


def _unsent(admitted: Admitted) -> Flow[None]:
    """Give back what a try would have had."""
    if admitted.probes:
        health_of(admitted.target).unprobed()
    if admitted.permit is not None:
        yield admitted.permit.back()


def _next(
    run: Run, left: list[Target], fresh: list[Target], tries: int, *, more: bool
) -> Flow[list[Target]]:
    """Those that the next try may go to, when it may: at once to one that was not tried, else
    after a wait; none when there is nothing left to do.

    One that is out is for when all are, of other models too. A retry that is not within an
    endpoint's budget waits for it as for its turn, unless the endpoint is out; longer where
    retries of others are under way there, whose answers pay for it.
    """
    now, most = run.now(), run.policy.max_retry_delay
    if run.deadline is not None and now >= run.deadline:
        return []
    well = fit(left, now) or ([] if more else left)
    new = [t for t in well if t in fresh]
    if paid := [t for t in new if run.payable(t) and health_of(t).held <= now]:
        return paid
    attempt, until = max(tries, 1), now + most if new or tries <= run.max_retries else now
    new = [t for t in new if health_of(t).held <= now]
    while True:
        now = run.now()
        due = [t for t in new or _others(run, well) if health_of(t).held - now <= most]
        crowded = now < until and any(health_of(t).retries for t in due)
        if attempt > run.max_retries and not crowded:
            return []
        if not any(run.payable(t) or not health_of(t).open(now) for t in due):
            return []
        if not (yield from _waited(run, due, attempt)):
            return []
        if paid := [t for t in due if run.payable(t)]:
            return paid
        attempt += 1


def _others(run: Run, well: list[Target]) -> list[Target]:
    """Those that may be tried now and have not failed last, where there are any."""
    now = run.now()
    return [t for t in well if t is not run.last and health_of(t).held <= now] or well


def _waited(run: Run, due: list[Target], attempt: int) -> Flow[bool]:
    """Wait before a try; False where the deadline comes first."""
    now, turn = run.now(), max(min(attempt, run.max_retries), 1)
    told = max(min(health_of(t).held for t in due) - now, 0.0)
    least = 0.0 if any(run.payable(t) for t in due) else _TURN
    run.wait = max(run.drawn(told, run.policy.max_retry_delay, turn), least)
    if run.deadline is not None and now + run.wait >= run.deadline:
        return False
    yield Sleep(run.wait)
    return True


def _try(run: Run, admitted: Admitted, one: One[T]) -> Flow[T]:
    target = admitted.target
    health, paid, began = health_of(target), run.sends(target), run.now()
    health.busy.add(admitted)
    try:
        result = yield from one(run, admitted, began)
    except BaseException as error:
        health.busy.discard(admitted)
        health.retries -= paid
        if isinstance(error, CallError):
            run.failed(target, began, error)
        if admitted.probes:  # what it has found is told by now
            health.unprobed()
        raise
    now = run.now()
    health.retries -= paid
    health.succeeded(began, now, target.policy, again=paid)
    (health.first if run.request.stream else health.whole).add(now - began, now)
    return result


def _whole(run: Run, admitted: Admitted, began: float) -> Flow[ChatCompletion]:
    reply = yield from _answer(run, admitted, began)
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
    health_of(target).busy.discard(admitted)
    run.tell("on_response", target, result=result)
    return result


def _opened(run: Run, admitted: Admitted, began: float) -> Flow[Opened]:
    reply = yield from _answer(run, admitted, began)
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
        if permit is not None:
            yield permit.kept()
        yield Close(reply.handle)  # last: what is not closed here closes itself
        raise
    finally:
        chunk = None  # an error's traceback holds this frame
    ending = Ending(admitted, reader, began, run.now, run.watch, run.tries, run.deadline)
    return Opened(target, reader, reply.handle, deltas, ended, ending, run.deadline)


def _answer(run: Run, admitted: Admitted, began: float) -> Flow[Reply]:
    """The vendor's answer to one request."""
    reply = yield from _sent(run, admitted, began)
    if isinstance(reply, Reply) and reply.status < 300:
        return reply
    try:
        raise (yield from _refused(admitted, reply))
    finally:
        del reply  # an error's traceback holds this frame


def _refused(admitted: Admitted, reply: Reply | CallError) -> Flow[CallError]:
    """The error for what is no answer; settles the permit."""
    permit = admitted.permit
    if isinstance(reply, CallError):
        if permit is not None:
            yield _unanswered(permit, reply)
        return reply
    error = failure(reply.status, reply.headers, reply.body, admitted.target)
    if permit is not None:
        yield permit.refused(error, reply.headers)
    return error


def _unanswered(permit: Permit, error: CallError) -> Settle:
    if error.status_code:  # it was answered, to an SDK
        return permit.refused(error, {})
    return permit.kept() if getattr(error, "sent", True) else permit.back()


def _sent(run: Run, admitted: Admitted, began: float) -> Flow[Reply | CallError]:
    target, request, permit = admitted.target, admitted.request, admitted.permit
    settled = permit.back if permit is not None else None
    try:
        path, body, request = built(request, target)
        settled = permit.kept if permit is not None else None
        idle = request.idle_timeout or run.policy.idle_timeout
        until = run.until(target, began)
        reply = yield Send(target, path, body, request, until, idle)
    except GeneratorExit:
        raise
    except BaseException:
        if settled is not None:
            yield settled()
        raise
    assert isinstance(reply, Reply | CallError)
    return reply

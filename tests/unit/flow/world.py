"""A world for flows: a clock that only flows move, servers that answer as they are told."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from heapq import heappop, heappush
from itertools import count
from typing import Any

from franca.errors import CallError, TimeoutError
from franca.flow import (
    Close,
    Conduct,
    Hooks,
    Read,
    Reply,
    Route,
    Send,
    Sleep,
    Work,
    complete,
    stream,
)
from franca.limits.memory import MemoryStore
from franca.limits.model import SECOND, Look, Pause, Reserve, Settle, Standing
from franca.limits.scopes import Scope, scope
from franca.settings.policy import DEFAULT, Policy, Strategy
from franca.settings.target import Counting, Endpoint, Target
from franca.types import ChatRequest, EndpointType, Message

WHOLE = b'{"id":"1","choices":[{"index":0,"message":{"content":"hi"},"finish_reason":"stop"}]}'
HI = b'data: {"choices":[{"index":0,"delta":{"content":"hi"}}]}\n\n'
STOP = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'

Answer = Reply | CallError | bytes
Server = Callable[[Send], Answer] | Iterable[Answer]
Outcome = Any

_names = count()


def ok() -> Reply:
    """An answer; a stream that is asked for takes its pieces from `HI` and `STOP`."""
    return Reply(200, {}, WHOLE)


def refused(status: int, body: bytes = b"{}", **headers: str) -> Reply:
    """An error of that status; `retry_after="1"` is a header."""
    return Reply(status, {k.replace("_", "-"): v for k, v in headers.items()}, body)


def target(name: str, policy: Policy = DEFAULT, model: str = "m", **more: Any) -> Target:
    """An endpoint that shares its health with no other test's."""
    endpoint = Endpoint(name, EndpointType.OpenAI, f"http://{name}-{next(_names)}.test/v1")
    return Target("local", model, model, endpoint, policy=policy, **more)


def targets(names: str, policy: Policy = DEFAULT, **more: Any) -> list[Target]:
    """One a letter."""
    return [target(name, policy, **more) for name in names]


def request(**options: Any) -> ChatRequest:
    """A question; `options` are `ChatRequest`'s."""
    return ChatRequest([Message("user", "hello")], {}, **options)


@dataclass
class World:
    """Drives flows by hand, any number at once.

    Args:
        servers: by endpoint, what it answers; one that is not here is well. A list that is used
            up answers well too.
        took: seconds that a send takes; slow: by endpoint, where it takes others. An answer that
            would come after the send's deadline is a `TimeoutError` then.
        chance: what every draw gives, or what draws.
        sent: (when, where) of each send. sends: the effects themselves.
    """

    servers: Mapping[str, Server] = field(default_factory=dict)
    took: float = 0.0
    slow: Mapping[str, float] = field(default_factory=dict)
    chance: float | Callable[[], float] = 0.5
    strategy: Strategy | None = "first"
    hooks: Sequence[Hooks] = ()
    now: float = 1000.0
    sent: list[tuple[float, str]] = field(default_factory=list)
    sends: list[Send] = field(default_factory=list)
    sleeps: list[float] = field(default_factory=list)
    closed: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._servers = {name: _server(given) for name, given in self.servers.items()}
        self.conduct = Conduct(lambda: self.now, self._draw, self.strategy, tuple(self.hooks))
        self._store = MemoryStore(lambda: int(self.now * SECOND))

    def ask(self, places: Sequence[Target] | Route, asked: ChatRequest | None = None) -> Any:
        """What a call gives, or the error it raises."""
        return self.burst([(self.now, places)], asked)[0]

    def burst(
        self,
        calls: Iterable[tuple[float, Sequence[Target] | Route]],
        asked: ChatRequest | None = None,
    ) -> list[Any]:
        """What many calls give, each begun at its time, however many are under way then."""
        calls = list(calls)
        begun = [self.flow(places, asked) for _, places in calls]
        results: list[Any] = [None] * len(begun)
        due: list[tuple[float, int, int, Outcome]] = []
        steps = count()
        for number, (when, _) in enumerate(calls):
            heappush(due, (when, next(steps), number, None))
        while due:
            when, _, number, outcome = heappop(due)
            self.now = max(self.now, when)
            try:
                effect = _resumed(begun[number], outcome)
            except StopIteration as stop:
                results[number] = stop.value
            except CallError as error:
                results[number] = error
            else:
                seconds, outcome = self.perform(effect)
                heappush(due, (self.now + seconds, next(steps), number, outcome))
        return results

    def flow(
        self, places: Sequence[Target] | Route, asked: ChatRequest | None = None
    ) -> Generator[Any, Outcome, Any]:
        """A call that is not begun."""
        asked = asked or request()
        route = places if isinstance(places, Route) else Route(places)
        return (stream if asked.stream else complete)(asked, route, self.conduct)

    def tried(self) -> str:
        """The endpoints in the order in which they were sent to."""
        return "".join(name for _, name in self.sent)

    def limited(self, name: str, policy: Policy = DEFAULT, **figures: Any) -> Target:
        """An endpoint with limits, counted on this world's clock."""
        made = target(name, policy, counting=Counting(), **figures)
        found = _scope(made)
        book = self._store.book(found.key, found.rules)
        made.kept["limits"] = replace(found, store=self._store, book=book)
        return made

    def standing(self, place: Target) -> Standing:
        """How a limited endpoint stands."""
        found = _scope(place)
        answer = self._store.perform(Look(self._store, found.key, found.rules))
        assert isinstance(answer, Standing)
        return answer

    def perform(self, effect: Any) -> tuple[float, Outcome]:
        """(the seconds that it takes, its outcome)."""
        match effect:
            case Sleep():
                self.sleeps.append(effect.seconds)
                return effect.seconds, None
            case Pause():
                return effect.microseconds / SECOND, None
            case Send():
                return self._send(effect)
            case Read():
                return 0.0, next(effect.handle, None)
            case Close():
                self.closed.append(effect.handle)
                return 0.0, None
            case Work():
                return 0.0, _called(effect)
            case Reserve() | Settle() | Look():
                return 0.0, effect.store.perform(effect)
        raise AssertionError(f"no such effect: {effect}")

    def _draw(self) -> float:
        return self.chance if isinstance(self.chance, int | float) else self.chance()

    def _send(self, send: Send) -> tuple[float, Reply | CallError]:
        name = send.target.endpoint_id
        self.sent.append((self.now, name))
        self.sends.append(send)
        answer = self._answer(send)
        seconds = self.slow.get(name, self.took)
        if send.deadline is not None and self.now + seconds > send.deadline:
            return max(send.deadline - self.now, 0.0), TimeoutError("too long", endpoint_id=name)
        return seconds, answer

    def _answer(self, send: Send) -> Reply | CallError:
        server = self._servers.get(send.target.endpoint_id)
        answer = server(send) if server is not None else ok()
        if isinstance(answer, bytes):  # a stream's bytes, then its end
            return Reply(200, {}, handle=iter([answer]))
        if isinstance(answer, CallError):
            return copy(answer)  # each failure is an error of its own
        if answer.status == 200 and send.request.stream:
            pieces = [HI, STOP] if answer.body == WHOLE else [answer.body]
            return Reply(200, {}, handle=iter(pieces))
        return answer


@dataclass
class _Raised:
    error: Exception


def _called(work: Work) -> Outcome:
    try:
        return work.call()
    except Exception as error:
        return _Raised(error)


def _resumed(flow: Generator[Any, Outcome, Any], outcome: Outcome) -> Any:
    return flow.throw(outcome.error) if isinstance(outcome, _Raised) else flow.send(outcome)


def _server(given: Server) -> Callable[[Send], Answer]:
    if isinstance(given, Iterable):
        answers = iter(given)
        return lambda _: next(answers, ok())
    return given


def _scope(place: Target) -> Scope:
    found = scope(place)
    assert found is not None
    return found

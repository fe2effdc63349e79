"""A world for flows: a clock that only sleeps move, servers that answer as they are told."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Literal

from franca.errors import CallError
from franca.flow import (
    Close,
    Conduct,
    Hooks,
    Opened,
    Read,
    Reply,
    Route,
    Send,
    Sleep,
    complete,
    stream,
)
from franca.limits.drive import perform
from franca.settings.policy import Policy, Strategy
from franca.settings.target import Endpoint, Target
from franca.types import ChatCompletion, ChatRequest, EndpointType, Message

WHOLE = b'{"id":"1","choices":[{"index":0,"message":{"content":"hi"},"finish_reason":"stop"}]}'
HI = b'data: {"choices":[{"index":0,"delta":{"content":"hi"}}]}\n\n'
STOP = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'

Answer = Reply | CallError | bytes
Server = Callable[[Send], Answer] | Iterable[Answer]

_names = count()


def ok() -> Reply:
    """An answer; a stream that is asked for takes its pieces from `HI` and `STOP`."""
    return Reply(200, {}, WHOLE)


def refused(status: int, **headers: str) -> Reply:
    """An error of that status; `retry_after="1"` is a header."""
    return Reply(status, {k.replace("_", "-"): v for k, v in headers.items()}, b"{}")


def target(name: str, policy: Policy = Policy(), model: str = "m", **more: Any) -> Target:  # noqa: B008
    """An endpoint that shares its health with no other test's."""
    endpoint = Endpoint(name, EndpointType.OpenAI, f"http://{name}-{next(_names)}.test/v1")
    return Target("local", model, model, endpoint, policy=policy, **more)


def request(**options: Any) -> ChatRequest:
    """A question; `options` are `ChatRequest`'s."""
    return ChatRequest([Message("user", "hello")], {}, **options)


@dataclass
class World:
    """Drives flows by hand.

    Args:
        servers: by endpoint, what it answers; one that is not here is well. A list that is used
            up answers well too.
        took: seconds that each send takes.
        chance: what every draw gives, or what draws.
    """

    servers: Mapping[str, Server] = field(default_factory=dict)
    took: float = 0.0
    chance: float | Callable[[], float] = 0.5
    strategy: Strategy | None = "first"
    hooks: Sequence[Hooks] = ()
    now: float = 1000.0
    sent: list[tuple[float, str]] = field(default_factory=list)
    sleeps: list[float] = field(default_factory=list)
    closed: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._queues = {
            name: given if callable(given) else iter(given) for name, given in self.servers.items()
        }
        draw = self.chance
        self.conduct = Conduct(
            lambda: self.now,
            draw if callable(draw) else lambda: draw,
            self.strategy,
            tuple(self.hooks),
        )

    def ask(
        self, targets: Sequence[Target] | Route, asked: ChatRequest | None = None
    ) -> ChatCompletion | CallError:
        """What `complete` gives, or the error it raises."""
        return self._drive(complete, targets, asked or request())

    def open(
        self, targets: Sequence[Target] | Route, asked: ChatRequest | None = None
    ) -> Opened | CallError:
        """What `stream` gives, or the error it raises."""
        return self._drive(stream, targets, asked or request(stream=True))

    def tried(self) -> str:
        """The endpoints in the order in which they were sent to."""
        return "".join(name for _, name in self.sent)

    def _drive(self, flow: Any, targets: Any, asked: ChatRequest) -> Any:
        route = targets if isinstance(targets, Route) else Route(targets)
        running: Generator[Any, Any, Any] = flow(asked, route, self.conduct)
        outcome: Any = None
        try:
            while True:
                outcome = self._perform(running.send(outcome))
        except StopIteration as stop:
            return stop.value
        except CallError as error:
            return error

    def _perform(self, effect: Any) -> Any:
        match effect:
            case Sleep():
                self.sleeps.append(effect.seconds)
                self.now += effect.seconds
                return None
            case Send():
                self.sent.append((self.now, effect.target.endpoint_id))
                self.now += self.took
                return self._answer(effect)
            case Read():
                return next(effect.handle, None)
            case Close():
                self.closed.append(effect.handle)
                return None
        return perform(effect)

    def _answer(self, send: Send) -> Reply | CallError:
        server = self._queues.get(send.target.endpoint_id)
        if server is None:
            answer: Answer = ok()
        else:
            answer = server(send) if callable(server) else next(server, ok())
        if isinstance(answer, bytes):  # a stream's bytes, then its end
            return Reply(200, {}, handle=iter([answer]))
        if send.request.stream and isinstance(answer, Reply) and answer.status == 200:
            return Reply(200, {}, handle=iter([HI, STOP]))
        return answer


State = Literal["closed", "open", "half_open"]

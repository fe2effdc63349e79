"""What a client tells of its calls: hooks of its own, and the logger `franca`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from franca.errors import CallError
from franca.settings.target import Target, place
from franca.types import ChatCompletion, ChatRequest

log = logging.getLogger("franca")
log.addHandler(logging.NullHandler())  # silent unless the application says otherwise


@dataclass(slots=True, eq=False)
class CallEvent:
    """One moment of a call. No field holds a key; the request holds the prompt, its repr does not.

    Args:
        backend, model, endpoint_id: where the try goes, went, or will go.
        request: the call as data.
        attempt: the number of the try, from 1; of `on_retry` and `on_failover` that of the next.
        elapsed: seconds since the call began, its waits for limits included.
        call: the same for all events of one call, for hooks to keep things in.
        error: `on_retry`, `on_failover`: what the last try met; `on_error`: what the caller sees.
        wait: `on_retry`: seconds until the next try.
        result: `on_response`: the answer; of a stream, at its end, what has arrived.
        first_token: at the end of a stream: seconds from its try's beginning until its first
            visible event.
        model_id: the name by which the endpoint knows the model.
        endpoint_type: the endpoint's, a value of `EndpointType`.
        url: the endpoint's base URL, without user, password and query; empty: the SDK's own.
        cause: `on_cancel`: what has ended the call.
    """

    backend: str
    model: str
    endpoint_id: str
    request: ChatRequest = field(repr=False)
    attempt: int
    elapsed: float
    call: dict[str, Any] = field(repr=False)
    error: CallError | None = None
    wait: float | None = None
    result: ChatCompletion | None = field(default=None, repr=False)
    first_token: float | None = None
    model_id: str = ""
    endpoint_type: str = ""
    url: str = ""
    cause: BaseException | None = field(default=None, repr=False)


Hook = Callable[[CallEvent], object]
Moment = Literal["on_request", "on_response", "on_retry", "on_failover", "on_error", "on_cancel"]


@dataclass(slots=True, frozen=True)
class Hooks:
    """Functions that a client calls on the way; they must not block. What one raises is logged.

    Args:
        on_request: a request is about to go out; once for every try.
        on_response: an answer is whole, or a stream has ended.
        on_retry: the next try is for an endpoint that was tried before.
        on_failover: the next try is for another endpoint.
        on_error: the call has failed, or its stream has broken.
        on_cancel: the call was cancelled or interrupted, or what it was given cannot be sent; an
            open stream that is closed tells `on_response`.
    """

    on_request: Hook | None = None
    on_response: Hook | None = None
    on_retry: Hook | None = None
    on_failover: Hook | None = None
    on_error: Hook | None = None
    on_cancel: Hook | None = None


class Watch:
    """Tells one call's moments to whoever wants to know.

    Args:
        hooks: all of one client.
        now: seconds, on the clock of the call.

    Attributes:
        last: the target that was told of last.
    """

    __slots__ = ("_began", "_call", "_hooks", "_now", "_request", "last")

    def __init__(
        self, hooks: Sequence[Hooks], request: ChatRequest, now: Callable[[], float]
    ) -> None:
        self._hooks, self._request, self._now = hooks, request, now
        self._began, self._call = now(), {}
        self.last: Target | None = None

    def tell(self, moment: Moment, target: Target, attempt: int, **facts: Any) -> None:
        """Call the hooks for a moment."""
        self.last = target
        for hooks in self._hooks:
            if (hook := getattr(hooks, moment)) is None:
                continue
            event = CallEvent(
                target.backend,
                target.model,
                target.endpoint_id,
                self._request,
                attempt,
                self._now() - self._began,
                self._call,
                model_id=target.model_id,
                endpoint_type=target.endpoint.type,
                url=place(target.endpoint.url),
                **facts,
            )
            try:
                hook(event)
            except Exception as error:  # a listener's own fault is not the call's
                log.error("franca: a hook (%s) raised %s", moment, type(error).__name__)

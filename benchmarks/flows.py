"""The flow of a call alone: its effects answered at once, without network or client."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Generator
from typing import Any

from subjects import MESSAGES

from franca.backends import OPENAI_CHAT
from franca.flow import Conduct, Reply, Route, Send, complete
from franca.limits.drive import perform
from franca.settings import Settings
from franca.settings.target import Target
from franca.types import ChatRequest
from franca.wire import wire
from franca.wire.reading import read_messages

_ROUND = 250
_CHOICE = {"index": 0, "message": {"role": "assistant", "content": "word"}, "finish_reason": "stop"}
_USAGE = {"prompt_tokens": 12, "completion_tokens": 9, "total_tokens": 21}
_BODY = json.dumps({"id": "c", "model": "m", "choices": [_CHOICE], "usage": _USAGE}).encode()


def _headers() -> Any:
    from openai import DefaultHttpxClient

    with DefaultHttpxClient(headers={"date": "now", "x-request-id": "r"}) as client:
        return client.headers


def _targets(**figures: int) -> tuple[Target, ...]:
    endpoint = {"id": "e", "api_base": "http://127.0.0.1/v1", "api_key": "x", **figures}
    models = {"m": {"endpoints": ["e"]}}
    settings = Settings(endpoints=[endpoint], backends={"openai": {"models": models}})
    return settings.resolve("openai", "m")


def _run(flow: Generator[Any, Any, Any], reply: Callable[[], Reply]) -> Any:
    outcome = None
    try:
        while True:
            effect = flow.send(outcome)
            outcome = reply() if isinstance(effect, Send) else perform(effect)
    except StopIteration as stop:
        return stop.value


def _asked(targets: tuple[Target, ...], headers: Any) -> float:
    """CPU seconds of a round of calls."""
    conduct, route = Conduct(time.monotonic), Route(targets)
    started = time.process_time()
    for _ in range(_ROUND):
        request = ChatRequest(read_messages(MESSAGES, OPENAI_CHAT))
        _run(complete(request, route, conduct), lambda: Reply(200, headers, _BODY))
    return time.process_time() - started


def _bare(targets: tuple[Target, ...], headers: Any) -> float:
    """The same round without a flow: a request built, a reply parsed."""
    started = time.process_time()
    for _ in range(_ROUND):
        request = ChatRequest(read_messages(MESSAGES, OPENAI_CHAT))
        format_ = wire(targets[0].wire)
        Send(targets[0], format_.PATH, format_.build(request, targets[0]), request)
        format_.parse(Reply(200, headers, _BODY).body, targets[0])
    return time.process_time() - started


def _more(calls: int, one: Callable[[], float], other: Callable[[], float]) -> float:
    """CPU seconds a call by which one round costs more than the other.

    A difference of microseconds, so each side is taken at its least: the machine's pace, and who
    else is at work, can only add to either.
    """
    one(), other()
    pairs = [(one(), other()) for _ in range(max(calls // _ROUND, 5))]
    return (min(a for a, _ in pairs) - min(b for _, b in pairs)) / _ROUND


def flow(calls: int) -> float:
    """CPU seconds that the flow adds to a call with one endpoint that is well: health, budget,
    hooks that nobody has set, the deadline."""
    headers, targets = _headers(), _targets()
    return _more(calls, lambda: _asked(targets, headers), lambda: _bare(targets, headers))


def limits(calls: int) -> float:
    """CPU seconds that limits on requests, tokens and slots in memory add to a call."""
    headers, free = _headers(), _targets()
    limited = _targets(rpm=10**8, tpm=10**12, concurrent_requests=10**6)
    return _more(calls, lambda: _asked(limited, headers), lambda: _asked(free, headers))

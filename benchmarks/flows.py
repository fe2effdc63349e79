"""The flow of a call alone: its effects answered at once, without network or client."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Generator
from typing import Any

from subjects import MESSAGES

from franca.flow import Reply, Send, complete
from franca.limits.drive import perform
from franca.settings import Settings
from franca.settings.target import Target
from franca.types import ChatRequest
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


def limits(calls: int) -> float:
    """CPU seconds that limits on requests, tokens and slots in memory add to a call.

    A difference of microseconds, so each side is taken at its least: the machine's pace, and who
    else is at work, can only add to either.
    """
    headers = _headers()

    def spent(targets: tuple[Target, ...]) -> float:
        started = time.process_time()
        for _ in range(_ROUND):
            request = ChatRequest(read_messages(MESSAGES, "openai-chat"))
            _run(complete(request, targets), lambda: Reply(200, headers, _BODY))
        return time.process_time() - started

    free, limited = _targets(), _targets(rpm=10**8, tpm=10**12, concurrent_requests=10**6)
    spent(free), spent(limited)
    pairs = [(spent(limited), spent(free)) for _ in range(max(calls // _ROUND, 5))]
    return (min(one for one, _ in pairs) - min(other for _, other in pairs)) / _ROUND

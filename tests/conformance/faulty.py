"""What a server can do wrong, and how a call through the public client meets it: the table that
`test_faults.py` holds and `benchmarks/faults.py` prints.

All calls of a table run at once against one simulator: a header names the call, the path names the
endpoint.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from email.utils import formatdate
from itertools import count
from typing import Any

from openai import DefaultAioHttpClient, DefaultHttpxClient

from franca import Settings, create_async_chat_client, create_chat_client
from franca import errors as e
from franca.testing import Answer, Received, Simulator, error, rate_limited
from franca.types import ChatCompletion

RETRIES = 2
CALL = "x-test-id"
"""The header that names a call; as npm's aimock has it."""
TEXT = "four words of text"
WIRES = {"openai-chat": ("local", "/v1"), "anthropic-messages": ("anthropic", "")}
_HTML = {"content-type": "text/html"}
_PAGE = b"<html><head><title>Bad gateway</title></head><body><h1>Bad gateway</h1></body></html>"
_numbers = count(1)


@dataclass(frozen=True)
class Fault:
    """One way to fail.

    Args:
        error: what the caller sees where nothing else answers.
        wait: seconds at least between two tries of one endpoint.
        tries: how often one endpoint is asked: 1 where a second time would not help.
        everywhere: False where another endpoint would not help either.
        timed: whether nothing but a timeout ends it.
    """

    name: str
    answer: Answer | Callable[[Received], Answer]
    error: type[e.CallError]
    status: int | None = None
    wait: float = 0.0
    tries: int = 1 + RETRIES
    everywhere: bool = True
    timed: bool = False

    def requests(self, endpoints: int, bad: float) -> int:
        """How many requests a call sends, of which the first `bad` fail."""
        if not self.everywhere:
            return 1
        most = max(endpoints, self.tries) if self.tries > 1 else endpoints
        return int(min(bad + 1, most))

    def answered(self, endpoints: int, bad: float) -> bool:
        """Whether such a call is answered."""
        return self.requests(endpoints, bad) > bad


def _dated(received: Received) -> Answer:
    now = time.time()
    headers = {"date": formatdate(now, usegmt=True)}
    return rate_limited(formatdate(now + 1, usegmt=True), headers=headers)


def _past(received: Received) -> Answer:
    return rate_limited(formatdate(time.time() - 3600, usegmt=True))


FAULTS = (
    Fault("429, Retry-After: 1", rate_limited("1"), e.RateLimitError, 429, 1.0),
    Fault("429, Retry-After: 0.2", rate_limited("0.2"), e.RateLimitError, 429, 0.2),
    Fault("429, retry-after-ms: 200",
          rate_limited(None, headers={"retry-after-ms": "200"}), e.RateLimitError, 429, 0.2),
    Fault("429, Retry-After: a date in 1 s", _dated, e.RateLimitError, 429, 1.0),
    Fault("429, Retry-After: a past date", _past, e.RateLimitError, 429),
    Fault("429, Retry-After: soon", rate_limited("soon"), e.RateLimitError, 429),
    Fault("429, Retry-After: -5", rate_limited("-5"), e.RateLimitError, 429),
    Fault("429, no Retry-After", rate_limited(None), e.RateLimitError, 429),
    Fault("429, Retry-After: 3600", rate_limited("3600"), e.RateLimitError, 429, tries=1),
    Fault("500", error(500), e.ProviderError, 500),
    Fault("502", error(502), e.ProviderError, 502),
    Fault("503", error(503), e.ProviderError, 503),
    Fault("503, Retry-After: 0.2",
          error(503, headers={"retry-after": "0.2"}), e.ProviderError, 503, 0.2),
    Fault("529", error(529), e.ProviderError, 529),
    Fault("502, a page of HTML", Answer(502, body=_PAGE, headers=_HTML), e.ProviderError, 502),
    Fault("200, a page of HTML", Answer(body=_PAGE, headers=_HTML), e.APIError),
    Fault("200, JSON that breaks off", Answer(body=b'{"id": "1", "choi'), e.APIError),
    Fault("200, JSON of another form", Answer(body={"ok": True}), e.APIError),
    Fault("200, nothing", Answer(body=b""), e.APIError),
    Fault("reset before the headers", Answer(reset="before_headers"), e.ConnectionError),
    Fault("reset after the headers", Answer(reset="after_headers"), e.ConnectionError),
    Fault("no answer", Answer(hang=True), e.TimeoutError, timed=True),
    Fault("no answer after the headers",
          Answer(hang=True, cut_after=0), e.TimeoutError, timed=True),
    Fault("400", error(400), e.InvalidRequestError, 400, everywhere=False),
    Fault("401", error(401), e.AuthenticationError, 401, tries=1),
    Fault("403", error(403), e.PermissionDeniedError, 403, tries=1),
    Fault("404", error(404), e.NotFoundError, 404, tries=1),
)  # fmt: skip


@dataclass(frozen=True)
class Way:
    """A way to call."""

    wire: str
    endpoints: int
    is_async: bool
    stream: bool

    def __str__(self) -> str:
        how = ("async" if self.is_async else "sync", "stream" if self.stream else "whole")
        return " ".join([self.wire, str(self.endpoints), *how])


WAYS = [
    Way(wire, endpoints, is_async, stream)
    for wire in WIRES
    for endpoints in (1, 2, 4)
    for is_async in (False, True)
    for stream in (False, True)
]


@dataclass
class Seen:
    """What the caller of one call saw.

    Args:
        text: all that was emitted, or the whole answer's text.
        result: the answer, or the stream's folded whole.
    """

    text: str = ""
    result: ChatCompletion | None = None
    error: e.CallError | None = None
    requests: list[Received] = field(default_factory=list)

    @property
    def places(self) -> list[str]:
        """The endpoints that were asked, in their order."""
        return [request.path.split("/")[2] for request in self.requests]

    def gaps(self) -> Iterator[float]:
        """Seconds between each request and the one before it to the same endpoint."""
        last: dict[str, float] = {}
        for request in self.requests:
            if (before := last.get(request.path)) is not None:
                yield request.at - before
            last[request.path] = request.at


Script = Callable[[Received, int], Answer]
"""The answer to a call's n-th request, from 0."""


class Scene:
    """A simulator that many calls share, each with a script of its own."""

    def __init__(self) -> None:
        self._scripts: dict[str, Script] = {}
        self._asked: dict[str, list[Received]] = {}
        self.simulator = Simulator(default=self._answer, record=False)

    def __enter__(self) -> Scene:
        self.simulator.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.simulator.stop()

    def play(self, jobs: Sequence[tuple[Way, Any, Mapping[str, Any]]], **policy: Any) -> list[Seen]:
        """Make the calls, all at once; each has endpoints of its own.

        Args:
            policy: the settings' `franca` section.
        """
        blocking = [job for job in jobs if not job[0].is_async]
        with DefaultHttpxClient() as http, ThreadPoolExecutor(100) as pool:
            done = [pool.submit(self._call, http, policy, *job) for job in blocking]
            running = asyncio.run(self._acalls([j for j in jobs if j[0].is_async], policy))
            results = iter([future.result() for future in done]), iter(running)
        return [next(results[job[0].is_async]) for job in jobs]

    def _answer(self, received: Received) -> Answer:
        name = received.headers[CALL]
        asked = self._asked[name]
        asked.append(received)
        return self._scripts[name](received, len(asked) - 1)

    def begin(self, way: Way, script: Any, policy: Any) -> tuple[str, Settings, Seen]:
        """A call's name, its settings, and where what it sees goes."""
        name, seen = f"c{next(_numbers)}", Seen()
        self._scripts[name], self._asked[name] = script, seen.requests
        return name, place(way, name, f"{self.simulator.url}/{name}/", policy), seen

    def prompt(self, name: str) -> str:
        """What a call asks."""
        return "x"

    def _call(self, http: Any, policy: Any, way: Way, script: Script, params: Any) -> Seen:
        name, settings, seen = self.begin(way, script, policy)
        options = _options(name, params)
        backend = WIRES[way.wire][0]
        with create_chat_client(backend, "m", settings=settings, http_client=http) as client:
            try:
                if not way.stream:
                    seen.result = client.create_completion(self.prompt(name), **options)
                    seen.text = seen.result.content or ""
                    return seen
                stream = client.create_stream(self.prompt(name), **options)
                for delta in stream:
                    seen.text += delta.content or ""
                seen.result = stream.result()
            except e.CallError as error:
                seen.error = error
        return seen

    async def _acalls(self, jobs: Sequence[Any], policy: Any) -> list[Seen]:
        async with DefaultAioHttpClient() as http:
            return await asyncio.gather(*(self._acall(http, policy, *job) for job in jobs))

    async def _acall(self, http: Any, policy: Any, way: Way, script: Script, params: Any) -> Seen:
        name, settings, seen = self.begin(way, script, policy)
        options = _options(name, params)
        backend = WIRES[way.wire][0]
        client = create_async_chat_client(backend, "m", settings=settings, http_client=http)
        async with client:
            try:
                if not way.stream:
                    seen.result = await client.create_completion(self.prompt(name), **options)
                    seen.text = seen.result.content or ""
                    return seen
                stream = client.create_stream(self.prompt(name), **options)
                async for delta in stream:
                    seen.text += delta.content or ""
                seen.result = await stream.result()
            except e.CallError as error:
                seen.error = error
        return seen


def _options(name: str, params: Mapping[str, Any]) -> Any:
    return {"max_tokens": 100, "extra_headers": {CALL: name}, **params}


def place(way: Way, name: str, url: str, policy: Mapping[str, Any]) -> Settings:
    """The settings for a call: endpoints of its own, which share no other's health.

    Args:
        url: with a `/` at its end each endpoint has a path there.
    """
    backend, suffix = WIRES[way.wire]
    kind = {"anthropic-messages": "anthropic", "openai-chat": "openai"}[way.wire]
    ids = [f"e{number}" for number in range(way.endpoints)]
    endpoints = [
        {
            "id": i,
            "api_base": f"{url}{i if url.endswith('/') else ''}{suffix}",
            "api_key": f"{name}-{i}",
            "endpoint_type": kind,
            "headers": {"x-endpoint": i},
        }
        for i in ids
    ]
    retry = {"max_retries": RETRIES, "retry_delay": 0.001, **policy.get("retry", {})}
    return Settings(
        {
            "VERSION": "2",
            "endpoints": endpoints,
            "backends": {backend: {"models": {"m": {"endpoints": ids}}}},
            "franca": {**policy, "retry": retry},
        }
    )


def limits(timed: bool, bad: float) -> Mapping[str, float]:
    """Timeouts for a fault: short where every try meets it, else long enough for a busy machine
    to answer in time."""
    if not timed:
        return {}
    return {"timeout": 2.0, "idle_timeout": 1.5} if bad == 1 else {"timeout": 2.5}


def first(bad: float, fault: Fault) -> Script:
    """The fault for the first `bad` requests, then the answer."""

    def script(received: Received, number: int) -> Answer:
        if number >= bad:
            return Answer(text=TEXT)
        return fault.answer if isinstance(fault.answer, Answer) else fault.answer(received)

    return script

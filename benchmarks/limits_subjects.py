"""The limiters that are compared, and how one asks each.

Each is loaded when it is the subject: the others need not be installed. Times are microseconds.
"""

from __future__ import annotations

import os
import time
from collections.abc import Generator
from dataclasses import asdict, dataclass
from datetime import timedelta
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

PLENTY = 1 << 40
RETRY = 0.005  # seconds between the tries of a limiter that has no word for waiting


def clock() -> int:
    """The true time, by a clock that nobody sets: one for all processes of this host."""
    return time.monotonic_ns() // 1000


def kind(scope: str) -> str:
    """What a scope limits: there may be several of a kind, as `requests/steady`."""
    return scope.partition("/")[0]


@dataclass(slots=True)
class Grant:
    """One admission: when it was asked for and answered on the true clock; and by the store's
    clock, where that is told: when it was granted, what was promised at first, how long it was.
    `ended` is when its call did, before that was told to anybody; `busy` how many were in flight
    when it began."""

    worker: str
    weight: int
    asked: int
    answered: int
    at: int = 0
    promised: int = 0
    waited: int = 0
    asks: int = 1
    sleeps: int = 0
    billed: int = 0
    ended: int = 0
    busy: int = 0

    def packed(self) -> list[Any]:
        return list(asdict(self).values())


class Subject:
    """How one library is asked; a scope is one limit, of requests, of tokens or (ours) of slots.

    Args:
        place: of the store: an address, a directory, or nothing for one in memory.
        limits: of each scope, in a window of `span` microseconds.
    """

    scopes: tuple[str, ...] = ("requests", "tokens")
    spans: tuple[int, ...] = ()  # the only ones that it knows, where it does not know all

    def __init__(self, place: str, limits: dict[str, int], span: int, key: str = "bench") -> None:
        self.place, self.limits, self.span, self.key = place, limits, span, key

    def attempt(self, scope: str, weight: int) -> Grant | None:
        """One try that does not wait."""
        raise NotImplementedError

    def wait(self, scope: str, weight: int, until: int) -> Grant | None:
        """Wait for it until then, as the library does; else as its users do, by trying again."""
        started = clock()
        while clock() < until:
            if grant := self.attempt(scope, weight):
                grant.waited = grant.answered - started
                return grant
            time.sleep(RETRY)
        return None

    def done(self, grant: Grant, billed: int | None) -> None:
        """The call is over; None: it was never sent."""

    def look(self, scope: str) -> Any:
        """How the scope stands: ours only."""
        raise NotImplementedError


class Timed(Subject):
    """One that answers yes or no."""

    def attempt(self, scope: str, weight: int) -> Grant | None:
        asked = clock()
        return Grant("", weight, asked, clock()) if self.hit(scope, weight) else None

    def hit(self, scope: str, weight: int) -> bool:
        raise NotImplementedError


class Limits(Timed):
    """limits: `MovingWindowRateLimiter` on Redis."""

    strategy = "MovingWindowRateLimiter"

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        storage = import_module("limits.storage").storage_from_string(self.place or "memory://")
        self._limiter = getattr(import_module("limits.strategies"), self.strategy)(storage)
        package: Any = import_module("limits")
        per_second = package.RateLimitItemPerSecond
        seconds = round(self.span / 1e6)
        self._items = {scope: per_second(n, seconds) for scope, n in self.limits.items()}

    def hit(self, scope: str, weight: int) -> bool:
        return self._limiter.hit(self._items[scope], self.key, scope, cost=weight)


class LimitsFixed(Limits):
    """limits: `FixedWindowRateLimiter` on Redis."""

    strategy = "FixedWindowRateLimiter"


class LimitsSliding(Limits):
    """limits: `SlidingWindowCounterRateLimiter` on Redis."""

    strategy = "SlidingWindowCounterRateLimiter"


class Pyrate(Timed):
    """pyrate-limiter: `Limiter` over a `RedisBucket`; it waits by itself."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._module = import_module("pyrate_limiter")
        self._limiters = {scope: self._limiter(scope, n) for scope, n in self.limits.items()}

    def _limiter(self, scope: str, limit: int) -> Any:
        rates = [self._module.Rate(limit, self.span // 1000)]
        if not self.place:
            return self._module.Limiter(self._module.InMemoryBucket(rates))
        redis = import_module("redis").Redis.from_url(self.place)
        bucket = self._module.RedisBucket.init(rates, redis, f"{self.key}:{scope}")
        return self._module.Limiter(bucket)

    def hit(self, scope: str, weight: int) -> bool:
        return self._limiters[scope].try_acquire(self.key, weight, blocking=False)

    def wait(self, scope: str, weight: int, until: int) -> Grant | None:
        asked = clock()
        left = max((until - asked) / 1e6, 0.001)
        got = self._limiters[scope].try_acquire(self.key, weight, timeout=left)
        now = clock()
        return Grant("", weight, asked, now, waited=now - asked) if got else None


class Throttled(Timed):
    """throttled-py: its sliding window on Redis; it waits by itself."""

    using = "sliding_window"

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        module = import_module("throttled")
        base = import_module("throttled.rate_limiter.base")
        place = self.place
        store = module.RedisStore(server=place) if place else module.MemoryStore()
        period = timedelta(microseconds=self.span)
        self._limiters = {
            scope: module.Throttled(
                key=f"{self.key}:{scope}", using=self.using, store=store,
                quota=base.per_duration(period, limit, burst=limit),
            )
            for scope, limit in self.limits.items()
        }  # fmt: skip

    def hit(self, scope: str, weight: int) -> bool:
        return not self._limiters[scope].limit(cost=weight).limited

    def wait(self, scope: str, weight: int, until: int) -> Grant | None:
        asked = clock()
        left = max((until - asked) / 1e6, 0.001)
        result = self._limiters[scope].limit(cost=weight, timeout=left)
        now = clock()
        return None if result.limited else Grant("", weight, asked, now, waited=now - asked)


class ThrottledGcra(Throttled):
    """throttled-py: GCRA on Redis."""

    using = "gcra"


class Litellm(Timed):
    """litellm: a `Router` that enforces its deployments' limits, with an answer made beforehand.
    It counts tokens only when they are billed, and its minute is the calendar's."""

    scopes = ("requests",)
    spans = (60_000_000,)

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
        self._module: Any = import_module("litellm")
        parsed = urlsplit(self.place)
        model = {
            "model": "openai/bench", "api_key": "none", "mock_response": "yes",
            "rpm": self.limits["requests"],
        }  # fmt: skip
        deployment = {
            "model_name": "bench", "litellm_params": model, "model_info": {"id": self.key},
        }  # fmt: skip
        self._router = self._module.Router(
            model_list=[deployment], redis_host=parsed.hostname, redis_port=parsed.port,
            optional_pre_call_checks=["enforce_model_rate_limits"], num_retries=0,
            disable_cooldowns=True,
        )  # fmt: skip

    def hit(self, scope: str, weight: int) -> bool:
        try:
            self._router.completion("bench", [{"role": "user", "content": "yes?"}])
        except self._module.RateLimitError:
            return False
        return True


class Franca(Subject):
    """Ours, on any of its stores; the limits of requests and of tokens are held together."""

    scopes = ("requests", "tokens", "slots")

    def __init__(self, *args: Any, slots: int = 0, lease: int = 30_000_000, **more: Any) -> None:
        super().__init__(*args, **more)
        self.store = store_at(self.place)
        model = import_module("franca.limits.model")
        self._lease, self._settle = model.Lease, model.Settle
        self._pause, self._reserve = model.Pause, model.Reserve
        self._acquire = import_module("franca.limits.acquire").acquire
        self._drive = import_module("franca.limits.drive").drive
        self._refused = import_module("franca.errors").RateLimitError
        self._held: dict[int, Any] = {}
        self.rules = {
            scope: model.Rules(
                tuple(
                    model.Window(name, limit if name == kind(scope) else PLENTY, self.span)
                    for name in ("requests", "tokens")
                ),
                limit if scope == "slots" else slots,
                lease,
            )
            for scope, limit in self.limits.items()
        }

    def amounts(self, scope: str, weight: int) -> tuple[int, int]:
        return (1, weight) if kind(scope) == "tokens" else (1, 0)

    def lease(self, scope: str, weight: int) -> Any:
        return self._lease(self.amounts(scope, weight))

    def attempt(self, scope: str, weight: int) -> Grant | None:
        lease, asked = self.lease(scope, weight), clock()
        verdict = self.reserve(scope, lease)
        if not verdict.granted:
            return None
        grant = Grant("", weight, asked, clock(), verdict.now)
        self._held[id(grant)] = scope, lease
        return grant

    def reserve(self, scope: str, lease: Any, patience: int = 0) -> Any:
        """The store's verdict."""
        key = f"{self.key}:{scope}"
        return self.store.perform(
            self._reserve(self.store, key, self.rules[scope], lease, patience)
        )

    def wait(self, scope: str, weight: int, until: int, margin: int = 0) -> Grant | None:
        lease, grant = self.lease(scope, weight), Grant("", weight, clock(), 0)
        if margin:
            lease.margins = (0, margin)
        left = max(until - grant.asked, 0) / 1e6
        key = f"{self.key}:{scope}"
        noted = Noted(self.store, grant)
        flow = self._acquire(noted, key, self.rules[scope], lease, max_wait=left)
        try:
            self._drive(self._watched(flow, grant))
        except self._refused:
            return None
        grant.answered, grant.at, grant.busy = clock(), lease.at, lease.busy
        grant.waited += lease.at
        self._held[id(grant)] = scope, lease
        return grant

    def _watched(self, flow: Generator, grant: Grant) -> Generator[Any, Any, None]:
        """The same flow, while its sleeps are counted."""
        try:
            effect = next(flow)
            while True:
                grant.sleeps += isinstance(effect, self._pause)
                try:
                    answer = yield effect
                except BaseException as error:
                    effect = flow.throw(error)
                else:
                    effect = flow.send(answer)
        except StopIteration:
            return

    def done(self, grant: Grant, billed: int | None) -> None:
        scope, lease = self._held.pop(id(grant))
        self.settle(scope, lease, None if billed is None else self.amounts(scope, billed))

    def settle(self, scope: str, lease: Any, billed: tuple[int, ...] | None) -> None:
        """The end of the lease."""
        key = f"{self.key}:{scope}"
        self.store.perform(self._settle(self.store, key, self.rules[scope], lease, billed))

    def look(self, scope: str) -> Any:
        """How the scope stands."""
        look = import_module("franca.limits.model").Look
        return self.store.perform(look(self.store, f"{self.key}:{scope}", self.rules[scope]))


class Noted:
    """A store, for one lease: how often it is asked for it, and what it promises first."""

    def __init__(self, store: Any, grant: Grant) -> None:
        self._store, self._grant = store, grant
        self.local = store.local
        grant.asks = 0

    def perform(self, ask: Any) -> Any:
        answer = self._store.perform(ask)
        if type(ask).__name__ == "Reserve":
            grant = self._grant
            grant.asks += 1
            if grant.asks == 1:
                grant.promised, grant.waited = answer.wait, -answer.now
        return answer

    async def aperform(self, ask: Any) -> Any:
        raise NotImplementedError  # these loads have threads


def store_at(place: str) -> Any:
    """Ours: `redis://…` (`#open`: what it does when Redis is away), a directory, or memory."""
    address, _, away = place.partition("#")
    if address.startswith("redis://"):
        module: Any = import_module("franca.limits.redis")
        return module.RedisStore(address, on_unavailable=away or "share")
    if address:
        return import_module("franca.limits.disk").DiskStore(address)
    return import_module("franca.limits.memory").MemoryStore()


SUBJECTS: dict[str, type[Subject]] = {
    "franca": Franca,
    "limits": Limits,
    "limits-fixed": LimitsFixed,
    "limits-sliding": LimitsSliding,
    "pyrate-limiter": Pyrate,
    "throttled-py": Throttled,
    "throttled-gcra": ThrottledGcra,
    "litellm": Litellm,
}

"""`franca check`: call every model at every endpoint, and say which answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import NamedTuple

from rich.text import Text

from franca import AsyncChatClient, create_async_chat_client
from franca.cli import table
from franca.cli.command import emit
from franca.cli.table import Cell, Columns
from franca.errors import FrancaError, SettingsError
from franca.flow import EndpointHealth
from franca.settings import Settings
from franca.settings.target import Target
from franca.types import ChatParams

_COLUMNS = Columns(
    ("backend", "model", "endpoint"), ("first token", "latency", "wire", "result"), right=2
)
_PROMPT = [{"role": "user", "content": "Say OK."}]
_PARAMS: ChatParams = {
    "max_tokens": 16,
    "max_retries": 0,
    "fallback_models": (),
    "context_fallback": False,
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one endpoint said for one model.

    Args:
        first_token, latency: seconds until something arrived, and until the end.
        error: why it failed, scrubbed of keys; None where it answered.
    """

    backend: str
    model: str
    endpoint_id: str
    wire: str
    first_token: float | None = None
    latency: float | None = None
    error: str | None = None

    @property
    def ok(self) -> bool:
        return self.error is None


class Probed(NamedTuple):
    """What an endpoint said, and how it stands with this process after that."""

    outcomes: list[Outcome]
    health: EndpointHealth


def check(
    settings: Settings,
    *,
    backend: str | None = None,
    model: str | None = None,
    timeout: float = 30,
    at_once: int = 8,
) -> list[Outcome]:
    """Call them all, some at once.

    Args:
        backend, model: only these.
        timeout: seconds for each.
        at_once: how many calls are open at the same time.

    Raises:
        SettingsError: nothing in the settings is left to call.
    """
    targets = wanted(settings, backend, model)
    outcomes = asyncio.run(probed(settings, targets, timeout, at_once))
    return [outcome for one in outcomes for outcome in one.outcomes]


def wanted(settings: Settings, backend: str | None, model: str | None) -> list[Target]:
    """The targets of the settings, or of one backend or model.

    Raises:
        SettingsError: there are none.
    """
    targets = [
        target
        for target in settings.targets()
        if backend in (None, target.backend) and model in (None, target.model)
    ]
    if not targets:
        raise SettingsError(["nothing to check: no such backend or model is enabled"])
    return targets


def show(outcomes: Sequence[Outcome], *, as_json: bool = False) -> None:
    """Print them: a table, or JSON."""
    if as_json:
        emit([asdict(one) | {"ok": one.ok} for one in outcomes])
    else:
        table.show(_COLUMNS, map(_row, outcomes))


async def probed(
    settings: Settings, targets: Iterable[Target], timeout: float, at_once: int, tries: int = 1
) -> list[Probed]:
    """What each of the targets said at each try; `at_once` of them are asked at the same time."""
    room = asyncio.Semaphore(at_once)

    async def one(target: Target) -> Probed:
        async with room:
            return await probe(settings, target, timeout, tries)

    return list(await asyncio.gather(*map(one, targets)))


async def probe(settings: Settings, target: Target, timeout: float, tries: int = 1) -> Probed:
    """Stream a short answer from one endpoint, so many times on one client.

    Args:
        timeout: seconds for each.
    """
    async with create_async_chat_client(
        target.backend, model=target.model, settings=settings, endpoint_id=target.endpoint_id
    ) as client:
        outcomes = [await _once(client, target, timeout) for _ in range(tries)]
        return Probed(outcomes, client.health()[0])  # the pinned endpoint's, before fallbacks'


async def _once(client: AsyncChatClient, target: Target, timeout: float) -> Outcome:
    outcome = Outcome(target.backend, target.model, target.endpoint_id, target.wire)
    start = time.perf_counter()
    try:
        async with asyncio.timeout(timeout):
            first = await _first_token(client)
    except FrancaError as error:
        return replace(outcome, error=f"{type(error).__name__}: {error}")
    except TimeoutError:
        return replace(outcome, error=f"TimeoutError: no answer in {timeout:g} seconds")
    latency = time.perf_counter() - start
    return replace(outcome, first_token=first - start, latency=latency)


async def _first_token(client: AsyncChatClient) -> float:
    first = 0.0
    async with await client.create_stream(_PROMPT, **_PARAMS) as stream:
        async for _ in stream:
            first = first or time.perf_counter()
    return first or time.perf_counter()


def _row(one: Outcome) -> tuple[Cell, ...]:
    result = Text("ok", "green") if one.error is None else Text(one.error, "red")
    times = (milliseconds(one.first_token), milliseconds(one.latency))
    return (one.backend, one.model, one.endpoint_id, *times, one.wire, result)


def milliseconds(seconds: float | None) -> str:
    """For a table; empty for None."""
    return "" if seconds is None else f"{seconds * 1000:,.0f} ms"

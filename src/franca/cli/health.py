"""`franca health`: a few tiny questions to each endpoint, and how it stood them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median

from rich.text import Text

from franca.cli import table
from franca.cli.check import Probed, milliseconds, probed, wanted
from franca.cli.command import emit
from franca.cli.table import Cell, Columns
from franca.settings import Settings
from franca.settings.target import Target

_COLUMNS = Columns(
    ("backend", "model", "endpoint"), ("answered", "latency", "state", "last error"), right=2
)
_COLOURS = {"up": "green", "shaky": "yellow", "down": "red"}


@dataclass(frozen=True, slots=True)
class Health:
    """How one endpoint stood them.

    Args:
        state: `up`, it answered each; `shaky`, some; `down`, none.
        answered: how many of `tries`.
        latency: seconds, the median of those that were answered.
        last_error: scrubbed of keys; None where there was none.
        breaker: what that would mean to a process of yours: `closed`, it calls it; `open`, it
            leaves it out, for `out_for` seconds.
    """

    backend: str
    model: str
    endpoint_id: str
    state: str
    answered: int
    tries: int
    latency: float | None
    last_error: str | None
    breaker: str
    out_for: float


def survey(
    settings: Settings,
    *,
    backend: str | None = None,
    model: str | None = None,
    tries: int = 3,
    timeout: float = 30,
    at_once: int = 8,
) -> list[Health]:
    """Ask the first model of each endpoint, one question after the other.

    Args:
        backend, model: only these.
        timeout: seconds for each question.
        at_once: how many endpoints are asked at the same time.

    Raises:
        SettingsError: nothing in the settings is left to ask.
    """
    first: dict[tuple[str, str], Target] = {}
    for target in wanted(settings, backend, model):
        first.setdefault((target.backend, target.endpoint_id), target)
    outcomes = asyncio.run(probed(settings, first.values(), timeout, at_once, tries))
    return list(map(_health, outcomes))


def _health(probed: Probed) -> Health:
    outcomes, now = probed
    times = [one.latency for one in outcomes if one.latency is not None]
    errors = [one.error for one in outcomes if one.error is not None]
    return Health(
        now.backend,
        now.model,
        now.endpoint_id,
        "up" if not errors else "shaky" if times else "down",
        len(times),
        len(outcomes),
        median(times) if times else None,
        errors[-1] if errors else None,
        now.state,
        now.out_for,
    )


def show(rows: Sequence[Health], *, as_json: bool = False) -> None:
    """Print them: a table, or JSON."""
    if as_json:
        emit([asdict(row) for row in rows])
    else:
        table.show(_COLUMNS, map(_row, rows))


def _row(row: Health) -> tuple[Cell, ...]:
    state = Text(row.state, _COLOURS[row.state])
    figures = (f"{row.answered}/{row.tries}", milliseconds(row.latency), state)
    return (row.backend, row.model, row.endpoint_id, *figures, Text(row.last_error or ""))

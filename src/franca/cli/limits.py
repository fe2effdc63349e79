"""`franca limits`: how the limits of the settings stand, in whatever process they are used."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.text import Text

from franca.cli.command import emit, problem
from franca.errors import CallError, ConnectionError, SettingsError
from franca.limits.disk import DiskStore
from franca.limits.memory import MemoryStore
from franca.limits.model import SECOND, Look, Standing, Store, Window
from franca.limits.scopes import Scope, scopes
from franca.settings import Settings

_NOTE = "only the process that makes the calls knows"
_NOTHING = "Nothing is limited: no endpoint has rpm, tpm, … and rate_limit is not enabled."


@dataclass(slots=True, frozen=True)
class Row:
    """One scope and how it stands: `standing` is None where nobody here can know."""

    scope: Scope
    standing: Standing | None

    def as_dict(self) -> dict[str, Any]:
        """As `--json` shows it; times are in seconds."""
        scope, now = self.scope, self.standing
        return {
            "backend": scope.backend,
            "endpoint": scope.endpoint_id,
            "model": scope.model,
            "store": store_name(scope.store),
            "windows": [
                {
                    "name": window.name,
                    "seconds": window.span / SECOND,
                    "used": used,
                    "limit": limit,
                    "configured": window.limit,
                }
                for window, used, limit in self.windows()
            ],
            "concurrent": now and now.busy,
            "max_concurrent": scope.rules.slots or None,
            "waiting": now and now.waiting,
            "held_for": now and now.hold / SECOND,
        }

    def windows(self) -> Iterator[tuple[Window, int | None, int]]:
        """Each window, what is used of it, and what now is its limit."""
        windows = self.scope.rules.windows
        if self.standing is None:
            return ((window, None, window.limit) for window in windows)
        return zip(windows, self.standing.used, self.standing.limits, strict=True)


def limited(settings: Settings, *, backend: str | None = None) -> list[Scope]:
    """The scopes of the settings, or of one backend.

    Raises:
        SettingsError: nothing of that backend is enabled, or a store's address is none.
    """
    targets = [target for target in settings.targets() if backend in (None, target.backend)]
    if not targets:
        raise SettingsError(["nothing to show: no such backend is enabled"])
    try:
        return list(scopes(targets))
    except SettingsError:
        raise
    except ValueError as error:
        raise SettingsError([f"rate_limit: {error}"]) from None


def look(found: Iterable[Scope]) -> list[Row]:
    """Ask the stores.

    Raises:
        FrancaError: a store cannot be asked.
    """
    return [Row(scope, _standing(scope)) for scope in found]


def _standing(scope: Scope) -> Standing | None:
    if isinstance(scope.store, MemoryStore):
        return None
    if isinstance(scope.store, DiskStore):
        answer = scope.store.perform(Look(scope.store, scope.key, scope.rules))
        assert isinstance(answer, Standing)
        return answer
    return _in_redis(scope)


def _in_redis(scope: Scope) -> Standing:
    from franca.limits.redis import RedisStore

    assert isinstance(scope.store, RedisStore)
    try:
        return scope.store.standing(scope.key, scope.rules)
    except ConnectionError as error:
        hint = "Is it running, and is rate_limit.redis where it is?"
        raise ConnectionError(f"{error}. {hint}") from None


def store_name(store: Store) -> str:
    """Its kind and place."""
    if isinstance(store, MemoryStore):
        return "memory"
    if isinstance(store, DiskStore):
        return f"disk {store.directory}"
    from franca.limits.redis import RedisStore

    assert isinstance(store, RedisStore)
    return store.place


def show(rows: Sequence[Row], console: Console, *, as_json: bool = False) -> None:
    """Print them once: for people, or as JSON."""
    emit([row.as_dict() for row in rows]) if as_json else console.print(drawn(rows))


def _json(rows: Sequence[Row]) -> str:
    return json.dumps([row.as_dict() for row in rows])


def watch(found: Sequence[Scope], console: Console, *, as_json: bool = False) -> None:
    """Show them each second until Ctrl-C: in place, or one after the other where nobody looks.

    Raises:
        FrancaError: a store cannot be asked at first; later that is shown, and tried again.
    """
    frames = _frames(found, as_json)
    try:
        if as_json or not console.is_terminal or console.is_dumb_terminal:
            for frame in frames:
                console.print(frame, soft_wrap=as_json)
        with Live(console=console, auto_refresh=False) as live:
            for frame in frames:
                live.update(frame, refresh=True)
    except KeyboardInterrupt:
        return


def _frames(found: Sequence[Scope], as_json: bool) -> Iterator[Text]:
    frame = _frame(look(found), as_json)
    while True:
        yield frame
        time.sleep(1)
        try:
            frame = _frame(look(found), as_json)
        except CallError as error:
            told = json.dumps({"error": problem(error)})
            frame = Text(told) if as_json else Text(str(error), "red")


def _frame(rows: Sequence[Row], as_json: bool) -> Text:
    return Text(_json(rows)) if as_json else drawn(rows)


def drawn(rows: Sequence[Row]) -> Text:
    """For people: a few lines for each scope, narrow enough for half a screen."""
    if not rows:
        return Text(_NOTHING)
    return Text("\n").join(line for row in rows for line in (_head(row), *_figures(row)))


def _head(row: Row) -> Text:
    scope, now = row.scope, row.standing
    text = Text.assemble((f"{scope.backend} {scope.model}", "bold"), f" at {scope.endpoint_id}")
    text.append(f"  {store_name(scope.store)}", "dim")
    if now is None:
        text.append(f": {_NOTE}", "dim")
    elif now.waiting:
        text.append(f"  {now.waiting:,} waiting", "yellow")
    if now is not None and now.hold:
        text.append(f"  held for {now.hold / SECOND:.1f} s", "red")
    return text


def _figures(row: Row) -> Iterator[Text]:
    for window, used, limit in row.windows():
        line = _figure(_spoken(window), used, limit)
        if limit < window.limit:
            line.append(f", in the vendor's word; settings: {window.limit:,}", "dim")
        yield line
    if row.scope.rules.slots:
        busy = None if row.standing is None else row.standing.busy
        yield _figure("at once", busy, row.scope.rules.slots)


def _figure(name: str, used: int | None, limit: int) -> Text:
    figure, colour = ("–", "dim") if used is None else (f"{used:,}", _colour(used / limit))
    return Text.assemble(f" {name:<17} ", (f"{figure:>7}", colour), f" of {limit:,}")


def _colour(share: float) -> str:
    return "red" if share >= 1 else "yellow" if share >= 0.8 else "green"


def _spoken(window: Window) -> str:
    name, _, seconds = window.name.partition("/")
    return f"{name.replace('_', ' ')}/{'s' if seconds == '1' else 'min'}"

"""Who performs what a flow asks for, blocking or on asyncio."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Generator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from franca.limits.model import Answer, Ask, Pause, Settle

T = TypeVar("T")


def perform(effect: Ask | Pause) -> Answer:
    """Perform one effect of `acquire`."""
    from franca.limits.model import Pause

    if isinstance(effect, Pause):
        return effect.lease.sleep(effect.microseconds)
    return effect.store.perform(effect)


async def aperform(effect: Ask | Pause) -> Answer:
    """Perform one effect. What gives a lease back is finished even where the task is cancelled."""
    from franca.limits.model import Pause, Settle

    if isinstance(effect, Pause):
        return await effect.lease.asleep(effect.microseconds)
    if effect.store.local:
        return effect.store.perform(effect)
    if isinstance(effect, Settle):
        return await asyncio.shield(effect.store.aperform(effect))
    return await effect.store.aperform(effect)


def settle_aside(settle: Settle) -> None:
    """Settle where nothing may block: at a collection."""
    if settle.store.local:
        settle.store.perform(settle)
        return
    with suppress(RuntimeError):  # the interpreter ends: so does the lease, by itself
        threading.Thread(target=settle.store.perform, args=(settle,), daemon=True).start()


def drive(flow: Generator[Any, Any, T], perform: Callable[[Any], Any] = perform) -> T:
    """Run a flow to its end; what interrupts an effect is thrown into it."""
    outcome: Any = None
    error: BaseException | None = None
    try:
        while True:
            effect = flow.send(outcome) if error is None else flow.throw(error)
            outcome = error = None
            try:
                outcome = perform(effect)
            except BaseException as interruption:
                error = interruption
    except StopIteration as stop:
        return stop.value
    finally:
        del error, outcome  # an error's traceback holds this frame


async def adrive(
    flow: Generator[Any, Any, T], perform: Callable[[Any], Awaitable[Any]] = aperform
) -> T:
    """The same for asyncio."""
    outcome: Any = None
    error: BaseException | None = None
    try:
        while True:
            effect = flow.send(outcome) if error is None else flow.throw(error)
            outcome = error = None
            try:
                outcome = await perform(effect)
            except BaseException as interruption:
                error = interruption
    except StopIteration as stop:
        return stop.value
    finally:
        del error

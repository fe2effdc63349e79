"""Who performs what `acquire` asks for, blocking or on asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from typing import TypeVar

from franca.limits.model import Answer, Ask, Pause, Settle

T = TypeVar("T")
Effect = Ask | Pause


def perform(effect: Effect) -> Answer:
    """Perform one effect."""
    if isinstance(effect, Pause):
        return effect.lease.sleep(effect.microseconds)
    return effect.store.perform(effect)


async def aperform(effect: Effect) -> Answer:
    """Perform one effect. What gives a lease back is finished even where the task is cancelled."""
    if isinstance(effect, Pause):
        return await effect.lease.asleep(effect.microseconds)
    if effect.store.local:
        return effect.store.perform(effect)
    if isinstance(effect, Settle):
        return await asyncio.shield(effect.store.aperform(effect))
    return await effect.store.aperform(effect)


def drive(flow: Generator[Effect, Answer, T]) -> T:
    """Run to the end; what interrupts an effect is thrown into the flow."""
    answer: Answer = None
    error: BaseException | None = None
    try:
        while True:
            effect = flow.send(answer) if error is None else flow.throw(error)
            answer = error = None
            try:
                answer = perform(effect)
            except BaseException as interruption:
                error = interruption
    except StopIteration as stop:
        return stop.value


async def adrive(flow: Generator[Effect, Answer, T]) -> T:
    """The same for asyncio."""
    answer: Answer = None
    error: BaseException | None = None
    try:
        while True:
            effect = flow.send(answer) if error is None else flow.throw(error)
            answer = error = None
            try:
                answer = await aperform(effect)
            except BaseException as interruption:
                error = interruption
    except StopIteration as stop:
        return stop.value

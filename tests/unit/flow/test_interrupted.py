"""Calls that are interrupted, once or twice, at any of the things that they wait for: nothing of
them is left, and their hooks are told of one end."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from itertools import product
from typing import Any

import pytest
from world import Server, World, refused, request, target

from franca.errors import CallError
from franca.flow import Hooks, Opened, Route, health_of
from franca.limits.model import Settle

ROLE = b'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}\n\n'
SERVERS: dict[str, Mapping[str, Server]] = {
    "well": {},
    "slow": {"a": [refused(429, retry_after="3")]},
    "down": {"a": [refused(500)] * 9},
    "cut": {"a": [ROLE] * 9},
    "refused": {"a": [refused(401)]},
}


class Stop(BaseException):
    """Ctrl-C, or a cancelled task."""


def interrupted(world: World, flow: Generator[Any, Any, Any], when: set[int]) -> Any:
    """What the flow gives or raises, when those of its effects are interrupted. A reservation is
    settled all the same, as the drivers see to it."""
    effect, step = next(flow), 0
    try:
        while True:
            if step not in when or isinstance(effect, Settle):
                seconds, outcome = world.perform(effect)
                world.now += seconds
            effect = flow.throw(Stop()) if step in when else flow.send(outcome)
            step += 1
    except StopIteration as stop:
        return stop.value
    except (CallError, Stop) as error:
        return error


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("servers", list(SERVERS.values()), ids=list(SERVERS))
def test_nothing_is_left(servers: Mapping[str, Server], streamed: bool) -> None:
    for first, gap in product(range(14), (0, 1, 2)):
        ends: list[str] = []

        def end(event: Any, ends: list[str] = ends) -> None:
            ends.append(event.endpoint_id)

        hooks = Hooks(on_response=end, on_error=end, on_cancel=end)
        world = World(servers, hooks=[hooks])
        places = [world.limited(name, rpm=100, concurrent_requests=3) for name in "ab"]
        route = Route(places, [[target("x")]])
        flow = world.flow(route, request(stream=streamed))
        result = interrupted(world, flow, {first, first + gap})
        if isinstance(result, Opened) and (settle := result.end()) is not None:
            world.perform(settle)
        left = [world.standing(place).busy for place in places]
        left += [len(health_of(place).busy) + health_of(place).retries for place in places]
        assert (left, len(ends)) == ([0] * 4, 1), (first, gap)

"""The one probe of an endpoint that was out: whose it is, and when its turn is over."""

from __future__ import annotations

from typing import Any

import pytest
from world import World, refused, request, target, targets

from franca.errors import InvalidRequestError, TimeoutError
from franca.flow import Route, health_of
from franca.settings.policy import Policy
from franca.settings.target import Target
from franca.types import ChatCompletion

BRITTLE = Policy(failure_threshold=1, recovery_time=30)


def half_open(world: World, places: list[Target]) -> None:
    """All of them are out, and due to be probed."""
    for place in places:
        health_of(place).eject(world.now, place.policy)
    world.now += 30
    world.sent.clear()


def test_a_probe_that_its_callers_deadline_ends_gives_its_turn_back() -> None:
    world = World(slow={"a": 1e9})
    pool = targets("ab")
    half_open(world, pool[:1])
    assert isinstance(world.ask(pool, request(deadline=1)), TimeoutError)
    world.slow = {}
    assert world.ask(pool).endpoint_id == "a"


def test_a_probe_that_cannot_be_built_gives_its_turn_back(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> Any:
        raise InvalidRequestError("not on this wire")

    world = World()
    pool = targets("ab")
    half_open(world, pool[:1])
    with monkeypatch.context() as patch:
        patch.setattr("franca.flow.call.built", refuse)
        assert isinstance(world.ask(pool), InvalidRequestError)
    assert world.ask(pool).endpoint_id == "a"


def test_another_call_that_is_cancelled_there_does_not_end_the_probe() -> None:
    world = World()
    pool = targets("ab")
    old = world.flow(pool)
    assert old.send(None).target.endpoint_id == "a"
    half_open(world, pool[:1])
    probe = world.flow(pool)
    assert probe.send(None).target.endpoint_id == "a"
    with pytest.raises(KeyboardInterrupt):
        old.throw(KeyboardInterrupt())
    assert world.ask(pool).endpoint_id == "b"
    probe.close()
    assert world.ask(pool).endpoint_id == "a"


@pytest.mark.parametrize("own", ["a", "ac"])
def test_a_model_with_another_to_fall_back_on_is_probed_by_one_call(own: str) -> None:
    """Of a single endpoint too; the other calls go to the other model, and no probe is repeated."""
    world = World({name: lambda _: refused(500) for name in own}, took=1.0)
    places = targets(own, BRITTLE)
    half_open(world, places)
    route = Route(places, [targets("x")])
    results = world.burst([(world.now + i * 0.01, route) for i in range(9)])
    assert [answer.endpoint_id for answer in results] == ["x"] * 9
    assert [world.tried().count(name) for name in own] == [1] * len(own)


def test_a_model_whose_endpoints_have_gone_out_is_not_waited_for() -> None:
    world = World({"a": lambda _: refused(500)})
    places = targets("a", Policy(failure_threshold=2, max_retries=9))
    assert world.ask(Route(places, [targets("x")])).endpoint_id == "x"
    assert world.tried() == "aax"
    assert not isinstance(world.ask(places), ChatCompletion)
    assert world.tried().count("a") > 3, "unless there is nowhere else to go"


def test_a_model_whose_endpoints_may_not_be_out_is_not_passed_over() -> None:
    world = World({"a": [refused(500)]})
    place = target("a", Policy(failure_threshold=1, max_ejection=0))
    route = Route([place], [targets("x")])
    assert world.ask(route, request(max_retries=0)).endpoint_id == "x"
    assert world.ask(route).endpoint_id == "a"

"""Faults, driven through the public client: what goes upstream, how long it waits, what the caller
sees."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf

import pytest
from faulty import FAULTS, TEXT, WAYS, Fault, Scene, first


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    with Scene() as running:
        yield running


@pytest.mark.parametrize("bad", [1, inf], ids=["once", "always"])
@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f.name)
def test_a_fault(fault: Fault, bad: float, scene: Scene) -> None:
    every = scene.play([(way, first(bad, fault), fault.params) for way in WAYS])
    for way, seen in zip(WAYS, every, strict=True):
        requests = fault.requests(way.endpoints, bad)
        assert len(seen.requests) == requests, (way, seen.error)
        assert len(set(seen.places)) == min(requests, way.endpoints), way
        assert all(gap >= fault.wait for gap in seen.gaps()), way
        if fault.answered(way.endpoints, bad):
            assert (seen.text, seen.error) == (TEXT, None), way
        else:
            assert type(seen.error) is fault.error, way
            assert seen.error.status_code == fault.status, way
            assert len(seen.error.tried) == requests - 1, way
            assert seen.text == "", way

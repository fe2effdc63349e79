"""Faults, driven through the public client: what goes upstream, how long it waits, what the caller
sees."""

from __future__ import annotations

import json
from collections.abc import Iterator
from math import inf

import broken_streams as streamed
import pytest
from broken_streams import CALLS, DAMAGES, PROMPT, STREAMS, Damage, Step, broken, state
from faulty import FAULTS, RETRIES, TEXT, WAYS, Fault, Scene, Seen, first, limits

from franca.errors import StreamInterrupted


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    with Scene() as running:
        yield running


@pytest.mark.parametrize("bad", [1, inf], ids=["once", "always"])
@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f.name)
def test_a_fault(fault: Fault, bad: float, scene: Scene) -> None:
    every = scene.play([(way, first(bad, fault), limits(fault.timed, bad)) for way in WAYS])
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


@pytest.mark.parametrize("bad", [1, inf], ids=["once", "always"])
@pytest.mark.parametrize("damage", DAMAGES, ids=lambda d: d.name)
def test_a_stream_broken_at_each_event(damage: Damage, bad: float, scene: Scene) -> None:
    cases = [(way, at) for way in WAYS if way.stream for at in range(len(STREAMS[way.wire]) + 1)]
    cases = [(way, at) for way, at in cases if bad == 1 or not state(way, at).visible]
    params = limits(damage.timed, bad)
    every = scene.play([(way, broken(way, damage, at, bad), params) for way, at in cases])
    for (way, at), seen in zip(cases, every, strict=True):
        then, told = state(way, at), (str(way), at, seen)
        if then.done:
            assert len(seen.requests) == 1, told
            _is_whole(seen)
        elif not then.visible and bad > 1:
            assert len(seen.requests) == max(way.endpoints, 1 + RETRIES), told
            assert type(seen.error) is damage.error, told
            assert seen.text == "", told
        elif not then.visible:
            assert len(seen.requests) == 2, told
            _is_whole(seen)
        elif seen.error is None and not (damage.certain and not way.is_async):
            assert len(seen.requests) == 2, (
                told
            )  # what was read at once with the break was not shown
            _is_whole(seen)
        else:
            assert len(seen.requests) == 1, told
            _is_partial(seen, then, certain=damage.certain)


def _is_whole(seen: Seen) -> None:
    assert seen.error is None
    assert seen.text == streamed.TEXT
    assert seen.result is not None
    assert seen.result.content == streamed.TEXT
    assert {c.name: json.loads(c.arguments) for c in seen.result.tool_calls} == CALLS


def _is_partial(seen: Seen, then: Step, *, certain: bool) -> None:
    assert isinstance(seen.error, StreamInterrupted)
    partial = seen.error.partial
    assert (partial.content or "").startswith(seen.text)
    if certain:
        assert (partial.content or "") == then.text
        assert [c.name for c in partial.tool_calls] == list(CALLS)[: then.calls]
        assert partial.usage is not None
        assert partial.usage.prompt_tokens == PROMPT
    assert then.text.startswith(partial.content or "")
    for call in partial.tool_calls:
        assert json.loads(call.arguments) == CALLS[call.name]

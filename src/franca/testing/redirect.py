"""All clients of the process sent to a simulator, over real HTTP."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from franca.backends import ANTHROPIC_MESSAGES
from franca.flow.effects import Send
from franca.settings import Endpoint, Secret
from franca.testing.seam import STAND_IN, keys_in_place, tapped
from franca.testing.simulator import Simulator
from franca.types import EndpointType

_KEY = Secret(STAND_IN)


@contextmanager
def use_simulator(
    simulator: Simulator | None = None, *, waits: bool = False, **options: Any
) -> Generator[Simulator]:
    """Every client of the process goes to a simulator, whatever its settings, its `base_url` or its
    cloud; models, parameters and headers are its own. A vendor's key that the environment
    lacks is made up, and none but a stand-in is sent. What clients know of their endpoints' health
    is forgotten before and after.

    Args:
        simulator: one that runs; without it one is started, and stopped at the end.
        waits: whether limits hold, and clients wait between two tries; without it nothing is
            counted against a limit, and they try again at once.
        options: `Simulator`'s arguments.
    """
    if simulator is None:
        with Simulator(**options) as started, use_simulator(started, waits=waits):
            yield started
        return
    url = simulator.url
    with keys_in_place(), tapped(lambda send: _redirected(send, url), waits=waits):
        yield simulator


def _redirected(send: Send, url: str) -> Send:
    """The same to the simulator; a cloud's path and signature are its wire's plain ones there."""
    old = send.target.endpoint
    if old.api_key is _KEY:  # by a block inside this one
        return send
    anthropic = send.target.wire == ANTHROPIC_MESSAGES
    kind = EndpointType.Anthropic if anthropic else EndpointType.OpenAI
    address = url if anthropic else f"{url}/v1"
    new = Endpoint(old.id, kind, address, _KEY, timeout=old.timeout)
    return replace(send, target=replace(send.target, endpoint=new))

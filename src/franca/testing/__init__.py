"""For tests: a scripted client without a network, and a simulator that serves vendors' wires.

    with Simulator() as sim:
        sim.script(rate_limited("1"), text_reply("Hello"))
        client = create_chat_client("local", model="m", base_url=f"{sim.url}/v1")

`python -m franca.testing` runs the simulator on its own.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from franca.testing.answers import Answer as Answer
    from franca.testing.answers import Received as Received
    from franca.testing.answers import error as error
    from franca.testing.answers import exchange as exchange
    from franca.testing.answers import rate_limited as rate_limited
    from franca.testing.answers import text_reply as text_reply
    from franca.testing.scripted import Call as Call
    from franca.testing.scripted import scripted_async_client as scripted_async_client
    from franca.testing.scripted import scripted_client as scripted_client
    from franca.testing.simulator import Simulator as Simulator

_HOMES = {
    "Answer": "answers",
    "Call": "scripted",
    "Received": "answers",
    "Simulator": "simulator",
    "error": "answers",
    "exchange": "answers",
    "rate_limited": "answers",
    "scripted_async_client": "scripted",
    "scripted_client": "scripted",
    "text_reply": "answers",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__

"""For tests: a scripted client without a network, and a simulator that serves vendors' wires.

    with Simulator() as sim:
        sim.script(rate_limited("1"), text_reply("Hello"))
        client = create_chat_client("local", model="m", base_url=f"{sim.url}/v1")

`python -m franca.testing` runs the simulator on its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from franca import lazy

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

__all__ = [
    "Answer",
    "Call",
    "Received",
    "Simulator",
    "error",
    "exchange",
    "rate_limited",
    "scripted_async_client",
    "scripted_client",
    "text_reply",
]

__getattr__, __dir__ = lazy.names(
    __name__,
    {
        "answers": "Answer Received error exchange rate_limited text_reply",
        "scripted": "Call scripted_async_client scripted_client",
        "simulator": "Simulator",
    },
)

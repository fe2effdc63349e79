"""For tests: scripted answers, a simulator that serves vendors' wires, record and replay.

    with use_simulator() as simulator:
        simulator.script(rate_limited("1"), text_reply("Hello"))
        ...  # every client of the process goes there

`franca.testing.pytest_plugin` has all of it as fixtures; `python -m franca.testing` runs the
simulator on its own.
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
    from franca.testing.cassette import Cassette as Cassette
    from franca.testing.recorded import exchanges as exchanges
    from franca.testing.redirect import use_simulator as use_simulator
    from franca.testing.scripted import Call as Call
    from franca.testing.scripted import Script as Script
    from franca.testing.scripted import scripted_async_client as scripted_async_client
    from franca.testing.scripted import scripted_client as scripted_client
    from franca.testing.scripted import use_script as use_script
    from franca.testing.simulator import Simulator as Simulator

__all__ = [
    "Answer",
    "Call",
    "Cassette",
    "Received",
    "Script",
    "Simulator",
    "error",
    "exchange",
    "exchanges",
    "rate_limited",
    "scripted_async_client",
    "scripted_client",
    "text_reply",
    "use_script",
    "use_simulator",
]

__getattr__, __dir__ = lazy.names(
    __name__,
    {
        "answers": "Answer Received error exchange rate_limited text_reply",
        "cassette": "Cassette",
        "recorded": "exchanges",
        "redirect": "use_simulator",
        "scripted": "Call Script scripted_async_client scripted_client use_script",
        "simulator": "Simulator",
    },
)

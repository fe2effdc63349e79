"""The life of one call, written once: a generator yields effects and is sent their outcomes."""

from franca.flow.call import complete, stream
from franca.flow.effects import Close, Effect, Opened, Outcome, Read, Reply, Send, Sleep, Work
from franca.flow.health import EndpointHealth, health_of
from franca.flow.hooks import CallEvent, Hooks
from franca.flow.run import Conduct, Route

__all__ = [
    "CallEvent",
    "Close",
    "Conduct",
    "Effect",
    "EndpointHealth",
    "Hooks",
    "Opened",
    "Outcome",
    "Read",
    "Reply",
    "Route",
    "Send",
    "Sleep",
    "Work",
    "complete",
    "health_of",
    "stream",
]

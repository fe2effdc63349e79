"""The life of one call, written once: a generator yields effects and is sent their outcomes."""

from franca.flow.call import complete, stream
from franca.flow.effects import Close, Effect, Opened, Outcome, Read, Reply, Send, Work
from franca.flow.order import order

__all__ = [
    "Close",
    "Effect",
    "Opened",
    "Outcome",
    "Read",
    "Reply",
    "Send",
    "Work",
    "complete",
    "order",
    "stream",
]

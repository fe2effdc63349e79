"""Anthropic's messages: the wire of `POST /v1/messages`."""

from typing import TYPE_CHECKING, Any

from franca.wire.anthropic_messages.build import build
from franca.wire.anthropic_messages.messages import read_message, read_request, write_messages
from franca.wire.anthropic_messages.parse import parse

if TYPE_CHECKING:
    from franca.wire.anthropic_messages.fold import Fold

PATH = "/v1/messages"

__all__ = ["PATH", "Fold", "build", "parse", "read_message", "read_request", "write_messages"]


def __getattr__(name: str) -> Any:
    if name != "Fold":  # loaded at the first stream
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from franca.wire.anthropic_messages.fold import Fold

    globals()["Fold"] = Fold
    return Fold

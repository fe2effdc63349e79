"""OpenAI's chat completions, and the vendors that speak it; their differences are quirks."""

from typing import TYPE_CHECKING, Any

from franca.wire.openai_chat.build import build
from franca.wire.openai_chat.messages import read_message, read_request, write_messages
from franca.wire.openai_chat.parse import parse

if TYPE_CHECKING:
    from franca.wire.openai_chat.fold import Fold

PATH = "/chat/completions"

__all__ = ["PATH", "Fold", "build", "parse", "read_message", "read_request", "write_messages"]


def __getattr__(name: str) -> Any:
    if name != "Fold":  # loaded at the first stream
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from franca.wire.openai_chat.fold import Fold

    globals()["Fold"] = Fold
    return Fold

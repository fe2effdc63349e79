"""OpenAI's chat completions, and the vendors that speak it; their differences are quirks."""

from typing import TYPE_CHECKING

from franca import lazy
from franca.wire.openai_chat.build import build, headers
from franca.wire.openai_chat.messages import read_message, read_request, write_messages
from franca.wire.openai_chat.parse import parse

if TYPE_CHECKING:
    from franca.wire.openai_chat.fold import Fold

PATH = "/chat/completions"

__all__ = [
    "PATH",
    "Fold",
    "build",
    "headers",
    "parse",
    "read_message",
    "read_request",
    "write_messages",
]

__getattr__, __dir__ = lazy.names(__name__, {"fold": "Fold"})  # loaded at the first stream

"""OpenAI's chat completions, and the vendors that speak it; their differences are quirks."""

from franca.wire.openai_chat.build import build
from franca.wire.openai_chat.fold import Fold
from franca.wire.openai_chat.messages import read_message, read_request, write_messages
from franca.wire.openai_chat.parse import parse

PATH = "/chat/completions"

__all__ = ["PATH", "Fold", "build", "parse", "read_message", "read_request", "write_messages"]

"""Anthropic's messages: the wire of `POST /v1/messages`."""

from typing import TYPE_CHECKING

from franca import lazy
from franca.wire.anthropic_messages.betas import headers
from franca.wire.anthropic_messages.build import build
from franca.wire.anthropic_messages.messages import read_message, read_request, write_messages
from franca.wire.anthropic_messages.parse import parse

if TYPE_CHECKING:
    from franca.wire.anthropic_messages.fold import Fold

PATH = "/v1/messages"

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

"""Anthropic's messages: the wire of `POST /v1/messages`."""

from franca.wire.anthropic_messages.build import build
from franca.wire.anthropic_messages.fold import Fold
from franca.wire.anthropic_messages.messages import read_message, read_request, write_messages
from franca.wire.anthropic_messages.parse import parse

PATH = "/v1/messages"

__all__ = ["PATH", "Fold", "build", "parse", "read_message", "read_request", "write_messages"]

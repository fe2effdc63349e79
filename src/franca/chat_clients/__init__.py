"""The typed clients and their factory, each loaded at first use."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from franca.chat_clients.aio import (
        AnthropicAsyncChatClient,
        AsyncChatClient,
        OpenAIAsyncChatClient,
    )
    from franca.chat_clients.aio_stream import AsyncChatStream
    from franca.chat_clients.client import AnthropicChatClient, ChatClient, OpenAIChatClient
    from franca.chat_clients.factory import create_async_chat_client, create_chat_client
    from franca.chat_clients.format import aformat_messages, format_messages
    from franca.chat_clients.stream import ChatStream

_HOMES = {
    "aio": "AnthropicAsyncChatClient AsyncChatClient OpenAIAsyncChatClient",
    "aio_stream": "AsyncChatStream",
    "client": "AnthropicChatClient ChatClient OpenAIChatClient",
    "factory": "create_async_chat_client create_chat_client",
    "format": "aformat_messages format_messages",
    "stream": "ChatStream",
}
_HOME = {name: home for home, names in _HOMES.items() for name in names.split()}

__all__ = [
    "AnthropicAsyncChatClient",
    "AnthropicChatClient",
    "AsyncChatClient",
    "AsyncChatStream",
    "ChatClient",
    "ChatStream",
    "OpenAIAsyncChatClient",
    "OpenAIChatClient",
    "aformat_messages",
    "create_async_chat_client",
    "create_chat_client",
    "format_messages",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value

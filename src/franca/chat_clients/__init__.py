"""The typed clients and their factory, each loaded at first use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from franca import lazy

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

__getattr__, __dir__ = lazy.names(
    __name__,
    {
        "aio": "AnthropicAsyncChatClient AsyncChatClient OpenAIAsyncChatClient",
        "aio_stream": "AsyncChatStream",
        "client": "AnthropicChatClient ChatClient OpenAIChatClient",
        "factory": "create_async_chat_client create_chat_client",
        "format": "aformat_messages format_messages",
        "stream": "ChatStream",
    },
)

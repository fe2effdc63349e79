"""The typed clients and their factory."""

from franca.chat_clients.aio import AnthropicAsyncChatClient, AsyncChatClient, OpenAIAsyncChatClient
from franca.chat_clients.client import AnthropicChatClient, ChatClient, OpenAIChatClient
from franca.chat_clients.factory import create_async_chat_client, create_chat_client
from franca.chat_clients.streams import AsyncChatStream, ChatStream

__all__ = [
    "AnthropicAsyncChatClient",
    "AnthropicChatClient",
    "AsyncChatClient",
    "AsyncChatStream",
    "ChatClient",
    "ChatStream",
    "OpenAIAsyncChatClient",
    "OpenAIChatClient",
    "create_async_chat_client",
    "create_chat_client",
]

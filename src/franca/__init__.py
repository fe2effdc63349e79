"""franca: one language for every LLM backend.

Every public name is loaded at first use: `import franca` loads no vendor SDK and no pydantic.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from franca import lazy
from franca.version import __version__

if TYPE_CHECKING:
    from franca.chat_clients import (
        AsyncChatClient,
        AsyncChatStream,
        ChatClient,
        ChatStream,
        create_async_chat_client,
        create_chat_client,
    )
    from franca.errors import (
        APIError,
        AuthenticationError,
        CallError,
        ConnectionError,
        ContentFilterError,
        ContextLengthError,
        FrancaError,
        InvalidRequestError,
        MissingExtraError,
        NotFoundError,
        PermissionDeniedError,
        ProviderError,
        RateLimitError,
        SettingsError,
        StreamInterrupted,
        TimeoutError,
    )
    from franca.limits.limiter import RateLimiter
    from franca.settings import Settings
    from franca.types import (
        BackendType,
        ChatCompletion,
        ChatDelta,
        EndpointType,
        Message,
        ToolCall,
        Usage,
    )

__all__ = [
    "APIError",
    "AsyncChatClient",
    "AsyncChatStream",
    "AuthenticationError",
    "BackendType",
    "CallError",
    "ChatClient",
    "ChatCompletion",
    "ChatDelta",
    "ChatStream",
    "ConnectionError",
    "ContentFilterError",
    "ContextLengthError",
    "EndpointType",
    "FrancaError",
    "InvalidRequestError",
    "Message",
    "MissingExtraError",
    "NotFoundError",
    "PermissionDeniedError",
    "ProviderError",
    "RateLimitError",
    "RateLimiter",
    "Settings",
    "SettingsError",
    "StreamInterrupted",
    "TimeoutError",
    "ToolCall",
    "Usage",
    "__version__",
    "create_async_chat_client",
    "create_chat_client",
]

__getattr__, __dir__ = lazy.names(
    __name__,
    {
        "chat_clients": "AsyncChatClient AsyncChatStream ChatClient ChatStream"
        " create_async_chat_client create_chat_client",
        "errors": "APIError AuthenticationError CallError ConnectionError ContentFilterError"
        " ContextLengthError FrancaError InvalidRequestError MissingExtraError NotFoundError"
        " PermissionDeniedError ProviderError RateLimitError SettingsError StreamInterrupted"
        " TimeoutError",
        "limits.limiter": "RateLimiter",
        "settings": "Settings",
        "types": "BackendType ChatCompletion ChatDelta EndpointType Message ToolCall Usage",
    },
)

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
        format_messages,
    )
    from franca.chat_clients.counting import (
        count_messages_tokens,
        count_tokens,
        get_message_token_counts,
        get_token_counts,
    )
    from franca.chat_clients.pricing import (
        MODEL_PRICING,
        estimate_batch_cost,
        estimate_cost,
        total_cost,
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
    from franca.flow import CallEvent, Hooks
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
    "MODEL_PRICING",
    "APIError",
    "AsyncChatClient",
    "AsyncChatStream",
    "AuthenticationError",
    "BackendType",
    "CallError",
    "CallEvent",
    "ChatClient",
    "ChatCompletion",
    "ChatDelta",
    "ChatStream",
    "ConnectionError",
    "ContentFilterError",
    "ContextLengthError",
    "EndpointType",
    "FrancaError",
    "Hooks",
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
    "count_messages_tokens",
    "count_tokens",
    "create_async_chat_client",
    "create_chat_client",
    "estimate_batch_cost",
    "estimate_cost",
    "format_messages",
    "get_message_token_counts",
    "get_token_counts",
    "total_cost",
]

__getattr__, __dir__ = lazy.names(
    __name__,
    {
        "chat_clients": "AsyncChatClient AsyncChatStream ChatClient ChatStream"
        " create_async_chat_client create_chat_client format_messages",
        "chat_clients.counting": "count_messages_tokens count_tokens get_message_token_counts"
        " get_token_counts",
        "chat_clients.pricing": "MODEL_PRICING estimate_batch_cost estimate_cost total_cost",
        "errors": "APIError AuthenticationError CallError ConnectionError ContentFilterError"
        " ContextLengthError FrancaError InvalidRequestError MissingExtraError NotFoundError"
        " PermissionDeniedError ProviderError RateLimitError SettingsError StreamInterrupted"
        " TimeoutError",
        "flow": "CallEvent Hooks",
        "limits.limiter": "RateLimiter",
        "settings": "Settings",
        "types": "BackendType ChatCompletion ChatDelta EndpointType Message ToolCall Usage",
    },
)

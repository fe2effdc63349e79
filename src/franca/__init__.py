"""franca: one language for every LLM backend.

Every public name is loaded at first use: `import franca` loads no vendor SDK and no pydantic.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

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

_HOMES = {
    "chat_clients": "AsyncChatClient AsyncChatStream ChatClient ChatStream"
    " create_async_chat_client create_chat_client",
    "errors": "APIError AuthenticationError CallError ConnectionError ContentFilterError"
    " ContextLengthError FrancaError InvalidRequestError MissingExtraError NotFoundError"
    " PermissionDeniedError ProviderError RateLimitError SettingsError StreamInterrupted"
    " TimeoutError",
    "limits.limiter": "RateLimiter",
    "settings": "Settings",
    "types": "BackendType ChatCompletion ChatDelta EndpointType Message ToolCall Usage",
}
_HOME = {name: home for home, names in _HOMES.items() for name in names.split()}

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


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'franca' has no attribute {name!r}")
    value = getattr(import_module(f"franca.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__

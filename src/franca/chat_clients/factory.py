"""`create_chat_client` and `create_async_chat_client`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack, overload

from franca.backends import ANTHROPIC_MESSAGES
from franca.chat_clients.prepare import Config, Resolve, known, renamed
from franca.types import BackendType, ChatParams, EndpointType

if TYPE_CHECKING:
    from franca.chat_clients.aio import (
        AnthropicAsyncChatClient,
        AsyncChatClient,
        OpenAIAsyncChatClient,
    )
    from franca.chat_clients.client import AnthropicChatClient, ChatClient, OpenAIChatClient
    from franca.flow import Hooks
    from franca.settings import Settings
    from franca.settings.policy import Strategy

AnthropicBackend = Literal[BackendType.Anthropic, "anthropic"]
OpenAIWire = Literal[
    EndpointType.OpenAI,
    EndpointType.OpenAIAzure,
    EndpointType.OpenAIVertex,
    "openai",
    "openai_azure",
    "openai_vertex",
]
AnthropicWire = Literal[
    EndpointType.Anthropic,
    EndpointType.AnthropicVertex,
    EndpointType.AnthropicBedrock,
    "anthropic",
    "anthropic_vertex",
    "anthropic_bedrock",
]


class Options(ChatParams, total=False):
    """What a client is made of, beside the parameters that hold for all its calls.

    Keys:
        settings: instead of the process's own `franca.settings.settings`.
        base_url, api_key, endpoints: endpoints without any settings; `endpoints` is a list of
            dicts with the settings' own keys.
        region: `cn` or `intl`, where a vendor has both addresses.
        strategy: which of a model's endpoints goes first, see `franca.settings.policy.Strategy`;
            `random` where neither this nor the settings say.
        random_endpoint: False takes the endpoints in the settings' order.
        endpoint_id: the only endpoint to use.
        hooks: functions that are told of this client's calls, see `franca.Hooks`.
        http_client: the caller's own HTTP client, for every endpoint; franca never closes it.
    """

    settings: Settings | None
    base_url: str | None
    api_key: str | Callable[[], str] | None
    endpoints: Sequence[Mapping[str, Any]] | None
    region: str | None
    strategy: Strategy | None
    random_endpoint: bool
    endpoint_id: str | None
    hooks: Hooks | Sequence[Hooks]
    http_client: Any


@overload
def create_chat_client(
    backend: BackendType | str,
    model: str | None = None,
    *,
    endpoint_type: AnthropicWire,
    **options: Unpack[Options],
) -> AnthropicChatClient: ...
@overload
def create_chat_client(
    backend: BackendType | str,
    model: str | None = None,
    *,
    endpoint_type: OpenAIWire,
    **options: Unpack[Options],
) -> OpenAIChatClient: ...
@overload
def create_chat_client(
    backend: AnthropicBackend,
    model: str | None = None,
    *,
    endpoint_type: None = None,
    **options: Unpack[Options],
) -> AnthropicChatClient: ...
@overload
def create_chat_client(
    backend: BackendType | str,
    model: str | None = None,
    *,
    endpoint_type: None = None,
    **options: Unpack[Options],
) -> OpenAIChatClient: ...
def create_chat_client(
    backend: BackendType | str,
    model: str | None = None,
    *,
    endpoint_type: EndpointType | str | None = None,
    **options: Unpack[Options],
) -> ChatClient:
    """A blocking client for a backend.

    Args:
        backend: a member of `BackendType`, or its name.
        model: the model's name in the settings; None takes the backend's own.
        endpoint_type: another wire or cloud than the backend's own, for endpoints given here.
        options: see `Options`; the rest are parameters that hold unless a call overrides them.

    Raises:
        SettingsError: no such backend, model or endpoint; names the nearest.
        TypeError: no such option or parameter; names the nearest.
        InvalidRequestError: a parameter's value is of another form than `ChatParams` says.
    """
    from franca.chat_clients.client import AnthropicChatClient, OpenAIChatClient
    from franca.transport.blocking import BlockingTransport

    config, http = _config(backend, model, endpoint_type, options)
    kind = AnthropicChatClient if config.wire == ANTHROPIC_MESSAGES else OpenAIChatClient
    return kind(config, BlockingTransport(http))


@overload
def create_async_chat_client(
    backend: BackendType | str,
    model: str | None = None,
    *,
    endpoint_type: AnthropicWire,
    **options: Unpack[Options],
) -> AnthropicAsyncChatClient: ...
@overload
def create_async_chat_client(
    backend: BackendType | str,
    model: str | None = None,
    *,
    endpoint_type: OpenAIWire,
    **options: Unpack[Options],
) -> OpenAIAsyncChatClient: ...
@overload
def create_async_chat_client(
    backend: AnthropicBackend,
    model: str | None = None,
    *,
    endpoint_type: None = None,
    **options: Unpack[Options],
) -> AnthropicAsyncChatClient: ...
@overload
def create_async_chat_client(
    backend: BackendType | str,
    model: str | None = None,
    *,
    endpoint_type: None = None,
    **options: Unpack[Options],
) -> OpenAIAsyncChatClient: ...
def create_async_chat_client(
    backend: BackendType | str,
    model: str | None = None,
    *,
    endpoint_type: EndpointType | str | None = None,
    **options: Unpack[Options],
) -> AsyncChatClient:
    """The same for asyncio; see `create_chat_client`."""
    from franca.chat_clients.aio import AnthropicAsyncChatClient, OpenAIAsyncChatClient
    from franca.transport.aio import AsyncTransport

    config, http = _config(backend, model, endpoint_type, options)
    kind = AnthropicAsyncChatClient if config.wire == ANTHROPIC_MESSAGES else OpenAIAsyncChatClient
    return kind(config, AsyncTransport(http))


_OF_CONFIG = ("strategy", "random_endpoint", "endpoint_id", "hooks")


class _Place(TypedDict, total=False):
    base_url: str | None
    api_key: str | Callable[[], str] | None
    endpoints: Sequence[Mapping[str, Any]] | None
    region: str | None


def _config(
    backend: str, model: str | None, endpoint_type: str | None, options: Any
) -> tuple[Config, Any]:
    """(configuration, the caller's HTTP client)."""
    given = dict(options)
    settings, http = given.pop("settings", None), given.pop("http_client", None)
    if not (settings is None or hasattr(settings, "resolve")):
        kind = type(settings).__name__
        raise TypeError(f"settings: expected franca.Settings(…), which takes a dict, got {kind}")
    own = {key: given.pop(key) for key in _OF_CONFIG if key in given}
    place = _Place(**{key: given.pop(key, None) for key in _Place.__annotations__})
    given = known(given, Options.__annotations__)
    resolve = _resolver(str(backend), model, endpoint_type, place, settings)
    return Config(str(backend), model, resolve, given, settings=settings, **own), http


def _resolver(
    backend: str,
    model: str | None,
    endpoint_type: str | None,
    place: _Place,
    settings: Settings | None,
) -> Resolve:
    if endpoint_type is not None or any(value is not None for value in place.values()):
        from franca.settings.adhoc import adhoc

        return renamed(adhoc(backend, model, endpoint_type=endpoint_type, **place))
    if settings is None:
        from franca.settings import settings
    return partial(settings.resolve, backend)

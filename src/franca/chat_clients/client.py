"""The blocking client."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, Unpack, overload

from franca.chat_clients.prepare import Config, Messages, every, only_text
from franca.chat_clients.stream import ChatStream
from franca.flow import EndpointHealth, Route, complete, stream
from franca.transport.blocking import BlockingTransport
from franca.types import ChatCompletion, ChatParams, ChatRequest

if TYPE_CHECKING:
    import anthropic
    import openai

    from franca.tokens.messages import Tools


class ChatClient:
    """One backend's chat, blocking. Holds nothing of a call: share it between threads.

    Made by `create_chat_client`.
    """

    def __init__(self, config: Config, transport: BlockingTransport) -> None:
        self._config, self._transport = config, transport

    @overload
    def create_completion(
        self,
        messages: Messages,
        *,
        model: str | None = None,
        stream: Literal[False] = False,
        **params: Unpack[ChatParams],
    ) -> ChatCompletion: ...
    @overload
    def create_completion(
        self,
        messages: Messages,
        *,
        model: str | None = None,
        stream: Literal[True],
        **params: Unpack[ChatParams],
    ) -> ChatStream: ...
    def create_completion(
        self,
        messages: Messages,
        *,
        model: str | None = None,
        stream: bool = False,
        **params: Unpack[ChatParams],
    ) -> ChatCompletion | ChatStream:
        """Ask, and wait for the whole answer.

        Args:
            messages: the conversation; a text is one user's turn. Never changed.
            model: instead of the client's own.
            stream: True is `create_stream`.
            params: see `franca.types.ChatParams`.

        Raises:
            CallError: one of `franca.errors`, with backend, endpoint and status.
        """
        if stream:
            return self.create_stream(messages, model=model, **params)
        request = self._config.request(messages, params, stream=False)
        route = self._config.route(model, request)
        _settle(request, route)
        return self._transport.run(complete(request, route, self._config.conduct))

    def create_stream(
        self, messages: Messages, *, model: str | None = None, **params: Unpack[ChatParams]
    ) -> ChatStream:
        """Ask, and read the answer as it comes. Returns at the first visible delta.

        Raises:
            CallError: as `create_completion`; while reading, `StreamInterrupted`.
        """
        request = self._config.request(messages, params, stream=True)
        route = self._config.route(model, request)
        _settle(request, route)
        flow = stream(request, route, self._config.conduct)
        return ChatStream(self._transport.open(flow), self._transport)

    def count_tokens(
        self,
        messages: Messages,
        *,
        model: str | None = None,
        tools: Tools | None = None,
        exact: bool = False,
    ) -> int:
        """The prompt's tokens, counted here, or by the settings' token server.

        Args:
            exact: True asks the vendor's own counting endpoint instead.

        Raises:
            InvalidRequestError: `exact`, and the vendor has no such endpoint.
            CallError: `exact`, and the vendor refused or could not be reached.
        """
        from franca.chat_clients.counting import counted
        from franca.flow.counting import count

        given = messages if isinstance(messages, str) else list(messages)
        request = self._config.request(given, {"tools": tools}, stream=False)
        targets = self._config.targets(model)
        if exact:
            _settle(request, Route(targets))
            return self._transport.run(count(request, targets))
        return counted(request, targets[0], given, self._config.settings)

    def health(self, model: str | None = None) -> list[EndpointHealth]:
        """How the model's endpoints, and those it falls back on, have fared in this process."""
        return self._config.health(model)

    @property
    def backend(self) -> str:
        """The backend's name."""
        return self._config.backend

    def close(self) -> None:
        """Give back this client's connections; those that others use stay open.

        Calls of other threads that wait on the rest end with a `ConnectionError`.
        """
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}(backend={self.backend!r}, model={self._config.model!r})"

    def _sdk(self) -> Any:
        return self._transport.link(self._config.targets()[0].endpoint).sdk


class OpenAIChatClient(ChatClient):
    """A client of a backend that speaks OpenAI's wire."""

    @property
    def raw_client(self) -> openai.OpenAI:
        """The vendor's SDK client of the first endpoint, for what franca does not cover."""
        return self._sdk()


class AnthropicChatClient(ChatClient):
    """A client of a backend that speaks Anthropic's wire."""

    @property
    def raw_client(self) -> anthropic.Anthropic:
        """The vendor's SDK client of the first endpoint, for what franca does not cover."""
        return self._sdk()


def _settle(request: ChatRequest, route: Route) -> None:
    """Bring pictures and documents to what the targets take."""
    if not only_text(request):
        from franca.media.conversation import settle

        request.messages = settle(request.messages, every(route), request.capability_policy)

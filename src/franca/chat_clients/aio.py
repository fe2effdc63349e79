"""The asyncio client."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, Unpack, overload

from franca.chat_clients.aio_stream import AsyncChatStream
from franca.chat_clients.prepare import Config, Messages, every, only_text
from franca.flow import EndpointHealth, Opened, Route, complete, stream
from franca.transport.aio import AsyncTransport
from franca.types import ChatCompletion, ChatParams, ChatRequest

if TYPE_CHECKING:
    import anthropic
    import openai

    from franca.tokens.messages import Tools


class AsyncChatClient:
    """One backend's chat for asyncio. Share it between tasks, and between one loop and the next.

    Made by `create_async_chat_client`.
    """

    def __init__(self, config: Config, transport: AsyncTransport) -> None:
        self._config, self._transport = config, transport

    @overload
    async def create_completion(
        self,
        messages: Messages,
        *,
        model: str | None = None,
        stream: Literal[False] = False,
        **params: Unpack[ChatParams],
    ) -> ChatCompletion: ...
    @overload
    async def create_completion(
        self,
        messages: Messages,
        *,
        model: str | None = None,
        stream: Literal[True],
        **params: Unpack[ChatParams],
    ) -> AsyncChatStream: ...
    async def create_completion(
        self,
        messages: Messages,
        *,
        model: str | None = None,
        stream: bool = False,
        **params: Unpack[ChatParams],
    ) -> ChatCompletion | AsyncChatStream:
        """Ask, and wait for the whole answer; see `ChatClient.create_completion`."""
        if stream:
            return await self.create_stream(messages, model=model, **params)
        request = self._config.request(messages, params, stream=False)
        route = self._config.route(model, request)
        await _settle(request, route)
        return await self._transport.run(complete(request, route, self._config.conduct))

    def create_stream(
        self, messages: Messages, *, model: str | None = None, **params: Unpack[ChatParams]
    ) -> AsyncChatStream:
        """Ask, and read the answer as it comes.

        The request goes out when the stream is awaited, entered or first iterated.
        """
        request = self._config.request(messages, params, stream=True)
        route, conduct = self._config.route(model, request), self._config.conduct

        async def opened() -> Opened:
            await _settle(request, route)
            return await self._transport.open(stream(request, route, conduct))

        return AsyncChatStream(opened, self._transport)

    async def count_tokens(
        self,
        messages: Messages,
        *,
        model: str | None = None,
        tools: Tools | None = None,
        exact: bool = False,
    ) -> int:
        """The prompt's tokens, counted off the loop; see `ChatClient.count_tokens`."""
        from franca.chat_clients.counting import counted
        from franca.flow.counting import count

        given = messages if isinstance(messages, str) else list(messages)
        request = self._config.request(given, {"tools": tools}, stream=False)
        targets = self._config.targets(model)
        if exact:
            await _settle(request, Route(targets))
            return await self._transport.run(count(request, targets))
        return await asyncio.to_thread(counted, request, targets[0], given, self._config.settings)

    def health(self, model: str | None = None) -> list[EndpointHealth]:
        """How the model's endpoints, and those it falls back on, have fared in this process."""
        return self._config.health(model)

    @property
    def backend(self) -> str:
        """The backend's name."""
        return self._config.backend

    async def aclose(self) -> None:
        """Give back this client's connections; those that others use stay open.

        Calls of other tasks that wait on the rest end with a `ConnectionError`.
        """
        await self._transport.aclose()

    close = aclose

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"{type(self).__name__}(backend={self.backend!r}, model={self._config.model!r})"

    def _sdk(self) -> Any:
        return self._transport.sdk(self._config.targets()[0].endpoint)


class OpenAIAsyncChatClient(AsyncChatClient):
    """A client of a backend that speaks OpenAI's wire."""

    @property
    def raw_client(self) -> openai.AsyncOpenAI:
        """A vendor's SDK client of its own for the first endpoint, for what franca lacks."""
        return self._sdk()


class AnthropicAsyncChatClient(AsyncChatClient):
    """A client of a backend that speaks Anthropic's wire."""

    @property
    def raw_client(self) -> anthropic.AsyncAnthropic:
        """A vendor's SDK client of its own for the first endpoint, for what franca lacks."""
        return self._sdk()


async def _settle(request: ChatRequest, route: Route) -> None:
    """Bring pictures and documents to what the targets take, off the loop."""
    if not only_text(request):
        from franca.media.conversation import asettle

        request.messages = await asettle(request.messages, every(route), request.capability_policy)

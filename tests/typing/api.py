"""The typed surface as code: `ty` checks it, nothing runs it."""

from __future__ import annotations

from pathlib import Path
from typing import assert_type

import anthropic
import openai

from franca import BackendType, RateLimiter, create_async_chat_client, create_chat_client
from franca.chat_clients import (
    AnthropicAsyncChatClient,
    AnthropicChatClient,
    AsyncChatStream,
    ChatStream,
    OpenAIAsyncChatClient,
    OpenAIChatClient,
)
from franca.limits.limiter import RateLease, Stats
from franca.types import ChatCompletion, ChatDelta, EndpointType


def clients(name: str) -> None:
    assert_type(create_chat_client(BackendType.OpenAI), OpenAIChatClient)
    assert_type(create_chat_client("deepseek", "m", temperature=0.1), OpenAIChatClient)
    assert_type(create_chat_client(name), OpenAIChatClient)
    assert_type(create_chat_client(BackendType.Anthropic), AnthropicChatClient)
    assert_type(create_chat_client("anthropic", model="m"), AnthropicChatClient)
    assert_type(
        create_chat_client("anthropic", endpoint_type=EndpointType.OpenAIVertex), OpenAIChatClient
    )
    assert_type(create_chat_client("anthropic", endpoint_type="openai"), OpenAIChatClient)
    assert_type(
        create_chat_client("openai", endpoint_type="anthropic_bedrock"), AnthropicChatClient
    )
    assert_type(
        create_chat_client(BackendType.Local, endpoint_type=EndpointType.Anthropic),
        AnthropicChatClient,
    )


def async_clients() -> None:
    assert_type(create_async_chat_client(BackendType.OpenAI), OpenAIAsyncChatClient)
    assert_type(create_async_chat_client(BackendType.Anthropic), AnthropicAsyncChatClient)
    assert_type(create_async_chat_client("anthropic"), AnthropicAsyncChatClient)
    assert_type(
        create_async_chat_client("local", endpoint_type="openai_azure"), OpenAIAsyncChatClient
    )
    assert_type(
        create_async_chat_client("local", endpoint_type=EndpointType.AnthropicVertex),
        AnthropicAsyncChatClient,
    )


def raw() -> None:
    assert_type(create_chat_client("openai").raw_client, openai.OpenAI)
    assert_type(create_chat_client("anthropic").raw_client, anthropic.Anthropic)
    assert_type(create_async_chat_client("openai").raw_client, openai.AsyncOpenAI)
    assert_type(create_async_chat_client("anthropic").raw_client, anthropic.AsyncAnthropic)


def blocking() -> None:
    with create_chat_client(BackendType.OpenAI, api_key=lambda: "k") as client:
        assert_type(client, OpenAIChatClient)
        answer = client.create_completion("hi", max_tokens=3, stop=["a"])
        assert_type(answer, ChatCompletion)
        assert_type(answer.content, str | None)
        assert_type(client.create_completion([answer], stream=False), ChatCompletion)
        assert_type(client.create_completion("hi", stream=True), ChatStream)
        messages = [{"role": "user", "content": "hi"}]
        with client.create_stream(messages, thinking="high") as stream:
            assert_type(stream, ChatStream)
            for delta in stream:
                assert_type(delta, ChatDelta)
                assert_type(delta.content, str | None)
        assert_type(stream.result(), ChatCompletion)


async def concurrent() -> None:
    async with create_async_chat_client(BackendType.Anthropic) as client:
        assert_type(client, AnthropicAsyncChatClient)
        assert_type(await client.create_completion("hi"), ChatCompletion)
        assert_type(await client.create_completion("hi", stream=True), AsyncChatStream)
        assert_type(await client.create_stream("hi"), AsyncChatStream)
        async with client.create_stream("hi") as stream:
            assert_type(stream, AsyncChatStream)
            async for delta in stream:
                assert_type(delta, ChatDelta)
        assert_type(await stream.result(), ChatCompletion)


def limits(directory: Path) -> None:
    limiter = RateLimiter(60, 100_000, 10)
    assert_type(RateLimiter(store=directory, name="n"), RateLimiter)
    with limiter.acquire(tokens=300, timeout=2.5) as lease:
        assert_type(lease, RateLease)
        lease.settle(tokens=250)
    with limiter.acquire(input_tokens=300, output_tokens=20):
        lease.settle(input_tokens=250, output_tokens=20)
    assert_type(limiter.acquire().wait(), RateLease)
    assert_type(limiter.try_acquire(5), bool)
    assert_type(limiter.get_stats(), Stats)
    assert_type(limiter.get_stats().tokens_limit, int | None)


async def limits_in_asyncio(limiter: RateLimiter) -> None:
    async with limiter.acquire(tokens=300) as lease:
        assert_type(lease, RateLease)
        lease.cancel()
    lease = await limiter.acquire()
    assert_type(lease, RateLease)
    await lease.arelease()
    assert_type(await limiter.aget_stats(), Stats)

"""The typed surface as code: `ty` checks it, nothing runs it."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any, assert_type

import anthropic
import openai

from franca import (
    MODEL_PRICING,
    BackendType,
    RateLimiter,
    Settings,
    count_messages_tokens,
    count_tokens,
    create_async_chat_client,
    create_chat_client,
    estimate_batch_cost,
    estimate_cost,
    format_messages,
    get_message_token_counts,
    get_token_counts,
    total_cost,
)
from franca.chat_clients import (
    AnthropicAsyncChatClient,
    AnthropicChatClient,
    AsyncChatStream,
    ChatStream,
    OpenAIAsyncChatClient,
    OpenAIChatClient,
)
from franca.limits.limiter import RateLease, Stats
from franca.tokens import Cost, Fitted, Truncation, fit, message_tokens
from franca.types import ChatCompletion, ChatDelta, EndpointType, Message


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


def counting(settings: Settings) -> None:
    turns = [{"role": "user", "content": "hi"}]
    tools = [{"type": "function", "function": {"name": "f", "parameters": {}}}]
    assert_type(count_tokens("hi", model="gpt-5"), int)
    assert_type(get_token_counts("hi", "gpt-5", settings=settings), int)
    assert_type(get_message_token_counts(messages=turns, tools=tools, model="gpt-5"), int)
    assert_type(count_messages_tokens(turns, "gpt-5"), int)
    assert_type(count_messages_tokens([turns, turns], model="gpt-5", tools=tools), int)
    client = create_chat_client("openai")
    assert_type(client.count_tokens(turns, tools=tools, exact=True), int)
    assert_type(format_messages(turns, "anthropic", max_image_dimension=1568), list[dict[str, Any]])


async def counting_in_asyncio() -> None:
    assert_type(await create_async_chat_client("openai").count_tokens("hi", exact=True), int)


def money(answer: ChatCompletion, settings: Settings) -> None:
    assert_type(estimate_cost(1000, 10, "gpt-5"), Cost | None)
    assert_type(estimate_cost(1000, model="gpt-5", is_input=False), Cost | None)
    assert_type(estimate_batch_cost([(1000, 10)], "gpt-5"), Cost | None)
    turns = [{"role": "user", "content": "hi"}]
    assert_type(estimate_batch_cost([turns, turns], "gpt-5", avg_output_tokens=9), Cost | None)
    assert_type(total_cost([answer.cost], "CNY", {"CNY": "7.1"}), Cost | None)
    assert_type(total_cost([answer.cost], settings=settings), Cost | None)
    assert_type(MODEL_PRICING["gpt-5"]["input"], Decimal)
    assert_type(answer.cost, Cost | None)


def fitting(answer: ChatCompletion, messages: list[Message]) -> None:
    fitted = fit(messages, limit=9, control="latest", count=lambda m: message_tokens(m, "gpt-5"))
    assert_type(fitted, Fitted)
    assert_type(fitted.messages, list[Message])
    assert_type(fitted.truncation, Truncation | None)
    assert_type(answer.truncation, Truncation | None)

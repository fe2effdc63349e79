"""A service of ten lines; `test_service.py` tests it without a key and without a network."""

from collections.abc import AsyncIterator

from franca import BackendType, create_async_chat_client, create_chat_client


def summary(text: str) -> str:
    """The text in one sentence."""
    client = create_chat_client(BackendType.Anthropic, model="claude-sonnet-4-6", max_tokens=200)
    return client.create_completion(f"Say this in one sentence:\n{text}").content or ""


async def story(about: str) -> AsyncIterator[str]:
    """A story, as it is written."""
    client = create_async_chat_client(BackendType.OpenAI, model="gpt-6-luna")
    async for delta in client.create_stream(f"Tell a story about {about}."):
        yield delta.content or ""

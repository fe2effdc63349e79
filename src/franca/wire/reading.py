"""Messages as people write them → ours. One conversation may mix every form."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from franca.errors import InvalidRequestError
from franca.types import ChatCompletion, Choice, Message, MessageLike
from franca.wire import wire

_ANTHROPIC_BLOCKS = frozenset({
    "image", "document", "tool_use", "tool_result", "redacted_thinking", "server_tool_use",
    "mcp_tool_use", "search_result", "container_upload", "compaction", "fallback",
})  # fmt: skip


def read_messages(messages: Iterable[MessageLike] | str) -> list[Message]:
    """The conversation in franca's form; what is given is left as it is.

    Args:
        messages: a text is one user's turn.

    Raises:
        InvalidRequestError: a turn of no known form; says which.
    """
    if isinstance(messages, str):
        return [Message("user", messages)]
    read: list[Message] = []
    for place, message in enumerate(messages):
        try:
            read += _read(message)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            why = f"messages[{place}] is not a message: {type(error).__name__}: {error}"
            raise InvalidRequestError(why) from None
    return read


def _read(message: MessageLike) -> list[Message]:
    if isinstance(message, Message):
        return [message]
    if isinstance(message, ChatCompletion | Choice):
        return [Message("assistant", list(message.parts) or message.content)]
    if not isinstance(message, Mapping):
        if not hasattr(message, "model_dump"):
            raise TypeError(f"expected a mapping or a message, got {type(message).__name__}")
        message = message.model_dump(exclude_unset=True)  # a vendor SDK's own object
    if "role" not in message:
        raise ValueError("it has no role")
    name = "anthropic-messages" if _is_anthropic(message) else "openai-chat"
    return wire(name).read_message(message)


def _is_anthropic(message: Mapping[str, Any]) -> bool:
    content = message.get("content")
    return isinstance(content, list | tuple) and any(map(_is_anthropic_block, content))


def _is_anthropic_block(block: Any) -> bool:
    if not isinstance(block, Mapping):
        return False
    kind = str(block.get("type"))
    if kind == "thinking":  # Mistral's holds a list
        return isinstance(block.get("thinking"), str)
    return kind in _ANTHROPIC_BLOCKS or kind.endswith("_tool_result") or "citations" in block

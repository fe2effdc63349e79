"""Messages as people write them → ours. One conversation may mix every form."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from franca.errors import InvalidRequestError
from franca.types import ChatCompletion, Choice, Message, MessageLike, Part, TextPart
from franca.wire import wire

_OPENAI_BLOCKS = frozenset({
    "text", "image_url", "input_audio", "audio", "file", "refusal", "video_url", "document_url",
    "reference", "input_text", "input_image", "input_file", "output_text",
})  # fmt: skip
_ANTHROPIC_BLOCKS = frozenset({
    "image", "document", "tool_use", "tool_result", "redacted_thinking", "server_tool_use",
    "mcp_tool_use", "search_result", "container_upload", "compaction",
    "mcp_tool_listing",
})  # fmt: skip
_ANTHROPIC = "anthropic-messages"
_OPENAI = "openai-chat"


def read_messages(messages: Iterable[MessageLike] | str, home: str = _OPENAI) -> list[Message]:
    """The conversation in franca's form; what is given is left as it is.

    Args:
        messages: a text is one user's turn.
        home: the wire that a block of a type unknown to franca is taken to belong to.

    Raises:
        InvalidRequestError: a turn of no known form; says which.
    """
    if isinstance(messages, str):
        return [Message("user", messages)]
    if isinstance(messages, Mapping | bytes) or not isinstance(messages, Iterable):
        kind = type(messages).__name__
        raise InvalidRequestError(f"messages: expected a text or a list of messages, got {kind}")
    read: list[Message] = []
    for place, message in enumerate(messages):
        try:
            read += _read(message, home)
        except InvalidRequestError as error:
            raise InvalidRequestError(f"messages[{place}]: {error.message}") from None
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            why = f"messages[{place}] is not a message: {type(error).__name__}: {error}"
            raise InvalidRequestError(why) from None
    return read


def _read(message: MessageLike, home: str) -> list[Message]:
    if isinstance(message, Message):
        content = message.content
        _check(content, Part, "a part")
        return [replace(message, content=list(content)) if isinstance(content, tuple) else message]
    if isinstance(message, ChatCompletion | Choice):
        return [Message("assistant", list(message.parts) or _fields(message))]
    if not isinstance(message, Mapping):
        if not hasattr(message, "model_dump"):
            kind = type(message).__name__
            raise InvalidRequestError(f"{kind} is not a message; expected a mapping")
        message = message.model_dump(exclude_unset=True)  # a vendor SDK's own object
    if "role" not in message:
        raise InvalidRequestError("it has no role; expected user, assistant, system or tool")
    content = message.get("content")
    if isinstance(content, list | tuple):
        content = [_plain(part) for part in content]
        message = {**message, "content": content}
    _check(content, str | Mapping | Part, "a text, a mapping or a part")
    return wire(_wire_of(message, home)).read_message(message)


def _plain(part: Any) -> Any:
    """A vendor SDK's own block as a mapping, anything else as it is."""
    return part.model_dump(exclude_unset=True) if hasattr(part, "model_dump") else part


def _check(content: Any, kinds: Any, named: str) -> None:
    """Raise where a turn's content could not be read, and say of what it is.

    Args:
        kinds, named: what a list of it may hold.
    """
    if content is None or isinstance(content, str):
        return
    if not isinstance(content, list | tuple):
        kind = type(content).__name__
        raise InvalidRequestError(f"its content is {kind}; expected a text or a list of parts")
    for place, part in enumerate(content):
        if not isinstance(part, kinds):
            why = f"content[{place}]: expected {named}, got {type(part).__name__}"
            raise InvalidRequestError(why)


def _fields(answer: ChatCompletion | Choice) -> str | list[Part] | None:
    """The content of an answer that somebody made by hand, without parts."""
    if not answer.tool_calls:
        return answer.content
    return [*([TextPart(answer.content)] if answer.content else []), *answer.tool_calls]


def _wire_of(message: Mapping[str, Any], home: str) -> str:
    content = message.get("content")
    if not isinstance(content, list | tuple):
        return _OPENAI
    wires = {_block_wire(block, home) for block in content if isinstance(block, Mapping)}
    return _ANTHROPIC if _ANTHROPIC in wires else _OPENAI


def _block_wire(block: Mapping[str, Any], home: str) -> str:
    kind = str(block.get("type"))
    if kind == "thinking":  # Mistral's holds a list
        return _ANTHROPIC if isinstance(block.get("thinking"), str) else _OPENAI
    if kind in _ANTHROPIC_BLOCKS or kind.endswith("_tool_result") or "citations" in block:
        return _ANTHROPIC
    return _OPENAI if kind in _OPENAI_BLOCKS else home

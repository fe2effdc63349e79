"""What a conversation costs: its texts, what a vendor writes around them, tools and pictures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from franca.tokens.counting import Backend, text_tokens
from franca.tokens.families import Family, family_of
from franca.tokens.forms import Form
from franca.tokens.media import audio_tokens, document_text, document_tokens, image_tokens
from franca.tokens.tools import tool_text
from franca.types import (
    AudioPart,
    DocumentPart,
    ImagePart,
    Message,
    MessageLike,
    NativePart,
    Part,
    ReasoningPart,
    RefusalPart,
    TextPart,
    Thinking,
    ToolCall,
    ToolResult,
)
from franca.wire import encode
from franca.wire.reading import read_messages

Tools = Sequence[Mapping[str, Any]]


def get_message_token_counts(
    messages: Iterable[MessageLike] | str,
    model: str = "",
    backend: Backend = None,
    *,
    tools: Tools | None = None,
    response_format: Mapping[str, Any] | None = None,
    thinking: Thinking | None = None,
    tool_choice: str | Mapping[str, Any] | None = None,
    wire: str = "openai-chat",
) -> int:
    """The tokens that a prompt is billed, as near as the vendor lets one know.

    Args:
        messages: in any form that a chat client takes; a text is one user's turn.
        tools: in OpenAI's or Anthropic's form; a vendor's own are counted by their JSON.
        model: its name, as vendors and clouds write it.
        backend: whose default serves where the name is not known.
        response_format: OpenAI's form; a schema costs its text.
        thinking: as for a call; where it is on, some vendors put an instruction before the prompt.
        tool_choice: in any form that a chat client takes; being made to call a tool may cost more.
        wire: the format of the request; OpenAI bills tools differently by it.

    Raises:
        InvalidRequestError: a message of no known form.
    """
    family = family_of(model, backend)
    form = family.form
    total = form.base + sum(_turn(message, family) for message in read_messages(messages))
    total += tools_tokens(tools, family, wire) if tools else 0
    total += _schema(response_format, family) if response_format else 0
    total += form.thinking if _thinks(thinking) else 0
    total += form.forced if tools and _forced(tool_choice) else 0
    return round(total)


count_messages_tokens = get_message_token_counts


def message_tokens(message: MessageLike, model: str | Family = "", backend: Backend = None) -> int:
    """The tokens that one message adds to a prompt.

    Texts are counted once and remembered (see `text_tokens`), so that a conversation that has grown
    costs its new part.
    """
    family = model if isinstance(model, Family) else family_of(model, backend)
    if isinstance(message, Message):
        return round(_turn(message, family))
    return round(sum(_turn(turn, family) for turn in read_messages([message])))


def _thinks(thinking: Thinking | None) -> bool:
    kind = thinking.get("type", True) if isinstance(thinking, Mapping) else thinking
    return kind not in (None, False, "none", "disabled")


def _forced(choice: str | Mapping[str, Any] | None) -> bool:
    kind = choice.get("type") if isinstance(choice, Mapping) else choice
    return kind not in (None, "auto", "none")


def tools_tokens(tools: Tools, family: Family, wire: str = "openai-chat") -> float:
    """The tokens that tool definitions add to a prompt."""
    form = family.form
    chat = form.tools_chat if wire == "openai-chat" else 0
    texts = sum(text_tokens(tool_text(tool, form.tool_style), family) for tool in tools)
    return chat + form.tools + form.tool * len(tools) + form.tool_scale * texts


def _schema(response_format: Mapping[str, Any], family: Family) -> float:
    schema, form = response_format.get("json_schema"), family.form
    if not isinstance(schema, Mapping):
        return 0
    written = text_tokens(_json(schema.get("schema") or schema), family)
    return form.schema + form.schema_scale * written


def _turn(message: Message, family: Family) -> float:
    form, content = family.form, message.content
    told = message.role in ("system", "developer") and form.system is not None
    total: float = form.system if told and form.system is not None else form.message
    if message.role == "assistant" and _speaks(message):
        total += form.answer
    if isinstance(content, str):
        return total + text_tokens(_said(content, message, form), family)
    for place, part in enumerate(content or ()):
        total += _part(part, family)
        if place and type(part) is ToolResult:  # each is a turn of its own where it is rendered
            total += form.message
    return total


def _speaks(message: Message) -> bool:
    content = message.content
    return isinstance(content, str) or any(type(part) is TextPart for part in content or ())


def _said(text: str, message: Message, form: Form) -> str:
    """What is read again of an earlier answer's text."""
    if form.strips and message.role == "assistant":
        return text.rpartition("</think>")[2]
    return text


def _part(part: Part, family: Family) -> float:
    if isinstance(part, TextPart | RefusalPart):
        return text_tokens(part.text, family)
    if isinstance(part, ToolCall):
        return _call(part, family)
    if isinstance(part, ToolResult):
        return family.form.result + _result(part, family)
    if isinstance(part, ReasoningPart):
        return text_tokens(part.text, family) if family.form.reasoning else 0
    if isinstance(part, NativePart):
        return text_tokens(_json(part.block), family)
    return _medium(part, family)


def _medium(part: ImagePart | AudioPart | DocumentPart, family: Family) -> float:
    if isinstance(part, ImagePart):
        return image_tokens(part, family)
    if isinstance(part, AudioPart):
        return audio_tokens(part, family)
    if (text := document_text(part)) is not None:
        return text_tokens(text, family)
    return document_tokens(part, family)


def _call(call: ToolCall, family: Family) -> float:
    written = text_tokens(call.name, family) + text_tokens(call.arguments, family)
    return family.form.call + written


def _result(result: ToolResult, family: Family) -> float:
    if isinstance(result.content, str):
        return text_tokens(result.content, family)
    return sum(_part(part, family) for part in result.content or ())


def _json(value: object) -> str:
    return encode(value).decode()

"""Messages of any form brought to a wire's dicts, for those who send them themselves."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from copy import deepcopy
from dataclasses import replace
from typing import Any, TypedDict, Unpack

from franca.backends import ANTHROPIC_MESSAGES, BACKENDS, OPENAI_CHAT, Quirks
from franca.chat_clients.prepare import Messages
from franca.errors import InvalidRequestError, SettingsError
from franca.media.conversation import Fetch, settle
from franca.settings.problems import nearest
from franca.settings.target import Endpoint, Target
from franca.settings.wires import quirks_of
from franca.types import (
    BackendType,
    CapabilityPolicy,
    ChatRequest,
    EndpointType,
    Message,
    Part,
    TextPart,
    ToolCall,
    ToolResult,
)
from franca.wire import wire as wire_named
from franca.wire.reading import read_messages

JSON = dict[str, Any]
_WIRES = (OPENAI_CHAT, ANTHROPIC_MESSAGES)


def format_messages(
    messages: Messages,
    backend: str | Target | None = None,
    *,
    native_multimodal: bool | None = None,
    function_call_available: bool | None = None,
    process_image: bool = True,
    max_image_dimension: int | None = None,
    wire: str | None = None,
    capability_policy: CapabilityPolicy = "strict",
    fetch: Fetch | None = None,
) -> list[JSON]:
    """The conversation as the vendor's API takes it. The caller's messages are not changed.

    On Anthropic's wire the system prompt comes first, as a message of role `system`; the vendor's
    API wants its content apart, in `system`.

    Args:
        messages: franca's own, dicts in OpenAI's or Anthropic's form, or both; a text is one turn.
        backend: whose wire and quirks hold; or a target of the settings, whose model's abilities
            hold too. None: OpenAI's wire, without quirks.
        native_multimodal: False puts a line of text in place of each picture. None: as the target
            says, by the capability policy; pictures are sent where nothing is said.
        function_call_available: False turns tool calls and their results into text. None: as the
            target says.
        process_image: False leaves pictures as they are, and fetches none.
        max_image_dimension: pixels of the longest side of a picture; instead of the target's.
        wire: another wire than the backend's own: `openai-chat` or `anthropic-messages`.
        capability_policy: what happens to what the wire or the model cannot take.
        fetch: gets the bytes at a URL where the vendor does not; None: `franca.media.fetch`.

    Raises:
        InvalidRequestError: names the place of what cannot be sent; or no such wire.
        SettingsError: no such backend.
        ConnectionError, TimeoutError: a URL could not be fetched.
        MissingExtraError: a picture must be drawn anew, and Pillow is not installed.
    """
    target = _target(backend, wire)
    if max_image_dimension is not None:
        target = replace(target, max_image_dimension=max_image_dimension)
    conversation = read_messages(messages, target.wire)
    tools = target.function_call_available
    if (tools if function_call_available is None else function_call_available) is False:
        conversation = without_tools(conversation)
    conversation = settle(
        conversation,
        (target,),
        capability_policy,
        vision=native_multimodal,
        process=process_image,
        fetch=fetch,
    )
    request = ChatRequest(conversation, capability_policy=capability_policy)
    body = wire_named(target.wire).build(request, target)
    system = [{"role": "system", "content": body["system"]}] if "system" in body else []
    return deepcopy([*system, *body["messages"]])


class FormatOptions(TypedDict, total=False):
    """How to format; see `format_messages`."""

    native_multimodal: bool | None
    function_call_available: bool | None
    process_image: bool
    max_image_dimension: int | None
    wire: str | None
    capability_policy: CapabilityPolicy
    fetch: Fetch | None


async def aformat_messages(
    messages: Messages, backend: str | Target | None = None, **how: Unpack[FormatOptions]
) -> list[JSON]:
    """The same, off the event loop: for pictures that are drawn anew or fetched."""
    return await asyncio.to_thread(format_messages, messages, backend, **how)


def _target(backend: str | Target | None, wire: str | None) -> Target:
    """The target, or one of the backend of which nothing more is known."""
    if wire is not None and wire not in _WIRES:
        raise InvalidRequestError(f"no wire {wire!r}{nearest(wire, _WIRES)}")
    if isinstance(backend, Target):
        return replace(backend, wire=wire or backend.wire)
    endpoint = Endpoint("", EndpointType.OpenAI, "")
    if backend is None:
        return Target("the wire", "any model", "", endpoint, wire or OPENAI_CHAT, Quirks())
    name = str(backend).lower()
    if name not in BACKENDS:
        hint = nearest(name, [known.value for known in BACKENDS])
        raise SettingsError([f"backend {name!r}: no such backend{hint}"])
    row = BACKENDS[BackendType(name)]
    spoken = wire or row.wire
    return Target(name, "any model", "", endpoint, spoken, quirks_of(spoken, row))


def without_tools(messages: Iterable[Message]) -> list[Message]:
    """The conversation with tool calls and their results told as text, for a model without tools.

    A call is `[tool call: name arguments]` in the model's turn. Results are the user's turn, each
    under the line `[tool result: name]` or `[tool error: name]`; what the user says next joins it,
    since many such models want the turns to alternate.
    """
    out: list[Message] = []
    names: dict[str, str] = {}
    answered = False  # the last turn is one of results
    for message in messages:
        told = _told(message, names)
        if told is None and not (answered and message.role == "user"):
            out.append(message)
            answered = False
        elif told is not None and message.role == "assistant":
            out.append(Message("assistant", _whole(told)))
            answered = False
        else:
            turn = _parts(message.content) if told is None else told
            before = _parts(out.pop().content) if answered else []
            out.append(Message("user", _whole([*before, *turn])))
            answered = True
    return out


def _parts(content: str | list[Part] | None) -> list[Part]:
    if isinstance(content, list):
        return content
    return [TextPart(content)] if content else []


def _told(message: Message, names: dict[str, str]) -> list[Part] | None:
    """The turn's parts as text; None where there are no calls and no results in it."""
    content = message.content
    if not isinstance(content, list):
        told = _result(ToolResult("", content), message.name or "unnamed")
        return told if message.role == "tool" else None
    if not any(isinstance(part, ToolCall | ToolResult) for part in content):
        return None
    told: list[Part] = []
    for part in content:
        if isinstance(part, ToolCall):
            names[part.id] = part.name
            told.append(TextPart(f"[tool call: {part.name} {part.arguments}]"))
        elif isinstance(part, ToolResult):
            name = part.name or message.name or names.get(part.tool_call_id, part.tool_call_id)
            told += _result(part, name)
        else:
            told.append(part)
    return told


def _result(part: ToolResult, name: str) -> list[Part]:
    head = f"[tool {'error' if part.is_error else 'result'}: {name}]"
    if isinstance(part.content, list):
        return [TextPart(head), *part.content]
    return [TextPart(f"{head}\n{part.content or ''}")]


def _whole(parts: list[Part]) -> str | list[Part]:
    """One text where that is all there is."""
    if all(isinstance(part, TextPart) and not part.extra for part in parts):
        return "\n\n".join(part.text for part in parts if isinstance(part, TextPart))
    return parts

"""A conversation: messages, and the parts they are made of.

Every part keeps in `extra` the fields of its wire that franca has no name for (`cache_control`,
`citations`, a vendor's own), so that a conversation written back to the wire it came from is what
it was.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from franca.types.builtin import REFERENCES, BuiltinCall, Source, find_sources, read_call
from franca.types.enums import Role

JSON = dict[str, Any]
"""A vendor's own JSON object, kept as it came."""


@dataclass(slots=True)
class TextPart:
    """Text. `citations` are the vendor's own objects."""

    text: str
    citations: list[JSON] | None = None
    extra: JSON | None = None
    type: Literal["text"] = "text"

    @property
    def sources(self) -> list[Source]:
        """The places that `citations` name, read the same way for every vendor."""
        return list(find_sources(self.citations))


@dataclass(slots=True)
class ReasoningPart:
    """What the model thought.

    Args:
        text: the thought, or the summary of it that the vendor shows.
        signature: what the vendor needs to take the thought back on the next turn.
        encrypted: an opaque thought (Anthropic's redacted thinking), to be sent back as it is.
        field: the field of OpenAI's wire that it goes back in whatever the vendor's quirks say;
            None leaves it to them.
    """

    text: str
    signature: str | None = None
    encrypted: str | None = None
    field: str | None = None
    extra: JSON | None = None
    type: Literal["reasoning"] = "reasoning"

    @property
    def call(self) -> BuiltinCall | None:
        """The use of a vendor's own tool that stands among the thoughts (OpenRouter's); else
        None."""
        return read_call(self.extra) if self.extra else None


@dataclass(slots=True)
class ImagePart:
    """A picture: one of `url`, `data` (base64, with `media_type`) or `file_id`."""

    url: str | None = None
    data: str | None = None
    media_type: str | None = None
    file_id: str | None = None
    detail: str | None = None
    extra: JSON | None = None
    type: Literal["image"] = "image"


@dataclass(slots=True)
class AudioPart:
    """Sound: `data` (base64) of `format` (wav, mp3 …), or the `id` of what the model said."""

    data: str | None = None
    format: str | None = None
    id: str | None = None
    transcript: str | None = None
    extra: JSON | None = None
    type: Literal["audio"] = "audio"


@dataclass(slots=True)
class DocumentPart:
    """A document: one of `url`, `data` (base64, with `media_type`), `text` or `file_id`."""

    url: str | None = None
    data: str | None = None
    text: str | None = None
    media_type: str | None = None
    file_id: str | None = None
    filename: str | None = None
    extra: JSON | None = None
    type: Literal["document"] = "document"


@dataclass(slots=True)
class ToolCall:
    """The model asks for a tool. `arguments` is the JSON text as the model wrote it."""

    id: str
    name: str
    arguments: str
    index: int = 0
    extra: JSON | None = None
    type: Literal["function"] = "function"

    @property
    def function(self) -> ToolCall:
        """Itself: `call.function.name` reads as in OpenAI's SDK."""
        return self


@dataclass(slots=True)
class ToolResult:
    """What a tool answered, to the call `tool_call_id`."""

    tool_call_id: str
    content: str | list[Part] | None
    name: str | None = None
    is_error: bool | None = None
    extra: JSON | None = None
    type: Literal["tool_result"] = "tool_result"


@dataclass(slots=True)
class RefusalPart:
    """The model declines, in its own words."""

    text: str
    extra: JSON | None = None
    type: Literal["refusal"] = "refusal"


@dataclass(slots=True)
class NativePart:
    """A vendor's own block (its web search, code execution, MCP …), kept whole.

    It goes back to the wire it came from as it is. What a vendor's tool did is left out on another
    wire; anything else there is refused, or as `capability_policy` says.
    """

    wire: str
    block: JSON
    type: Literal["native"] = "native"

    @property
    def call(self) -> BuiltinCall | None:
        """What a vendor's own tool was asked, or has found; None where the block is of none."""
        return read_call(self.block)

    @property
    def of_tool(self) -> bool:
        """Whether it is of a vendor's own tool: a call, what came of it, or a reference to that."""
        return str(self.block.get("type")) in REFERENCES or self.call is not None

    @property
    def sources(self) -> list[Source]:
        """The places that a reference among the answer's texts names; none of any other block."""
        reference = str(self.block.get("type")) in REFERENCES
        return list(find_sources(self.block)) if reference else []


Part = (
    TextPart
    | ReasoningPart
    | ImagePart
    | AudioPart
    | DocumentPart
    | ToolCall
    | ToolResult
    | RefusalPart
    | NativePart
)


@dataclass(slots=True)
class Message:
    """One turn.

    Args:
        role: who speaks. A tool's answer is a `ToolResult` part, in a message of role `tool` or
            `user`.
        content: the text, or the ordered parts.
        name: the speaker, where a wire carries it.
        extra: fields of the wire it was read from that have no place here.
    """

    role: Role
    content: str | list[Part] | None = None
    name: str | None = None
    extra: JSON | None = None

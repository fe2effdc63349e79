"""What comes back: whole results, deltas of a stream, usage.

The vendor's bytes are kept beside the fields (not as one of them, so that FastAPI and
`dataclasses.asdict` do not repeat them) and decoded when `.raw` is asked for.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from franca.types.builtin import BuiltinCall, Source, distinct, paired
from franca.types.enums import FinishReason
from franca.types.messages import JSON, NativePart, Part, ReasoningPart, TextPart, ToolCall

if TYPE_CHECKING:
    from franca.tokens.prices import Cost
    from franca.tokens.truncate import Truncation


class _Dumps:
    __slots__ = ()

    def model_dump(self) -> JSON:
        """The fields as plain dicts and lists."""
        return asdict(self)  # ty: ignore[invalid-argument-type]


class _Raw(_Dumps):
    __slots__ = ("_bill", "_body", "_truncation")
    _body: bytes | list[bytes]
    _bill: Callable[[Any], Cost | None]
    _truncation: Truncation | None

    @property
    def raw(self) -> Any:
        """The vendor's JSON, decoded now; of a folded stream, the list of its events' JSON."""
        body = getattr(self, "_body", None)
        if isinstance(body, list):
            return [json.loads(event) for event in body]
        return None if body is None else json.loads(body)


class _Parts:
    """What the parts of an answer tell of the tools that the vendor ran itself."""

    __slots__ = ()
    parts: list[Part]

    @property
    def builtin_calls(self) -> list[BuiltinCall]:
        """The uses of the vendor's own tools, in order, each with its output. Not in `tool_calls`:
        nobody has to answer them."""
        told = (part for part in self.parts if isinstance(part, NativePart | ReasoningPart))
        native = [part.call for part in told]
        return paired(call for call in native if call is not None)

    @property
    def sources(self) -> list[Source]:
        """The places that the answer names: those it cites first, then what was found."""
        told = [part for part in self.parts if isinstance(part, TextPart | NativePart)]
        cited = [source for part in told for source in part.sources]
        return distinct([*cited, *(s for call in self.builtin_calls for s in call.sources)])


@dataclass(slots=True)
class Usage(_Dumps):
    """Tokens as the vendor billed them. None: the vendor did not say, which is not 0.

    Args:
        prompt_tokens: all of the prompt, what was read from or written to a cache included.
        completion_tokens: all of the answer, reasoning included.
        cached_tokens: of the prompt, read from the cache.
        cache_write_tokens: of the prompt, written to the cache.
        reasoning_tokens: of the answer, spent on reasoning.
        extra: the vendor's other counts, under their dotted names.
    """

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    prompt_audio_tokens: int | None = None
    completion_audio_tokens: int | None = None
    extra: JSON | None = None


@dataclass(slots=True)
class Choice(_Dumps, _Parts):
    """One answer of several."""

    index: int = 0
    content: str | None = None
    reasoning_content: str | None = None
    tool_calls: list[ToolCall] = field(default_factory=list)
    finish_reason: FinishReason | None = None
    native_finish_reason: str | None = None
    parts: list[Part] = field(default_factory=list)
    logprobs: JSON | None = None
    refusal: str | None = None


@dataclass(slots=True)
class ChatCompletion(_Raw, _Parts):
    """A model's answer; goes back into `messages` as it is.

    The fields of the first choice stand here too. `parts` is the answer in order, with all that
    the vendor needs on the next turn. `finish_reason` is the field's word, `native_finish_reason`
    the vendor's.
    """

    id: str | None = None
    model: str | None = None
    created: int | None = None
    backend: str | None = None
    endpoint_id: str | None = None
    content: str | None = None
    reasoning_content: str | None = None
    tool_calls: list[ToolCall] = field(default_factory=list)
    finish_reason: FinishReason | None = None
    native_finish_reason: str | None = None
    usage: Usage | None = None
    parts: list[Part] = field(default_factory=list)
    logprobs: JSON | None = None
    refusal: str | None = None
    choices: list[Choice] = field(default_factory=list)
    extra: JSON | None = None

    @property
    def cost(self) -> Cost | None:
        """What the answer cost, in its vendor's currency; None where that is not known."""
        bill = getattr(self, "_bill", None)
        return None if bill is None else bill(self)

    @property
    def truncation(self) -> Truncation | None:
        """What was left out of the prompt, so that it fits; None where nothing was."""
        return getattr(self, "_truncation", None)


@dataclass(slots=True)
class ToolCallDelta(_Dumps):
    """A piece of a tool call: `index` says of which; `id` and `name` come with the first."""

    index: int
    id: str | None = None
    name: str | None = None
    arguments: str | None = None


@dataclass(slots=True)
class ChatDelta(_Raw):
    """A piece of an answer, under the same names; `index` says of which choice."""

    content: str | None = None
    reasoning_content: str | None = None
    tool_calls: list[ToolCallDelta] | None = None
    finish_reason: FinishReason | None = None
    usage: Usage | None = None
    index: int = 0
    id: str | None = None
    model: str | None = None
    refusal: str | None = None
    logprobs: JSON | None = None
    part: Part | None = None
    """A part that arrived whole: a signature, a citation, a vendor's own block."""

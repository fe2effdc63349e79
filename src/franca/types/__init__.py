"""What flows through franca: messages and parts, parameters, results, stream deltas, usage.

Plain slotted dataclasses; this package imports nothing of franca's.
"""

from franca.types.builtin import BuiltinCall, Source
from franca.types.enums import BackendType, EndpointType, FinishReason, Role
from franca.types.messages import (
    AudioPart,
    DocumentPart,
    ImagePart,
    Message,
    NativePart,
    Part,
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolCall,
    ToolResult,
)
from franca.types.params import (
    CONTROLS,
    CapabilityPolicy,
    ChatParams,
    ChatRequest,
    ContextLengthControl,
    MessageLike,
    ReasoningEffort,
    Thinking,
)
from franca.types.results import ChatCompletion, ChatDelta, Choice, ToolCallDelta, Usage

__all__ = [
    "CONTROLS",
    "AudioPart",
    "BackendType",
    "BuiltinCall",
    "CapabilityPolicy",
    "ChatCompletion",
    "ChatDelta",
    "ChatParams",
    "ChatRequest",
    "Choice",
    "ContextLengthControl",
    "DocumentPart",
    "EndpointType",
    "FinishReason",
    "ImagePart",
    "Message",
    "MessageLike",
    "NativePart",
    "Part",
    "ReasoningEffort",
    "ReasoningPart",
    "RefusalPart",
    "Role",
    "Source",
    "TextPart",
    "Thinking",
    "ToolCall",
    "ToolCallDelta",
    "ToolResult",
    "Usage",
]

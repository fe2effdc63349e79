"""What vendors of one wire do differently, as fields that merge. No code asks for a name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal

ThinkingForm = Literal[
    "none",  # the wire has no switch
    "never",  # the model does not think: off goes without saying, on is refused
    "reasoning_effort",  # OpenAI: {"reasoning_effort": "low"}
    "thinking_type",  # DeepSeek, ZhiPuAI, Doubao, Moonshot: {"thinking": {"type": "enabled"}}
    "enable_thinking",  # Qwen, SiliconFlow: {"enable_thinking": true}
    "reasoning_object",  # OpenRouter: {"reasoning": {"effort": "low"}}
    "thinking_config",  # Gemini: {"extra_body": {"google": {"thinking_config": …}}}
    "anthropic",  # {"thinking": {"type": "enabled", "budget_tokens": n}}, output_config.effort
    "anthropic_adaptive",  # the models that think as long as they see fit: {"type": "adaptive"}
    "anthropic_between",  # the same; off is {"type": "between_tools"}
    "anthropic_always",  # the same; off is refused
]


@dataclass(slots=True, frozen=True)
class Quirks:
    """Capability fields of one wire's vendors; backend, endpoint, model and binding merge them.

    Args:
        max_tokens_field: the name under which `max_tokens` goes out.
        thinking: the form of the thinking switch.
        think_tags: `<think>…</think>` at the head of the text is reasoning.
        resend_reasoning: when the assistant's reasoning goes back in the history: DeepSeek refuses
            the turn where a tool-calling thought is missing.
        reasoning_field: the field it goes back in.
        stream_usage: whether `stream_options.include_usage` is understood.
        developer_role: whether role `developer` is understood; else it goes out as `system`.
        json_schema: whether `response_format` takes a schema.
        unsupported: parameters the vendor refuses.
        renamed: parameters under another name.
        default_max_tokens: sent where the caller names none and the wire requires one.
        url_images: whether the vendor fetches pictures by URL. url_files: the same for documents.
        tool_media: OpenAI's wire: whether a tool's answer may hold pictures and files; else they
            follow it in a user's turn.
        inline_system: Anthropic's wire: whether a system message may stand among the others (from
            Claude Opus 4.8 on); else it goes out as the user's text, in tags.
        forced_tools: Anthropic's wire: whether `tool_choice` may demand a tool; the models that
            decide for themselves whether to think refuse it (Claude Opus 5.5, Sonnet 5.5, Fable
            5.1: "forced tool use is not supported" in each one's what's new at
            https://platform.claude.com/docs/en/models).
        cached_limited: whether tokens read from the prompt cache count against the limits.
        builtin_tools: how a tool that the vendor runs itself (`web_search`, `web_fetch`,
            `code_execution`, `file_search`, `mcp`) is asked for: fields of the body, whose lists
            and objects are joined with what is there. A `${option}` in them is what the caller
            gives under that name; a field whose option is not given stays away. A sentence in place
            of the fields is why the tool is refused, and what to do instead.
    """

    max_tokens_field: str = "max_tokens"
    thinking: ThinkingForm = "none"
    think_tags: bool = False
    resend_reasoning: Literal["never", "tool_calls", "always"] = "never"
    reasoning_field: str = "reasoning_content"
    stream_usage: bool = True
    developer_role: bool = False
    json_schema: bool = True
    unsupported: tuple[str, ...] = ()
    renamed: tuple[tuple[str, str], ...] = ()
    default_max_tokens: int = 4096
    url_images: bool = True
    url_files: bool = False
    tool_media: bool = False
    inline_system: bool = True
    forced_tools: bool = True
    cached_limited: bool = True
    builtin_tools: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def merge(self, **changes: Any) -> Quirks:
        """A copy with the given fields; TypeError names one that does not exist."""
        return replace(self, **changes) if changes else self


QUIRK_NAMES = frozenset(f.name for f in fields(Quirks))

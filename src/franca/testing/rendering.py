"""Results and deltas back in OpenAI's form."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from franca.types import ChatCompletion, ChatDelta, Choice, ToolCallDelta, Usage

JSON = dict[str, Any]


def completion_of(completion: ChatCompletion, model: str) -> JSON:
    """The reply that a result would come from."""
    choices = completion.choices or [_only(completion)]
    reply = {
        "id": completion.id or "chatcmpl-scripted",
        "object": "chat.completion",
        "created": completion.created or 0,
        "model": completion.model or model,
        "choices": [_choice(choice) for choice in choices],
    }
    if completion.usage:
        reply["usage"] = _usage(completion.usage)
    return reply


def chunk_of(delta: ChatDelta, model: str) -> JSON:
    """The chunk that a delta would come from."""
    message = {
        "content": delta.content,
        "reasoning_content": delta.reasoning_content,
        "refusal": delta.refusal,
        "tool_calls": [_call_delta(call) for call in delta.tool_calls or ()] or None,
    }
    choice = {
        "index": delta.index,
        "delta": _given(message),
        "logprobs": delta.logprobs,
        "finish_reason": delta.finish_reason,
    }
    only_usage = delta.usage and not choice["delta"] and not delta.finish_reason
    chunk = {
        "id": delta.id or "chatcmpl-scripted",
        "object": "chat.completion.chunk",
        "created": 0,
        "model": delta.model or model,
        "choices": [] if only_usage else [choice],
    }
    if delta.usage:
        chunk["usage"] = _usage(delta.usage)
    return chunk


def deltas_of(completion: ChatCompletion) -> Iterator[ChatDelta]:
    """A result as a stream would bring it: the thought, the text, the calls, the end."""
    name, model = completion.id, completion.model
    for choice in completion.choices or [_only(completion)]:
        index = choice.index
        calls = [
            ToolCallDelta(at, call.id, call.name, call.arguments)
            for at, call in enumerate(choice.tool_calls)
        ]
        end = choice.finish_reason or "stop"
        for delta in (
            ChatDelta(reasoning_content=choice.reasoning_content),
            ChatDelta(choice.content, logprobs=choice.logprobs, refusal=choice.refusal),
            ChatDelta(tool_calls=calls or None),
            ChatDelta(finish_reason=end),
        ):
            delta.index, delta.id, delta.model = index, name, model
            yield delta
    if completion.usage:
        yield ChatDelta(usage=completion.usage, id=name, model=model)


def _only(completion: ChatCompletion) -> Choice:
    return Choice(
        content=completion.content,
        reasoning_content=completion.reasoning_content,
        tool_calls=completion.tool_calls,
        finish_reason=completion.finish_reason,
        native_finish_reason=completion.native_finish_reason,
        logprobs=completion.logprobs,
        refusal=completion.refusal,
    )


def _choice(choice: Choice) -> JSON:
    calls = [
        {"id": c.id, "type": "function", "function": {"name": c.name, "arguments": c.arguments}}
        for c in choice.tool_calls
    ]
    given = {
        "reasoning_content": choice.reasoning_content,
        "refusal": choice.refusal,
        "tool_calls": calls or None,
    }
    return {
        "index": choice.index,
        "message": {"role": "assistant", "content": choice.content, **_given(given)},
        "logprobs": choice.logprobs,
        "finish_reason": choice.native_finish_reason or choice.finish_reason or "stop",
    }


def _call_delta(call: ToolCallDelta) -> JSON:
    function = _given({"name": call.name, "arguments": call.arguments})
    return _given({"index": call.index, "id": call.id, "type": "function", "function": function})


def _usage(usage: Usage) -> JSON:
    prompt = {
        "cached_tokens": usage.cached_tokens,
        "cache_write_tokens": usage.cache_write_tokens,
        "audio_tokens": usage.prompt_audio_tokens,
    }
    completion = {
        "reasoning_tokens": usage.reasoning_tokens,
        "audio_tokens": usage.completion_audio_tokens,
    }
    totals = {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens,
        "prompt_tokens_details": _given(prompt) or None,
        "completion_tokens_details": _given(completion) or None,
    }
    return {**_given(totals), **(usage.extra or {})}


def _given(fields: JSON) -> JSON:
    return {name: value for name, value in fields.items() if value is not None}

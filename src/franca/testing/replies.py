"""What a vendor would say: a reply or an error in either wire's form, whole or as events."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

JSON = dict[str, Any]

ANTHROPIC = "anthropic-messages"
OPENAI = "openai-chat"
_CREATED = 1_750_000_000
_numbers = count(1)

_OPENAI_TYPES = {401: "invalid_request_error", 429: "rate_limit_error"}
_OPENAI_CODES = {
    401: "invalid_api_key",
    404: "model_not_found",
    429: "rate_limit_exceeded",
}
_ANTHROPIC_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}


@dataclass
class Reply:
    """An answer without a form yet."""

    model: str
    text: str
    reasoning: str = ""
    tool_calls: Sequence[tuple[str, str]] = ()
    finish: str = "stop"
    prompt_tokens: int = 0
    n: int = 1

    @property
    def completion_tokens(self) -> int:
        arguments = " ".join(arguments for _, arguments in self.tool_calls)
        return self.n * sum(map(words, (self.text, self.reasoning, arguments)))


def words(text: str) -> int:
    """The simulator's idea of a token."""
    return len(text.split())


def pieces(text: str) -> list[str]:
    """The text, word by word, with nothing lost."""
    return re.findall(r"\s*\S+(?:\s+\Z)?", text) or ([text] if text else [])


def compose(
    body: JSON,
    text: str | None = None,
    reasoning: str | None = None,
    tool_calls: Sequence[tuple[str, Mapping[str, Any] | str]] = (),
) -> Reply:
    """The reply to a request of either wire; what is not given is made up from the request."""
    calls = [(name, _json(arguments)) for name, arguments in tool_calls]
    if text is None and not calls:
        calls = _forced(body)
        text = "" if calls else _invented(body)
    thought = _thought(body) if reasoning is None else reasoning
    most = body.get("max_completion_tokens") or body.get("max_tokens")
    parts = pieces(text or "")
    cut = isinstance(most, int) and 0 < most < len(parts)
    return Reply(
        model=body.get("model") or "simulated",
        text="".join(parts[:most]) if cut else text or "",
        reasoning=thought,
        tool_calls=calls,
        finish="length" if cut else "tool_calls" if calls else "stop",
        prompt_tokens=prompt_tokens(body),
        n=body.get("n") or 1,
    )


def prompt_tokens(body: JSON) -> int:
    """The words of all that a request says."""
    contents = [body.get("system"), *(m.get("content") for m in body.get("messages") or ())]
    return sum(words(_text(content)) for content in contents)


def whole(wire: str, reply: Reply) -> JSON:
    """The reply in one object."""
    return _anthropic_message(reply) if wire == ANTHROPIC else _openai_completion(reply)


def events(wire: str, reply: Reply, body: JSON) -> list[bytes]:
    """The reply as framed events, the wire's own end mark last."""
    if wire == ANTHROPIC:
        return [frame(wire, event) for event in anthropic_events(_anthropic_message(reply))]
    usage = bool((body.get("stream_options") or {}).get("include_usage"))
    return [*(frame(wire, e) for e in _openai_chunks(reply, usage)), b"data: [DONE]\n\n"]


def frame(wire: str, event: Mapping[str, Any]) -> bytes:
    """One event as the wire writes it."""
    name = f"event: {event['type']}\n" if wire == ANTHROPIC and "type" in event else ""
    return f"{name}data: {json.dumps(event)}\n\n".encode()


def failure(wire: str, status: int, message: str | None) -> JSON:
    """An error in the wire's own form."""
    message = message or f"simulated error {status}"
    if wire == ANTHROPIC:
        kind = _ANTHROPIC_TYPES.get(status, "api_error")
        return {"type": "error", "error": {"type": kind, "message": message}}
    kind = _OPENAI_TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")
    error = {"message": message, "type": kind, "param": None, "code": _OPENAI_CODES.get(status)}
    return {"error": error}


def rate_headers(wire: str, status: int) -> dict[str, str]:
    """Request id and rate limits, as the wire's vendor sends them: so high that a client which
    obeys them is not slowed."""
    left = "0" if status == 429 else "999999"
    if wire == ANTHROPIC:
        return {
            "request-id": f"req_sim_{next(_numbers)}",
            "anthropic-ratelimit-requests-limit": "1000000",
            "anthropic-ratelimit-requests-remaining": left,
            "anthropic-ratelimit-requests-reset": "2030-01-01T00:00:00Z",
        }
    return {
        "x-request-id": f"req_sim_{next(_numbers)}",
        "x-ratelimit-limit-requests": "1000000",
        "x-ratelimit-remaining-requests": left,
        "x-ratelimit-reset-requests": "0s",
    }


def models() -> JSON:
    """The list of models: just enough for either wire."""
    model = {"id": "simulated", "object": "model", "type": "model", "created": _CREATED}
    return {"object": "list", "data": [model], "has_more": False}


def _text(content: Any) -> str:
    if isinstance(content, list):
        return " ".join(_text(part.get("text") or part.get("content")) for part in content)
    return content if isinstance(content, str) else ""


def _json(value: Mapping[str, Any] | str) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _invented(body: JSON) -> str:
    form = body.get("response_format") or {}
    if form.get("type") == "json_schema":
        return json.dumps(example(form["json_schema"].get("schema") or {}))
    said = [m for m in body.get("messages") or () if m.get("role") == "user"]
    echo = f"You said: {_text(said[-1].get('content')) if said else ''}"
    return json.dumps({"answer": echo}) if form.get("type") == "json_object" else echo


def _forced(body: JSON) -> list[tuple[str, str]]:
    """The call that `tool_choice` demands, with arguments that suit the tool's schema."""
    choice = body.get("tool_choice") or {}
    tools = {(t.get("function") or t).get("name"): t.get("function") or t for t in _tools(body)}
    if choice == "required" or (isinstance(choice, dict) and choice.get("type") == "any"):
        name = next(iter(tools), None)
    else:
        named = choice if isinstance(choice, dict) else {}
        name = (named.get("function") or named).get("name")
    if not isinstance(name, str) or name not in tools:
        return []
    schema = tools[name].get("parameters") or tools[name].get("input_schema") or {}
    return [(name, json.dumps(example(schema)))]


def _tools(body: JSON) -> list[JSON]:
    return body.get("tools") or []


def example(schema: JSON) -> Any:
    """A small value that a JSON schema allows (no references, no patterns)."""
    if "enum" in schema or "const" in schema:
        return schema["const"] if "const" in schema else schema["enum"][0]
    kind = schema.get("type", "object")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        return {name: example(sub) for name, sub in (schema.get("properties") or {}).items()}
    if kind == "array":
        return [example(schema.get("items") or {})]
    return {"string": "text", "integer": 1, "number": 1.5, "boolean": True}.get(kind)


def _thought(body: JSON) -> str:
    thinking = body.get("thinking")
    kind = thinking.get("type") if isinstance(thinking, dict) else None
    asked = kind in ("enabled", "adaptive") or body.get("enable_thinking")
    effort = body.get("reasoning_effort")
    return "Let me think." if asked or (effort and effort != "none") else ""


def _openai_usage(reply: Reply) -> JSON:
    prompt, completion = reply.prompt_tokens, reply.completion_tokens
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": reply.n * words(reply.reasoning)},
    }


def _openai_calls(reply: Reply) -> list[JSON]:
    return [
        {
            "id": f"call_{next(_numbers)}",
            "type": "function",
            "function": {"name": name, "arguments": arguments},
        }
        for name, arguments in reply.tool_calls
    ]


def _openai_completion(reply: Reply) -> JSON:
    def message() -> JSON:
        made: JSON = {"role": "assistant", "content": reply.text or None}
        if reply.reasoning:
            made["reasoning_content"] = reply.reasoning
        if reply.tool_calls:
            made["tool_calls"] = _openai_calls(reply)
        return made

    return {
        "id": f"chatcmpl-sim-{next(_numbers)}",
        "object": "chat.completion",
        "created": _CREATED,
        "model": reply.model,
        "choices": [
            {"index": i, "message": message(), "logprobs": None, "finish_reason": reply.finish}
            for i in range(reply.n)
        ],
        "usage": _openai_usage(reply),
    }


def _openai_chunks(reply: Reply, usage: bool) -> Iterator[JSON]:
    head = {
        "id": f"chatcmpl-sim-{next(_numbers)}",
        "object": "chat.completion.chunk",
        "created": _CREATED,
        "model": reply.model,
    }

    def chunk(index: int, delta: JSON, finish: str | None = None) -> JSON:
        choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}
        return {**head, "choices": [choice]}

    for delta in _openai_deltas(reply):
        yield from (chunk(index, delta) for index in range(reply.n))
    yield from (chunk(index, {}, reply.finish) for index in range(reply.n))
    if usage:
        yield {**head, "choices": [], "usage": _openai_usage(reply)}


def _openai_deltas(reply: Reply) -> Iterator[JSON]:
    yield {"role": "assistant", "content": ""}
    yield from ({"reasoning_content": piece} for piece in pieces(reply.reasoning))
    yield from ({"content": piece} for piece in pieces(reply.text))
    for index, call in enumerate(_openai_calls(reply)):
        function = call["function"]
        opened = {**call, "index": index, "function": {**function, "arguments": ""}}
        yield {"tool_calls": [opened]}
        for piece in pieces(function["arguments"]):
            yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}


def _anthropic_blocks(reply: Reply) -> list[JSON]:
    blocks: list[JSON] = []
    if reply.reasoning:
        thought = {"type": "thinking", "thinking": reply.reasoning, "signature": "c2ltdWxhdGVk"}
        blocks.append(thought)
    if reply.text:
        blocks.append({"type": "text", "text": reply.text})
    for name, arguments in reply.tool_calls:
        use = {"id": f"toolu_{next(_numbers)}", "name": name, "input": json.loads(arguments)}
        blocks.append({"type": "tool_use", **use})
    return blocks


def _anthropic_message(reply: Reply) -> JSON:
    stop = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"}
    return {
        "id": f"msg_sim_{next(_numbers)}",
        "type": "message",
        "role": "assistant",
        "model": reply.model,
        "content": _anthropic_blocks(reply),
        "stop_reason": stop[reply.finish],
        "stop_sequence": None,
        "usage": {
            "input_tokens": reply.prompt_tokens,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": reply.completion_tokens,
        },
    }


def anthropic_events(message: JSON) -> Iterator[JSON]:
    """The events of a whole message's stream."""
    usage = message.get("usage") or {}
    opened = {**message, "content": [], "stop_reason": None}
    if usage:
        opened["usage"] = {**usage, "output_tokens": 1}
    yield {"type": "message_start", "message": opened}
    for index, block in enumerate(message["content"]):
        yield from ({**event, "index": index} for event in _anthropic_block(block))
    stop = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    counts = {"output_tokens": usage["output_tokens"]} if "output_tokens" in usage else {}
    yield {"type": "message_delta", "delta": stop, "usage": counts}
    yield {"type": "message_stop"}


def _anthropic_block(block: JSON) -> Iterator[JSON]:
    empty = {"text": "", "thinking": "", "signature": "", "input": {}}
    start = {key: empty.get(key, value) for key, value in block.items()}
    yield {"type": "content_block_start", "content_block": start}
    for delta in _anthropic_deltas(block):
        yield {"type": "content_block_delta", "delta": delta}
    yield {"type": "content_block_stop"}


def _anthropic_deltas(block: JSON) -> Iterator[JSON]:
    if block["type"] == "text":
        yield from ({"type": "text_delta", "text": piece} for piece in pieces(block["text"]))
    elif block["type"] == "thinking":
        thoughts = pieces(block["thinking"])
        yield from ({"type": "thinking_delta", "thinking": piece} for piece in thoughts)
        if block.get("signature"):
            yield {"type": "signature_delta", "signature": block["signature"]}
    elif block["type"] == "tool_use":
        arguments = pieces(json.dumps(block["input"]))
        yield from ({"type": "input_json_delta", "partial_json": piece} for piece in arguments)

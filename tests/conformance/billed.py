"""What vendors billed for the corpus' prompts, beside what we count.

    python tests/conformance/billed.py [--each VENDOR]

prints the errors of our message counts, a vendor a line, or each prompt of one vendor. A prompt
that is not all in its request (earlier responses, files by id or URL, tools that run at the
vendor's, documents) is left out: nobody can count it from here.
"""

from __future__ import annotations

import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from statistics import median, quantiles
from typing import Any
from urllib.parse import unquote

import foreign
from corpus import Record, records

from franca.tokens import get_message_token_counts
from franca.types import Message
from franca.wire import wire

JSON = dict[str, Any]
WIRES = (
    "openai-chat",
    "anthropic-messages",
    "openai-responses",
    "gemini",
    "bedrock-converse",
)
_OURS = frozenset({"openai-chat", "anthropic-messages"})
_FOREIGN = {
    "openai-responses": foreign.responses,
    "gemini": foreign.gemini,
    "bedrock-converse": foreign.converse,
}
_ELSEWHERE = re.compile(
    r'"(?:previous_response_id|conversation|file_id|file_?[dD]ata|file_?[uU]ri|container|'
    r"mcp_servers|cached_?[cC]ontent|defer_loading|context_management|encrypted_content|prompt|"
    r'compaction|document|input_file|video|web_search_options|plugins)"|"url": "http|'
    r'"image_url": "http|"data:(?:application|audio|video)|_search|code_execution|'
    r'_20\d{6}"|[sS]ignature"|'
    r'googleSearch|google_search|urlContext|url_context|codeExecution|executableCode|"mcp|'
    r'inline_?[dD]ata": \{"data": "[^"]*", "mime_?[tT]ype": "(?:application|audio|video|text)|'
    r"web_fetch|code_interpreter|image_generation|tool_addition|x_search|advisor|additional_tools"
)
_USAGE = {
    "openai-chat": ("prompt_tokens",),
    "openai-responses": ("input_tokens",),
    "anthropic-messages": (
        "input_tokens",
        "cache_read_input_tokens",
        "cache_creation_input_tokens",
    ),
    "gemini": ("promptTokenCount",),
    "bedrock-converse": ("inputTokens", "cacheReadInputTokens", "cacheWriteInputTokens"),
}


@dataclass(slots=True)
class Prompt:
    """A request as the counters take it, and its bill."""

    vendor: str
    wire: str
    model: str
    case: str
    billed: int
    messages: list[Message]
    tools: list[JSON] = field(default_factory=list)
    response_format: JSON | None = None
    thinking: bool = False
    forced: bool = False

    def counted(self) -> int:
        return get_message_token_counts(
            messages=self.messages,
            tools=self.tools,
            model=self.model,
            backend=self.vendor,
            wire=self.wire,
            response_format=self.response_format,
            thinking=self.thinking,
            tool_choice="required" if self.forced else None,
        )

    def off(self) -> float:
        """How far off our count is, as a share of the bill; high is positive."""
        return self.counted() / self.billed - 1


def prompts() -> Iterator[Prompt]:
    """The prompts of the corpus that can be counted from here."""
    for name in WIRES:
        for record in records(name):
            bill = _bill(record)
            if bill and not _ELSEWHERE.search(json.dumps(record["request"])):
                yield _prompt(record, bill)


def _prompt(record: Record, bill: int) -> Prompt:
    body, name = record["request"], record["wire"]
    if name in _OURS:
        messages, tools = wire(name).read_request(body), body.get("tools") or []
    else:
        messages, tools = _FOREIGN[name](body)
    fields = body.get("additionalModelRequestFields") or body
    effort = (body.get("reasoning") or {}).get("effort")
    kind = (fields.get("thinking") or {}).get("type")
    return Prompt(
        record["vendor"],
        name,
        body.get("model") or _model(record["path"]),
        record["case"],
        bill,
        messages,
        tools,
        _format(body),
        kind in ("enabled", "adaptive") or effort not in (None, "none"),
        _forced(body),
    )


def _forced(body: JSON) -> bool:
    config = body.get("toolConfig") or {}
    choice = body.get("tool_choice") or config.get("toolChoice") or config
    choice = {k: v for k, v in choice.items() if k != "tools"} if config else choice
    return bool(re.search(r'"(required|any|ANY|tool|function)"', json.dumps(choice)))


def _format(body: JSON) -> JSON | None:
    if text := (body.get("text") or {}).get("format"):
        return {"type": text["type"], "json_schema": text} if "schema" in text else None
    if told := (body.get("output_config") or {}).get("format"):
        return {"json_schema": told}
    if told := ((body.get("outputConfig") or {}).get("textFormat") or {}).get("structure"):
        return {"json_schema": {"schema": json.loads(told["jsonSchema"]["schema"])}}
    config = body.get("generationConfig") or {}
    schema = config.get("responseJsonSchema") or config.get("responseSchema")
    return {"json_schema": schema} if schema else body.get("response_format")


def _model(path: str) -> str:
    found = re.search(
        r"((?:publishers/google/)?models?/[^/]+?)(?::\w+|/converse\S*)?$", unquote(path)
    )
    return found[1] if found else ""


def _bill(record: Record) -> int:
    if record["status"] != 200:
        return 0
    keys, bill = _USAGE[record["wire"]], 0
    for event in _events(record):
        usage = _usage(event)
        if usage and usage.get(keys[0]) is not None and event.get("type") != "message_delta":
            bill = sum(usage.get(key) or 0 for key in keys)
    return bill


def _usage(event: JSON) -> JSON | None:
    for home in (event, event.get("message"), event.get("response")):
        if isinstance(home, dict) and (found := home.get("usage") or home.get("usageMetadata")):
            return found
    return None


def _events(record: Record) -> list[JSON]:
    if record.get("reply"):
        return [record["reply"]]
    lines = (line[5:].strip() for line in record.get("sse", "").splitlines() if line[:5] == "data:")
    read = [json.loads(line) for line in lines if line and line != "[DONE]"]
    return [event for event in read if isinstance(event, dict)]


def say(line: str) -> None:
    sys.stdout.write(line + "\n")


def main() -> None:
    each = sys.argv[2] if sys.argv[1:2] == ["--each"] else None
    vendors: dict[str, list[float]] = defaultdict(list)
    for prompt in prompts():
        off = prompt.off()
        vendors[prompt.vendor].append(off)
        if prompt.vendor == each:
            say(f"{prompt.billed:6} {off:+7.1%}  {prompt.model}  {prompt.case[:90]}")
    if each is None:
        for vendor, offs in sorted(vendors.items(), key=lambda item: -len(item[1])):
            say(line(vendor, offs))


def line(vendor: str, offs: list[float]) -> str:
    """The distribution of a vendor's errors."""
    sizes = [abs(off) for off in offs]
    ninth = quantiles(sizes, n=10)[8] if len(sizes) > 1 else sizes[0]
    return (
        f"{vendor:42} {len(offs):4} prompts: median {median(sizes):6.1%}, 9 of 10 within "
        f"{ninth:6.1%}, from {min(offs):+.1%} to {max(offs):+.1%}"
    )


if __name__ == "__main__":
    main()

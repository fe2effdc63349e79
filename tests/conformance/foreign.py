"""Requests of wires that franca does not write (yet), read far enough to count them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from franca.types import (
    DocumentPart,
    ImagePart,
    Message,
    Part,
    ReasoningPart,
    Role,
    TextPart,
    ToolCall,
    ToolResult,
)

JSON = dict[str, Any]


def gemini(body: JSON) -> tuple[list[Message], list[JSON]]:
    """Messages and tools of a Gemini request."""
    system = body.get("systemInstruction") or body.get("system_instruction") or {}
    turns = [Message("system", p["text"]) for p in system.get("parts") or () if "text" in p]
    for content in body.get("contents") or ():
        role: Role = "assistant" if content.get("role") == "model" else "user"
        turns.append(Message(role, [_gemini_part(p) for p in content.get("parts") or ()]))
    tools: list[JSON] = []
    groups = body.get("tools") or ()
    for group in [groups] if isinstance(groups, dict) else groups:
        for key, declared in group.items():
            named = "eclarations" in key
            tools += map(_gemini_tool, declared) if named else [{key: declared}]
    return turns, tools


def _gemini_tool(tool: JSON) -> JSON:
    schema = tool.get("parametersJsonSchema") or tool.get("parameters") or {}
    schema = schema or tool.get("parameters_json_schema") or {}
    return {"name": tool["name"], "description": tool.get("description"), "parameters": schema}


def _gemini_part(part: JSON) -> Part:
    call = part.get("functionCall") or part.get("function_call")
    if call:
        return ToolCall("", call["name"], json.dumps(call.get("args") or {}))
    answer = part.get("functionResponse") or part.get("function_response")
    if answer:
        return ToolResult("", json.dumps(answer.get("response")), name=answer["name"])
    data = part.get("inlineData") or part.get("inline_data")
    if data:
        kind = data.get("mimeType") or data.get("mime_type")
        text = data["data"].translate({45: "+", 95: "/"})
        if kind.startswith("image"):
            return ImagePart(data=text, media_type=kind)
        return DocumentPart(data=text, media_type=kind)
    return TextPart(part.get("text") or "")


def responses(body: JSON) -> tuple[list[Message], list[JSON]]:
    """Messages and tools of an OpenAI Responses request."""
    told = body.get("instructions")
    turns = [Message("system", told)] if told else []
    given = body.get("input") or ()
    if isinstance(given, str):
        given = [{"role": "user", "content": given}]
    return turns + [_item(item) for item in given], list(body.get("tools") or ())


def _item(item: JSON) -> Message:
    kind = item.get("type", "message")
    if kind == "function_call":
        return Message("assistant", [ToolCall("", item["name"], item["arguments"])])
    if kind == "function_call_output":
        out = item["output"]
        out = out if isinstance(out, str) else json.dumps(out)
        return Message("tool", [ToolResult(item["call_id"], out)])
    if kind == "reasoning":
        return Message("assistant", [ReasoningPart("")])
    content = item.get("content")
    if isinstance(content, str):
        return Message(item.get("role", "user"), content)
    return Message(item.get("role", "user"), [_item_part(p) for p in content or ()])


def _item_part(part: JSON) -> Part:
    if part["type"] == "input_image":
        return ImagePart(url=part.get("image_url"), detail=part.get("detail"))
    if part["type"] == "input_file":
        return DocumentPart(data=part.get("file_data", "").partition(",")[2])
    return TextPart(part.get("text") or "")


def converse(body: JSON) -> tuple[list[Message], list[JSON]]:
    """Messages and tools of a Bedrock Converse request."""
    turns = [Message("system", p["text"]) for p in body.get("system") or () if "text" in p]
    for message in body["messages"]:
        turns.append(Message(message["role"], list(_blocks(message["content"]))))
    specs = [t.get("toolSpec") for t in (body.get("toolConfig") or {}).get("tools") or ()]
    return turns, [
        {
            "name": spec["name"],
            "description": spec.get("description"),
            "parameters": spec["inputSchema"]["json"],
        }
        for spec in specs
        if spec
    ]


def _blocks(blocks: list[JSON]) -> Iterator[Part]:
    for block in blocks:
        if "text" in block:
            yield TextPart(block["text"])
        elif call := block.get("toolUse"):
            yield ToolCall("", call["name"], json.dumps(call["input"]))
        elif answer := block.get("toolResult"):
            parts = [p.get("text") or json.dumps(p.get("json")) for p in answer["content"]]
            yield ToolResult("", "\n".join(parts))
        elif image := block.get("image"):
            yield ImagePart(data=image["source"]["bytes"])
        elif document := block.get("document"):
            yield DocumentPart(data=document["source"]["bytes"])

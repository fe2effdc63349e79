"""What a vendor's own tools did (its web search, its code execution, MCP …), read the same way
whatever the wire. Made from a vendor's JSON when somebody asks; the JSON itself stays whole.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import Any

JSON = dict[str, Any]
SEARCH_FIELDS = frozenset({"search_results", "web_search", "search_info", "citations"})
"""Fields of a reply of OpenAI's wire in which vendors list what a search has found."""
REFERENCES = frozenset({"tool_reference", "reference"})
"""The types of blocks in a text's place that name what a tool has found (Mistral's)."""
_KINDS = {
    "bash_code_execution": "code_execution",
    "text_editor_code_execution": "code_execution",
    "code_interpreter": "code_execution",
    "python": "code_execution",
    "tool_search_tool_bm25": "tool_search",
    "tool_search_tool_regex": "tool_search",
    "search": "web_search",
    "browser_search": "web_search",
    "browser.search": "web_search",
    "web_browser": "web_search",
    "visit": "web_fetch",
    "visit_website": "web_fetch",
    "browser.open": "web_fetch",
    "deepseek_web_search": "web_search",
    "deepseek_read_url": "web_fetch",
    "openrouter:web_search": "web_search",
    "openrouter:web_fetch": "web_fetch",
    "openrouter:bash": "code_execution",
    "retrieval": "file_search",
    "mcp_call": "mcp",
    "mcp_list_tools": "mcp",
}
SERVER_CALL = "reasoning.server_tool_call"
"""The type of what stands among OpenRouter's `reasoning_details` for a tool that it has run."""
BUILTIN_WORDS = frozenset(_KINDS) | frozenset(_KINDS.values())
"""The names under which vendors run tools of their own."""
_FINDS = frozenset({"web_search", "web_fetch", "file_search"})
_HEAD = frozenset({"id", "index", "type", "name", "arguments", "input", "server_label", "metadata"})


@dataclass(slots=True)
class Source:
    """A place that an answer names; what the vendor does not say is None.

    Args:
        text: the passage, or a piece of it.
    """

    url: str | None = None
    title: str | None = None
    text: str | None = None


@dataclass(slots=True)
class BuiltinCall:
    """One use of a tool that the vendor runs itself; nobody has to answer it.

    Args:
        kind: `web_search`, `web_fetch`, `code_execution`, `file_search`, `tool_search` or `mcp`;
            else the vendor's own word.
        name: the vendor's name for the tool, for MCP the server's.
        id: of the call; None where the vendor gives none.
        input, output: the vendor's own JSON; None where it is not there (yet).
        sources: what a search or a fetch has found.
        is_error: whether it failed; None where the vendor does not say.
        server: the MCP server's name.
    """

    kind: str
    name: str | None = None
    id: str | None = None
    input: Any = None
    output: Any = None
    sources: list[Source] = field(default_factory=list)
    is_error: bool | None = None
    server: str | None = None

    def model_dump(self) -> JSON:
        """The fields as plain dicts and lists."""
        return asdict(self)


def read_call(block: JSON) -> BuiltinCall | None:
    """The reading of a vendor's own block; None where it is of no tool."""
    kind = block.get("type")
    if kind in ("server_tool_use", "mcp_tool_use"):
        return _use(block)
    if isinstance(kind, str) and kind.endswith("_tool_result"):
        return _result(kind.removesuffix("_tool_result"), block)
    if kind == SERVER_CALL:
        return _recorded(block)
    if kind is not None or len(block) != 1:
        return None
    [(name, value)] = block.items()
    if name == "messages":
        return _answered(*value[:2]) if isinstance(value, list) and len(value) > 1 else None
    if name in ("executed_tools", "tool_calls"):
        return _executed(value[0]) if isinstance(value, list) and value else None
    if name in SEARCH_FIELDS:
        return BuiltinCall("web_search", output=value, sources=list(find_sources(value)))
    return None


def _use(block: JSON) -> BuiltinCall:
    server, name = block.get("server_name"), block.get("name")
    kind = "mcp" if block["type"] == "mcp_tool_use" else _kind(name)
    return BuiltinCall(kind, name, block.get("id"), block.get("input"), server=server)


def _result(name: str, block: JSON) -> BuiltinCall:
    output = block.get("content")
    failed = isinstance(output, dict) and str(output.get("type")).endswith("_error")
    is_error = block.get("is_error", failed)
    kind = _kind(name)
    found = list(find_sources(output)) if kind in _FINDS else []
    call = None if name in ("mcp", "tool_search") else name  # these do not tell which tool it was
    return BuiltinCall(kind, call, block.get("tool_use_id"), None, output, found, is_error)


def _recorded(detail: JSON) -> BuiltinCall:
    """OpenRouter's: the call with what came of it, both as texts of JSON."""
    name, output = detail.get("tool_name"), _json(detail.get("result"))
    kind = _kind(name)
    found = list(find_sources(output)) if kind in _FINDS else []
    given = _json(detail.get("arguments"))
    called = detail.get("tool_call_id") or detail.get("id")
    return BuiltinCall(kind, name, called, given, output, found)


def _executed(entry: Any) -> BuiltinCall | None:
    """Groq's `executed_tools`, and tool calls that a vendor has run itself."""
    if not isinstance(entry, dict):
        return None
    word = entry.get("type")
    inner = entry.get(word) if isinstance(word, str) else None
    body = {**entry, **inner} if isinstance(inner, dict) else entry
    if isinstance(function := body.get("function"), dict):
        body = {**body, **function}
    if word in (None, "function"):  # a function's call that is the vendor's own
        word = body.get("name")
    kind = "mcp" if word == "mcp" or "server_label" in body else _kind(word)
    output = {k: v for k, v in body.items() if k not in (*_HEAD, word, "function")}
    return BuiltinCall(
        kind,
        body.get("name") or word,
        entry.get("id"),
        _json(body.get("arguments", body.get("input"))),
        output or None,
        list(find_sources(output)) if kind in _FINDS else [],
        server=body.get("server_label"),
    )


def _answered(asking: Any, answer: Any) -> BuiltinCall | None:
    """Mistral's: a message with the call, and one with what came of it."""
    try:
        [call] = asking["tool_calls"]
        function, output = call["function"], _json(answer["content"])
        name = function["name"]
    except (KeyError, TypeError, ValueError):
        return None
    kind = _kind(name)
    found = list(find_sources(output)) if kind in _FINDS else []
    given = _json(function.get("arguments"))
    return BuiltinCall(kind, name, call.get("id"), given, output, found, _failed(answer))


def _failed(answer: JSON) -> bool | None:
    told = answer.get("metadata")
    result = told.get("tool_call_result") if isinstance(told, dict) else None
    word = result.get("type") if isinstance(result, dict) else None
    return word != "success" if isinstance(word, str) else None


def _kind(name: Any) -> str:
    return _KINDS.get(name, str(name)) if isinstance(name, str) else "unknown"


def _json(value: Any) -> Any:
    """What a text of JSON holds; another text, and what is no text, as it is."""
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return value


def find_sources(value: Any) -> Iterator[Source]:
    """The places that a vendor's JSON names, in its order: search results, citations."""
    if isinstance(value, list):
        for item in value:
            yield from [Source(item)] if _is_url(item) else find_sources(item)
    if not isinstance(value, dict):
        return
    url = next((u for k in ("url", "link", "source") if _is_url(u := value.get(k))), None)
    title = _first(value, "title", "document_title")
    text = _first(value, "cited_text", "content", "snippet", "summary", "description", "text")
    if url or "cited_text" in value:
        yield Source(url, title or _inner_title(value.get("content")), text)
        return
    for item in value.values():
        if isinstance(item, dict | list):
            yield from find_sources(item)


def _is_url(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(("http://", "https://"))


def _inner_title(document: Any) -> str | None:
    return _first(document, "title") if isinstance(document, dict) else None


def _first(block: JSON, *names: str) -> str | None:
    return next((v for name in names if (v := block.get(name)) and isinstance(v, str)), None)


def paired(calls: Iterable[BuiltinCall]) -> list[BuiltinCall]:
    """The calls in order, each with its own output where that came apart from it."""
    out: list[BuiltinCall] = []
    for call in calls:
        at = next((i for i, old in enumerate(out) if _answers(call, old)), None)
        if at is None:
            out.append(call)
        else:
            found = {"output": call.output, "sources": call.sources, "is_error": call.is_error}
            out[at] = replace(out[at], **found)
    return out


def _answers(call: BuiltinCall, old: BuiltinCall) -> bool:
    return call.id is not None and call.id == old.id and call.input is None and old.output is None


def distinct(sources: Iterable[Source]) -> list[Source]:
    """Each place once: the first that names it."""
    seen: dict[Any, Source] = {}
    for source in sources:
        seen.setdefault(source.url or (source.title, source.text), source)
    return list(seen.values())

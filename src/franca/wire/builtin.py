"""Tools that the vendor runs itself, asked for in franca's words: `{"type": "web_search"}`.

How they are said to each vendor is data: `Quirks.builtin_tools`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from franca.settings.target import Target
from franca.types import ChatRequest
from franca.wire.policy import invalid, refuse

JSON = dict[str, Any]
Tool = Mapping[str, Any]
OPTIONS: dict[str, frozenset[str]] = {
    "web_search": frozenset(
        {"max_uses", "allowed_domains", "blocked_domains", "user_location", "search_context_size"}
    ),
    "web_fetch": frozenset({"max_uses", "allowed_domains", "blocked_domains"}),
    "code_execution": frozenset(),
    "file_search": frozenset({"vector_store_ids", "max_num_results"}),
    "mcp": frozenset({"name", "url", "authorization_token", "headers", "allowed_tools"}),
}
"""What each tool may be told. A tool with any other key is the vendor's own, and goes as it is."""
_ALIASES = {"server_label": "name", "server_url": "url", "authorization": "authorization_token"}
_NEEDED = {"mcp": ("name", "url"), "file_search": ("vector_store_ids",)}
_DERIVED = {
    "approximate_location": ("user_location",),
    "others_off": ("allowed_tools",),
    "each_allowed": ("allowed_tools",),
    "all_headers": ("headers", "authorization_token"),
    "transport": ("url",),
    "only_allowed_domain": ("allowed_domains",),
    "only_vector_store_id": ("vector_store_ids",),
}
"""Options in the other forms that wires want them in, each with those it is made of."""
_OPTION = re.compile(r"\$\{(\w+)\}")
_ABSENT = object()


def read_builtin(tool: Tool) -> tuple[str, JSON] | None:
    """(which, its options) of a tool in franca's words; None where it is not one.

    OpenAI's names of an MCP server's fields are taken too, with an approval that is never asked;
    so is a token that is given as a header.
    """
    kind = tool.get("type")
    if not isinstance(kind, str) or kind not in OPTIONS:
        return None
    given = {_ALIASES.get(k, k): v for k, v in tool.items() if k != "type" and v is not None}
    if kind == "mcp":
        _read_mcp(given)
    return (kind, given) if OPTIONS[kind] >= given.keys() else None


def _read_mcp(given: JSON) -> None:
    if given.get("require_approval") == "never":
        del given["require_approval"]
    headers = given.get("headers")
    if "authorization_token" in given or not isinstance(headers, Mapping) or len(headers) != 1:
        return
    [(name, value)] = headers.items()
    scheme, _, token = str(value).partition(" ")
    if name.lower() == "authorization" and scheme.lower() == "bearer" and token:
        del given["headers"]
        given["authorization_token"] = token


def write_builtin(
    tools: Sequence[Tool], request: ChatRequest, target: Target
) -> tuple[list[Tool], JSON]:
    """(the tools without those in franca's words, fields of the body that ask for these).

    Under `passthrough`, a tool that cannot be said stays among the tools, as it was given.

    Raises:
        InvalidRequestError: a tool without what it needs; under `strict`, a tool or an option of
            one that the backend has no form for.
    """
    others: list[Tool] = []
    fields: JSON = {}
    for tool in tools:
        read = read_builtin(tool)
        form = _ABSENT if read is None else _form(*read, request, target)
        if form is _ABSENT:
            others.append(tool)
        elif isinstance(form, Mapping):
            fields = joined(fields, form)
    return others, fields


def joined(body: JSON, more: Mapping[str, Any]) -> JSON:
    """`body` with the fields of `more`: objects are joined, lists run on. Changes neither."""
    out = dict(body)
    for key, value in more.items():
        old = out.get(key)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            out[key] = joined(dict(old), value)
        elif isinstance(old, list) and isinstance(value, list):
            out[key] = [*old, *value]
        else:
            out[key] = value
    return out


def _form(kind: str, given: JSON, request: ChatRequest, target: Target) -> Any:
    """The fields that ask for the tool; None to leave it out, `_ABSENT` to pass it as it is."""
    for name in _NEEDED.get(kind, ()):
        if name not in given:
            raise invalid(f"the tool {kind!r} needs {name!r}", target)
    form, policy = target.quirks.builtin_tools.get(kind), request.capability_policy
    who = f"{target.backend} ({target.model}) does not take"
    if not isinstance(form, Mapping):
        why = f" here: {form}" if form else ""
        return _ABSENT if refuse(f"{who} the tool {kind!r}{why}", policy, target) else None
    taken: set[str] = set()
    filled = _filled(form, {**given, **_derived(given)}, taken)
    said = {name for used in taken for name in _DERIVED.get(used, (used,))}
    for name in sorted(given.keys() - said):
        one_alone = f"only_{name[:-1]}" in str(form)
        how = ("more than one of " if given[name] else "an empty ") if one_alone else ""
        if refuse(f"{who} {how}{name!r} of the tool {kind!r}", policy, target):
            return _ABSENT
        if one_alone and name in _NEEDED.get(kind, ()):  # nothing is left of the tool without it
            return None
    return filled


def _derived(given: JSON) -> JSON:
    out: JSON = {}
    if isinstance(place := given.get("user_location"), Mapping):
        parts = {k: v for k, v in place.items() if k != "type"}
        out["approximate_location"] = {"type": "approximate", "approximate": parts}
    if (names := given.get("allowed_tools")) is not None:
        out["others_off"] = {"enabled": False}
        out["each_allowed"] = {name: {"enabled": True} for name in names}
    for name in ("allowed_domains", "vector_store_ids"):
        if isinstance(several := given.get(name), list | tuple) and len(several) == 1:
            out[f"only_{name[:-1]}"] = several[0]
    return {**out, **_derived_mcp(given)}


def _derived_mcp(given: JSON) -> JSON:
    out: JSON = {}
    token, headers = given.get("authorization_token"), given.get("headers")
    if token or isinstance(headers, Mapping):
        bearer = {"Authorization": f"Bearer {token}"} if token else {}
        out["all_headers"] = {**(headers or {}), **bearer}
    if isinstance(url := given.get("url"), str):
        path = url.partition("?")[0].rstrip("/")
        out["transport"] = "sse" if path.endswith("/sse") else "streamable-http"
    return out


def _text(form: str, values: JSON, taken: set[str]) -> Any:
    """A text that is one option is that option, of any type; others hold theirs as text."""
    names = _OPTION.findall(form)
    if any(name not in values for name in names):
        return _ABSENT
    taken.update(names)
    if _OPTION.fullmatch(form):
        return values[names[0]]
    return _OPTION.sub(lambda match: str(values[match[1]]), form) if names else form


def _filled(form: Any, values: JSON, taken: set[str]) -> Any:
    """The form with what the caller gave; what was not given is `_ABSENT`, and left out."""
    if isinstance(form, str):
        return _text(form, values, taken)
    if isinstance(form, Mapping):
        pairs = ((k, _filled(v, values, taken)) for k, v in form.items())
        return {k: v for k, v in pairs if v is not _ABSENT}
    if isinstance(form, list | tuple):
        return [v for item in form if (v := _filled(item, values, taken)) is not _ABSENT]
    return form

"""Tool definitions as the text that a model reads."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Literal

Style = Literal["typescript", "json", "words"]
Tool = Mapping[str, Any]


def tool_text(tool: Tool, style: Style) -> str:
    """One definition, in OpenAI's or Anthropic's form, as text.

    Args:
        style: `typescript` is how OpenAI's models are shown functions; the others read JSON.
    """
    function = tool.get("function")
    inner: Tool = function if isinstance(function, Mapping) else tool
    schema = inner.get("parameters") or inner.get("input_schema")
    if not isinstance(schema, Mapping):  # a vendor's own tool
        return _json(tool)
    name, told = str(inner.get("name")), str(inner.get("description") or "")
    if style == "words":
        return " ".join(filter(None, [name, told, *_words(schema)]))
    if style == "typescript":
        return "\n".join(_typescript(name, told, schema))
    return _json({"description": told, "name": name, "parameters": schema})


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _typescript(name: str, told: str, schema: Tool) -> Iterator[str]:
    if told:
        yield _comment(told)
    fields = list(_fields(schema))
    if fields:
        yield f"type {name} = (_: {{"
        yield from fields
        yield "}) => any;\n"
    else:
        yield f"type {name} = () => any;\n"


def _comment(text: str) -> str:
    return "\n".join(f"// {line}" for line in text.splitlines())


def _fields(schema: Tool) -> Iterator[str]:
    properties = schema.get("properties")
    required = schema.get("required") or ()
    for name, field in (properties or {}).items():
        if not isinstance(field, Mapping):
            continue
        if field.get("description"):
            yield _comment(str(field["description"]))
        mark = "" if name in required else "?"
        default = f" // default: {_json(field['default'])}" if "default" in field else ""
        yield f"{name}{mark}: {_type(field)},{default}"


def _type(field: Tool) -> str:
    if isinstance(values := field.get("enum"), list | tuple):
        return " | ".join(map(_json, values))
    for union in ("anyOf", "oneOf"):
        if isinstance(options := field.get(union), list | tuple):
            return " | ".join(_type(o) for o in options if isinstance(o, Mapping))
    kind = field.get("type")
    if kind == "array":
        items = field.get("items")
        return f"{_type(items)}[]" if isinstance(items, Mapping) else "any[]"
    if kind == "object" and field.get("properties"):
        return "\n".join(["{", *_fields(field), "}"])
    if isinstance(kind, list | tuple):
        return " | ".join(map(_name, kind))
    return _name(kind)


def _name(kind: object) -> str:
    return {"integer": "number", "None": "any"}.get(str(kind), str(kind))


def _words(schema: Tool) -> Iterator[str]:
    """The names and sentences of a schema, without its syntax: what Google's API counts."""
    yield str(schema.get("description") or "")
    yield from map(str, schema.get("enum") or ())
    yield from map(str, schema.get("required") or ())
    for name, field in (schema.get("properties") or {}).items():
        yield name
        if isinstance(field, Mapping):
            yield from _words(field)
    for inner in (schema.get("items"), *(schema.get("anyOf") or ())):
        if isinstance(inner, Mapping):
            yield from _words(inner)

"""Where a document comes from: JSON, YAML and TOML files, and the environment."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from franca.errors import SettingsError, scrub
from franca.settings.problems import nearest

FILE_VARIABLE = "FRANCA_SETTINGS"
PREFIX = "FRANCA_"
SECTIONS = (
    "VERSION",
    "endpoints",
    "backends",
    "embedding_backends",
    "rerank_backends",
    "decision_backends",
    "rate_limit",
    "token_server",
    "franca",
)


class _Syntax(Exception):
    """A file that is not of its form: what, and in which line."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise _Syntax(f"key {name!r} is given twice in one object")
        found[name] = value
    return found


def _json(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_once)
    except json.JSONDecodeError as error:
        raise _Syntax(f"line {error.lineno}, column {error.colno}: {error.msg}") from None


def _yaml(text: str) -> Any:
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise _Syntax(f"{where}{error.problem or error.context}") from None
    except yaml.YAMLError:
        raise _Syntax("holds a character that YAML does not allow") from None


def _toml(text: str) -> Any:
    import tomllib

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _Syntax(str(error)) from None


_READERS = {".json": _json, ".yaml": _yaml, ".yml": _yaml, ".toml": _toml}


def read(path: Path) -> Any:
    """What a file holds.

    Raises:
        SettingsError: it is not there, of no known kind, or not of its form; names file and line.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        line = f"{path}: expected a name that ends in {', '.join(_READERS)}"
        raise SettingsError([line], str(path))
    try:
        return reader(path.read_text("utf-8-sig"))
    except FileNotFoundError:
        line = f"{path}: no such file; give settings.load() the path of one, or a dict"
        raise SettingsError([line], str(path)) from None
    except OSError as error:
        raise SettingsError([f"{path}: {error.strerror}"], str(path)) from None
    except UnicodeDecodeError:
        raise SettingsError([f"{path}: not UTF-8 text"], str(path)) from None
    except _Syntax as error:
        raise SettingsError([scrub(f"{path}: {error}")], str(path)) from None


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with `changes` over it: mappings join, anything else is replaced."""
    joined = dict(base)
    for name, value in changes.items():
        old = joined.get(name)
        both = isinstance(old, Mapping) and isinstance(value, Mapping)
        joined[name] = merged(old, value) if both else value
    return joined


def _variables() -> dict[str, Any]:
    """The sections in `FRANCA_*`: JSON, or single values with `__` between the names."""
    from pydantic import ValidationError
    from pydantic_settings import BaseSettings, SettingsConfigDict
    from pydantic_settings import SettingsError as BadJson

    class Variables(BaseSettings):
        model_config = SettingsConfigDict(
            env_prefix=PREFIX, env_nested_delimiter="__", extra="ignore", hide_input_in_errors=True
        )
        VERSION: str | None = None
        endpoints: list[Any] | None = None
        backends: dict[str, Any] | None = None
        embedding_backends: dict[str, Any] | None = None
        rerank_backends: dict[str, Any] | None = None
        decision_backends: dict[str, Any] | None = None
        rate_limit: dict[str, Any] | None = None
        token_server: dict[str, Any] | None = None
        franca: dict[str, Any] | None = None

    try:
        return Variables().model_dump(exclude_none=True)
    except ValidationError as error:
        names = {str(e["loc"][0]) for e in error.errors(include_url=False, include_input=False)}
    except BadJson as error:
        names = {name for name in SECTIONS if f'"{name}"' in str(error)}
    lines = [f"{PREFIX}{name.upper()}: expected JSON of the section's form" for name in names]
    raise SettingsError(sorted(lines), "environment")


def _misspelt() -> list[str]:
    known = [PREFIX + name.upper() for name in (*SECTIONS, "SETTINGS")]
    lines = []
    for name in os.environ:
        head = name.split("__")[0]
        if name.startswith(PREFIX) and head not in known and (hint := nearest(head, known, 0.85)):
            lines.append(f"{name}: unknown variable{hint}")
    return lines


def environment() -> tuple[dict[str, Any], str, list[str]]:
    """The document that the environment gives, its origin, and what to say about it.

    `FRANCA_SETTINGS` names a file; `FRANCA_RATE_LIMIT__ENABLED=true` and its like lie over it.
    """
    name = os.environ.get(FILE_VARIABLE)
    base = read(Path(name).expanduser()) if name else {}
    if not any(key.startswith(PREFIX) and key != FILE_VARIABLE for key in os.environ):
        return base, name or "environment", []
    if not isinstance(base, Mapping):
        return base, name or "environment", []
    return merged(base, _variables()), name or "environment", _misspelt()

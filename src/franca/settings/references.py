"""`${env:NAME}` and `${file:path}` in a document's texts."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from franca.settings.problems import Step, nearest, place

_REFERENCE = re.compile(r"\$\{(\w+):([^}]*)\}")


class _Missing(Exception):
    """What a reference names is not there; the text says what was expected."""


def _environment(name: str) -> str:
    value = os.environ.get(name)
    if value is None:
        hint = nearest(name, os.environ)
        raise _Missing(f"expected environment variable {name} to be set{hint}")
    return value


def _file(name: str, base: Path) -> str:
    path = base / Path(name).expanduser()
    try:
        return path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise _Missing(f"expected a readable text file at {path}") from error


def _expand_text(text: str, base: Path) -> str:
    def value(match: re.Match[str]) -> str:
        kind, name = match[1], match[2].strip()
        if kind == "env":
            return _environment(name)
        if kind == "file":
            return _file(name, base)
        raise _Missing(f"expected ${{env:NAME}} or ${{file:path}}, and there is no ${{{kind}:…}}")

    return _REFERENCE.sub(value, text)


def expand(value: Any, base: Path, problems: list[str], steps: tuple[Step, ...] = ()) -> Any:
    """A copy of `value` with every reference replaced by what it names.

    Args:
        base: the folder that relative files are in.
        problems: takes one line for each reference that names nothing.
        steps: where `value` stands.
    """
    if isinstance(value, Mapping):
        return {k: expand(v, base, problems, (*steps, k)) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [expand(v, base, problems, (*steps, i)) for i, v in enumerate(value)]
    if not isinstance(value, str) or "${" not in value:
        return value
    try:
        return _expand_text(value, base)
    except _Missing as missing:
        problems.append(f"{place(steps)}: {missing}")
        return value

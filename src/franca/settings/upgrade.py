"""Which version a document is of, and the older one's new form."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from franca.errors import SettingsError
from franca.settings.mask import masked
from franca.types import BackendType

CURRENT = "2"
BACKEND_NAMES = frozenset(b.value for b in BackendType)


def _version(document: Mapping[str, Any]) -> str:
    version = document.get("VERSION")
    if version is not None:
        return str(version)
    old = "backends" not in document and not BACKEND_NAMES.isdisjoint(document)
    return "1" if old else CURRENT


def upgraded(
    document: Mapping[str, Any], source: str | None = None
) -> tuple[dict[str, Any], list[str]]:
    """The document as version 2, and what to say about it.

    Raises:
        SettingsError: it is of a version that franca does not know.
    """
    document = {name: value for name, value in document.items() if name != "$schema"}
    version = _version(document)
    if version not in ("1", CURRENT):
        raise SettingsError(
            [f'VERSION: {version[:20]!r} is not a version franca knows; expected "2" (or "1")'],
            source,
        )
    if version == CURRENT:
        return {**document, "VERSION": CURRENT}, []
    moved = {name: document[name] for name in document if name in BACKEND_NAMES}
    rest = {name: value for name, value in document.items() if name not in BACKEND_NAMES}
    inner = rest.get("backends")
    backends = {**moved, **inner} if isinstance(inner, Mapping) else moved
    new = {**rest, "VERSION": CURRENT, "backends": backends}
    form = json.dumps(masked(new), indent=2, ensure_ascii=False, default=lambda _: "***")
    return new, [f'VERSION: "1" is the old form; write it as version "2":\n{form}']

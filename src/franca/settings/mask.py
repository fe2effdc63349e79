"""What of a document is secret, and the document without it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from franca.errors import scrub

MASK = "***"
_SECRET_NAME = re.compile(
    r"(?i)^(credentials|authorization|proxy-authorization|cookie)$"
    r"|(api|access|secret|private|subscription)[-_]?key|password|secret|^key$"
    r"|(^|[-_])(token|auth)$|access[-_]?token(?!_expires)"
)
_USERINFO = re.compile(r"(?<=://)[^/?#\s]*(?=@)")
_REFERENCE = re.compile(r"(?:[A-Za-z]+ )?\$\{(?:env|file):[^}]+\}")
_SHORTEST = 6  # a shorter "secret" would blot out innocent words


def _is_secret_name(name: object) -> bool:
    return isinstance(name, str) and bool(_SECRET_NAME.search(name))


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _leaves(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _leaves(inner)


def secrets_in(value: Any) -> set[str]:
    """Every text in `value` that stands in a secret's place."""
    if isinstance(value, str):
        return set(_USERINFO.findall(value))
    if isinstance(value, list | tuple):
        return set().union(*map(secrets_in, value))
    if not isinstance(value, Mapping):
        return set()
    found: set[str] = set()
    for name, inner in value.items():
        found |= set(_leaves(inner)) if _is_secret_name(name) else secrets_in(inner)
    return {s for s in found if len(s) >= _SHORTEST}


def _hidden(value: Any) -> Any:
    """All of a secret value masked, references apart: they name the key and are not it."""
    if isinstance(value, Mapping):
        return {name: _hidden(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_hidden(inner) for inner in value]
    if value is None or isinstance(value, bool):
        return value
    return value if isinstance(value, str) and _REFERENCE.fullmatch(value) else MASK


def _shown(value: Any, secrets: set[str]) -> Any:
    if isinstance(value, Mapping):
        return {
            name: _hidden(inner) if _is_secret_name(name) else _shown(inner, secrets)
            for name, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return [_shown(inner, secrets) for inner in value]
    if isinstance(value, str):
        return scrub(_USERINFO.sub(MASK, value), secrets)
    return MASK if callable(value) else value


def masked(document: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of the document in which every secret is `***`; `${env:…}` references stay."""
    return _shown(document, secrets_in(document))

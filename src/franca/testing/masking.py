"""Keys out of what is written down, wherever they stand: in a text, in JSON, or spelt out over the
events of a stream."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

Mask = Callable[[str], str]
_HIDDEN = "***"
_SHORTEST = 8  # characters of a secret: what is shorter stands in ordinary words too
_SHAPES = re.compile(
    r"\b(?:sk|pk|rk)[-_](?=[A-Za-z0-9_-]*?(?=[A-Za-z]*\d)[A-Za-z0-9]{12})[A-Za-z0-9_-]+"
    r"|\b(?:gsk_|xai-|org-|proj_)(?=[A-Za-z]*\d)[A-Za-z0-9]{12,}"
    r"|\bAKIA[0-9A-Z]{12,}|\bAIza[A-Za-z0-9_-]{30,}|(?<=[Bb]earer )[^\s\"]{8,}"
)
_NAMES = re.compile(
    r"(?i)(proxy[-_])?authorization([-_]token)?|(x[-_])?api[-_]?key|access[-_]token"
    r"|client[-_]secret|(set-)?cookie|organization([-_]id)?"
)
"""Fields whose text is never written, whatever it is."""


def mask_of(secrets: Iterable[str]) -> Mask:
    """What hides these texts (of eight characters at least), and all that looks like a key or the
    id of an organisation."""
    known = sorted({s for s in secrets if len(s) >= _SHORTEST}, key=len, reverse=True)

    def mask(text: str) -> str:
        for secret in known:
            text = text.replace(secret, _HIDDEN)
        return _SHAPES.sub(_HIDDEN, text)

    return mask


def masked(value: Any, mask: Mask) -> Any:
    """JSON with each text masked."""
    if isinstance(value, dict):
        return {mask(name): _field(name, inner, mask) for name, inner in value.items()}
    if isinstance(value, list):
        return [masked(inner, mask) for inner in value]
    return mask(value) if isinstance(value, str) else value


def _field(name: str, value: Any, mask: Mask) -> Any:
    hidden = isinstance(value, str) and _NAMES.fullmatch(name)
    return _HIDDEN if hidden else masked(value, mask)


def masked_sse(text: str, mask: Mask) -> str:
    """An event stream with each text masked; one that its events spell out stands, masked, in the
    first of them. A stream without secrets is not changed."""
    lines = text.split("\n")
    events = {at: event for at, line in enumerate(lines) if (event := _event(line)) is not None}
    told: dict[tuple[str | int, ...], list[tuple[int, str]]] = {}
    for at, event in events.items():
        for path, leaf in _leaves(event):
            told.setdefault(path, []).append((at, leaf))
    changed = {at for at, event in events.items() if masked(event, mask) != event}
    for path, leaves in told.items():
        whole = "".join(leaf for _, leaf in leaves)
        apart = "".join(mask(leaf) for _, leaf in leaves)
        if mask(apart) != apart:
            for number, (at, _) in enumerate(leaves):
                _put(events[at], path, "" if number else mask(whole))
                changed.add(at)
    for at in changed:
        end = "\r" if lines[at].endswith("\r") else ""
        lines[at] = f"data: {json.dumps(masked(events[at], mask))}{end}"
    return mask("\n".join(lines))


def _event(line: str) -> Any:
    if not line.startswith("data:"):
        return None
    try:
        event = json.loads(line.removeprefix("data:"))
    except ValueError:
        return None
    return event if isinstance(event, dict | list) else None


def _leaves(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[Any, str]]:
    """Each text of a JSON value, and where it stands."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict | list):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        for name, inner in pairs:
            yield from _leaves(inner, (*path, name))


def _put(value: Any, path: tuple[str | int, ...], text: str) -> None:
    for step in path[:-1]:
        value = value[step]
    value[path[-1]] = text

"""How a problem in the settings is said: its place, what was expected, the nearest known name."""

from __future__ import annotations

from collections.abc import Iterable

Step = str | int


class SettingsWarning(UserWarning):
    """What a load found odd and went on with; an error under `strict=True`."""


def place(steps: Iterable[Step]) -> str:
    """The path of a place: `backends.openai.models.gpt-4o.endpoints[1]`."""
    text = "".join(f"[{s}]" if isinstance(s, int) else f".{s}" for s in steps)
    return text.removeprefix(".") or "(top level)"


def nearest(name: object, known: Iterable[str], cutoff: float = 0.6) -> str:
    """`; did you mean 'x'?` for the known name most like the given one, or nothing."""
    from difflib import get_close_matches

    close = get_close_matches(str(name), list(known), n=1, cutoff=cutoff)
    return f"; did you mean {close[0]!r}?" if close else ""

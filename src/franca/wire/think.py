"""Reasoning that comes inside the text: `<think>…</think>` at its head."""

from __future__ import annotations

_OPEN, _CLOSE = "<think>", "</think>"


class ThinkSplitter:
    """Parts reasoning from text, piece by piece; a tag may be cut anywhere.

    Only a tag at the very head counts: what a model later says about `<think>` is text. White
    space after either tag belongs to neither side. An unclosed thought is reasoning to its end.
    """

    __slots__ = ("_held", "_state", "_trim")

    def __init__(self) -> None:
        self._state = "head"
        self._held = ""
        self._trim = False

    def feed(self, text: str) -> tuple[str, str]:
        """(reasoning, text) that `text` makes sure of; what may be half a tag is held back."""
        if self._state == "text" and not self._trim:
            return "", text
        text, self._held = self._held + text, ""
        if self._state == "head":
            return self._head(text)
        return self._thought(text) if self._state == "thought" else ("", self._trimmed(text))

    def end(self) -> tuple[str, str]:
        """What was held back, now that nothing more comes."""
        held, self._held = self._held, ""
        return (held, "") if self._state == "thought" else ("", held)

    def _head(self, text: str) -> tuple[str, str]:
        start = text.lstrip()
        if start.startswith(_OPEN):
            self._state, self._trim = "thought", True
            return self._thought(start[len(_OPEN) :])
        if _OPEN.startswith(start):
            self._held = text
            return "", ""
        self._state = "text"
        return "", text

    def _thought(self, text: str) -> tuple[str, str]:
        text = self._trimmed(text)
        thought, close, rest = text.partition(_CLOSE)
        if close:
            self._state, self._trim = "text", True
            return thought, self._trimmed(rest)
        keep = next((n for n in range(len(_CLOSE) - 1, 0, -1) if text.endswith(_CLOSE[:n])), 0)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep], ""

    def _trimmed(self, text: str) -> str:
        if self._trim:
            text = text.lstrip()
            self._trim = not text
        return text


def split(text: str) -> tuple[str, str]:
    """(reasoning, text) of a whole answer."""
    splitter = ThinkSplitter()
    thought, rest = splitter.feed(text)
    late_thought, late_rest = splitter.end()
    return thought + late_thought, rest + late_rest

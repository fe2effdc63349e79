"""What the vendor has run itself, of a reply of this wire: `executed_tools` (Groq), tool calls of
its own types, and the fields in which it lists what a search has found.
"""

from __future__ import annotations

from itertools import takewhile

from franca.types import NativePart, ToolCallDelta
from franca.types.builtin import BUILTIN_WORDS, SEARCH_FIELDS
from franca.wire.openai_chat.parts import JSON, WIRE

_CALLERS = frozenset({"function", "custom", "builtin_function"})
"""The types of calls that the caller answers: Moonshot's `builtin_function` by its arguments."""
_UNTOLD = (None, "", "function")
"""The types of tools, in a call's metadata, that do not say that it is the vendor's."""
_BEGUN = frozenset({"id", "index", "type", "name", "arguments"})
"""The fields of a tool's use that are there before it is done."""


def found(fields: JSON) -> list[NativePart]:
    """What a vendor's search has found, where it lists that in a field of its own."""
    names = [name for name in fields if name in SEARCH_FIELDS and fields[name]]
    return [NativePart(WIRE, {name: fields[name]}) for name in names]


def executed(tool: JSON) -> NativePart:
    """A tool that the vendor has run, of Groq's `executed_tools`."""
    return NativePart(WIRE, {"executed_tools": [tool]})


def served(call: JSON) -> NativePart:
    """A tool call that the vendor has answered itself: it goes back as it came."""
    return NativePart(WIRE, {"tool_calls": [call]})


def is_served(call: JSON) -> bool:
    """Whether a tool call is none of the caller's: it is of a built-in tool's type, or of another
    that has no function, or its vendor says which of its tools it is (Mistral)."""
    kind = call.get("type") or "function"
    if _is_hosted(call.get("metadata")):
        return True
    if kind in _CALLERS:
        return False
    return kind in BUILTIN_WORDS or not isinstance(call.get("function"), dict)


def _is_hosted(metadata: object) -> bool:
    if not isinstance(metadata, dict):
        return False
    return bool(metadata.get("integration_id")) or metadata.get("tool_type") not in _UNTOLD


def answered(messages: list[JSON]) -> dict[str, NativePart]:
    """Of several messages in place of one (Mistral's), the calls that the vendor has answered, each
    with its answer: by the call's id, in the order of the answers."""
    answers = {m["tool_call_id"]: m for m in messages if m.get("tool_call_id")}
    calls = {c.get("id"): c for m in messages for c in m.get("tool_calls") or ()}
    return {
        called: NativePart(
            WIRE, {"messages": [{"role": "assistant", "tool_calls": [calls[called]]}, answer]}
        )
        for called, answer in answers.items()
        if called in calls
    }


def unanswered(messages: list[JSON]) -> list[ToolCallDelta]:
    """The calls in several messages that are left for the caller, each whole."""
    ran = answered(messages)
    calls = [c for m in messages for c in m.get("tool_calls") or () if c.get("id") not in ran]
    return [_delta(at, c) for at, c in enumerate(call for call in calls if not is_served(call))]


def goes_on(message: JSON) -> bool:
    """Whether another message follows: this one calls tools, all of them the vendor's."""
    calls = message.get("tool_calls")
    return bool(calls) and all(map(is_served, calls))


def _delta(at: int, call: JSON) -> ToolCallDelta:
    function = call.get("function") or {}
    return ToolCallDelta(at, call.get("id"), function.get("name"), function.get("arguments"))


class Ran:
    """The same of a stream: a tool's use comes in pieces, first the call, later what came of it."""

    __slots__ = ("_calls", "_pairs", "_tools", "calls", "tools")

    def __init__(self) -> None:
        self.calls: list[JSON] = []
        self.tools: list[JSON] = []
        self._calls = self._tools = self._pairs = 0  # how many have been given

    def add_tools(self, pieces: list[JSON]) -> None:
        """Pieces of `executed_tools`."""
        for piece in pieces:
            _grow(self.tools, piece)

    def add_calls(self, pieces: list[JSON]) -> list[JSON]:
        """Of pieces of tool calls, takes the vendor's own; gives those that the caller answers."""
        others = []
        for piece in pieces:
            if is_served(piece) or _use(self.calls, piece) is not None:
                _grow(self.calls, piece)
            else:
                others.append(piece)
        return others

    def whole(self, *, last: bool) -> list[NativePart]:
        """What was not given yet: the tools up to the first without its outcome; at the last, all,
        and the calls."""
        tools, calls = self.tools[self._tools :], self.calls[self._calls :] if last else []
        if not last:
            tools = list(takewhile(_has_outcome, tools))
        self._tools += len(tools)
        self._calls += len(calls)
        return [executed(dict(tool)) for tool in tools] + [served(dict(call)) for call in calls]

    def pairs(self, messages: list[JSON]) -> list[NativePart]:
        """Of several whole messages, the calls with their answers that were not given yet."""
        new = list(answered(messages).values())[self._pairs :]
        self._pairs += len(new)
        return new


def _has_outcome(tool: JSON) -> bool:
    return any(tool[field] for field in tool.keys() - _BEGUN)


def _use(uses: list[JSON], piece: JSON) -> JSON | None:
    """The one of `uses` that the piece belongs to: by its id, or where it has none, its index."""
    name = "id" if piece.get("id") else "index"
    key = piece.get(name)
    return next((use for use in uses if use.get(name) == key), None) if key is not None else None


def _grow(uses: list[JSON], piece: JSON) -> None:
    """Put what the piece says into its place; what it leaves empty stays."""
    use = _use(uses, piece)
    if use is None:
        uses.append(dict(piece))
        return
    for field, value in piece.items():
        old = use.get(field)
        if isinstance(old, dict) and isinstance(value, dict):
            use[field] = {**old, **{k: v for k, v in value.items() if v}}
        elif value or field not in use:
            use[field] = value

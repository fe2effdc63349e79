"""The pieces of one streamed choice, put together into the choice they are pieces of."""

from __future__ import annotations

import json
from typing import Any

from franca.types import ToolCallDelta
from franca.types.builtin import SERVER_CALL
from franca.wire.openai_chat.choice import call_id
from franca.wire.openai_chat.parts import JSON
from franca.wire.openai_chat.ran import Ran

_JOINED = ("content", "reasoning_content", "reasoning", "refusal")
_OWN = frozenset({"delta", "message", "index", "finish_reason"})
_APART = frozenset({"tool_calls", "executed_tools"})
_DETAIL_JOINED = ("text", "summary")


class Draft:
    """One choice so far."""

    __slots__ = ("calls", "choice", "finish_reason", "message", "pieces", "ran", "turns")

    def __init__(self) -> None:
        self.message: JSON = {}
        self.pieces: dict[str, list[str]] = {}
        self.calls: list[_Call] = []
        self.choice: JSON = {}
        self.finish_reason: Any = None
        self.ran = Ran()
        self.turns: dict[int, Draft] = {}

    def add(self, choice: JSON, message: JSON) -> None:
        """A chunk's choice, and the message in it; its tool calls go to `add_calls`."""
        self.finish_reason = choice.get("finish_reason") or self.finish_reason
        for key, value in message.items():
            if value.__class__ is str and key in _JOINED and key not in self.message:
                self.pieces.setdefault(key, []).append(value)
            elif value is not None and key not in _APART:
                self._merge(key, value)
        for key, value in choice.items():
            if value is None or key in _OWN:
                continue
            old = self.choice.get(key)
            self.choice[key] = joined(old, value) if key == "logprobs" and old else value

    def _merge(self, key: str, value: Any) -> None:
        old = self.message.get(key)
        if key == "content":
            before = "".join(self.pieces.pop(key, ()))
            old = [{"type": "text", "text": before}] if before else old
            self.message[key] = add_chunks(old or [], value)
        elif key == "reasoning_details":
            self.message[key] = add_details(old or [], value)
        else:
            self.message[key] = value if old is None or key == "role" else joined(old, value)

    def add_calls(self, raws: list[JSON], reply_id: str | None, at: int) -> list[ToolCallDelta]:
        """Pieces of tool calls that the caller is to answer; gives what is new in them."""
        return [delta for raw in raws if (delta := self._add_call(raw, reply_id, at))]

    def _add_call(self, raw: JSON, reply_id: str | None, at: int) -> ToolCallDelta | None:
        inner = raw.get("function") or raw.get("custom") or {}
        name, arguments = inner.get("name") or "", inner.get("arguments", inner.get("input"))
        call = self._find(raw, name, arguments)
        fresh = call is None
        if call is None:
            call = _Call(len(self.calls), raw)
            self.calls.append(call)
        called = raw.get("id") or ""
        new_id = called if called and called != call.raw.get("id") else ""
        call.raw.update((k, v) for k, v in raw.items() if v and k not in ("function", "custom"))
        delta = ToolCallDelta(call.position)
        if fresh:
            delta.id = called or call_id(str(reply_id) if reply_id else None, at, call.position)
        elif new_id:
            delta.id = new_id
        delta.name = call.add_name(name)
        delta.arguments = call.add_arguments(arguments)
        shown = delta.id or delta.name or delta.arguments
        return delta if shown else None

    def _find(self, raw: JSON, name: str, arguments: Any) -> _Call | None:
        """The call that a piece belongs to, None for a new one.

        An id that is known says so; else the index, unless the piece opens another call: with
        another id and a name, or, where there are no ids, with a name after a call that is whole.
        """
        called, index = raw.get("id") or "", raw.get("index")
        calls = self.calls
        if called:
            for call in reversed(calls):
                if call.raw.get("id") == called and not (name and call.apart(index)):
                    return call
        if index is not None:
            calls = [call for call in calls if call.raw.get("index") == index]
        last = calls[-1] if calls else None
        if last is None or not name:
            return last
        if called and last.raw.get("id"):
            return None
        if last.name and (last.name != name or last.whole):
            return None
        return last

    def turn(self, number: int) -> Draft:
        """The message of that number, where the answer comes in several (Mistral's)."""
        if number not in self.turns:
            self.turns[number] = Draft()
        return self.turns[number]

    def messages(self) -> list[JSON]:
        """The several messages so far."""
        return [turn.whole() for _, turn in sorted(self.turns.items())]

    def whole(self, *, done: bool = True) -> JSON:
        """The message so far; before it is done, without the calls that are not whole."""
        message = dict(self.message)
        for key, pieces in self.pieces.items():
            message.setdefault(key, "".join(pieces))
        calls = [call for call in self.calls if done or call.whole]
        if calls or self.ran.calls:
            message["tool_calls"] = [*self.ran.calls, *(call.reply() for call in calls)]
        if self.ran.tools:
            message["executed_tools"] = self.ran.tools
        return message

    def reply(self, index: int, *, done: bool = True) -> JSON:
        """The choice as it would stand in a reply that is not streamed."""
        done = done or bool(self.finish_reason)
        said = {"messages": self.messages()} if self.turns else {"message": self.whole(done=done)}
        return {**self.choice, "index": index, **said, "finish_reason": self.finish_reason}


class _Call:
    __slots__ = ("field", "name", "position", "raw", "text")

    def __init__(self, position: int, raw: JSON) -> None:
        self.position = position
        self.field = "custom" if "custom" in raw else "function"
        self.raw: JSON = {k: v for k, v in raw.items() if k not in ("function", "custom")}
        self.name, self.text = "", ""

    @property
    def whole(self) -> bool:
        """Whether the arguments are complete; a free text may always go on."""
        try:
            json.loads(self.text)
        except (ValueError, RecursionError):
            return False
        return self.field == "function"

    def apart(self, index: Any) -> bool:
        """Whether the index says that this is another call, in spite of the id."""
        mine = self.raw.get("index")
        return index is not None and mine is not None and index != mine

    def add_name(self, name: str) -> str | None:
        if not name or name == self.name:
            return None
        new = name[len(self.name) :] if name.startswith(self.name) else name
        self.name += new
        return new

    def add_arguments(self, arguments: Any) -> str | None:
        """What is new. A piece that begins with all there is, from its brace on, repeats it: as a
        continuation it would not be JSON. So does one after the empty object, a placeholder."""
        if arguments is None:
            return None
        if not isinstance(arguments, str):
            arguments = json.dumps(arguments, ensure_ascii=False)
        old = self.text
        if self.field == "function" and old.startswith("{") and arguments.startswith("{"):
            if arguments.startswith(old):
                self.text = arguments
                return arguments[len(old) :] or None
            if old == "{}":
                self.text = arguments
                return arguments
        self.text += arguments
        return arguments or None

    def reply(self) -> JSON:
        key = "input" if self.field == "custom" else "arguments"
        return {**self.raw, self.field: {"name": self.name, key: self.text}}


def joined(old: Any, new: Any) -> Any:
    """Two pieces of one value: texts and lists run on, objects field by field, else the later."""
    if isinstance(old, str) and isinstance(new, str):
        return old + new
    if isinstance(old, list) and isinstance(new, list):
        return old + new
    if isinstance(old, dict) and isinstance(new, dict):
        out = dict(old)
        for key, value in new.items():
            if value is not None:
                same = key in ("id", "type", "format", "expires_at") or key not in out
                out[key] = value if same or out[key] is None else joined(out[key], value)
        return out
    return new


def add_chunks(old: list[Any], new: Any) -> list[Any]:
    """Mistral's content: texts and thoughts run on, other chunks stand by themselves."""
    blocks = list(old)
    for block in new if isinstance(new, list) else [{"type": "text", "text": new}]:
        last = blocks[-1] if blocks else None
        if isinstance(last, dict) and isinstance(block, dict) and _runs_on(last, block):
            blocks[-1] = _run_on(last, block)
        else:
            blocks.append(block)
    return blocks


def _runs_on(last: JSON, block: JSON) -> bool:
    kind = block.get("type")
    return kind == last.get("type") and (
        (kind == "text" and set(last) == set(block) == {"type", "text"}) or kind == "thinking"
    )


def _run_on(last: JSON, block: JSON) -> JSON:
    if block["type"] == "text":
        return {"type": "text", "text": last["text"] + block["text"]}
    old, new = last.get("thinking"), block.get("thinking")
    if isinstance(old, list) and isinstance(new, list):
        thinking: Any = add_chunks(old, new)
    else:
        thinking = joined(old, new)
    return {**last, **block, "thinking": thinking}


def add_details(old: list[JSON], new: list[JSON]) -> list[JSON]:
    """OpenRouter's reasoning details: pieces of one have its type and index."""
    details = list(old)
    for piece in new:
        at = next((i for i, d in enumerate(details) if _same_detail(d, piece)), None)
        if at is None:
            details.append(piece)
        else:
            details[at] = _grown(details[at], piece)
    return details


def _same_detail(detail: JSON, piece: JSON) -> bool:
    if piece.get("type") == SERVER_CALL:  # whole in itself
        return detail == piece
    ids = {detail.get("id"), piece.get("id")} - {None}
    same = detail.get("type") == piece.get("type") and detail.get("index") == piece.get("index")
    return same and len(ids) < 2 and not (detail.get("data") and piece.get("data"))


def _grown(detail: JSON, piece: JSON) -> JSON:
    out = dict(detail)
    for key, value in piece.items():
        if value is None:
            out.setdefault(key, value)
        elif key in _DETAIL_JOINED and isinstance(out.get(key), str):
            out[key] += value
        else:
            out[key] = value
    return out

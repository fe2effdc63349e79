"""A reply's stream. The chunks are assembled into the reply they are pieces of, which `parse`'s own
reader then reads: so both ways give the same result.
"""

from __future__ import annotations

from typing import Any

from franca.settings.target import Target
from franca.types import ChatCompletion, ChatDelta, NativePart, ReasoningPart, TextPart
from franca.types.builtin import SEARCH_FIELDS
from franca.wire.openai_chat import assemble
from franca.wire.openai_chat.choice import finish
from franca.wire.openai_chat.parse import check, decode, malformed, read_reply, usage_block
from franca.wire.openai_chat.parts import JSON, WIRE, read_detail, read_part
from franca.wire.openai_chat.ran import found, goes_on, unanswered
from franca.wire.openai_chat.usage import added, read_usage
from franca.wire.think import ThinkSplitter

_NOT_KEPT = frozenset({"choices", "usage", "object", "obfuscation", "p"})  # the last two pad
_PLAIN = frozenset({"content", "role", "refusal", "tool_calls", "reasoning_content", "reasoning"})
_APART = frozenset({"reasoning_details", "annotations", "executed_tools"})
_NAMES = ("", "message", "data", "error")


class Fold:
    """A stream, event by event; see `franca.wire.stream.Fold`.

    The end mark is `[DONE]`, or a finish reason on every choice, for the vendors that leave
    `[DONE]` out. Usage may still come after a finish reason: read on to the connection's end.
    """

    __slots__ = (
        "_before",
        "_billed",
        "_choices",
        "_ended",
        "_events",
        "_splitters",
        "_target",
        "_top",
        "_usage",
    )

    def __init__(self, target: Target) -> None:
        self._target = target
        self._events: list[bytes] = []
        self._top: JSON = {}
        self._usage: JSON | None = None
        self._before: JSON = {}
        self._billed: Any = None
        self._choices: dict[int, assemble.Draft] = {}
        self._splitters: dict[int, ThinkSplitter] = {}
        self._ended = False

    @property
    def done(self) -> bool:
        """Whether the end mark has come."""
        drafts = self._choices.values()
        return self._ended or (bool(drafts) and all(d.finish_reason for d in drafts))

    def feed(self, name: str, data: bytes) -> list[ChatDelta]:
        """What the event makes visible.

        Raises:
            CallError: the event is an error.
            APIError: it is not of the wire's form.
        """
        if data == b"[DONE]" or (len(data) < 16 and data.strip() == b"[DONE]"):
            return self._end(data)
        if not data or data.isspace():
            return []
        chunk = self._decoded(name, data)
        if chunk is None:
            return []
        self._events.append(data)
        try:
            fresh = self._keep(chunk)
            deltas = self._deltas(chunk)
            if fresh:
                deltas = [*self._found(fresh), *deltas]
        except (AttributeError, TypeError, ValueError, KeyError):
            raise malformed("a chunk is not of the wire's form", data, self._target) from None
        for delta in deltas:
            delta._body = data
        return deltas

    def result(self) -> ChatCompletion:
        """What has come so far. Before the end, calls whose arguments are not whole are left
        out."""
        drafts = sorted(self._choices.items())
        choices = [draft.reply(index, done=self._ended) for index, draft in drafts]
        result = read_reply({**self._top, "choices": choices}, self._target)
        result.usage = read_usage(added(self._before, self._usage)) if self._usage else None
        result._body = list(self._events)
        return result

    def _decoded(self, name: str, data: bytes) -> JSON | None:
        try:
            chunk = decode(data)
        except ValueError:
            if name not in _NAMES:
                return None
            raise malformed(
                "the stream holds a line that is not JSON", data, self._target
            ) from None
        if name == "error" and isinstance(chunk, dict) and "choices" not in chunk:
            chunk = {"error": True, **chunk}
        check(chunk, data, self._target)
        return chunk if name in _NAMES or "choices" in chunk else None

    def _keep(self, chunk: JSON) -> JSON:
        """Keep the reply's own fields; gives those that are new of what a search has found."""
        top, fresh = self._top, {}
        for key, value in chunk.items():
            if value is None or key in _NOT_KEPT or top.get(key) == value:
                continue
            if value != "" or key not in top:
                top[key] = value
                if key in SEARCH_FIELDS:
                    fresh[key] = value
        return fresh

    def _found(self, fresh: JSON) -> list[ChatDelta]:
        name, model = self._top.get("id"), self._top.get("model")
        return [ChatDelta(id=name, model=model, part=part) for part in found(fresh)]

    def _deltas(self, chunk: JSON) -> list[ChatDelta]:
        deltas: list[ChatDelta] = []
        for at, raw in enumerate(chunk.get("choices") or ()):
            index = raw.get("index")
            deltas += self._choice(raw, index if type(index) is int else at)
        usage = usage_block(chunk)
        if usage:
            deltas = deltas or [ChatDelta()]
            deltas[-1].usage = read_usage(self._bill(usage))
        name, model = self._top.get("id"), self._top.get("model")
        for delta in deltas:
            delta.id, delta.model = name, model
        return deltas

    def _bill(self, usage: JSON) -> JSON:
        """Keep what is billed; gives what to show. Each of several messages that the model wrote
        (Mistral's) has a bill of its own, under an id of its own."""
        name, several = self._top.get("id"), any(d.turns for d in self._choices.values())
        if several and self._usage and name != self._billed:
            self._before = added(self._before, self._usage)
            self._usage = None
        self._billed = name
        news = {k: v for k, v in usage.items() if v is not None}
        self._usage = {**(self._usage or {}), **news}
        return added(self._before, usage) if self._before else usage

    def _choice(self, raw: JSON, index: int) -> list[ChatDelta]:
        draft = self._choices.get(index)
        if draft is None:
            draft = self._choices[index] = assemble.Draft()
            if self._target.quirks.think_tags:
                self._splitters[index] = ThinkSplitter()
        message = raw.get("delta")
        if message is None:  # some close with the whole message, or send nothing else
            message = {} if draft.message else raw.get("message") or {"content": raw.get("text")}
        if type(message.get("index")) is int:
            return self._turn(draft, raw, message, index)
        reason = raw.get("finish_reason")
        delta = ChatDelta(index=index)
        text, delta.reasoning_content, parts = self._text(message)
        if self._splitters:
            text = self._split(delta, text or "", index, bool(reason))
        delta.content = text or None
        delta.refusal = message.get("refusal") or None
        delta.finish_reason = finish(reason)
        if calls := message.get("tool_calls"):
            calls = draft.ran.add_calls(calls)
            delta.tool_calls = draft.add_calls(calls, self._top.get("id"), index) or None
        draft.add(raw, message)
        if tools := message.get("executed_tools"):
            draft.ran.add_tools(tools)
        if draft.ran.tools or draft.ran.calls:
            parts += draft.ran.whole(last=bool(reason))
        logprobs = raw.get("logprobs")
        if logprobs and any(v is not None for v in logprobs.values()):
            delta.logprobs = logprobs
        return _visible(delta, parts)

    def _turn(self, draft: assemble.Draft, raw: JSON, message: JSON, index: int) -> list[ChatDelta]:
        """A piece of one of several messages (Mistral's). Only the end tells which calls are left
        for the caller: those that no message has answered."""
        number, reason = message["index"], raw.get("finish_reason")
        ended = [] if number in draft.turns else draft.messages()
        turn = draft.turn(number)
        if turn.finish_reason and reason:  # the last event, once more
            return []
        said = {k: v for k, v in message.items() if k != "index"}
        turn.add_calls(said.get("tool_calls") or [], self._top.get("id"), index)
        turn.add({"finish_reason": reason}, said)
        if finish(reason) == "tool_calls" and goes_on(turn.whole()):
            raw, reason = {**raw, "finish_reason": None}, None
        draft.add(raw, {})
        delta = ChatDelta(index=index, finish_reason=finish(reason))
        parts: list[Any] = []
        if turn.message.get("role") != "tool":
            delta.content, delta.reasoning_content, parts = self._text(said)
        if reason:
            ended = draft.messages()
            delta.tool_calls = unanswered(ended) or None
        return _visible(delta, parts + draft.ran.pairs(ended))

    def _text(self, message: JSON) -> tuple[str | None, str | None, list[Any]]:
        """(text, thought, parts that came whole)."""
        content = message.get("content")
        thought = message.get("reasoning_content") or message.get("reasoning")
        parts: list[Any] = []
        if content.__class__ is list:
            text = ""
            for part in map(read_part, content):
                if isinstance(part, TextPart) and not part.extra:
                    text += part.text
                elif isinstance(part, ReasoningPart):
                    thought = (thought or "") + part.text
                else:
                    parts.append(part)
            content = text
        if not message.keys() <= _PLAIN:
            thought = _others(message, parts, thought)
        return content, thought or None, parts

    def _split(self, delta: ChatDelta, text: str, index: int, last: bool) -> str:
        splitter = self._splitters[index]
        thought, text = splitter.feed(text)
        if last:
            held_thought, held = splitter.end()
            thought, text = thought + held_thought, text + held
        if thought:
            delta.reasoning_content = (delta.reasoning_content or "") + thought
        return text

    def _end(self, data: bytes) -> list[ChatDelta]:
        if not self._choices and not self._ended:
            raise malformed("the stream ended with nothing in it", data, self._target)
        self._ended = True
        deltas = []
        for index in self._splitters:
            delta = ChatDelta(index=index, id=self._top.get("id"), model=self._top.get("model"))
            delta.content = self._split(delta, "", index, last=True) or None
            deltas += _visible(delta, [])
        for delta in deltas:
            delta._body = b"null"
        return deltas


def _visible(delta: ChatDelta, parts: list[Any]) -> list[ChatDelta]:
    """The delta, unless nothing is in it, and one for each part more."""
    if parts:
        delta.part = parts[0]
    shown = (
        delta.content
        or delta.reasoning_content
        or delta.tool_calls
        or delta.finish_reason
        or delta.refusal
        or delta.logprobs
        or parts
    )
    return [delta, *(ChatDelta(index=delta.index, part=p) for p in parts[1:])] if shown else []


def _others(message: JSON, parts: list[Any], thought: Any) -> Any:
    """Whatever else came: signatures, citations, pictures, sound, the vendor's own fields."""
    for detail in message.get("reasoning_details") or ():
        part = read_detail(detail)
        if not thought and part.text:
            thought = part.text
        if part.signature or part.encrypted or part.call:
            parts.append(part)
    if notes := message.get("annotations"):
        parts.append(TextPart("", citations=notes))
    own = {k: v for k, v in message.items() if k not in _PLAIN and k not in _APART and v}
    parts += found(own)
    own = {k: v for k, v in own.items() if k not in SEARCH_FIELDS}
    if call := own.pop("function_call", None):
        own.update({"function_call": call} if any(call.values()) else {})
    if own:
        parts.append(NativePart(WIRE, own))
    return thought

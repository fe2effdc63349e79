"""A stream that breaks after each of its events, in every way, and what has arrived by then."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from faulty import Script, Way

from franca import errors as e
from franca.testing import Answer, Received

JSON = dict[str, Any]
TEXT = "one two"
CALLS = {"first": {"x": 1}, "second": {"y": [2]}}
PROMPT = 10


@dataclass(frozen=True)
class Step:
    """An event, and what a caller has once it has come.

    Args:
        visible: whether there is anything to see yet.
        calls: how many tool calls are whole.
        done: whether the answer is.
    """

    frame: str
    text: str = ""
    calls: int = 0
    visible: bool = True
    done: bool = False


def _chunk(delta: JSON, reason: str | None = None, usage: JSON | None = None) -> str:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    return _data({"id": "1", "model": "m", "choices": [choice], "usage": usage})


def _data(event: JSON) -> str:
    return f"data: {json.dumps(event)}\n\n"


def _piece(index: int, arguments: str, name: str | None = None) -> JSON:
    opened = {"id": f"call_{index}", "type": "function"} if name else {}
    function = {"name": name, "arguments": arguments} if name else {"arguments": arguments}
    return {"tool_calls": [{"index": index, **opened, "function": function}]}


def _usage(output: int) -> JSON:
    return {"prompt_tokens": PROMPT, "completion_tokens": output, "total_tokens": PROMPT + output}


OPENAI = (
    Step(_chunk({"role": "assistant", "content": ""}), visible=False),
    Step(_chunk({"content": "one "}, usage=_usage(1)), "one "),  # some vendors say it all the time
    Step(_chunk({"content": "two"}), TEXT),
    Step(_chunk(_piece(0, "", "first")), TEXT),
    Step(_chunk(_piece(0, '{"x"')), TEXT),
    Step(_chunk(_piece(0, ": 1}")), TEXT, 1),
    Step(_chunk(_piece(1, "", "second")), TEXT, 1),
    Step(_chunk(_piece(1, '{"y": [2]')), TEXT, 1),
    Step(_chunk(_piece(1, "}")), TEXT, 2),
    Step(_chunk({}, "tool_calls"), TEXT, 2, done=True),
    Step(_data({"id": "1", "model": "m", "choices": [], "usage": _usage(9)}), TEXT, 2, done=True),
    Step("data: [DONE]\n\n", TEXT, 2, done=True),
)


def _event(kind: str, **rest: Any) -> str:
    return f"event: {kind}\n{_data({'type': kind, **rest})}"


def _begun(index: int, **block: Any) -> str:
    return _event("content_block_start", index=index, content_block=block)


def _grown(index: int, kind: str, key: str, text: str) -> str:
    return _event("content_block_delta", index=index, delta={"type": kind, key: text})


def _stopped(index: int) -> str:
    return _event("content_block_stop", index=index)


_MESSAGE = {
    "id": "1",
    "type": "message",
    "role": "assistant",
    "model": "m",
    "content": [],
    "stop_reason": None,
    "usage": {"input_tokens": PROMPT, "output_tokens": 1},
}
ANTHROPIC = (
    Step(_event("message_start", message=_MESSAGE), visible=False),
    Step(_begun(0, type="text", text=""), visible=False),
    Step(_grown(0, "text_delta", "text", "one "), "one "),
    Step(_event("ping"), "one "),
    Step(_grown(0, "text_delta", "text", "two"), TEXT),
    Step(_stopped(0), TEXT),
    Step(_begun(1, type="tool_use", id="call_0", name="first", input={}), TEXT),
    Step(_grown(1, "input_json_delta", "partial_json", '{"x"'), TEXT),
    Step(_grown(1, "input_json_delta", "partial_json", ": 1}"), TEXT, 1),
    Step(_stopped(1), TEXT, 1),
    Step(_begun(2, type="tool_use", id="call_1", name="second", input={}), TEXT, 1),
    Step(_grown(2, "input_json_delta", "partial_json", '{"y": [2]'), TEXT, 1),
    Step(_grown(2, "input_json_delta", "partial_json", "}"), TEXT, 2),
    Step(_stopped(2), TEXT, 2),
    Step(_event("message_delta", delta={"stop_reason": "tool_use"}, usage={"output_tokens": 9}),
         TEXT, 2),
    Step(_event("message_stop"), TEXT, 2, done=True),
)  # fmt: skip

STREAMS = {"openai-chat": OPENAI, "anthropic-messages": ANTHROPIC}
NOTHING = Step("", visible=False)


def frames(wire: str) -> list[str]:
    """The whole stream."""
    return [step.frame for step in STREAMS[wire]]


@dataclass(frozen=True)
class Damage:
    """One way to break a stream after so many events.

    Args:
        answer: from the stream's events and their number.
        error: what the caller sees where nothing was visible and nothing else answers.
        certain: whether all that was sent before it arrives.
        timed: whether nothing but a timeout ends it.
    """

    name: str
    answer: Callable[[list[str], int], Answer]
    error: type[e.CallError]
    certain: bool = True
    timed: bool = False


def _malformed(events: list[str], at: int) -> Answer:
    return Answer(sse=[*events[:at], 'data: {"brok\n\n', *events[at:]])


DAMAGES = (
    Damage("cut", lambda s, i: Answer(sse=s, cut_events=i), e.ConnectionError),
    Damage("reset", lambda s, i: Answer(sse=s, cut_events=i, reset="after_headers"),
           e.ConnectionError, certain=False),
    Damage("end without the end mark", lambda s, i: Answer(sse=s[:i]), e.APIError),
    Damage("error event", lambda s, i: Answer(sse=s, cut_events=i, fault="boom"), e.ProviderError),
    Damage("malformed event", _malformed, e.APIError),
    Damage("silence", lambda s, i: Answer(sse=s, cut_events=i, hang=True), e.TimeoutError,
           timed=True),
)  # fmt: skip


def state(way: Way, at: int) -> Step:
    """What a caller has after so many events."""
    return STREAMS[way.wire][at - 1] if at else NOTHING


def broken(way: Way, damage: Damage, at: int, bad: float = 1) -> Script:
    """A stream that breaks there the first `bad` times, and is whole then."""
    events = frames(way.wire)

    def script(received: Received, number: int) -> Answer:
        return damage.answer(events, at) if number < bad else Answer(sse=events)

    return script

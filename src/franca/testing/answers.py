"""What the simulator can be told to answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

Piece = str | bytes | Mapping[str, Any]
"""A part of an event stream: text as it is, or one event's JSON."""


@dataclass
class Answer:
    """One answer of the simulator: what it says, and how badly it says it.

    The first of `sse`, `body` and `text` that is given is what goes out; with none of them a
    status below 400 echoes the question and any other is an error in the wire's own form.

    Args:
        status: the HTTP status.
        body: sent as it is, a dict as JSON.
        sse: an event stream, as it is. In a list, each item is a packet of its own, and a dict is
            framed as the wire frames an event.
        headers: added to, or in place of, those that the vendor sends.
        latency: seconds before the headers.
        chunk: what one packet holds: an event, all there is, or that many bytes.
        gap: seconds between packets.
        cut_after: the connection is closed after that many bytes of the body.
        cut_events: it is closed after that many events of a stream, the end mark among them.
        reset: the connection is reset (RST) there; after the headers, what a cut leaves still goes.
        hang: stop there, and close nothing: before the headers, or after what a cut leaves.
        fault: an error event with that message (or that very JSON) goes after `cut_events` events,
            and the connection lives on. A reply that is whole has neither events nor faults.
        text: said in the wire's own form, whole or streamed as was asked, or as an error's message.
        reasoning: the thought before `text`.
        tool_calls: pairs of a tool's name and its arguments (a dict, or JSON text as it is).
    """

    status: int = 200
    body: Mapping[str, Any] | str | bytes | None = None
    sse: str | bytes | Sequence[Piece] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    latency: float = 0.0
    chunk: Literal["event", "whole"] | int = "event"
    gap: float = 0.0
    cut_after: int | None = None
    cut_events: int | None = None
    reset: Literal["before_headers", "after_headers"] | None = None
    hang: bool = False
    fault: str | Mapping[str, Any] | None = None
    text: str | None = None
    reasoning: str | None = None
    tool_calls: Sequence[tuple[str, Mapping[str, Any] | str]] = ()


@dataclass
class Received:
    """A request as it arrived.

    Args:
        path: without the query.
        headers: with their names in lower case.
        content: the body's bytes; `body` is their JSON.
        at: `time.monotonic()` at its arrival.
        wire: the wire that the path belongs to.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str] = field(repr=False)
    content: bytes = field(repr=False)
    at: float
    wire: str

    @cached_property
    def body(self) -> Any:
        """The body's JSON; None where there is none."""
        try:
            return json.loads(self.content)
        except ValueError:
            return None


Scripted = Answer | str | Callable[[Received], Answer]
"""An answer, the text of a reply, or what makes one of a request."""


def text_reply(text: str, **options: Any) -> Answer:
    """`text` in the wire's own form, whole or streamed as was asked; `options` are `Answer`'s."""
    return Answer(text=text, **options)


def error(status: int, message: str | None = None, **options: Any) -> Answer:
    """An error in the wire's own form, with its rate-limit headers; `options` are `Answer`'s."""
    return Answer(status, text=message, **options)


def rate_limited(retry_after: str | None = "1", **options: Any) -> Answer:
    """A 429; `retry_after` is the header's text (seconds or a date), None leaves it out."""
    headers = {
        **({"retry-after": retry_after} if retry_after else {}),
        **options.pop("headers", {}),
    }
    return Answer(429, headers=headers, **options)


def exchange(record: Mapping[str, Any], **options: Any) -> Answer:
    """The reply of a recorded exchange (`status`, `headers`, and `reply` or `sse`), as it came."""
    return Answer(
        record.get("status", 200),
        body=record.get("reply"),
        sse=record.get("sse"),
        headers={**(record.get("headers") or {}), **options.pop("headers", {})},
        **options,
    )

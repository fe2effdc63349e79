"""Spans and metrics, made of what the hooks are told."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from opentelemetry.trace import SpanKind, Status, StatusCode, set_span_in_context

from franca.errors import CallError, StreamInterrupted
from franca.flow import CallEvent, Hooks
from franca.flow.health import brief
from franca.telemetry.attributes import OPERATION, Attributes, answered, asked, failed, place
from franca.telemetry.content import replied, said

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.metrics import Meter
    from opentelemetry.trace import Span, Tracer

    from franca.types import ChatCompletion

_SECONDS = [0.01 * 2**n for n in range(14)]  # 10 ms to 82 s, as the conventions advise
_TOKENS = [4**n for n in range(14)]  # 1 to 67 millions
_KINDS = {"input": "prompt_tokens", "output": "completion_tokens"}


class Recorder:
    """One span for each call, its tries the span's events; the metrics at its end.

    Args:
        content: whether spans hold what was said.
    """

    __slots__ = ("_content", "_duration", "_first", "_key", "_tokens", "_tracer")

    def __init__(self, tracer: Tracer, meter: Meter, content: bool) -> None:
        self._tracer, self._content = tracer, content
        self._key = f"span {id(self)}"  # another's hooks may watch the same call
        timed = partial(
            meter.create_histogram, unit="s", explicit_bucket_boundaries_advisory=_SECONDS
        )
        self._duration = timed(
            "gen_ai.client.operation.duration", description="GenAI operation duration."
        )
        self._first = timed(
            "gen_ai.client.operation.time_to_first_chunk",
            description="Time from a request to the first chunk of its stream.",
        )
        self._tokens = meter.create_histogram(
            "gen_ai.client.token.usage",
            unit="{token}",
            description="Number of input and output tokens used.",
            explicit_bucket_boundaries_advisory=_TOKENS,
        )

    def hooks(self) -> Hooks:
        """What a client is given."""
        return Hooks(
            on_request=self._span,
            on_retry=partial(self._again, "franca.retry"),
            on_failover=partial(self._again, "franca.failover"),
            on_response=self._answer,
            on_error=self._failure,
            on_cancel=self._failure,
        )

    def _span(self, event: CallEvent) -> Span:
        """The call's span; begun with the call, a child of the caller's own."""
        found: Span | None = event.call.get(self._key)
        if found is None:
            began = time.time_ns() - round(event.elapsed * 1e9)
            attributes = place(event) | asked(event.request)
            name = f"{OPERATION} {event.model_id}"
            found = self._tracer.start_span(
                name, kind=SpanKind.CLIENT, attributes=attributes, start_time=began
            )
            event.call[self._key] = found
            if self._content and found.is_recording():
                found.set_attribute("gen_ai.input.messages", said(event.request.messages))
        return found

    def _again(self, name: str, event: CallEvent) -> None:
        span = self._span(event)
        if span.is_recording():
            facts = failed(event.error) | _try(event)
            span.add_event(name, facts | ({"franca.wait": event.wait} if event.wait else {}))
            span.set_attributes(place(event))  # at its end they say who has answered

    def _answer(self, event: CallEvent) -> None:
        shared, within = self._end(event, event.result, {}, None)
        usage = None if event.result is None else event.result.usage
        for kind, field in _KINDS.items():
            if (count := getattr(usage, field, None)) is not None:
                self._tokens.record(count, {**shared, "gen_ai.token.type": kind}, within)

    def _failure(self, event: CallEvent) -> None:
        error = event.error or event.cause
        partial = error.partial if isinstance(error, StreamInterrupted) else None
        words = brief(error) if isinstance(error, CallError) else None
        self._end(event, partial, failed(error), Status(StatusCode.ERROR, words))

    def _end(
        self,
        event: CallEvent,
        result: ChatCompletion | None,
        failure: Attributes,
        status: Status | None,
    ) -> tuple[Attributes, Context]:
        """End the span and measure the call: (its metrics' attributes, the context they are in)."""
        span = self._span(event)
        event.call.pop(self._key)
        try:
            if span.is_recording():
                span.set_attributes(answered(result, event.first_token) | failure | _try(event))
                if status is not None:
                    span.set_status(status)
                if self._content and result is not None:
                    span.set_attribute("gen_ai.output.messages", replied(result))
        finally:
            span.end()
        shared, within = place(event) | _model(result), set_span_in_context(span)
        kind = {k: v for k, v in failure.items() if k == "error.type"}
        self._duration.record(event.elapsed, shared | kind, within)
        if event.first_token is not None:
            self._first.record(event.first_token, shared, within)
        return shared, within


def _try(event: CallEvent) -> Attributes:
    return {"franca.endpoint_id": event.endpoint_id, "franca.attempt": event.attempt}


def _model(result: ChatCompletion | None) -> Attributes:
    return {"gen_ai.response.model": result.model} if result and result.model else {}

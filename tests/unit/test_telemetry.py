"""Spans and metrics of real calls through the public client, against the simulator."""

from __future__ import annotations

import asyncio
import gc
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, get_args

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import Decision, StaticSampler
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes as names
from opentelemetry.semconv._incubating.metrics import gen_ai_metrics as metrics
from opentelemetry.trace import SpanKind, StatusCode

from franca import CallError, CallEvent, Hooks, create_async_chat_client, create_chat_client
from franca.errors import InvalidRequestError, ProviderError, RateLimitError, StreamInterrupted
from franca.settings import Settings
from franca.telemetry import telemetry
from franca.telemetry.attributes import _USAGE, place
from franca.telemetry.content import _FORMS, said
from franca.testing import Answer, Simulator, error, rate_limited, text_reply
from franca.types import ChatRequest, Message
from franca.types.messages import AudioPart, DocumentPart, ImagePart, NativePart, Part

PROMPT = "the-canary-prompt sings of a thing nobody may ever know"
KEY = "sk-canary-0123456789abcdef"


class World:
    """A simulator, and an SDK that keeps what it is given."""

    def __init__(self, sim: Simulator) -> None:
        self.sim = sim
        self.exporter, self.reader = InMemorySpanExporter(), InMemoryMetricReader()
        self.tracers = TracerProvider()
        self.tracers.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.meters = MeterProvider([self.reader])

    def hooks(self, **options: Any) -> Hooks:
        return telemetry(self.tracers, self.meters, **options)

    def place(self, *names: str, **options: Any) -> dict[str, Any]:
        """A client's arguments: endpoints of those names, all of them the simulator.

        `far` is another backend's, of the model `mistral/big`.
        """
        endpoints = [self.endpoint(name) for name in names or ("one",)]
        models = {"m": {"id": "m-exact", "endpoints": [e["id"] for e in endpoints]}}
        far = self.endpoint("far")
        backends = {
            "openai": {"models": models},
            "mistral": {"models": {"big": {"endpoints": [far["id"]]}}},
        }
        settings = Settings(endpoints=[*endpoints, far], backends=backends)
        options = {"hooks": self.hooks(), "retry_delay": 0.0, "random_endpoint": False} | options
        return {"backend": "openai", "model": "m", "settings": settings, **options}

    def endpoint(self, name: str) -> dict[str, Any]:
        url = f"{self.sim.url}/{name}/v1"
        return {"id": f"{name}-{id(self)}", "api_base": url, "api_key": KEY}

    @property
    def spans(self) -> list[Any]:
        return list(self.exporter.get_finished_spans())

    @property
    def span(self) -> Any:
        (only,) = self.spans
        return only

    def points(self, *names: str) -> list[Any]:
        """What was measured; of a span, once only."""
        data = self.reader.get_metrics_data()
        found = [
            point
            for resource in (data.resource_metrics if data else [])
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name in names
            for point in metric.data.data_points
        ]
        return found


@pytest.fixture
def world() -> Iterator[World]:
    with Simulator() as sim:
        yield World(sim)


def facts(span: Any) -> dict[str, Any]:
    return dict(span.attributes or {})


def ask(given: dict[str, Any], *, is_async: bool, stream: bool = False, **params: Any) -> Any:
    """One call, a stream read to its end."""

    async def go() -> Any:
        async with create_async_chat_client(**given) as client:
            if stream:
                return await client.create_stream(PROMPT, **params).result()
            return await client.create_completion(PROMPT, **params)

    if is_async:
        return asyncio.run(go())
    with create_chat_client(**given) as client:
        if stream:
            return client.create_stream(PROMPT, **params).result()
        return client.create_completion(PROMPT, **params)


both = pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])


@both
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_call(world: World, is_async: bool, stream: bool) -> None:
    world.sim.script(text_reply("hello there"))
    params = {"temperature": 0.5, "max_tokens": 9, "stop": "x", "seed": 3, "n": 1, "top_p": 0.9}
    result = ask(world.place(), is_async=is_async, stream=stream, **params)
    span = world.span
    assert (span.name, span.kind) == ("chat m-exact", SpanKind.CLIENT)
    assert span.status.status_code is StatusCode.UNSET
    expected = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "m-exact",
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.top_p": 0.9,
        "gen_ai.request.max_tokens": 9,
        "gen_ai.request.seed": 3,
        "gen_ai.request.stop_sequences": ("x",),
        "server.address": "127.0.0.1",
        "server.port": int(world.sim.url.rpartition(":")[2]),
        "gen_ai.response.id": result.id,
        "gen_ai.response.model": result.model,
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": result.usage.prompt_tokens,
        "gen_ai.usage.output_tokens": result.usage.completion_tokens,
        "franca.attempt": 1,
        "franca.endpoint_id": result.endpoint_id,
    }
    shown = facts(span)
    first = shown.pop("gen_ai.response.time_to_first_chunk", None)
    assert shown.pop("gen_ai.request.stream", False) == stream
    assert {name: shown.get(name) for name in expected} == expected
    assert not [name for name in shown if name not in expected and "usage" not in name]
    assert (first is not None) == stream


@both
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_the_metrics(world: World, is_async: bool, stream: bool) -> None:
    world.sim.script(text_reply("hello there"))
    result = ask(world.place(), is_async=is_async, stream=stream)
    (duration,) = world.points("gen_ai.client.operation.duration")
    assert duration.count == 1
    assert 0 < duration.sum < 60
    assert [f"{b:g}" for b in duration.explicit_bounds][:3] == ["0.01", "0.02", "0.04"]
    assert duration.explicit_bounds[-1] == 81.92
    assert set(duration.attributes) == {
        "gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model",
        "gen_ai.response.model", "server.address", "server.port",
    }  # fmt: skip
    tokens = world.points("gen_ai.client.token.usage")
    assert {p.attributes["gen_ai.token.type"]: p.sum for p in tokens} == {
        "input": result.usage.prompt_tokens,
        "output": result.usage.completion_tokens,
    }
    assert tokens[0].explicit_bounds[-1] == 67108864
    first = world.points("gen_ai.client.operation.time_to_first_chunk")
    assert [p.count for p in first] == ([1] if stream else [])


@both
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_span_is_the_child_of_its_callers(world: World, is_async: bool, stream: bool) -> None:
    world.sim.script(error(500), "fine")
    given, tracer = world.place(), world.tracers.get_tracer("test")

    def within() -> None:
        with tracer.start_as_current_span("outer"):
            ask(given, is_async=False, stream=stream)

    async def awithin() -> None:
        with tracer.start_as_current_span("outer"):
            async with create_async_chat_client(**given) as client:
                opened = await client.create_completion(PROMPT, stream=stream)
                if stream:
                    await opened.result()

    asyncio.run(awithin()) if is_async else within()
    inner, outer = world.spans
    assert outer.name == "outer"
    assert inner.parent.span_id == outer.context.span_id
    assert outer.start_time <= inner.start_time <= inner.end_time <= outer.end_time


async def test_each_of_many_tasks_has_its_own_parent(world: World) -> None:
    tracer = world.tracers.get_tracer("test")
    async with create_async_chat_client(**world.place()) as client:

        async def one(number: int) -> None:
            with tracer.start_as_current_span(f"outer {number}"):
                await client.create_completion(PROMPT, max_tokens=number + 1)

        await asyncio.gather(*map(one, range(20)))
    outer = {s.context.span_id: s.name for s in world.spans if s.name.startswith("outer")}
    inner = [s for s in world.spans if s.name.startswith("chat")]
    pairs = {(outer[s.parent.span_id], facts(s)["gen_ai.request.max_tokens"]) for s in inner}
    assert pairs == {(f"outer {n}", n + 1) for n in range(20)}


@both
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_retry(world: World, is_async: bool, stream: bool) -> None:
    world.sim.script(error(503), rate_limited("0"), "fine")
    ask(world.place(), is_async=is_async, stream=stream, max_retries=3)
    span = world.span
    assert [event.name for event in span.events] == ["franca.retry", "franca.retry"]
    told = [dict(event.attributes or {}) for event in span.events]
    assert [t["error.type"] for t in told] == ["ProviderError", "RateLimitError"]
    assert [t["http.response.status_code"] for t in told] == [503, 429]
    assert [t["franca.attempt"] for t in told] == [2, 3]
    assert span.status.status_code is StatusCode.UNSET
    assert "error.type" not in facts(span)
    assert facts(span)["franca.attempt"] == 3
    (duration,) = world.points("gen_ai.client.operation.duration")
    assert duration.count == 1


@both
def test_a_failover(world: World, is_async: bool) -> None:
    world.sim.script(error(401), "fine")
    ask(world.place("one", "two"), is_async=is_async)
    (event,) = world.span.events
    assert event.name == "franca.failover"
    assert dict(event.attributes or {})["error.type"] == "AuthenticationError"
    assert str(facts(world.span)["franca.endpoint_id"]).startswith("two-")


def test_a_failover_to_another_model_says_who_answered(world: World) -> None:
    world.sim.script(error(401), "fine")
    ask(world.place(), is_async=False, fallback_models="mistral/big")
    shown = facts(world.span)
    assert world.span.name == "chat m-exact"
    assert shown["gen_ai.provider.name"] == "mistral_ai"
    assert shown["gen_ai.request.model"] == "big"
    (duration,) = world.points("gen_ai.client.operation.duration")
    assert duration.attributes["gen_ai.provider.name"] == "mistral_ai"


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_metric_leads_to_its_span(world: World, stream: bool) -> None:
    with world.tracers.get_tracer("test").start_as_current_span("outer"):
        ask(world.place(), is_async=False, stream=stream)
    span = world.spans[0]
    points = world.points("gen_ai.client.operation.duration", "gen_ai.client.token.usage")
    assert len(points) == 3
    assert {e.span_id for point in points for e in point.exemplars} == {span.context.span_id}


def test_a_request_in_other_words(world: World) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "s", "schema": {"type": "object"}}}
    world.sim.script(error(500))
    with pytest.raises(ProviderError):
        ask(world.place(max_retries=0), is_async=False, n=2, stop=["a", "b"], response_format=form,
            affinity_key="talk-7")  # fmt: skip
    shown = facts(world.span)
    assert shown["gen_ai.request.choice.count"] == 2
    assert shown["gen_ai.request.stop_sequences"] == ("a", "b")
    assert shown["gen_ai.output.type"] == "json"
    assert shown["gen_ai.conversation.id"] == "talk-7"


@both
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_an_error(world: World, is_async: bool, stream: bool) -> None:
    world.sim.script(error(400, f"bad: {PROMPT} {KEY}"))
    with pytest.raises(InvalidRequestError):
        ask(world.place(), is_async=is_async, stream=stream)
    span, shown = world.span, facts(world.span)
    assert shown["error.type"] == "InvalidRequestError"
    assert shown["http.response.status_code"] == 400
    assert span.status.status_code is StatusCode.ERROR
    assert "InvalidRequestError HTTP 400" in (span.status.description or "")
    (duration,) = world.points("gen_ai.client.operation.duration")
    assert duration.attributes["error.type"] == "InvalidRequestError"
    assert world.points("gen_ai.client.token.usage") == []
    assert world.points("gen_ai.client.operation.time_to_first_chunk") == []


@both
def test_a_call_that_was_never_sent(world: World, is_async: bool) -> None:
    given = world.place(max_wait=0)
    settings = given["settings"]
    limited = {**settings.export()["endpoints"][0], "api_key": KEY, "rpm": 1}
    settings.load({**settings.export(), "endpoints": [limited, settings.export()["endpoints"][1]]})
    ask(given, is_async=is_async)
    with pytest.raises(RateLimitError):
        ask(given, is_async=is_async)
    assert world.sim.count == 1
    sent, refused = world.spans
    assert facts(sent)["franca.attempt"] == 1
    assert facts(refused)["error.type"] == "RateLimitError"
    assert facts(refused)["franca.attempt"] == 0
    assert facts(refused)["server.address"] == "127.0.0.1"


@both
def test_an_interrupted_stream(world: World, is_async: bool) -> None:
    world.sim.script(Answer(text="some words " * 20, cut_events=4))
    with pytest.raises(StreamInterrupted):
        ask(world.place(), is_async=is_async, stream=True)
    shown = facts(world.span)
    assert shown["error.type"] == "StreamInterrupted"
    assert shown["gen_ai.response.time_to_first_chunk"] > 0
    assert shown["gen_ai.response.model"]
    assert world.span.status.status_code is StatusCode.ERROR
    (duration,) = world.points("gen_ai.client.operation.duration")
    assert duration.attributes["error.type"] == "StreamInterrupted"
    assert world.points("gen_ai.client.operation.time_to_first_chunk")[0].count == 1
    assert world.points("gen_ai.client.token.usage") == []


def test_a_stream_ends_its_span_when_it_ends_itself(world: World) -> None:
    world.sim.script(Answer(text="some words " * 20, gap=0.01))
    with create_chat_client(**world.place()) as client:
        stream = client.create_stream(PROMPT)
        next(stream)
        assert world.spans == []
        stream.close()
        stream.close()
        shown = facts(world.span)
        assert "error.type" not in shown
        assert "gen_ai.response.finish_reasons" not in shown
        assert "gen_ai.usage.output_tokens" not in shown


def until(true: Callable[[], bool]) -> None:
    """A dropped stream ends in a thread of its own."""
    ends = time.monotonic() + 30
    while not true():
        assert time.monotonic() < ends
        time.sleep(0.001)


def test_a_stream_that_is_dropped(world: World) -> None:
    world.sim.script(Answer(text="some words " * 20, gap=0.01))
    with create_chat_client(**world.place()) as client:
        next(client.create_stream(PROMPT))
        gc.collect()
        until(lambda: bool(world.spans))
        assert world.span.name == "chat m-exact"


async def test_an_async_stream_that_is_dropped(world: World) -> None:
    world.sim.script(*[Answer(text="some words " * 20, gap=0.01)] * 2)
    async with create_async_chat_client(**world.place()) as client:
        stream = await client.create_stream(PROMPT)
        del stream
        gc.collect()
        until(lambda: len(world.spans) == 1)
        async with client.create_stream(PROMPT) as closed:
            await anext(closed)
        assert len(world.spans) == 2


async def test_a_cancelled_call(world: World) -> None:
    world.sim.script(Answer(hang=True))
    async with create_async_chat_client(**world.place()) as client:
        task = asyncio.create_task(client.create_completion(PROMPT))
        while not world.sim.count:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert facts(world.span)["error.type"] == "CancelledError"
    assert world.span.status.status_code is StatusCode.ERROR
    (duration,) = world.points("gen_ai.client.operation.duration")
    assert duration.attributes["error.type"] == "CancelledError"


async def test_a_cancelled_stream(world: World) -> None:
    world.sim.script(Answer(text="some words", cut_events=2, hang=True))
    seen = asyncio.Event()
    async with create_async_chat_client(**world.place()) as client:

        async def read() -> None:
            async for _ in client.create_stream(PROMPT):
                seen.set()

        task = asyncio.create_task(read())
        await asyncio.wait_for(seen.wait(), 30)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert "gen_ai.response.finish_reasons" not in facts(world.span)


def test_what_cannot_be_sent(world: World) -> None:
    with pytest.raises((TypeError, CallError)):
        ask(world.place(), is_async=False, extra_body={"x": object()})
    assert facts(world.span)["error.type"]


@pytest.mark.parametrize("content", [False, True])
@pytest.mark.parametrize("answer", [text_reply("a-said-thing"), error(400, "a-said-thing")])
def test_what_was_said_is_nobodys_business(world: World, content: bool, answer: Answer) -> None:
    world.sim.script(answer)
    given = world.place(hooks=world.hooks(capture_content=content))
    if answer.status == 200:
        ask(given, is_async=False)
    else:
        with pytest.raises(CallError):
            ask(given, is_async=False)
    text = world.span.to_json()
    assert (PROMPT in text) == content
    assert ("a-said-thing" in text) == (content and answer.status == 200)
    assert KEY not in text
    data = world.reader.get_metrics_data()
    assert data is not None
    assert PROMPT not in data.to_json()


def test_content(world: World) -> None:
    world.sim.script(Answer(text="It rains.", tool_calls=[("look", {"at": "Paris"})]))
    picture = {"type": "image_url", "image_url": {"url": "https://x.test/a.png"}}
    call = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{oops"}}
    messages: list[Any] = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "Weather?"}, picture]},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "rain"},
    ]
    hooks = world.hooks(capture_content=True)
    tools = [{"type": "function", "function": {"name": "look", "parameters": {}}}]
    with create_chat_client(**world.place(hooks=hooks)) as client:
        client.create_completion(messages, tools=tools)
    shown = facts(world.span)
    assert json.loads(shown["gen_ai.input.messages"]) == [
        {"role": "system", "parts": [{"type": "text", "content": "Be brief."}]},
        {
            "role": "user",
            "parts": [
                {"type": "text", "content": "Weather?"},
                {"type": "uri", "modality": "image", "uri": "https://x.test/a.png"},
            ],
        },
        {
            "role": "assistant",
            "parts": [{"type": "tool_call", "id": "c1", "name": "look", "arguments": "{oops"}],
        },
        {
            "role": "tool",
            "parts": [{"type": "tool_call_response", "id": "c1", "response": "rain"}],
        },
    ]
    (reply,) = json.loads(shown["gen_ai.output.messages"])
    assert reply["role"] == "assistant"
    assert reply["finish_reason"] == "tool_call"
    assert reply["parts"][0] == {"type": "text", "content": "It rains."}
    assert reply["parts"][1]["arguments"] == {"at": "Paris"}


def test_arguments_that_nobody_can_read_are_shown_as_they_are(world: World) -> None:
    deep = "[" * 100_000
    world.sim.script(Answer(tool_calls=[("look", deep)]))
    hooks = world.hooks(capture_content=True)
    with create_chat_client(**world.place(hooks=hooks)) as client:
        client.create_completion(PROMPT)
    (reply,) = json.loads(facts(world.span)["gen_ai.output.messages"])
    assert reply["parts"][0]["arguments"] == deep


def test_what_cannot_be_shown_costs_no_span(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Any) -> str:
        raise ValueError("no such part")

    monkeypatch.setattr("franca.telemetry.recorder.replied", refuse)
    hooks = world.hooks(capture_content=True)
    with create_chat_client(**world.place(hooks=hooks)) as client:
        client.create_completion(PROMPT)
    assert facts(world.span)["gen_ai.response.finish_reasons"] == ("stop",)


def test_content_without_bytes() -> None:
    data = "aGVsbG8="
    parts: list[Part] = [
        ImagePart(data=data, media_type="image/png"),
        AudioPart(data=data, format="wav"),
        ImagePart(url=f"data:image/png;base64,{data}"),
        DocumentPart(file_id="f1"),
        NativePart("openai-chat", {"type": "odd", "payload": data}),
    ]
    text = said([Message("user", parts)])
    assert data not in text
    kinds = [part["type"] for part in json.loads(text)[0]["parts"]]
    assert kinds == ["image", "audio", "image", "file", "odd"]


def test_every_kind_of_part_has_a_form() -> None:
    assert set(_FORMS) == set(get_args(Part))


def test_who_samples_sees_what_is_asked_and_what_is_left_out_costs_no_span(world: World) -> None:
    seen: list[Any] = []

    class Sampler(StaticSampler):
        def should_sample(self, *args: Any, **kwargs: Any) -> Any:
            seen.append(kwargs.get("attributes") or args[4])
            return super().should_sample(*args, **kwargs)

    world.tracers.sampler = Sampler(Decision.DROP)
    ask(world.place(), is_async=False)
    assert world.spans == []
    assert {"gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model"} <= set(seen[0])
    assert {"server.address", "server.port"} <= set(seen[0])
    assert world.points("gen_ai.client.operation.duration")[0].count == 1


def test_two_hooks_that_make_spans_do_not_meet(world: World) -> None:
    ask(world.place(hooks=[world.hooks(), world.hooks()]), is_async=False)
    assert len(world.spans) == 2


def event(backend: str, kind: str, url: str = "") -> CallEvent:
    return CallEvent(backend, "m", "e", ChatRequest([]), 1, 0.0, {}, model_id="m",
                     endpoint_type=kind, url=url)  # fmt: skip


@pytest.mark.parametrize(
    ("backend", "kind", "provider"),
    [
        ("openai", "openai", "openai"),
        ("anthropic", "anthropic", "anthropic"),
        ("deepseek", "openai", "deepseek"),
        ("groq", "openai", "groq"),
        ("gemini", "openai", "gcp.gemini"),
        ("mistral", "openai", "mistral_ai"),
        ("moonshot", "openai", "moonshot_ai"),
        ("xai", "openai", "x_ai"),
        ("qwen", "openai", "qwen"),
        ("openai", "openai_azure", "azure.ai.openai"),
        ("gemini", "openai_vertex", "gcp.vertex_ai"),
        ("anthropic", "anthropic_vertex", "gcp.vertex_ai"),
        ("anthropic", "anthropic_bedrock", "aws.bedrock"),
    ],
)
def test_providers_have_the_conventions_names(backend: str, kind: str, provider: str) -> None:
    assert place(event(backend, kind))["gen_ai.provider.name"] == provider


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("https://api.x.test/v1", {"server.address": "api.x.test", "server.port": 443}),
        ("http://[::1]:8080", {"server.address": "::1", "server.port": 8080}),
        ("", {}),
    ],
)
def test_servers(url: str, server: dict[str, Any]) -> None:
    shown = place(event("openai", "openai", url))
    assert {k: v for k, v in shown.items() if k.startswith("server")} == server


def test_the_names_are_the_conventions_own(world: World) -> None:
    known = {getattr(names, n) for n in dir(names) if n.startswith("GEN_AI")}
    world.sim.script(text_reply("hello there"))
    form = {"type": "json_object"}
    params: dict[str, Any] = {"temperature": 1, "n": 2, "seed": 1, "response_format": form}
    hooks = world.hooks(capture_content=True)
    ask(world.place(hooks=hooks), is_async=False, stream=True, **params)
    shown = [name for name in facts(world.span) if name.startswith("gen_ai")]
    assert set(shown) <= known
    assert set(_USAGE.values()) <= known
    data = world.reader.get_metrics_data()
    assert data is not None
    (scope,) = data.resource_metrics[0].scope_metrics
    measured = {metric.name: metric.unit for metric in scope.metrics}
    assert measured == {
        metrics.GEN_AI_CLIENT_OPERATION_DURATION: "s",
        metrics.GEN_AI_CLIENT_OPERATION_TIME_TO_FIRST_CHUNK: "s",
        metrics.GEN_AI_CLIENT_TOKEN_USAGE: "{token}",
    }


def test_without_opentelemetry_it_says_what_to_install() -> None:
    code = """
import sys
import time
sys.modules["opentelemetry"] = None
from franca.errors import MissingExtraError
from franca.telemetry import telemetry
try:
    telemetry()
except MissingExtraError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ("opentelemetry-api is not installed: pip install 'franca[otel]'")


def test_a_client_without_hooks_loads_no_opentelemetry(world: World) -> None:
    code = f"""
import sys
import time
from franca import create_chat_client
client = create_chat_client("local", "m", base_url={world.sim.url!r}, api_key="k")
client.create_completion("hello")
print([name for name in sys.modules if name.startswith(("opentelemetry", "franca.telemetry"))])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

"""The cost of every recorded exchange, from the counts that its vendor billed."""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import unquote

import genai_prices
import pytest
from corpus import Record, name, records

from franca.backends import BACKENDS, Quirks
from franca.settings.target import Endpoint, Target
from franca.tokens.price_table import find_prices
from franca.tokens.prices import Cost, cost
from franca.types import BackendType, EndpointType, Usage
from franca.wire.anthropic_messages.parse import usage as anthropic_usage
from franca.wire.openai_chat import Fold, parse
from franca.wire.openai_chat.usage import read_usage
from franca.wire.sse import Decoder

AT = datetime(2026, 8, 22, 12, tzinfo=UTC)  # the day of the corpus
HOSTS = {"vertex": "gemini", "bedrock": "aws"}
FLAVORS = {
    "openai-chat": ("chat", "default"),
    "openai-responses": ("responses", "default"),
    "openai-embeddings": ("embeddings",),
    "anthropic-messages": ("default",),
    "bedrock-converse": ("default",),
    "gemini": ("default",),
}
Priced = tuple[Record, str, Usage, Cost | None]


def chat(record: Record) -> Usage | None:
    """What the wire itself reads, whole or streamed."""
    try:
        quirks = BACKENDS[BackendType(record["vendor"])].quirks
    except ValueError:
        quirks = Quirks()
    endpoint = Endpoint("e", EndpointType.OpenAI, "http://127.0.0.1")
    target = Target(record["vendor"], "m", "m", endpoint, quirks=quirks)
    if not record["stream"]:
        return parse(json.dumps(record["reply"]).encode(), target).usage
    decoder, folding = Decoder(), Fold(target)
    for event in [*decoder.feed(record["sse"].encode()), *decoder.end()]:
        folding.feed(*event)
    return folding.result().usage


def events(record: Record) -> Iterator[dict[str, Any]]:
    for line in record["sse"].splitlines():
        if line.startswith("data:") and line[5:].strip().startswith("{"):
            yield json.loads(line[5:])


def body(record: Record) -> dict[str, Any]:
    """The reply, or of a stream the last of its events that has usage."""
    if not record["stream"]:
        return record["reply"]
    found: dict[str, Any] = {}
    for event in events(record):
        inner = event.get("response") or event.get("message") or event
        if inner.get("usage") or inner.get("usageMetadata"):
            found = {**inner, "usage": {**found.get("usage", {}), **(inner.get("usage") or {})}}
    return found


def responses(record: Record) -> Usage | None:
    counts = body(record).get("usage")
    if not counts:
        return None
    inputs, outputs = counts["input_tokens_details"], counts["output_tokens_details"]
    return Usage(
        counts["input_tokens"],
        counts["output_tokens"],
        counts["total_tokens"],
        inputs["cached_tokens"],
        inputs.get("cache_write_tokens"),
        outputs["reasoning_tokens"],
    )


def gemini(record: Record) -> Usage | None:
    counts = body(record).get("usageMetadata")
    if not counts or "promptTokenCount" not in counts:
        return None
    thoughts = counts.get("thoughtsTokenCount", 0)
    details = [
        *counts.get("promptTokensDetails", ()),
        *counts.get("toolUsePromptTokensDetails", ()),
    ]
    answers = counts.get("candidatesTokensDetails", ())

    def of(kind: str, parts: Any) -> int:
        return sum(part.get("tokenCount", 0) for part in parts if part["modality"] == kind)

    return Usage(
        counts["promptTokenCount"] + counts.get("toolUsePromptTokenCount", 0),
        counts.get("candidatesTokenCount", 0) + thoughts,
        counts["totalTokenCount"],
        counts.get("cachedContentTokenCount"),
        reasoning_tokens=thoughts,
        prompt_audio_tokens=of("AUDIO", details),
        completion_audio_tokens=of("AUDIO", answers),
        extra={
            "prompt_tokens_details.image_tokens": of("IMAGE", details) + of("DOCUMENT", details),
            "completion_tokens_details.image_tokens": of("IMAGE", answers),
        },
    )


def bedrock(record: Record) -> Usage | None:
    counts = body(record).get("usage")
    if not counts:
        return None
    read, written = counts.get("cacheReadInputTokens"), counts.get("cacheWriteInputTokens")
    prompt = counts["inputTokens"] + (read or 0) + (written or 0)
    return Usage(prompt, counts["outputTokens"], counts["totalTokens"], read, written)


def anthropic(record: Record) -> Usage | None:
    return anthropic_usage(body(record).get("usage") or None)


def embeddings(record: Record) -> Usage | None:
    counts = body(record).get("usage")
    return read_usage(counts) if counts else None


READERS = {
    "openai-chat": chat,
    "openai-responses": responses,
    "openai-embeddings": embeddings,
    "anthropic-messages": anthropic,
    "bedrock-converse": bedrock,
    "gemini": gemini,
}


def model_of(record: Record) -> str:
    """The vendor's name for what answered, else the one that was asked for."""
    reply = body(record)
    found = re.search(r"/models?/([^/:]+(?:%3A\d+)?)", record["path"])
    asked = record["request"].get("model") or (unquote(found[1]) if found else "")
    return reply.get("model") or reply.get("modelVersion") or asked


def billed(wire: str) -> list[Priced]:
    """Every exchange of a wire that has usage: its model, counts and cost."""
    found: list[Priced] = []
    for record in records(wire):
        whole = isinstance(record.get("sse" if record["stream"] else "reply"), (dict, str))
        if record["status"] != 200 or not whole or not (usage := READERS[wire](record)):
            continue
        model, backend = model_of(record), HOSTS.get(record["vendor"], record["vendor"])
        found.append((record, model, usage, cost(usage, backend=backend, model=model, at=AT)))
    return found


def reference(record: Record, model: str) -> Decimal | None:
    """What genai-prices makes of the reply by itself, counts and all."""
    provider = find_provider(HOSTS.get(record["vendor"], record["vendor"]))
    if provider is None:
        return None
    for flavor in FLAVORS[record["wire"]]:
        try:
            read = genai_prices.extract_usage(body(record), provider_id=provider, api_flavor=flavor)
            found = genai_prices.calc_price(
                read.usage, model, provider_id=provider, genai_request_timestamp=AT
            )
        except (LookupError, ValueError):
            continue
        return found.total_price
    return None


def find_provider(backend: str) -> str | None:
    return {"gemini": "google", "xai": "x-ai"}.get(backend, backend)


@pytest.mark.parametrize("wire", READERS)
def test_every_billed_exchange_has_a_cost_that_adds_up(
    wire: str, capsys: pytest.CaptureFixture[str]
) -> None:
    priced, unknown = 0, Counter[str]()
    for record, model, usage, bill in billed(wire):
        if bill is None:
            unknown[f"{record['vendor']}/{model}"] += 1
            backend = HOSTS.get(record["vendor"], record["vendor"])
            searched = any("web_search" in key for key in usage.extra or ())
            assert find_prices(backend, model, at=AT) is None or searched, name(record)
            continue
        priced += 1
        assert sum(bill.buckets.values()) == bill.amount, name(record)
        assert all(type(part) is Decimal and part >= 0 for part in bill.buckets.values())
        assert bill.amount > 0 or model.endswith(":free"), name(record)
    with capsys.disabled():
        missing = ", ".join(f"{model} ({times})" for model, times in sorted(unknown.items()))
        sys.stdout.write(f"\n{wire}: {priced} priced, {unknown.total()} unknown: {missing}\n")
    assert priced > 10 * unknown.total() or wire in ("openai-chat", "openai-embeddings")
    assert priced


@pytest.mark.parametrize("wire", READERS)
def test_agrees_with_the_source_on_the_same_reply(
    wire: str, capsys: pytest.CaptureFixture[str]
) -> None:
    same, more = 0, 0
    for record, model, usage, bill in billed(wire):
        theirs = reference(record, model)
        if bill is None or theirs is None or bill.currency != "USD":
            continue
        if bill.amount == theirs:
            same += 1
            continue
        # Counts that it does not read: Mistral's `num_cached_tokens`, and the reasoning that only
        # the total of Gemini's OpenAI wire has.
        more += 1
        counts = body(record)["usage"]
        beside = counts["total_tokens"] - counts["prompt_tokens"] - counts["completion_tokens"]
        assert counts.get("num_cached_tokens") or beside > 0, (name(record), bill, theirs)
        assert (bill.amount < theirs) is bool(usage.cached_tokens), name(record)
    with capsys.disabled():
        sys.stdout.write(f"\n{wire}: {same} equal to genai-prices, {more} where it counts less\n")
    assert same > 10 * more


def test_agrees_with_what_openrouter_says_it_billed(capsys: pytest.CaptureFixture[str]) -> None:
    same: Counter[str] = Counter()
    said: Counter[str] = Counter()
    for record, model, usage, bill in billed("openai-chat"):
        amount = (usage.extra or {}).get("cost")
        if record["vendor"] != "openrouter" or not amount or bill is None:
            continue
        vendor = model.split("/")[0]
        said[vendor] += 1
        same[vendor] += abs(bill.amount - Decimal(str(amount))) < Decimal("1e-12")
    with capsys.disabled():
        sys.stdout.write(f"\nopenrouter's own bill: {dict(same)} equal of {dict(said)}\n")
    assert same["anthropic"] == said["anthropic"] > 0  # with cache reads and writes

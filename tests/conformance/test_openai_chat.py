"""Every recorded exchange of the wire, read, folded and written with nothing lost.

FRANCA_ALL_CUTS=1 cuts each stream at every byte offset; else at some.
"""

from __future__ import annotations

import copy
import json
import os
import zlib
from typing import Any

import pytest
from corpus import Record, name, records

from franca.backends import BACKENDS, Quirks
from franca.errors import APIError, CallError, InvalidRequestError, NotFoundError, RateLimitError
from franca.settings.target import Endpoint, Target
from franca.types import (
    BackendType,
    ChatCompletion,
    EndpointType,
    Message,
    NativePart,
    ReasoningPart,
    TextPart,
)
from franca.wire.failures import failure
from franca.wire.openai_chat import Fold, parse, read_request, write_messages
from franca.wire.sse import Decoder

WIRE = "openai-chat"
STRIDE = 1 if os.environ.get("FRANCA_ALL_CUTS") else 13
ERRORS = {400: InvalidRequestError, 404: NotFoundError, 429: RateLimitError}


def target(vendor: str, **quirks: Any) -> Target:
    """The target that a user of that vendor would have."""
    try:
        base = BACKENDS[BackendType(vendor)].quirks
    except ValueError:
        base = Quirks()
    endpoint = Endpoint(vendor, EndpointType.OpenAI, "http://127.0.0.1")
    return Target(vendor, "m", "m", endpoint, quirks=base.merge(**quirks))


def wholes() -> list[Record]:
    return [r for r in records(WIRE) if r["status"] == 200 and isinstance(r.get("reply"), dict)]


def streams() -> list[Record]:
    return [r for r in records(WIRE) if r["stream"] and r.get("sse")]


def leaves(value: Any) -> list[Any]:
    """All texts and numbers of a JSON value that say something."""
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in leaves(item)]
    if isinstance(value, list):
        return [leaf for item in value for leaf in leaves(item)]
    return [] if value is None or value == "" or isinstance(value, bool) else [value]


def test_a_reply_is_read_with_nothing_lost() -> None:
    for record in wholes():
        reply = record["reply"]
        result = parse(json.dumps(reply).encode(), target(record["vendor"], think_tags=False))
        assert result.raw == reply, name(record)
        assert (result.id, result.model, result.created) == (
            reply["id"],
            reply["model"],
            reply["created"],
        )
        check_choices(reply, result, name(record))
        check_usage(reply.get("usage"), result, name(record))
        others = {k: v for k, v in reply.items() if k not in KNOWN and v is not None}
        assert others.items() <= (result.extra or {}).items(), name(record)


KNOWN = {"id", "object", "created", "model", "choices", "usage"}


def check_choices(reply: dict[str, Any], result: ChatCompletion, case: str) -> None:
    assert len(result.choices) == len(reply["choices"]), case
    for raw, choice in zip(reply["choices"], result.choices, strict=True):
        message = raw["message"]
        seen = json.dumps(choice.model_dump(), ensure_ascii=False)
        have = set(map(str, leaves(choice.model_dump())))
        for leaf in leaves({k: v for k, v in message.items() if k not in ("role", "tool_calls")}):
            assert str(leaf) in have or str(leaf) in seen, (case, leaf)
        calls = message.get("tool_calls") or []
        assert len(calls) == len(choice.tool_calls), case
        for call, ours in zip(calls, choice.tool_calls, strict=True):
            assert ours.name == call["function"]["name"], case
            assert ours.arguments == call["function"].get("arguments", "{}"), case
            assert ours.id == call["id"] or not call["id"], case
            assert ours.id, case
        if isinstance(message.get("content"), str):
            assert choice.content == message["content"], case
        thought = message.get("reasoning_content") or message.get("reasoning")
        assert (choice.reasoning_content or "") >= (thought or ""), case
        assert bool(choice.finish_reason) is bool(raw["finish_reason"]), case
    assert result.content == result.choices[0].content, case
    assert result.parts is result.choices[0].parts, case


def check_usage(usage: Any, result: ChatCompletion, case: str) -> None:
    if not usage:
        assert result.usage is None, case
        return
    assert result.usage is not None, case
    assert result.usage.prompt_tokens == usage["prompt_tokens"], case
    assert result.usage.completion_tokens == usage["completion_tokens"], case
    assert result.usage.total_tokens == usage["total_tokens"], case
    assert sorted(leaves(usage), key=str) == sorted(leaves(result.usage.model_dump()), key=str), (
        case
    )


def test_what_is_no_reply_is_an_error() -> None:
    for record in records(WIRE):
        if record["status"] == 200 and not record["stream"] and record.get("reply") is None:
            with pytest.raises(APIError):
                parse(record.get("sse", "").encode(), target(record["vendor"]))


def test_every_error_has_its_class() -> None:
    for record in records(WIRE):
        if record["status"] >= 400:
            body = json.dumps(record["reply"]).encode()
            error = failure(record["status"], record["headers"], body, target(record["vendor"]))
            assert isinstance(error, ERRORS.get(record["status"], CallError)), name(record)
            assert error.message, name(record)
            with pytest.raises(CallError):
                parse(body, target(record["vendor"]))


def fold(pieces: list[bytes], at: Target) -> tuple[ChatCompletion, Fold, list[Any]]:
    decoder, state = Decoder(), Fold(at)
    deltas = []
    for piece in pieces:
        for event in decoder.feed(piece):
            deltas += state.feed(*event)
    for event in decoder.end():
        deltas += state.feed(*event)
    return state.result(), state, deltas


def shown(result: ChatCompletion) -> dict[str, Any]:
    return result.model_dump()


def test_a_stream_is_folded_with_nothing_lost() -> None:
    for record in streams():
        result, state, deltas = fold([record["sse"].encode()], target(record["vendor"]))
        chunks = [json.loads(line[5:]) for line in record["sse"].split("\n")
                  if line.startswith("data:") and "[DONE]" not in line]  # fmt: skip
        raws = [choice["delta"] for chunk in chunks for choice in chunk["choices"]]
        assert state.done, name(record)
        assert result.raw == chunks, name(record)
        assert (result.content or "") == "".join(raw.get("content") or "" for raw in raws)
        assert (result.content or "") == "".join(delta.content or "" for delta in deltas)
        thought = "".join(delta.reasoning_content or "" for delta in deltas)
        assert (result.reasoning_content or "") == thought
        check_stream_calls(raws, result, deltas)
        usage = next((c["usage"] for c in reversed(chunks) if c.get("usage")), None)
        check_usage(usage, result, name(record))
        ends = [delta.finish_reason for delta in deltas if delta.finish_reason]
        assert [result.finish_reason] == (ends or [None]), name(record)
        kept = {leaf for part in result.parts for leaf in leaves(vars_of(part))}
        for raw in raws:
            for detail in raw.get("reasoning_details") or ():
                assert detail.get("signature") in (None, *kept), name(record)


def vars_of(part: Any) -> dict[str, Any]:
    return {slot: getattr(part, slot) for slot in part.__slots__}


def check_stream_calls(raws: list[Any], result: ChatCompletion, deltas: list[Any]) -> None:
    pieces: dict[int, str] = {}
    ids: list[str] = []
    for raw in raws:
        for call in raw.get("tool_calls") or ():
            ids += [call["id"]] if call.get("id") else []
            at, text = call["index"], call["function"].get("arguments") or ""
            pieces[at] = pieces.get(at, "") + text
    assert [call.arguments for call in result.tool_calls] == list(pieces.values())
    assert [call.id for call in result.tool_calls] == ids
    ours: dict[int, str] = {}
    for delta in deltas:
        for call in delta.tool_calls or ():
            ours[call.index] = ours.get(call.index, "") + (call.arguments or "")
    assert list(ours.values()) == list(pieces.values())


def test_a_stream_cut_anywhere_gives_the_same() -> None:
    """One prefix decoder per offset would cost the square of the length: the prefix is fed once,
    byte by byte, and at each offset a copy of the decoder takes the rest. Where it gives the same
    events, the fold, which sees only events, gives the same result."""
    for sse in {record["sse"] for record in streams()}:
        data = sse.encode()
        whole = events([data])
        decoder = Decoder()
        before: list[Any] = []
        for cut in range(1, len(data)):
            before += decoder.feed(data[cut - 1 : cut])
            if cut % STRIDE == 0:
                other = copy.copy(decoder)
                assert before + other.feed(data[cut:]) + other.end() == whole, cut


def events(pieces: list[bytes]) -> list[Any]:
    decoder = Decoder()
    return [event for piece in pieces for event in decoder.feed(piece)] + decoder.end()


def test_a_stream_in_single_bytes_and_other_line_ends_gives_the_same() -> None:
    for record in streams():
        data = record["sse"].encode()
        at = target(record["vendor"])
        want = shown(fold([data], at)[0])
        pieces = [data[i : i + 1] for i in range(len(data))]
        assert shown(fold(pieces, at)[0]) == want, name(record)
        assert shown(fold([data.replace(b"\n", b"\r\n")], at)[0]) == want, name(record)
        assert shown(fold([data.replace(b"data: ", b"data:")], at)[0]) == want, name(record)
        assert shown(fold([data.rstrip(b"\n")], at)[0]) == want, name(record)


def as_stream(reply: dict[str, Any], size: int) -> bytes:
    """The reply as a vendor would stream it, its texts in pieces of `size`."""
    head = {k: v for k, v in reply.items() if k not in ("choices", "usage")}
    chunks: list[dict[str, Any]] = []
    for raw in reply["choices"]:
        message = dict(raw["message"])
        calls = message.pop("tool_calls", None) or []
        for key in ("reasoning_content", "reasoning", "content"):
            text = message.pop(key, None)
            if isinstance(text, str):
                cuts = range(0, max(len(text), 1), size)
                chunks += [
                    {"index": raw["index"], "delta": {key: text[i : i + size]}} for i in cuts
                ]
            elif text is not None:
                chunks += [{"index": raw["index"], "delta": {key: [block]}} for block in text]
        chunks.append({"index": raw["index"], "delta": message})
        for at, call in enumerate(calls):
            function = call["function"]
            first = {**call, "index": at, "function": {**function, "arguments": ""}}
            chunks.append({"index": raw["index"], "delta": {"tool_calls": [first]}})
            text = function.get("arguments", "{}")
            for i in range(0, len(text), size):
                piece = {"index": at, "function": {"arguments": text[i : i + size]}}
                chunks.append({"index": raw["index"], "delta": {"tool_calls": [piece]}})
        chunks.append({k: v for k, v in raw.items() if k != "message"} | {"delta": {}})
    events = [{**head, "choices": [chunk]} for chunk in chunks]
    events.append({**head, "choices": [], "usage": reply.get("usage")})
    lines = [b"data: " + json.dumps(event).encode() + b"\n\n" for event in events]
    return b"".join(lines) + b"data: [DONE]\n\n"


@pytest.mark.parametrize("tags", [False, True])
def test_a_reply_streamed_is_the_reply_whole(tags: bool) -> None:
    for record in wholes():
        at = target(record["vendor"], think_tags=tags)
        size = 1 + zlib.crc32(record["case"].encode()) % 7
        streamed, _, deltas = fold([as_stream(record["reply"], size)], at)
        want = shown(parse(json.dumps(record["reply"]).encode(), at))
        assert shown(streamed) == want, name(record)
        assert "".join(delta.content or "" for delta in deltas) == (want["content"] or "")


def test_a_history_survives_reading_and_writing() -> None:
    for record in records(WIRE):
        body = record["request"]
        before = copy.deepcopy(body)
        messages = read_request(body)
        at = target(record["vendor"], developer_role=True)
        assert write_messages(messages, at) == body["messages"], name(record)
        assert body == before, name(record)


def test_a_result_goes_back_with_what_the_vendor_needs() -> None:
    for record in wholes():
        at = target(record["vendor"])
        result = parse(json.dumps(record["reply"]).encode(), at)
        [sent] = write_messages([Message("assistant", list(result.parts))], at)
        raw = record["reply"]["choices"][0]["message"]
        assert sent.get("reasoning_details") == (raw.get("reasoning_details") or None), name(record)
        for key in ("extra_content", "thought_signature"):
            assert sent.get(key) == raw.get(key), name(record)
        assert [call["id"] for call in sent.get("tool_calls", ())] == [
            call.id for call in result.tool_calls
        ]
        if isinstance(raw.get("content"), list):
            assert sent["content"] == raw["content"], name(record)


def test_a_part_of_another_wire_is_refused() -> None:
    message = Message("assistant", [TextPart("a"), NativePart("other", {"type": "x"})])
    with pytest.raises(InvalidRequestError, match="other"):
        write_messages([message], target("openai"))
    with pytest.warns(UserWarning, match="other"):
        assert write_messages([message], target("openai"), "warn") == [
            {"role": "assistant", "content": "a"}
        ]


def test_reasoning_goes_back_by_the_quirks() -> None:
    message = Message("assistant", [ReasoningPart("hm"), TextPart("a")])
    for when, want in (("never", None), ("tool_calls", None), ("always", "hm")):
        [sent] = write_messages([message], target("local", resend_reasoning=when))
        assert sent.get("reasoning_content") == want

from __future__ import annotations

import json
from typing import Any

import pytest
from openai_targets import target

from franca import errors
from franca.types import (
    AudioPart,
    ChatCompletion,
    ImagePart,
    Message,
    NativePart,
    ReasoningPart,
    TextPart,
    Usage,
)
from franca.wire.openai_chat import parse, write_messages


def whole(message: dict[str, Any], *, tags: bool = False, **top: Any) -> ChatCompletion:
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    reply = {"id": "r1", "choices": [choice], **top}
    return parse(json.dumps(reply).encode(), target(think_tags=tags))


def sent(result: ChatCompletion, **quirks: Any) -> dict[str, Any]:
    [message] = write_messages([Message("assistant", list(result.parts))], target(**quirks))
    return message


def test_the_fields() -> None:
    result = whole({"role": "assistant", "content": "hi"}, model="x", created=12.5, provider="p")
    assert (result.id, result.model, result.created) == ("r1", "x", 12)
    assert (result.backend, result.endpoint_id) == ("vendor", "e1")
    assert (result.content, result.finish_reason) == ("hi", "stop")
    assert result.parts == [TextPart("hi")]
    assert result.extra == {"provider": "p"}
    assert result.usage is None
    assert result.raw["choices"][0]["message"]["content"] == "hi"


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"not json", errors.APIError),
        (b"", errors.APIError),
        (b"[]", errors.APIError),
        (b"null", errors.APIError),
        (b"{}", errors.APIError),
        (b'{"choices":[]}', errors.APIError),
        (b'{"choices":{"a":1}}', errors.APIError),
        (b'{"choices":["a"]}', errors.APIError),
        (b'{"choices":[{"message":{"tool_calls":[7]}}]}', errors.APIError),
        (b'{"error":{"message":"slow down","code":429}}', errors.RateLimitError),
        (b'[{"error":{"code":429,"message":"m"}}]', errors.RateLimitError),
        (b'{"object":"error","message":"m","code":400}', errors.InvalidRequestError),
        (b'{"code":"1","message":"m"}', errors.ProviderError),
        (b'{"choices":[{"error":{"code":502,"message":"m"}}]}', errors.ProviderError),
    ],
)
def test_what_is_no_reply(body: bytes, kind: type[Exception]) -> None:
    with pytest.raises(errors.CallError) as caught:
        parse(body, target())
    assert type(caught.value) is kind


@pytest.mark.parametrize(
    ("reason", "want"),
    [
        ("eos", "stop"),
        ("max_tokens", "length"),
        ("tool_use", "tool_calls"),
        ("SAFETY", "content_filter"),
        ("sensitive", "content_filter"),
        ("network_error", "error"),
        ("new", "other"),
        ("", None),
        (None, None),
    ],
)
def test_finish_reason(reason: Any, want: Any) -> None:
    reply = {"choices": [{"message": {"content": ""}, "finish_reason": reason}]}
    result = parse(json.dumps(reply).encode(), target())
    assert (result.finish_reason, result.native_finish_reason) == (want, reason or None)


def test_all_choices() -> None:
    choices = [{"index": i, "message": {"content": str(i)}, "seed": i} for i in range(3)]
    result = parse(json.dumps({"choices": choices}).encode(), target())
    assert [choice.content for choice in result.choices] == ["0", "1", "2"]
    assert result.content == "0"
    assert result.extra == {"choices.0.seed": 0, "choices.1.seed": 1, "choices.2.seed": 2}


def test_reasoning_goes_back_where_the_vendor_wants_it() -> None:
    result = whole({"content": "a", "reasoning": "hm"})
    assert (result.reasoning_content, result.content) == ("hm", "a")
    assert sent(result) == {"role": "assistant", "content": "a"}
    assert sent(result, resend_reasoning="tool_calls") == sent(result)
    assert sent(result, resend_reasoning="always")["reasoning_content"] == "hm"
    tagged = sent(result, resend_reasoning="always", reasoning_field="<think>")
    assert tagged["content"] == "<think>\nhm\n</think>\n\na"


def test_reasoning_details_go_back_as_they_came() -> None:
    details = [
        {"type": "reasoning.summary", "summary": "hm", "format": "f", "index": 0},
        {"type": "reasoning.text", "text": None, "signature": "sig", "index": 1, "id": None},
        {"type": "reasoning.encrypted", "data": "enc", "id": "rs_1", "index": 2},
    ]
    result = whole({"content": "a", "reasoning": "hm", "reasoning_details": details})
    assert result.reasoning_content == "hm"
    thoughts = [part for part in result.parts if isinstance(part, ReasoningPart)]
    assert [t.text for t in thoughts] == ["hm", "", ""]
    assert [t.signature for t in thoughts] == [None, "sig", None]
    assert [t.encrypted for t in thoughts] == [None, None, "enc"]
    assert sent(result, resend_reasoning="always", reasoning_field="reasoning") == {
        "role": "assistant",
        "content": "a",
        "reasoning_details": details,
    }


def test_mistrals_chunks() -> None:
    content = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
        {"type": "text", "text": "a"},
        {"type": "reference", "reference_ids": [1]},
        {"type": "text", "text": "b"},
    ]
    result = whole({"content": content})
    assert (result.content, result.reasoning_content) == ("ab", "hm")
    assert [part.type for part in result.parts] == ["reasoning", "text", "native", "text"]
    assert sent(result)["content"] == content


def test_think_tags() -> None:
    message = {"content": "<think>\nhm\n</think>\n\na"}
    result = whole(message, tags=True)
    assert (result.reasoning_content, result.content) == ("hm\n", "a")
    assert whole(message).content == message["content"]


def test_geminis_signatures() -> None:
    own = {"google": {"thought_signature": "sig"}}
    call = {"id": "", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    result = whole({"tool_calls": [{**call, "extra_content": own}], "extra_content": own})
    [ours] = result.tool_calls
    assert ours.id.startswith("call_")
    assert whole({"tool_calls": [call]}).tool_calls[0].id == ours.id
    assert sent(result) == {
        "role": "assistant",
        "content": None,
        "extra_content": own,
        "tool_calls": [{**call, "id": ours.id, "extra_content": own}],
    }


def test_calls_of_every_form() -> None:
    calls = [
        {"function": {"name": "f", "arguments": {"a": 1}}, "index": 3},
        {"id": "c", "type": "custom", "custom": {"name": "g", "input": "free"}},
        {"id": "d", "type": "function", "function": {"name": "h"}},
    ]
    ours = whole({"tool_calls": calls}).tool_calls
    assert [(c.name, c.arguments, c.index) for c in ours] == [
        ("f", '{"a": 1}', 0),
        ("g", "free", 1),
        ("h", "{}", 2),
    ]
    assert sent(whole({"tool_calls": calls}))["tool_calls"][1] == calls[1]


def test_the_old_function_call_goes_back_as_one() -> None:
    call = {"name": "f", "arguments": "{}"}
    result = whole({"content": None, "function_call": call})
    assert [c.name for c in result.tool_calls] == ["f"]
    assert sent(result) == {"role": "assistant", "content": None, "function_call": call}


def test_citations_pictures_sound_refusals_and_a_vendors_own() -> None:
    cited = {"type": "url_citation", "url_citation": {"url": "u"}}
    file = {"type": "file", "file": {"hash": "h"}}
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    message = {
        "content": "a",
        "annotations": [cited, file],
        "images": [picture],
        "audio": {"id": "au", "data": "B", "transcript": "t", "expires_at": 1},
        "refusal": "no",
        "executed_tools": [{"name": "search"}],
    }
    result = whole(message)
    assert (result.content, result.refusal) == ("a", "no")
    by_type: dict[type, Any] = {type(part): part for part in result.parts}
    assert by_type[TextPart].citations == [cited]
    assert (by_type[ImagePart].data, by_type[ImagePart].media_type) == ("AAAA", "image/png")
    assert by_type[AudioPart].transcript == "t"
    native = [part.block for part in result.parts if isinstance(part, NativePart)]
    assert native == [{"executed_tools": [{"name": "search"}]}, {"annotations": [file]}]
    assert sent(result) == {
        "role": "assistant",
        "content": "a",
        "annotations": [file],
        "images": [picture],
        "audio": {"id": "au"},
        "refusal": "no",
    }


@pytest.mark.parametrize(
    ("usage", "want"),
    [
        (None, None),
        ({}, None),
        ({"prompt_tokens": 0}, Usage(prompt_tokens=0)),
        ({"prompt_tokens": "7", "completion_tokens": 2.0}, Usage(7, 2)),
        ({"input_tokens": 1, "output_tokens": 2}, Usage(1, 2)),
        (
            {"prompt_cache_hit_tokens": 3, "prompt_cache_miss_tokens": 4},
            Usage(cached_tokens=3, extra={"prompt_cache_miss_tokens": 4}),
        ),
        (
            {
                "prompt_tokens_details": {"cached_tokens": 1, "cache_write_tokens": 2,
                                          "audio_tokens": 3},
                "completion_tokens_details": {"reasoning_tokens": 4, "audio_tokens": 5,
                                              "accepted_prediction_tokens": 6, "x": None},
                "queue_time": 0.5,
            },
            Usage(cached_tokens=1, cache_write_tokens=2, prompt_audio_tokens=3, reasoning_tokens=4,
                  completion_audio_tokens=5,
                  extra={"completion_tokens_details.accepted_prediction_tokens": 6,
                         "queue_time": 0.5}),
        ),
    ],
)  # fmt: skip
def test_usage(usage: Any, want: Usage | None) -> None:
    assert whole({"content": "a"}, usage=usage).usage == want


def test_usage_in_odd_places() -> None:
    usage = {"prompt_tokens": 1}
    assert whole({"content": "a"}, x_groq={"usage": usage}).usage == Usage(1)
    reply = {"choices": [{"message": {"content": "a"}, "usage": usage}]}
    assert parse(json.dumps(reply).encode(), target()).usage == Usage(1)

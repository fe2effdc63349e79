from __future__ import annotations

import copy
from typing import Any

import pytest
from openai_targets import target

from franca.errors import InvalidRequestError
from franca.types import (
    DocumentPart,
    ImagePart,
    Message,
    NativePart,
    ReasoningPart,
    TextPart,
    ToolCall,
    ToolResult,
)
from franca.wire.openai_chat import read_message, write_messages

CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}


@pytest.mark.parametrize(
    "message",
    [
        {"role": "user", "content": "hi"},
        {"role": "user", "content": None},
        {"role": "user", "content": [], "name": "n"},
        {"role": "user", "content": "hi", "name": None, "tool_calls": None},
        {"role": "system", "content": [{"type": "text", "text": "a", "cache_control": {"t": 1}}]},
        {"role": "developer", "content": "a"},
        {"role": "ipython", "content": "a"},
        {"role": "assistant"},
        {"role": "assistant", "content": ""},
        {"role": "assistant", "content": None},
        {"role": "assistant", "content": []},
        {"role": "assistant", "content": [{"type": "text", "text": "a"}], "prefix": False},
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "assistant", "tool_calls": [CALL]},
        {"role": "assistant", "content": "", "tool_calls": [{**CALL, "index": 0}]},
        {"role": "assistant", "content": "a", "tool_calls": []},
        {"role": "assistant",
         "tool_calls": [{"id": "", "function": {"name": "f", "arguments": {}}}]},
        {"role": "assistant", "tool_calls": [{"type": "function", "function": {"name": "f"}}]},
        {"role": "assistant", "tool_calls": [{**CALL, "extra_content": {"google": {"s": "x"}}}]},
        {"role": "assistant", "tool_calls": [{"id": "c", "type": "custom",
                                              "custom": {"name": "g", "input": "x"}}]},
        {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
        {"role": "assistant", "content": "a", "reasoning": "b", "reasoning_content": None},
        {"role": "assistant", "content": None, "reasoning_content": "", "tool_calls": [CALL]},
        {"role": "assistant", "content": "a", "reasoning": "b",
         "reasoning_details": [{"type": "reasoning.text", "text": "b", "signature": None},
                               {"type": "reasoning.encrypted", "data": "d", "index": 1}]},
        {"role": "assistant", "content": "a", "reasoning_details": []},
        {"role": "assistant", "content": None, "refusal": "no"},
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}], "refusal": None},
        {"role": "assistant", "content": None, "audio": {"id": "a"}},
        {"role": "assistant", "content": None, "audio": {"id": "a", "data": "x"}},
        {"role": "assistant", "content": "a", "annotations": [], "refusal": None},
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": [{"type": "text", "text": "a"}], "closed": True},
            {"type": "thinking", "thinking": "old"},
            {"type": "thinking", "thinking": [{"type": "reference", "reference_ids": [1]}]},
            {"type": "text", "text": "b"}]},
        {"role": "assistant", "content": None, "tool_calls": [{**CALL, "id": None}]},
        {"role": "tool", "tool_call_id": "c", "content": "x"},
        {"role": "tool", "tool_call_id": "c", "content": "", "name": "f"},
        {"role": "tool", "tool_call_id": "c", "content": None},
        {"role": "tool", "tool_call_id": "c"},
        {"role": "tool", "content": "x"},
        {"role": "tool", "content": None, "name": "f"},
        {"role": "tool", "tool_call_id": None, "content": []},
        {"role": "tool", "tool_call_id": "c", "content": [{"type": "text", "text": "a"}]},
        {"role": "function", "name": "f", "content": "x"},
    ],
)  # fmt: skip
def test_a_message_comes_back_as_it_was(message: dict[str, Any]) -> None:
    before = copy.deepcopy(message)
    assert write_messages(read_message(message), target(developer_role=True)) == [before]
    assert message == before


PNG = "data:image/png;base64,AAAA"


@pytest.mark.parametrize(
    ("block", "kind"),
    [
        ({"type": "text", "text": "a"}, "text"),
        ({"type": "text", "text": "a", "image_url": None}, "text"),
        ({"type": "text", "text": None}, "native"),
        ({"type": "image_url", "image_url": {"url": "http://h/x.png", "detail": "low"}}, "image"),
        ({"type": "image_url", "image_url": {"url": PNG, "detail": None}, "text": None}, "image"),
        ({"type": "image_url", "image_url": {"url": PNG, "format": "x"}}, "image"),
        ({"type": "image_url", "image_url": PNG}, "image"),
        ({"type": "image_url", "image_url": {"url": "data:image/png;a=b;base64,AA"}}, "image"),
        ({"type": "image_url", "image_url": None}, "native"),
        ({"type": "input_audio", "input_audio": {"data": "AA", "format": "wav"}}, "audio"),
        ({"type": "input_audio", "input_audio": "AA"}, "native"),
        ({"type": "file", "file": {"file_id": "f"}}, "document"),
        ({"type": "file", "file": {"file_data": "data:application/pdf;base64,AA",
                                   "filename": "a.pdf"}}, "document"),
        ({"type": "file", "file": {"file_data": "https://h/a.pdf", "file_id": None}}, "document"),
        ({"type": "document_url", "document_url": "https://h/a.pdf", "document_name": "n"},
         "document"),
        ({"type": "document_url", "document_url": "data:application/pdf;base64,AA"}, "document"),
        ({"type": "video_url", "video_url": {"url": "u"}}, "native"),
        ({"type": 7}, "native"),
        ({"x": 1}, "native"),
    ],
)  # fmt: skip
def test_a_part_comes_back_as_it_was(block: dict[str, Any], kind: str) -> None:
    [message] = read_message({"role": "user", "content": [block]})
    assert isinstance(message.content, list)
    assert message.content[0].type == kind
    assert write_messages([message], target())[0]["content"] == [block]


def test_anthropics_shapes_in_this_wires() -> None:
    messages = [
        Message("assistant", [ToolCall("c", "f", "{}", extra={"anthropic-messages.own": ["caller"],
                                                              "caller": {}})]),
        Message("user", [ToolResult("c", [TextPart("ok")], is_error=False),
                         ToolResult("d", None),
                         TextPart("look"),
                         ImagePart(data="AAAA", media_type="image/png"),
                         DocumentPart(data="BBBB", media_type="application/pdf", filename="a.pdf"),
                         DocumentPart(text="plain")]),
    ]  # fmt: skip
    assert write_messages(messages, target()) == [
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "c", "content": [{"type": "text", "text": "ok"}]},
        {"role": "tool", "tool_call_id": "d", "content": ""},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "look"},
                {"type": "image_url", "image_url": {"url": PNG}},
                {"type": "file", "file": {"file_data": "data:application/pdf;base64,BBBB",
                                          "filename": "a.pdf"}},
                {"type": "text", "text": "plain"},
            ],
        },
    ]  # fmt: skip


@pytest.mark.parametrize(
    "part", [NativePart("anthropic-messages", {"type": "x"}), ImagePart(file_id="f")]
)
def test_what_the_wire_cannot_carry_goes_by_the_policy(part: Any) -> None:
    message = Message("user", [TextPart("a"), part])
    with pytest.raises(InvalidRequestError, match=part.type):
        write_messages([message], target())
    with pytest.warns(UserWarning, match=part.type):
        [sent] = write_messages([message], target(), "warn")
    assert sent["content"] == [{"type": "text", "text": "a"}]


def test_deepseeks_rule() -> None:
    thought = ReasoningPart("hm", signature="s")
    quirks = target(resend_reasoning="tool_calls")
    [plain] = write_messages([Message("assistant", [thought, TextPart("a")])], quirks)
    assert plain == {"role": "assistant", "content": "a"}
    turn = Message("assistant", [thought, ToolCall("c", "f", "{}")])
    [called] = write_messages([turn], quirks)
    assert called["reasoning_content"] == "hm"


def test_the_developer_is_the_system_where_unknown() -> None:
    message = Message("developer", "a")
    assert write_messages([message], target()) == [{"role": "system", "content": "a"}]


def test_a_message_without_a_role() -> None:
    with pytest.raises(InvalidRequestError, match="role"):
        read_message({"content": "a"})


def test_a_function_is_answered_as_one() -> None:
    legacy = ToolCall("c", "f", "{}", extra={"openai-chat.function_call": True})
    messages = [Message("assistant", [legacy]), Message("tool", [ToolResult("c", "ok")])]
    assert write_messages(messages, target())[1] == {
        "role": "function",
        "name": "f",
        "content": "ok",
    }

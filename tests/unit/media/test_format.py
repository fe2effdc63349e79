"""`format_messages`: any form in, each wire's dicts out."""

import json
import struct
import threading
from base64 import b64decode, b64encode
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pngs import png

from franca.chat_clients import aformat_messages, format_messages
from franca.errors import InvalidRequestError, SettingsError
from franca.media import audio, document, image
from franca.media.conversation import LEFT_OUT
from franca.settings.target import Endpoint, Target
from franca.types import (
    EndpointType,
    ImagePart,
    Message,
    ReasoningPart,
    TextPart,
    ToolCall,
    ToolResult,
)

PDF = b"%PDF-1.7 ..."
WAV = b"RIFF\x24\0\0\0WAVEfmt " + bytes(28)
URL = "https://a.example/b.png"
TARGET = Target("vendor", "m", "m", Endpoint("e1", EndpointType.OpenAI, "http://127.0.0.1/v1"))
OPENAI, ANTHROPIC = "openai", "anthropic"


DATA = b64encode(png()).decode()
OF_OPENAI = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{DATA}"}}
OF_ANTHROPIC = {
    "type": "image",
    "source": {"type": "base64", "media_type": "image/png", "data": DATA},
}
TEXT = {"type": "text", "text": "look"}
FORMS: list[Any] = [
    {"role": "user", "content": [TEXT, OF_OPENAI]},
    {"role": "user", "content": [TEXT, OF_ANTHROPIC]},
    {"role": "user", "content": ["look", image(png())]},
    {"role": "user", "content": [TEXT, image(png())]},
    {"role": "user", "content": [TEXT, {"type": "image_url", "image_url": {"url": png()}}]},
    Message("user", [TextPart("look"), ImagePart(data=DATA, media_type="image/png")]),
]


@pytest.mark.parametrize("message", FORMS)
@pytest.mark.parametrize(("backend", "block"), [(OPENAI, OF_OPENAI), (ANTHROPIC, OF_ANTHROPIC)])
def test_every_form_becomes_the_wires(message: Any, backend: str, block: Any) -> None:
    before = deepcopy(message)
    assert format_messages([message], backend) == [{"role": "user", "content": [TEXT, block]}]
    assert message == before


def test_a_dict_may_hold_a_path(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png())
    message = {"role": "user", "content": [TEXT, {"type": "image_url", "image_url": {
        "url": tmp_path / "a.png"}}]}  # fmt: skip
    assert format_messages([message], OPENAI)[0]["content"] == [TEXT, OF_OPENAI]


@pytest.mark.parametrize("form", ["image_url", "image"])
def test_a_dict_may_not_hold_a_files_name(form: str) -> None:
    block = {
        "image_url": {"type": "image_url", "image_url": {"url": "/etc/passwd"}},
        "image": {"type": "image", "source": {"type": "url", "url": "/etc/passwd"}},
    }[form]
    messages = [{"role": "user", "content": [TEXT, block]}]
    with pytest.raises(InvalidRequestError, match=r"messages\[0\]\.content\[1\].*pathlib\.Path"):
        format_messages(messages, OPENAI)


def test_a_text_is_one_turn() -> None:
    assert format_messages("hello") == [{"role": "user", "content": "hello"}]


def test_what_comes_out_goes_in_again() -> None:
    messages = [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": [TEXT, OF_OPENAI]},
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "call_1", "content": "18"},
    ]
    for backend in (OPENAI, ANTHROPIC):
        once = format_messages(messages, backend)
        assert format_messages(once, backend) == once
        assert format_messages(once, OPENAI) == messages


def test_nothing_is_shared_with_the_caller() -> None:
    own = {"type": "video_url", "video_url": {"url": "https://a.example/b.mp4"}}
    messages = [{"role": "user", "content": [own, OF_OPENAI]}]
    out = format_messages(messages, OPENAI)
    out[0]["content"][0]["video_url"]["url"] = "changed"
    out[0]["content"].clear()
    assert own["video_url"] == {"url": "https://a.example/b.mp4"}
    assert len(messages[0]["content"]) == 2


def test_a_size_of_ones_own_and_the_targets() -> None:
    pytest.importorskip("PIL")

    def size(out: list[Any]) -> tuple[int, ...]:
        part = image(out[0]["content"][0]["image_url"]["url"])
        return struct.unpack_from(">II", b64decode(part.data or ""), 16)

    given = image(png(100, 50))
    messages = [Message("user", [given])]
    target = replace(TARGET, max_image_dimension=40)
    assert size(format_messages(messages, target)) == (40, 20)
    assert size(format_messages(messages, target, max_image_dimension=60)) == (60, 30)
    assert size(format_messages(messages, OPENAI, max_image_dimension=60)) == (60, 30)
    assert size(format_messages(messages, target, process_image=False)) == (100, 50)


def test_urls_go_out_where_the_vendor_fetches() -> None:
    def had(url: str) -> bytes:
        assert url == URL
        return png()

    message = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": URL}}]}
    source = {"type": "image", "source": {"type": "url", "url": URL}}
    assert format_messages([message], OPENAI, fetch=had) == [message]
    assert format_messages([message], ANTHROPIC, fetch=had)[0]["content"] == [source]
    assert format_messages([message], "gemini", fetch=had)[0]["content"] == [OF_OPENAI]
    assert format_messages([message], "gemini", process_image=False) == [message]


def test_without_vision_a_line_of_text() -> None:
    messages = [{"role": "user", "content": [TEXT, OF_OPENAI]}]
    said = [TEXT, {"type": "text", "text": LEFT_OUT}]
    for backend in (OPENAI, ANTHROPIC):
        out = format_messages(messages, backend, native_multimodal=False)
        assert out == [{"role": "user", "content": said}]
    blind = replace(TARGET, native_multimodal=False)
    with pytest.raises(InvalidRequestError, match="does not take pictures"):
        format_messages(messages, blind)
    with pytest.warns(UserWarning, match="pictures"):
        assert format_messages(messages, blind, capability_policy="warn")[0]["content"] == said
    assert format_messages(messages, blind, native_multimodal=True) == messages


CALL = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "weather", "arguments": '{"city":"Paris"}'},
}
TOOLS: list[Any] = [
    {"role": "user", "content": "Paris and Rome?"},
    {"role": "assistant", "content": None, "tool_calls": [
        CALL, {**CALL, "id": "call_2", "function": {"name": "weather", "arguments": "{}"}}]},
    {"role": "tool", "tool_call_id": "call_1", "content": "18"},
    {"role": "tool", "tool_call_id": "call_2", "content": "25"},
    {"role": "user", "content": "and so?"},
    {"role": "assistant", "content": "Warm."},
    {"role": "user", "content": "Thanks"},
]  # fmt: skip
TOLD = [
    {"role": "user", "content": "Paris and Rome?"},
    {"role": "assistant",
     "content": '[tool call: weather {"city":"Paris"}]\n\n[tool call: weather {}]'},
    {"role": "user",
     "content": "[tool result: weather]\n18\n\n[tool result: weather]\n25\n\nand so?"},
    {"role": "assistant", "content": "Warm."},
    {"role": "user", "content": "Thanks"},
]  # fmt: skip


def test_without_tools_calls_become_text() -> None:
    before = deepcopy(TOOLS)
    of_anthropic = format_messages(TOOLS, ANTHROPIC)
    for messages in (TOOLS, of_anthropic):
        for backend in (OPENAI, ANTHROPIC, replace(TARGET, function_call_available=False)):
            assert format_messages(messages, backend, function_call_available=False) == TOLD
    assert format_messages(TOOLS, replace(TARGET, function_call_available=False)) == TOLD
    assert format_messages(TOOLS, OPENAI) == TOOLS
    assert before == TOOLS


def test_without_tools_the_rest_of_a_turn_stays() -> None:
    thought = ReasoningPart("hm", signature="s")
    messages = [
        Message("assistant", [thought, TextPart("See."), ToolCall("c1", "look", "{}")]),
        Message("tool", [ToolResult("c1", [TextPart("it"), image(png())])]),
        Message("tool", [ToolResult("c9", "gone", is_error=True)]),
        Message("tool", "made by hand", name="hand"),
    ]
    out = format_messages(messages, ANTHROPIC, function_call_available=False)
    assert [message["role"] for message in out] == ["assistant", "user"]
    assert [block["type"] for block in out[0]["content"]] == ["thinking", "text", "text"]
    assert out[1]["content"] == [
        {"type": "text", "text": "[tool result: look]"},
        {"type": "text", "text": "it"},
        OF_ANTHROPIC,
        {"type": "text", "text": "[tool error: c9]\ngone"},
        {"type": "text", "text": "[tool result: hand]\nmade by hand"},
    ]


def test_anthropics_system_comes_first() -> None:
    messages = [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hi"}]
    assert format_messages(messages, ANTHROPIC) == messages
    assert format_messages(messages, OPENAI, wire="anthropic-messages") == messages


def test_sound_and_documents_where_a_wire_takes_them() -> None:
    sound, paper, plain = audio(WAV), document(PDF), document(b"a text")
    data = b64encode(PDF).decode()
    out = format_messages([Message("user", [sound, paper, plain])], OPENAI)
    assert out[0]["content"] == [
        {"type": "input_audio",
         "input_audio": {"data": b64encode(WAV).decode(), "format": "wav"}},
        {"type": "file",
         "file": {"file_data": f"data:application/pdf;base64,{data}", "filename": "document.pdf"}},
        {"type": "text", "text": "a text"},
    ]  # fmt: skip
    out = format_messages([Message("user", [paper, plain])], ANTHROPIC)
    assert out[0]["content"] == [
        {"type": "document", "title": "document.pdf",
         "source": {"type": "base64", "media_type": "application/pdf", "data": data}},
        {"type": "document",
         "source": {"type": "text", "media_type": "text/plain", "data": "a text"}},
    ]  # fmt: skip
    with pytest.raises(InvalidRequestError, match=r"anthropic .* does not take sound"):
        format_messages([Message("user", [sound])], ANTHROPIC)
    with pytest.warns(UserWarning, match="sound"):
        format_messages([Message("user", [TextPart("a"), sound])], ANTHROPIC,
                        capability_policy="warn")  # fmt: skip


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ({"backend": "antropic"}, "'antropic': no such backend; did you mean 'anthropic'"),
        ({"wire": "openai"}, "no wire 'openai'; did you mean 'openai-chat'"),
        ({"max_image_dimension": 0}, "max_dimension is 0"),
    ],
)
def test_what_is_not_there(how: dict[str, Any], why: str) -> None:
    with pytest.raises((InvalidRequestError, SettingsError), match=why):
        format_messages(FORMS[:1], **how)


async def test_off_the_loop() -> None:
    here, there = threading.get_ident(), []

    def had(url: str) -> bytes:
        there.append(threading.get_ident())
        return png()

    message = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": URL}}]}
    out = await aformat_messages([message], "gemini", fetch=had)
    assert json.dumps(out[0]["content"]) == json.dumps([OF_OPENAI])
    assert here not in there

"""What tools answered with beside text, on OpenAI's chat wire: behind their answers."""

from copy import deepcopy
from typing import Any

import pytest

from franca.chat_clients import format_messages
from franca.types import (
    AudioPart,
    DocumentPart,
    ImagePart,
    Message,
    Part,
    TextPart,
    ToolCall,
    ToolResult,
)
from franca.wire.openai_chat.tool_media import media_behind

SEEN = ImagePart(data="AA==", media_type="image/png")
ASKED = Message("user", "Look.")
FIRST = "[picture 1 of the tools' answers]"
SECOND = "[picture 2 of the tools' answers]"


def calls(*ids: str) -> Message:
    return Message("assistant", [ToolCall(id_, "look", "{}") for id_ in ids])


def result(id_: str, *content: Part) -> Message:
    return Message("tool", [ToolResult(id_, list(content))])


def behind(*messages: Message) -> list[Message]:
    before = deepcopy(messages)
    out = list(media_behind(messages))
    assert messages == before
    assert list(media_behind(out)) == out
    return out


def test_a_conversation_without_is_the_same() -> None:
    text = ToolResult("a", [TextPart("red"), DocumentPart(text="a page")])
    messages = [
        Message("system", "Be brief."), ASKED, calls("a", "b"), Message("tool", [text]),
        Message("tool", [ToolResult("b", "blue")]), Message("tool", "without an id"),
        Message("user", [SEEN]),
    ]  # fmt: skip
    assert all(a is b for a, b in zip(behind(*messages), messages, strict=True))


def test_pictures_follow_the_last_of_parallel_answers() -> None:
    out = behind(
        ASKED, calls("a", "b", "c"), result("a", TextPart("left"), SEEN), result("b", SEEN),
        Message("tool", [ToolResult("c", "nothing")]),
    )  # fmt: skip
    assert out[2:] == [
        result("a", TextPart("left"), TextPart(FIRST)),
        result("b", TextPart(SECOND)),
        Message("tool", [ToolResult("c", "nothing")]),
        Message("user", [TextPart(FIRST), SEEN, TextPart(SECOND), SEEN]),
    ]


@pytest.mark.parametrize("told", ["Go on.", [TextPart("Go on.")]])
def test_the_users_next_turn_begins_with_them(told: Any) -> None:
    out = behind(ASKED, calls("a"), result("a", SEEN), Message("user", told))
    assert out[3:] == [Message("user", [TextPart(FIRST), SEEN, TextPart("Go on.")])]


def test_the_models_next_turn_comes_behind_them() -> None:
    out = behind(ASKED, calls("a"), result("a", SEEN), calls("b"), result("b", SEEN))
    assert [message.role for message in out[2:]] == ["tool", "user", "assistant", "tool", "user"]
    assert out[-1] == Message("user", [TextPart(SECOND), SEEN])


def test_answers_and_text_in_one_turn_as_anthropic_has_it() -> None:
    turn = Message("user", [ToolResult("a", [SEEN]), TextPart("Go on.")])
    (out,) = behind(turn)
    assert out.content == [
        ToolResult("a", [TextPart(FIRST)]), TextPart(FIRST), SEEN, TextPart("Go on.")
    ]  # fmt: skip


def test_sound_and_files_too() -> None:
    sound, page = AudioPart(data="AA==", format="wav"), DocumentPart(data="AA==")
    out = behind(calls("a"), result("a", sound, page))
    lines = [TextPart(f"[{what} of the tools' answers]") for what in ("sound 1", "document 2")]
    assert out[-1] == Message("user", [lines[0], sound, lines[1], page])


def test_who_takes_pictures_in_a_tools_answer_gets_them_there() -> None:
    messages = [ASKED, calls("a"), result("a", SEEN)]

    def shown(backend: str) -> list[tuple[str, str]]:
        out = format_messages(messages, backend, process_image=False)
        return [
            (message["role"], block["type"])
            for message in out[2:]
            for block in message["content"]
            if block["type"] != "text"
        ]

    assert shown("openai") == [("user", "image_url")]
    assert shown("mistral") == [("tool", "image_url")]
    assert shown("anthropic") == [("user", "tool_result")]

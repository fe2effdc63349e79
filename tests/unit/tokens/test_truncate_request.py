"""A call fitted to its target: what is read from the request, and when anything is counted."""

from __future__ import annotations

from base64 import b64encode
from struct import pack
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from franca.backends import ANTHROPIC_MESSAGES, OPENAI_CHAT, Quirks
from franca.errors import ContextLengthError
from franca.settings.target import Endpoint, Target
from franca.tokens import (
    count_messages_tokens,
    families,
    message_tokens,
    messages,
    truncate_request,
    truncate_sizes,
)
from franca.tokens.truncate import ContextLengthControl
from franca.tokens.truncate_request import (
    answer_room,
    asks_for_caching,
    counter,
    fit_request,
    near_limit,
)
from franca.tokens.truncate_room import most_around
from franca.tokens.truncate_sizes import at_most
from franca.types import (
    AudioPart,
    ChatRequest,
    DocumentPart,
    EndpointType,
    ImagePart,
    Message,
    NativePart,
    Part,
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolCall,
    ToolResult,
)

ENDPOINT = Endpoint("e", EndpointType.OpenAI, "http://x")
TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]


def target(model: str = "gpt-4o", **changes: Any) -> Target:
    fields: dict[str, Any] = {"context_length": 1000, **changes}
    return Target("openai", model, model, ENDPOINT, **fields)


def talk(turns: int) -> list[Message]:
    words = "the quick brown fox jumps over the lazy dog; "
    return [Message("user" if n % 2 == 0 else "assistant", words * 4) for n in range(turns)]


@pytest.mark.parametrize("params", [{}, {"tools": TOOLS}, {"tools": TOOLS, "max_tokens": 300}])
def test_what_is_sent_fits_with_all_that_stands_around_it(params: dict[str, Any]) -> None:
    request = ChatRequest(talk(101), params)
    sent, said = fit_request(request, target(), "latest")
    assert said is not None
    total = count_messages_tokens(messages=sent.messages, tools=params.get("tools"), model="gpt-4o")
    reserve = params.get("max_tokens", 125)
    assert abs(total - said.tokens_after) <= 1  # halves of a token are rounded here and there
    assert 1000 - reserve - 100 < total <= 1000 - reserve + 1
    whole = count_messages_tokens(
        messages=request.messages, tools=params.get("tools"), model="gpt-4o"
    )
    assert abs(said.tokens_before - whole) <= 1
    assert (said.limit, said.reserve, said.dropped) == (1000, reserve, 101 - len(sent.messages))
    assert len(request.messages) == 101
    assert sent.params is request.params


def test_nothing_is_counted_far_from_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any, **__: Any) -> int:
        raise AssertionError

    monkeypatch.setattr(truncate_request, "counter", never)
    monkeypatch.setattr(truncate_request, "count_messages_tokens", never)
    long, short = ChatRequest(talk(101)), ChatRequest(talk(3), {"tools": TOOLS})
    cases: list[tuple[ChatRequest, Target, ContextLengthControl]] = [
        (short, target(context_length=8000), "latest"),
        (long, target(context_length=200_000), "latest"),
        (long, target(), "none"),
        (long, target(context_length=None), "latest"),
    ]
    for request, place, control in cases:
        sent, said = fit_request(request, place, control)
        assert sent is request
        assert said is None
        assert control == "none" or not near_limit(request, place)
    assert near_limit(long, target())
    with pytest.raises(AssertionError):
        fit_request(long, target(), "latest")


def test_near_the_limit_what_fits_is_sent_as_it_is() -> None:
    request = ChatRequest(talk(21))
    total = count_messages_tokens(messages=request.messages, model="gpt-4o")
    place = target(context_length=total + 50)
    assert (
        fit_request(ChatRequest(request.messages, {"max_tokens": 50}), place, "latest")[1] is None
    )
    said = fit_request(ChatRequest(request.messages, {"max_tokens": 51}), place, "latest")[1]
    assert said is not None
    assert said.indices == (0, 1)


def test_the_error_says_where() -> None:
    with pytest.raises(ContextLengthError) as caught:
        fit_request(ChatRequest([Message("user", "word " * 5000)]), target(), "latest")
    error = caught.value
    assert (error.backend, error.endpoint_id) == ("openai", "e")
    assert (error.limit, error.reserve) == (1000, 125)
    assert (error.needs or 0) > 4000
    assert "word" not in str(error)


@pytest.mark.parametrize(
    ("changes", "params", "room"),
    [
        ({}, {"max_tokens": 7}, 7),
        ({"max_output_tokens": 50}, {"max_tokens": 70}, 70),
        ({}, {}, 125),
        ({"max_output_tokens": 50}, {}, 50),
        ({"max_output_tokens": 500}, {}, 125),
        ({"wire": ANTHROPIC_MESSAGES, "max_output_tokens": 500}, {}, 125),
        ({"wire": ANTHROPIC_MESSAGES, "quirks": Quirks(default_max_tokens=30)}, {}, 30),
        ({"wire": ANTHROPIC_MESSAGES}, {"max_tokens": 9}, 9),
    ],
)
def test_the_room_for_the_answer(
    changes: dict[str, Any], params: dict[str, Any], room: int
) -> None:
    assert answer_room(target(**changes), params) == room


MARK = {"cache_control": {"type": "ephemeral"}}


@pytest.mark.parametrize(
    ("request_", "asks"),
    [
        (ChatRequest(talk(1)), False),
        (ChatRequest(talk(1), {"tools": TOOLS, "extra_body": {"a": 1}}), False),
        (ChatRequest(talk(1), {"prompt_cache_key": "k"}), True),
        (ChatRequest(talk(1), {"extra_body": MARK}), True),
        (ChatRequest(talk(1), {"tools": [*TOOLS, {**TOOLS[0], **MARK}]}), True),
        (ChatRequest([Message("user", [TextPart("a", extra=MARK)])]), True),
        (ChatRequest([Message("user", "a", extra=MARK)]), True),
    ],
)
def test_who_asks_for_caching(request_: ChatRequest, asks: bool) -> None:
    assert asks_for_caching(request_) is asks


def test_caching_means_coarse_steps() -> None:
    key = {"prompt_cache_key": "k"}
    fine = fit_request(ChatRequest(talk(101)), target(), "latest")[0].messages
    coarse = fit_request(ChatRequest(talk(101), key), target(), "latest")[0].messages
    told = fit_request(ChatRequest(talk(101), key), target(), "latest", keep_prefix=False)[0]
    assert coarse != fine
    assert told.messages == fine


def test_a_text_is_cut_where_it_is_asked_for() -> None:
    request = ChatRequest([Message("user", "word " * 5000)])
    sent, said = fit_request(request, target(), "latest", cut=True)
    assert said is not None
    assert said.cut
    assert 800 < said.tokens_after <= 875
    assert request.messages[0] is not sent.messages[0]


def test_models_that_count_alike_share_what_is_known() -> None:
    assert counter(target("gpt-4o")) is counter(target("gpt-4.1"))
    assert counter(target("gpt-4o")) is not counter(target("claude-opus-4-7"))


# The bound.

ODD = st.text(st.characters(), max_size=40) | st.sampled_from(
    [
        "\U0001d160" * 9,
        "\x01\x02\x7f" * 60,
        "\u0958" * 9,
        "\ud800" * 9,
        "a b  c\n" * 9,
        "{}[]()" * 9,
        "ﷺ" * 9,
        "한글" * 9,
    ]
)
CONTENTS = ODD | st.lists(
    st.one_of(
        st.builds(TextPart, ODD),
        st.builds(RefusalPart, ODD),
        st.builds(ReasoningPart, ODD),
        st.builds(ToolCall, st.just("i"), ODD, ODD),
        st.builds(ToolResult, st.just("i"), ODD | st.lists(st.builds(TextPart, ODD), max_size=3)),
        st.builds(DocumentPart, text=ODD),
        st.builds(
            NativePart,
            st.just("w"),
            st.dictionaries(st.text("ab", max_size=3), st.text("a é\n", max_size=40), max_size=3),
        ),
    ),
    max_size=5,
)


@settings(deadline=None)
@given(content=CONTENTS, role=st.sampled_from(["system", "user", "assistant", "tool"]))
def test_no_model_counts_more_than_the_bound(content: Any, role: Any) -> None:
    message = Message(role, content)
    most = at_most(message)
    for family in families.FAMILIES.values():
        assert message_tokens(message, family) <= most, family.name


@pytest.mark.parametrize(
    "part", [ImagePart(data="AAAA"), AudioPart(data="AAAA"), DocumentPart(data="AAAA")]
)
def test_what_must_be_looked_at_has_no_bound(part: Part) -> None:
    assert at_most(Message("user", [part])) == float("inf")
    result = ToolResult("i", [part])
    assert at_most(Message("tool", [result])) == float("inf")


@pytest.mark.parametrize("width", [1, 300, 1024, 4096, 30_000])
@pytest.mark.parametrize("height", [1, 257, 768, 2048, 16_000, 60_000])
def test_no_model_counts_more_for_a_picture_than_its_bound(width: int, height: int) -> None:
    head = b"\x89PNG\r\n\x1a\n" + pack(">I4sII", 13, b"IHDR", width, height) + b"\x08\x02" * 99
    seen = ImagePart(data=b64encode(head).decode(), media_type="image/png")
    for part in (seen, ImagePart(url="http://x/a.png"), ImagePart(file_id="f")):
        message = Message("user", [part])
        most = at_most(message)
        assert most < float("inf")
        for family in families.FAMILIES.values():
            assert message_tokens(message, family) <= most, family.name


PROPERTIES = {"a": {"type": "string", "description": "d"}, "中": {"enum": ["x", 1, None]}}
SCHEMA = {"type": "object", "properties": PROPERTIES, "required": ["a"]}
FUNCTION = {"name": "f", "description": "it does é", "parameters": SCHEMA}
TOOL = {"type": "function", "function": FUNCTION}


@pytest.mark.parametrize("tool_choice", [None, "required"])
@pytest.mark.parametrize("tools", [[{"name": "f"}], TOOLS, [TOOL], [TOOL] * 3, [TOOL] * 30])
@pytest.mark.parametrize("form", [None, {"json_schema": {}}, {"json_schema": {"schema": SCHEMA}}])
def test_no_model_counts_more_around_the_messages_than_is_left_for_it(
    form: Any, tools: list[Any], tool_choice: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = {"tools": tools, "response_format": form, "thinking": True, "tool_choice": tool_choice}
    most = most_around(params)
    for family in families.FAMILIES.values():
        monkeypatch.setattr(messages, "family_of", lambda *_, family=family: family)
        for wire in (OPENAI_CHAT, ANTHROPIC_MESSAGES):
            assert truncate_request._around(params, target(wire=wire)) <= most, family.name


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(truncate_sizes, "_KEPT", 3)
    counted: list[str] = []

    def count(message: Message) -> int:
        counted.append(str(message.content))
        return 1

    known = truncate_sizes.remembered(count)
    for text in "abcabcda":
        known(Message("user", text))
    assert "".join(counted) == "abcda"

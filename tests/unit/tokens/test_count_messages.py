"""Counting a conversation: every form of a message, tools, and what is remembered."""

import copy
import json
from typing import Any

import pytest

import franca
from franca.errors import APIError, InvalidRequestError
from franca.tokens import (
    count_messages_tokens,
    count_tokens,
    counting,
    family_of,
    get_message_token_counts,
    message_tokens,
)
from franca.tokens.exact import ask
from franca.tokens.tools import tool_text
from franca.types import (
    AudioPart,
    BackendType,
    ChatCompletion,
    DocumentPart,
    Message,
    NativePart,
    ReasoningPart,
    TextPart,
    ToolCall,
    ToolResult,
)

SCHEMA = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "description": "The name."},
        "days": {"type": "integer", "default": 1},
        "unit": {"enum": ["C", "F"]},
        "tags": {"type": "array", "items": {"type": "string"}},
        "place": {"type": "object", "properties": {"lat": {"type": ["number", "null"]}}},
        "when": {"anyOf": [{"type": "string"}, {"type": "null"}]},
    },
    "required": ["city"],
}
OPENAI_TOOL = {
    "type": "function",
    "function": {"name": "weather", "description": "Look up.", "parameters": SCHEMA},
}
ANTHROPIC_TOOL = {"name": "weather", "description": "Look up.", "input_schema": SCHEMA}
MODELS = ("gpt-4o", "gpt-5", "claude-sonnet-4-5", "gemini-2.5-pro", "deepseek-chat", "qwen-plus")

OPENAI = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": [{"type": "text", "text": "Weather in Paris?"}]},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {
                "id": "call_1",
                "type": "function",
                "function": {"name": "weather", "arguments": '{"city":"Paris"}'},
            }
        ],
    },
    {"role": "tool", "tool_call_id": "call_1", "content": "Sunny"},
]
ANTHROPIC = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Weather in Paris?"},
    {
        "role": "assistant",
        "content": [
            {"type": "tool_use", "id": "call_1", "name": "weather", "input": {"city": "Paris"}}
        ],
    },
    {
        "role": "user",
        "content": [{"type": "tool_result", "tool_use_id": "call_1", "content": "Sunny"}],
    },
]
OURS = [
    Message("system", "Be brief."),
    Message("user", [TextPart("Weather in Paris?")]),
    Message("assistant", [ToolCall("call_1", "weather", '{"city":"Paris"}')]),
    Message("tool", [ToolResult("call_1", "Sunny")]),
]


def total(messages: Any, model: str = "gpt-4o", **more: Any) -> int:
    return get_message_token_counts(messages=messages, model=model, **more)


def test_what_openai_bills() -> None:
    """Prompts and bills of the wire corpus."""
    assert total("hello", "gpt-4o-mini") == 8
    assert total([{"role": "user", "content": "What is the capital of Mexico?"}]) == 14


@pytest.mark.parametrize(
    ("model", "before"), [("grok-3", 8), ("grok-4", 686), ("grok-4-fast", 163), ("grok-code", 206)]
)
def test_what_xai_puts_before_a_prompt(model: str, before: int) -> None:
    """As others were billed: docs/tokens.md says who."""
    text = count_tokens("Hi", model)
    assert count_messages_tokens(messages="Hi", model=model) - text == before


def test_what_nova_puts_between_turns() -> None:
    """Nothing around a prompt of one turn, three tokens before each further one: as was billed."""

    def around(*roles: str) -> int:
        turns = [{"role": role, "content": "word"} for role in roles]
        words = len(roles) * count_tokens("word", "nova-pro")
        return count_messages_tokens(messages=turns, model="nova-pro") - words

    assert around("user") == around("system", "user") == 0
    assert around("system", "user", "assistant", "user") == 6


def test_an_earlier_answer_in_words_costs_what_marks_its_channel() -> None:
    def one(role: str, model: str) -> int:
        return message_tokens({"role": role, "content": "word"}, model)

    assert one("assistant", "gpt-5") == one("user", "gpt-5") + 2
    assert one("assistant", "gpt-4o") == one("user", "gpt-4o")


@pytest.mark.parametrize("model", MODELS)
def test_every_form_of_a_conversation_counts_alike(model: str) -> None:
    assert total(OPENAI, model) == total(ANTHROPIC, model) == total(OURS, model)
    assert total([*OPENAI[:2], *OURS[2:]], model) == total(OURS, model)


@pytest.mark.parametrize("model", MODELS)
def test_a_text_is_one_users_turn(model: str) -> None:
    assert total("hello there", model) == total([Message("user", "hello there")], model)


def test_a_result_as_it_came_is_a_turn() -> None:
    answer = ChatCompletion(content="Sunny, 20 degrees.")
    said = {"role": "assistant", "content": "Sunny, 20 degrees."}
    assert total([*OPENAI, answer]) == total([*OPENAI, said])


@pytest.mark.parametrize("model", MODELS)
def test_both_forms_of_a_tool_count_alike(model: str) -> None:
    counts = [total("hi", model, tools=[tool]) for tool in (OPENAI_TOOL, ANTHROPIC_TOOL)]
    assert counts[0] == counts[1] > total("hi", model)
    assert total("hi", model, tools=[]) == total("hi", model)


def test_a_tool_as_openais_models_are_shown_it() -> None:
    assert tool_text(OPENAI_TOOL, "typescript").splitlines() == [
        "// Look up.",
        "type weather = (_: {",
        "// The name.",
        "city: string,",
        "days?: number, // default: 1",
        'unit?: "C" | "F",',
        "tags?: string[],",
        "place?: {",
        "lat?: number | null,",
        "},",
        "when?: string | null,",
        "}) => any;",
    ]


def test_a_vendors_own_tool_counts_by_its_json() -> None:
    own = {"type": "web_search_20250305", "name": "web_search", "max_uses": 3}
    assert json.loads(tool_text(own, "typescript")) == own
    assert total("hi", tools=[own]) > total("hi")


@pytest.mark.parametrize("tool", [{}, {"name": 1, "parameters": {"properties": {"a": None}}}])
@pytest.mark.parametrize("style", ["typescript", "json", "words"])
def test_no_definition_is_too_odd(tool: dict[str, Any], style: Any) -> None:
    assert tool_text(tool, style)


def test_openai_bills_tools_by_the_wire() -> None:
    chat = total("hi", "gpt-5-mini", tools=[OPENAI_TOOL])
    assert chat - total("hi", "gpt-5-mini", tools=[OPENAI_TOOL], wire="openai-responses") == 77


def test_what_a_choice_a_schema_and_thinking_add() -> None:
    schema = {"type": "json_schema", "json_schema": {"name": "place", "schema": SCHEMA}}
    plain = total("hi", "claude-sonnet-4-5", tools=[OPENAI_TOOL])
    for choice in ("required", {"type": "tool", "name": "weather"}):
        forced = total("hi", "claude-sonnet-4-5", tools=[OPENAI_TOOL], tool_choice=choice)
        assert forced > plain
    assert total("hi", "claude-sonnet-4-5", tools=[OPENAI_TOOL], tool_choice="auto") == plain
    assert total("hi", response_format=schema) > total("hi")
    assert total("hi", response_format={"type": "json_object"}) == total("hi")
    silent = total("hi", "claude-sonnet-4-5")
    for thinking in (True, "low", {"type": "enabled", "budget_tokens": 1024}):
        assert total("hi", "claude-sonnet-4-5", thinking=thinking) > silent
    for thinking in (None, False, "none", {"type": "disabled"}):
        assert total("hi", "claude-sonnet-4-5", thinking=thinking) == silent


def test_thoughts_count_where_they_are_read_again() -> None:
    turn = Message("assistant", [ReasoningPart("a long thought " * 20), TextPart("yes")])
    assert message_tokens(turn, "gpt-5") == message_tokens(Message("assistant", "yes"), "gpt-5")
    assert message_tokens(turn, "deepseek-chat") > 50


def test_thoughts_in_tags_are_left_out_where_the_template_does() -> None:
    tagged = Message("assistant", "<think>a long thought</think>yes")
    assert message_tokens(tagged, "qwen3-32b") == message_tokens(
        Message("assistant", "yes"), "qwen3-32b"
    )
    asked = Message("user", "<think>a long thought</think>yes")
    assert message_tokens(asked, "qwen3-32b") > message_tokens(tagged, "qwen3-32b")


def test_what_has_no_text_counts_too() -> None:
    native = NativePart("anthropic-messages", {"type": "server_tool_use", "input": {"q": "x" * 40}})
    assert message_tokens(Message("assistant", [native])) > 10
    assert message_tokens(Message("user", [DocumentPart(text="word " * 50)])) > 50
    assert message_tokens(Message("user", [AudioPart(data="AAAA" * 40_000)])) > 100
    assert message_tokens(Message("user", None)) >= 4


def test_a_prompt_is_the_sum_of_its_parts() -> None:
    base = family_of("gpt-4o").form.base
    assert total(OPENAI) == base + sum(message_tokens(turn, "gpt-4o") for turn in OURS)
    assert message_tokens(OPENAI[2], "gpt-4o") == message_tokens(OURS[2], "gpt-4o")
    assert message_tokens(OURS[1], family_of("gpt-4o")) == message_tokens(OURS[1], "gpt-4o")


def test_a_conversation_that_grew_costs_its_new_part(monkeypatch: pytest.MonkeyPatch) -> None:
    history = [Message("user", f"question number {number}") for number in range(1000)]
    total(history)
    encoded: list[str] = []
    real = counting.count
    monkeypatch.setattr(
        counting, "count", lambda name, text: encoded.append(text) or real(name, text)
    )
    total([*history, Message("user", "a new one, never said")])
    assert encoded == ["a new one, never said"]


def test_the_callers_messages_are_left_alone() -> None:
    before = copy.deepcopy((OPENAI, ANTHROPIC, OURS, OPENAI_TOOL))
    for messages in before[:3]:
        total(messages, tools=[OPENAI_TOOL])
    assert before == (OPENAI, ANTHROPIC, OURS, OPENAI_TOOL)


def test_what_is_no_message_is_named() -> None:
    with pytest.raises(InvalidRequestError, match=r"messages\[1\]"):
        total([{"role": "user", "content": "x"}, {"content": "no role"}])


BODY = {"model": "m", "messages": [], "system": "s", "max_tokens": 9, "stream": True}


@pytest.mark.parametrize(
    ("backend", "wire", "path", "keys", "reply"),
    [
        (
            BackendType.Anthropic,
            "anthropic-messages",
            "/v1/messages/count_tokens",
            {"model", "messages", "system"},
            {"input_tokens": 12},
        ),
        (
            "moonshot",
            "openai-chat",
            "/tokenizers/estimate-token-count",
            {"model", "messages"},
            {"data": {"total_tokens": 12}},
        ),
        (
            BackendType.ZhiPuAI,
            "openai-chat",
            "/tokenizer",
            {"model", "messages"},
            {"usage": {"prompt_tokens": 12}},
        ),
    ],
)
def test_a_vendors_own_count(
    backend: BackendType | str, wire: str, path: str, keys: set[str], reply: dict[str, Any]
) -> None:
    asked = ask(backend, wire, BODY)
    assert asked is not None
    assert (asked.path, set(asked.body)) == (path, keys)
    assert asked.read(reply) == 12
    for wrong in ({}, [], None, "12", {"input_tokens": "12"}, {"data": 3}, {"usage": {}}):
        with pytest.raises(APIError):
            asked.read(wrong)


def test_a_vendor_without_such_an_endpoint() -> None:
    assert ask(BackendType.DeepSeek, "openai-chat", BODY) is None


def test_model_and_backend_by_their_place() -> None:
    turns = [{"role": "user", "content": "How many tokens is this?"}]
    by_name = get_message_token_counts(messages=turns, model="deepseek-v4-flash")
    assert count_messages_tokens(turns, "deepseek-v4-flash") == by_name
    assert franca.count_messages_tokens(turns, "deepseek-v4-flash") == by_name
    by_backend = get_message_token_counts(messages=turns, backend="deepseek")
    assert count_messages_tokens(turns, "", "deepseek") == by_backend

"""A parameter's value of a wrong form is refused by name, before anything is sent."""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID

import pytest
from anthropic.types import TextBlock, ThinkingBlock

from franca import (
    AuthenticationError,
    InvalidRequestError,
    create_chat_client,
    format_messages,
)
from franca.chat_clients.checked import check
from franca.testing import Simulator, scripted_client
from franca.types import ChatParams, Message, TextPart

RIGHT: dict[str, list[Any]] = {
    "temperature": [0, 0.7],
    "top_p": [1],
    "top_k": [40, -1],
    "frequency_penalty": [-2.0],
    "presence_penalty": [0.5],
    "logit_bias": [{"50256": -100}],
    "seed": [0, 2**40],
    "max_tokens": [1],
    "stop": ["\n", ["a", "b"], ("a",), []],
    "n": [1],
    "tools": [[], [{"type": "web_search"}], ({"name": "f"},)],
    "tool_choice": ["auto", "my_tool", {"type": "any"}],
    "parallel_tool_calls": [False],
    "response_format": [{"type": "json_object"}],
    "reasoning_effort": ["none", "high"],
    "thinking": [True, False, "low", {"type": "enabled", "budget_tokens": 1024}],
    "logprobs": [True],
    "top_logprobs": [0],
    "user": ["ann"],
    "metadata": [{"user_id": "ann"}],
    "service_tier": ["flex"],
    "modalities": [["text", "audio"]],
    "audio": [{"voice": "alloy"}],
    "prediction": [{"type": "content", "content": "x"}],
    "store": [False],
    "verbosity": ["low"],
    "prompt_cache_key": ["k"],
    "safety_identifier": ["s"],
    "web_search_options": [{}],
    "stream_options": [{"include_usage": True}],
    "capability_policy": ["strict", "warn", "passthrough"],
    "context_length_control": ["none"],
    "timeout": [0.5, float("inf")],
    "deadline": [0, 30, -0.1],  # what is left of somebody's time may be nothing
    "idle_timeout": [3],
    "max_wait": [0, 2.5],
    "max_retries": [0, 3],
    "retry_delay": [0],
    "fallback_models": ["a", ["a", "openai/b"], ()],
    "context_fallback": [True, False, "a", ["a"]],
    "affinity_key": ["talk"],
    "extra_body": [{}],
    "extra_headers": [{"x-a": "b"}],
    "extra_query": [{"a": 1}],
}
WRONG: list[tuple[str, Any]] = [
    *((name, "hot") for name in ("temperature", "top_p", "top_k", "seed", "n", "max_retries")),
    *((name, "30") for name in ("timeout", "deadline", "idle_timeout", "max_wait", "retry_delay")),
    *((name, -1) for name in ("timeout", "idle_timeout", "max_wait", "retry_delay", "n")),
    *(("max_tokens", value) for value in (0, -4, "10", 1.5, True)),
    *((name, 5) for name in ("user", "affinity_key", "stop", "tools", "tool_choice", "thinking")),
    *((name, 5) for name in ("fallback_models", "context_fallback", "reasoning_effort")),
    *((name, "x") for name in ("response_format", "metadata", "extra_body", "extra_headers")),
    *((name, "x") for name in ("logprobs", "store", "modalities", "tools", "stream_options")),
    ("temperature", True),
    ("temperature", float("nan")),
    ("temperature", float("inf")),
    ("timeout", 0),
    ("timeout", float("nan")),
    ("n", 0),
    ("max_retries", 1.5),
    ("stop", ["a", 1]),
    ("stop", {"a": 1}),
    ("tools", [5]),
    ("tools", {"type": "function"}),
    ("fallback_models", ["a", 5]),
    ("extra_headers", {"x": 5}),
    ("capability_policy", "lenient"),
    ("response_format", dict),
]


def test_every_parameter_is_tried() -> None:
    assert RIGHT.keys() == ChatParams.__annotations__.keys()


@pytest.mark.parametrize(("name", "value"), [(n, v) for n, vs in RIGHT.items() for v in vs])
def test_a_value_of_its_form_passes(name: str, value: Any) -> None:
    check(name, value)


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_any_other_is_refused_by_name(name: str, value: Any) -> None:
    client = scripted_client("never said")
    with pytest.raises(InvalidRequestError, match=rf"^{name}: expected "):
        client.create_completion("Hi", **{name: value})
    with pytest.raises(InvalidRequestError, match=rf"^{name}: expected "):
        scripted_client("never said", **{name: value})
    assert client.calls == []


@pytest.mark.parametrize("backend", ["openai", "anthropic"])
@pytest.mark.parametrize(
    ("messages", "told"),
    [
        ([], "messages: expected a turn at least"),
        (None, "messages: expected a text or a list of messages, got NoneType"),
        ({"role": "user", "content": "Hi"}, "messages: expected a text or a list .* got dict"),
        ([{"role": "user", "content": 5}], r"messages\[0\]: its content is int; expected a text"),
        (["Hi", "there"], r"messages\[0\]: str is not a message"),
        ([Message("user", "Hi"), {}], r"messages\[1\]: it has no role; expected user"),
        ([{"role": "user", "content": b"Hi"}], r"messages\[0\]: its content is bytes"),
        ([{"role": "user", "content": {"type": "text"}}], r"messages\[0\]: its content is dict"),
        ([Message("user", cast("Any", 5))], r"messages\[0\]: its content is int"),
        ([{"role": "user", "content": ["Hi", 5]}], r"messages\[0\]: content\[1\]: .* got int"),
        (
            [Message("user", cast("Any", ["Hi"]))],
            r"messages\[0\]: .* a part, got str",
        ),
        ([Message("user", cast("Any", [{"type": "text"}]))], r"messages\[0\]: .* a part, got dict"),
    ],
)
def test_a_conversation_of_another_form_is_refused_by_its_place(
    backend: str, messages: Any, told: str
) -> None:
    client = scripted_client("never said", backend=backend)
    with pytest.raises(InvalidRequestError, match=f"^{told}"):
        client.create_completion(messages)
    assert client.calls == []


def test_a_system_prompt_alone_is_no_conversation_on_anthropics_wire() -> None:
    client = scripted_client("never said", backend="anthropic")
    with pytest.raises(InvalidRequestError, match=r"^messages: expected a turn"):
        client.create_completion([{"role": "system", "content": "Be terse."}])


@pytest.mark.parametrize(
    "blank",
    [
        {"role": "user", "content": " \n"},
        {"role": "user", "content": []},
        {"role": "user", "content": [{"type": "text", "text": ""}]},
        {"role": "user", "content": [{"type": "text", "text": " "}, {"type": "text", "text": ""}]},
        Message("user", ""),
        Message("user", [TextPart(" ")]),
    ],
)
def test_a_turn_without_text_is_refused_by_its_place_on_anthropics_wire(blank: Any) -> None:
    system, first = {"role": "system", "content": "Be terse."}, {"role": "user", "content": "Hi"}
    turns = [system, first, {"role": "assistant", "content": " "}, blank]
    client = scripted_client("a", "b", backend="anthropic")
    with pytest.raises(InvalidRequestError, match=r"^messages\[3\]: .* a turn without text"):
        client.create_completion(turns)
    with pytest.warns(UserWarning, match=r"messages\[3\]: .* a turn without text: left out"):
        client.create_completion(turns, capability_policy="warn")
    client.create_completion(turns, capability_policy="passthrough")
    left_out, passed = (call.body["messages"] for call in client.calls)
    assert left_out == [first]
    assert [turn["role"] for turn in passed] == ["user", "user"]
    assert not passed[1]["content"].strip()


@pytest.mark.parametrize("backend", ["openai", "anthropic"])
def test_parts_may_stand_in_a_tuple(backend: str) -> None:
    client = scripted_client("Hello", backend=backend)
    client.create_completion([Message("user", cast("Any", (TextPart("a"), TextPart("b"))))])
    sent = client.calls[0].body["messages"][0]["content"]
    assert sent == [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]


def test_a_uuid_may_name_a_user() -> None:
    name: Any = UUID(int=5)
    with Simulator() as sim:
        client = create_chat_client("openai", "m", base_url=sim.url, api_key="k")
        client.create_completion("Hi", user=name, prompt_cache_key=name, safety_identifier=name)
        body = sim.requests[0].body
    sent = [body[key] for key in ("user", "prompt_cache_key", "safety_identifier")]
    assert sent == [str(name)] * 3


def test_a_number_beyond_those_with_a_point_is_one() -> None:
    check("temperature", 10**400)
    with pytest.raises(InvalidRequestError, match=r"^temperature: .* number, got -inf"):
        check("temperature", float("-inf"))


def test_a_role_that_does_not_exist_is_no_users_turn_on_anthropics_wire() -> None:
    turns = [{"role": "user", "content": "Hi"}, {"role": "asistant", "content": "Hello"}]
    client = scripted_client("a", "b", backend="anthropic")
    with pytest.raises(InvalidRequestError, match="does not take a message of role 'asistant'"):
        client.create_completion(turns)
    with pytest.warns(UserWarning, match="role 'asistant': left out"):
        client.create_completion(turns, capability_policy="warn")
    client.create_completion(turns, capability_policy="passthrough")
    sent = [[turn["role"] for turn in call.body["messages"]] for call in client.calls]
    assert sent == [["user"], ["user", "asistant"]]


def test_blocks_of_a_vendors_sdk_may_stand_in_a_dict() -> None:
    blocks = [TextBlock(type="text", text="Hi"), ThinkingBlock(
        type="thinking", thinking="hm", signature="s")]  # fmt: skip
    client = scripted_client("Hello", backend="anthropic")
    turns = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": blocks}]
    client.create_completion([*turns, {"role": "user", "content": "Go on"}])
    assert client.calls[0].body["messages"][1]["content"] == [
        {"type": "text", "text": "Hi"},
        {"type": "thinking", "thinking": "hm", "signature": "s"},
    ]


def test_a_text_may_stand_beside_anthropics_blocks() -> None:
    picture = {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}
    client = scripted_client("A fox", backend="anthropic")
    client.create_completion([{"role": "user", "content": ["What is it?", picture]}])
    assert client.calls[0].body["messages"][0]["content"] == [
        {"type": "text", "text": "What is it?"},
        picture,
    ]


def test_an_option_that_does_not_exist_names_the_nearest_of_all() -> None:
    options: dict[str, Any] = {"bas_url": "http://127.0.0.1:8080/v1"}
    with pytest.raises(TypeError, match=r"no parameter 'bas_url'; did you mean 'base_url'\?"):
        create_chat_client("local", "m", **options)


def test_the_error_shows_a_number_and_of_all_else_the_kind() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        check("timeout", -2)
    assert str(caught.value) == "timeout: expected a number of seconds above 0, got -2"
    with pytest.raises(InvalidRequestError) as caught:
        check("extra_headers", {"authorization": b"a secret"})
    assert str(caught.value) == "extra_headers: expected a mapping of texts to texts, got dict"


def test_calls_from_before_there_were_tools() -> None:
    call = {"name": "add", "arguments": "{}"}
    turns: list[Any] = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": None, "function_call": call},
        {"role": "function", "name": "add", "content": "2"},
    ]
    assert format_messages(turns, "openai") == turns
    with pytest.raises(InvalidRequestError, match="with tool_calls"):
        format_messages(turns, "anthropic")
    with pytest.raises(InvalidRequestError, match="role 'function'"):
        format_messages([turns[0], turns[2]], "anthropic")


@pytest.mark.parametrize("backend", ["openai", "anthropic"])
def test_an_empty_key_is_the_vendors_to_refuse(backend: Any) -> None:
    with Simulator(api_key="right") as sim, pytest.raises(AuthenticationError):
        create_chat_client(backend, "m", base_url=sim.url, api_key="").create_completion("Hi")

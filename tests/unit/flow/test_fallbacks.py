"""Where a call goes when the model's own endpoints fail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import count
from typing import Any

import pytest
from world import Answer, World, refused, request, target, targets

from franca import create_chat_client
from franca.errors import (
    AuthenticationError,
    CallError,
    ContentFilterError,
    ContextLengthError,
    InvalidRequestError,
    ProviderError,
    RateLimitError,
    SettingsError,
)
from franca.flow import Opened, Reply, Route, Send, health_of
from franca.settings import Settings
from franca.settings.policy import Policy
from franca.types import ChatCompletion, ChatRequest

CLAUDE = (
    b'{"id":"1","type":"message","role":"assistant","model":"claude-x","stop_reason":"end_turn",'
    b'"content":[{"type":"text","text":"hello"}],"usage":{"input_tokens":1,"output_tokens":1}}'
)
TOO_LONG = refused(400, b'{"error":{"code":"context_length_exceeded"}}')
_ports = count(1024)


def always(answer: Answer) -> Callable[[Send], Answer]:
    return lambda _: answer


def settings_of(**sections: Any) -> Settings:
    """gpt at `a` and `b`, mini at `m`, a name with a slash at `s`; claude-x at `c`, by its wire."""
    document: dict[str, Any] = {
        "endpoints": [
            {"id": name, "api_base": f"http://{name}.test:{next(_ports)}", "api_key": "k"}
            for name in "abmsc"
        ],
        "backends": {
            "openai": {
                "models": {
                    "gpt": {"endpoints": ["a", "b"]},
                    "mini": {"endpoints": ["m"]},
                    "qwen/big": {"endpoints": ["s"]},
                }
            },
            "anthropic": {"models": {"claude-x": {"endpoints": ["c"]}}},
        },
    }
    return Settings(**document, franca=sections) if sections else Settings(**document)


def asked_of(
    settings: Settings, params: dict[str, Any] | None = None, **client: Any
) -> tuple[Route, ChatRequest]:
    """(where a client's call may go, the call)."""
    made = create_chat_client("openai", "gpt", settings=settings, **client)
    asked = made._config.request("hello", params or {}, stream=False)
    return made._config.route(None, asked), asked


def names(route: Route) -> list[str]:
    """The endpoints of the model and of each fallback."""
    groups = (route.targets, *route.fallbacks)
    return ["".join(place.endpoint_id for place in group) for group in groups]


def test_by_call_by_client_and_by_settings() -> None:
    plain, said = settings_of(), settings_of(fallbacks={"gpt": ["mini", "anthropic/claude-x"]})
    assert names(asked_of(plain)[0]) == ["ab"]
    assert names(asked_of(plain, {"fallback_models": "mini"})[0]) == ["ab", "m"]
    assert names(asked_of(plain, {"fallback_models": ["anthropic/claude-x", "mini"]})[0]) == [
        "ab", "c", "m",
    ]  # fmt: skip
    assert names(asked_of(plain, fallback_models=["mini"])[0]) == ["ab", "m"]
    assert names(asked_of(said)[0]) == ["ab", "m", "c"]
    assert names(asked_of(said, {"fallback_models": "qwen/big"})[0]) == ["ab", "s"]


def test_the_settings_name_a_model_alone_or_with_its_backend() -> None:
    whole = {"openai/gpt": "mini", "gpt": "anthropic/claude-x"}
    assert names(asked_of(settings_of(fallbacks=whole))[0]) == ["ab", "m"]
    others = {"anthropic/claude-x": "openai/mini", "mini": "anthropic/claude-x"}
    assert names(asked_of(settings_of(fallbacks=others))[0]) == ["ab"]


@pytest.mark.parametrize("name", ["qwen/big", "openai/qwen/big", "OpenAI/qwen/big"])
def test_names_with_a_slash(name: str) -> None:
    assert names(asked_of(settings_of(), {"fallback_models": name})[0]) == ["ab", "s"]


def test_a_fallback_that_does_not_exist_is_told_before_anything_is_sent() -> None:
    with pytest.raises(SettingsError, match="mini"):
        asked_of(settings_of(), {"fallback_models": "minni"})
    with pytest.raises(SettingsError, match="claude-x"):
        asked_of(settings_of(), fallback_models="anthropic/claude-y")


def test_it_goes_to_another_backend_and_another_wire() -> None:
    world = World({"a": always(refused(500)), "b": always(refused(401)),
                   "m": always(refused(503)), "c": [Reply(200, {}, CLAUDE)]})  # fmt: skip
    settings = settings_of(fallbacks={"gpt": ["mini", "anthropic/claude-x"]})
    route, asked = asked_of(settings, {"max_retries": 0, "temperature": 0.5})
    answer = world.ask(route, asked)
    assert (answer.content, answer.backend, answer.endpoint_id) == ("hello", "anthropic", "c")
    assert world.tried() == "abmc"
    assert [send.path for send in world.sends][1:] == [world.sends[0].path] * 2 + ["/v1/messages"]
    assert [send.body["model"] for send in world.sends] == ["gpt", "gpt", "mini", "claude-x"]
    assert world.sends[-1].body["max_tokens"] > 0


def test_what_one_wire_cannot_carry_goes_to_an_endpoint_of_another() -> None:
    own = {"endpoint_type": "anthropic", "api_base": "https://api.deepseek.com/anthropic"}
    settings = Settings(
        endpoints=[
            {"id": "a", "api_key": "k", "api_base": "https://api.deepseek.com"},
            {"id": "b", "api_key": "k", "api_base": f"http://b.test:{next(_ports)}"},
            {"id": "c", "api_key": "k", **own},
        ],
        backends={"deepseek": {"models": {"deepseek-flash": {"endpoints": ["a", "b", "c"]}}}},
    )
    searching = replace(request(max_retries=0), params={"tools": [{"type": "web_search"}]})
    world = World({"c": [Reply(200, {}, CLAUDE)]})
    places = settings.resolve("deepseek", "deepseek-flash")
    assert world.ask(places, searching).endpoint_id == "c"
    assert world.tried() == "c"
    assert not any(health_of(place).until for place in places)
    error = world.ask(places[:2], searching)
    assert type(error) is InvalidRequestError
    assert str(error).count("use DeepSeek's other address") == 1
    assert (error.tried, world.tried()) == ((), "c")


def test_its_own_endpoints_first_with_their_retries() -> None:
    world = World(dict.fromkeys("ab", [refused(500)] * 9))
    own = targets("ab")
    answer = world.ask(Route(own, [targets("x")]))
    assert answer.endpoint_id == "x"
    assert (len(world.tried()), world.tried()[-1]) == (5, "x")
    assert sorted(set(world.tried()[:4])) == ["a", "b"]


def test_a_stream_falls_back_until_it_is_seen() -> None:
    cut = b'data: {"choices":[{"index":0,"delta":{"role":"assistant"}}]}\n\n'
    world = World({"a": [cut] * 9})
    opened = world.ask(Route(targets("a"), [targets("x")]), request(stream=True, max_retries=0))
    assert isinstance(opened, Opened)
    assert (opened.target.endpoint_id, world.tried()) == ("x", "ax")
    assert len(world.closed) == 1


def test_a_pinned_endpoint_falls_back_to_other_models_only() -> None:
    settings = settings_of(fallbacks={"gpt": ["mini"]})
    route, asked = asked_of(settings, {"max_retries": 0}, endpoint_id="b")
    assert names(route) == ["b", "m"]
    world = World({"b": [refused(500)]})
    assert world.ask(route, asked).endpoint_id == "m"
    assert world.tried() == "bm"


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (refused(400), InvalidRequestError),
        (refused(422), InvalidRequestError),
        (refused(400, b'{"error":{"code":"content_filter"}}'), ContentFilterError),
        (TOO_LONG, ContextLengthError),
    ],
)
def test_the_callers_own_mistake_never_falls_back(answer: Answer, kind: type[CallError]) -> None:
    world = World({"a": [answer]})
    error = world.ask(Route(targets("ab"), [targets("x")]))
    assert type(error) is kind
    assert world.tried() == "a"


def test_what_a_fallback_cannot_take_is_not_the_callers_mistake() -> None:
    world = World({"a": [refused(500)], "x": [refused(400)]})
    route = Route(targets("a"), [targets("x"), targets("y")])
    assert world.ask(route, request(max_retries=0)).endpoint_id == "y"


def test_a_prompt_that_is_too_long_goes_where_the_settings_say() -> None:
    settings = settings_of(context_fallbacks={"gpt": "mini"}, fallbacks={"gpt": ["qwen/big"]})
    route, asked = asked_of(settings)
    world = World({"a": [TOO_LONG], "b": [TOO_LONG]})
    assert world.ask(route, asked).endpoint_id == "m"
    assert len(world.sent) == 2


@pytest.mark.parametrize(
    ("said", "place"), [(True, "m"), ("anthropic/claude-x", "c"), (["qwen/big"], "s")]
)
def test_context_fallback_by_the_call(said: Any, place: str) -> None:
    settings = settings_of(context_fallbacks={"gpt": "mini"})
    params = {"context_fallback": said, "fallback_models": "mini"}
    route, asked = asked_of(settings, params)
    world = World({"a": [TOO_LONG], "b": [TOO_LONG], "c": [Reply(200, {}, CLAUDE)]})
    assert world.ask(route, asked).endpoint_id == place


def test_a_call_may_say_that_there_is_no_context_fallback() -> None:
    settings = settings_of(context_fallbacks={"gpt": "mini"})
    route, asked = asked_of(settings, {"context_fallback": False})
    world = World({"a": [TOO_LONG], "b": [TOO_LONG]})
    assert isinstance(world.ask(route, asked), ContextLengthError)
    assert len(world.sent) == 1


def test_only_a_prompt_that_is_too_long_goes_to_the_context_fallback() -> None:
    world = World({"a": [refused(500)] * 9, "b": [refused(400)]})
    assert isinstance(world.ask(Route(targets("a"), (), [targets("z")])), ProviderError)
    assert isinstance(world.ask(Route(targets("b"), (), [targets("z")])), InvalidRequestError)
    assert "z" not in world.tried()


def test_too_long_for_the_context_fallback_too() -> None:
    world = World({"a": [TOO_LONG], "z": [TOO_LONG]})
    error = world.ask(Route(targets("a"), (), [targets("z")]))
    assert isinstance(error, ContextLengthError)
    assert error.endpoint_id == "z"
    assert [each.endpoint_id for each in error.tried] == ["a"]


def test_the_one_error_is_not_among_those_that_it_names() -> None:
    world = World({"a": [refused(500)], "b": [TOO_LONG], "c": [refused(401)]})
    error = world.ask(Route(targets("ab"), context=(targets("c"),)))
    assert isinstance(error, ProviderError)
    assert [type(other) for other in error.tried] == [ContextLengthError, AuthenticationError]
    assert not any(other.tried for other in error.tried)


def test_each_context_fallback_is_tried() -> None:
    world = World({"a": [TOO_LONG, refused(500), TOO_LONG], "x": [TOO_LONG] * 2, "y": [TOO_LONG]})
    own, context = targets("a"), [targets("x"), targets("y"), targets("z")]
    assert world.ask(Route(own, (), context)).endpoint_id == "z"
    error = world.ask(Route(own, (), context[:1]))
    assert type(error) is ContextLengthError
    assert [each.endpoint_id for each in error.tried] == ["a", "a"]
    assert world.tried() == "axyzaax"


def test_a_prompt_that_our_own_count_finds_too_long_goes_there_unsent() -> None:
    small = target("a", context_length=50)
    asked = request(context_length_control="latest")
    asked.messages[0].content = "far too long " * 200
    world = World()
    answer = world.ask(Route([small], (), [targets("z")]), asked)
    assert (answer.endpoint_id, world.tried()) == ("z", "z")


def test_a_model_whose_endpoints_are_all_out_is_passed_over() -> None:
    world = World()
    own, other = targets("ab"), targets("x")
    for place in own:
        health_of(place).eject(world.now, Policy())
    assert world.ask(Route(own, [other])).endpoint_id == "x"
    assert world.tried() == "x"
    health_of(other[0]).eject(world.now, Policy())
    assert world.ask(Route(own, [other])).endpoint_id in "ab", "unless all of all are"
    world.now += 31
    assert world.ask(Route(own, [other])).endpoint_id in "ab"


def test_a_model_that_its_limits_hold_back_gives_way() -> None:
    world = World()
    own = [world.limited("a", rpm=1)]
    route = Route(own, [targets("x")])
    assert [world.ask(route, request(max_wait=1)).endpoint_id for _ in range(3)] == ["a", "x", "x"]
    alone = world.ask(own, request(max_wait=1))
    assert isinstance(alone, RateLimitError)


def test_the_error_lists_what_each_answered() -> None:
    world = World({"a": [refused(500, b'{"error":{"message":"melting"}}')],
                   "b": [refused(401, b'{"error":{"message":"who are you"}}')],
                   "x": [refused(429, b'{"error":{"message":"slow down"}}')],
                   "y": [refused(400, b'{"error":{"message":"unheard of"}}')]})  # fmt: skip
    route = Route(targets("ab"), [targets("x"), targets("y")])
    error = world.ask(route, request(max_retries=0))
    assert isinstance(error, RateLimitError)
    kinds = [(type(each), each.endpoint_id) for each in error.tried]
    assert kinds == [(ProviderError, "a"), (AuthenticationError, "b"), (InvalidRequestError, "y")]
    text = str(error)
    for words in ("slow down", "a: melting", "b: who are you", "y: unheard of", "of 4 tries"):
        assert words in text


def test_the_deadline_is_of_all_models_together() -> None:
    world = World(dict.fromkeys("axy", always(refused(500))), took=2.0)
    route = Route(targets("a"), [targets("x"), targets("y")])
    error = world.ask(route, request(deadline=4, max_retries=0))
    assert isinstance(error, CallError)
    assert world.tried() == "ax"
    assert world.now <= 1004


def test_health_shows_the_fallbacks_too() -> None:
    settings = settings_of(fallbacks={"gpt": "mini"}, context_fallbacks={"gpt": "qwen/big"})
    client = create_chat_client("openai", "gpt", settings=settings)
    rows = client.health()
    assert [(row.model, row.endpoint_id) for row in rows] == [
        ("gpt", "a"), ("gpt", "b"), ("mini", "m"), ("qwen/big", "s"),
    ]  # fmt: skip
    assert all(row.state == "closed" for row in rows)
    assert isinstance(World().ask(settings.resolve("openai", "gpt")), ChatCompletion)

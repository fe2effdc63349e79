"""The sections that say how calls are tried again, spread, and kept from what is down."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from franca.errors import SettingsError
from franca.settings import Settings, SettingsWarning
from franca.settings.policy import DEFAULT, STRATEGIES, Policy, Strategy, policy_of
from franca.settings.schema import BreakerSettings, RetrySettings, RoutingSettings

ROOT = Path(__file__).parents[3]
WHOLE = {
    "retry": {
        "max_retries": 5,
        "retry_delay": 0.5,
        "max_retry_delay": 20,
        "budget": 3,
        "timeout": 90,
        "deadline": 200,
        "idle_timeout": 15,
    },
    "routing": {"strategy": "latency"},
    "breaker": {
        "failure_threshold": 4,
        "recovery_time": 10,
        "max_recovery_time": 50,
        "error_rate": 0.25,
        "window": 30,
        "min_calls": 8,
        "max_ejection": 0.5,
    },
}


_ELSEWHERE = ("fallbacks", "context_fallbacks", "rates")  # said in sections of their own


def document(franca: Mapping[str, Any] | None = None, **backends: Any) -> dict[str, Any]:
    openai = {"models": {"gpt-5": {"endpoints": ["a"]}, "gpt-5-mini": {"endpoints": ["a"]}}}
    return {
        "VERSION": "2",
        "endpoints": [{"id": "a", "api_base": "http://a.test/v1", "api_key": "k"}],
        "backends": {"openai": openai, **backends},
        **({"franca": franca} if franca is not None else {}),
    }


def policy(franca: Mapping[str, Any] | None) -> Policy:
    return Settings(document(franca)).resolve("openai", "gpt-5")[0].policy


def problems(franca: Mapping[str, Any], **backends: Any) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        Settings(document(franca, **backends))
    return list(caught.value.problems)


@pytest.mark.parametrize("section", [None, {}, {"retry": {}, "routing": {}, "breaker": {}}])
def test_what_nobody_says(section: Any) -> None:
    assert policy(section) == DEFAULT == policy_of(None)


def test_all_of_it() -> None:
    said = {name: value for part in WHOLE.values() for name, value in part.items()}
    found = policy(WHOLE)
    assert {name: getattr(found, name) for name in said} == said


def test_every_field_can_be_said() -> None:
    parts = (RetrySettings, RoutingSettings, BreakerSettings)
    named = [name for part in parts for name in part.model_fields]
    own = [f.name for f in fields(Policy) if f.name not in _ELSEWHERE]
    assert sorted(named) == sorted(own)
    assert sorted(n for part in WHOLE.values() for n in part) == sorted(own), "and the test says it"


def test_a_part_leaves_the_rest() -> None:
    found = policy({"retry": {"max_retries": 0}, "breaker": {"failure_threshold": 0}})
    assert (found.max_retries, found.failure_threshold) == (0, 0)
    assert (found.retry_delay, found.recovery_time) == (DEFAULT.retry_delay, DEFAULT.recovery_time)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_strategy_is_taken(strategy: Strategy) -> None:
    assert policy({"routing": {"strategy": strategy}}).strategy == strategy


@pytest.mark.parametrize(
    ("section", "path", "words"),
    [
        ({"retry": {"max_retries": -1}}, "franca.retry.max_retries", "greater than or equal to 0"),
        ({"retry": {"retry_delay": "1 s"}}, "franca.retry.retry_delay", "number"),
        ({"retry": {"timeout": 0}}, "franca.retry.timeout", "greater than 0"),
        ({"routing": {"strategy": "lattency"}}, "franca.routing.strategy", "'latency'?"),
        ({"routing": "latency"}, "franca.routing", "got str"),
        ({"breaker": {"error_rate": 1.5}}, "franca.breaker.error_rate", "less than or equal to 1"),
        ({"breaker": {"max_ejection": 50}}, "franca.breaker.max_ejection", "equal to 1"),
        ({"breaker": {"min_calls": 0}}, "franca.breaker.min_calls", "equal to 1"),
        ({"breaker": {"window": 0}}, "franca.breaker.window", "greater than 0"),
        ({"fallbacks": ["gpt-5"]}, "franca.fallbacks", "got list"),
        ({"fallbacks": {"gpt-5": [3]}}, "franca.fallbacks.gpt-5[0]", "got int"),
        ({"fallbacks": {"gpt-5": [""]}}, "franca.fallbacks.gpt-5[0]", "1 character"),
    ],
)
def test_what_is_wrong_is_told_with_its_path(
    section: Mapping[str, Any], path: str, words: str
) -> None:
    told = [line for line in problems(section) if line.startswith(f"{path}: ")]
    assert told, problems(section)
    assert words in told[0]


def test_an_unknown_key_is_told_with_the_nearest() -> None:
    with pytest.warns(SettingsWarning, match=r"franca\.retry\.max_retry: .*'max_retries'"):
        Settings(document({"retry": {"max_retry": 1}}))
    with pytest.warns(SettingsWarning, match=r"franca\.breaker\.recovery: .*'recovery_time'"):
        Settings(document({"breaker": {"recovery": 1}}))


def test_fallbacks_are_kept_as_they_are() -> None:
    named = {"gpt-5": ["gpt-5-mini", "deepseek/deepseek-chat"], "openai/gpt-5-mini": "gpt-5"}
    section = {"fallbacks": named, "context_fallbacks": {"gpt-5-mini": "gpt-5"}}
    deepseek = {"models": {"deepseek-chat": {"endpoints": ["a"]}}}
    found = Settings(document(section, deepseek=deepseek)).resolve("openai", "gpt-5")[0].policy
    assert dict(found.fallbacks) == {
        "gpt-5": ("gpt-5-mini", "deepseek/deepseek-chat"),
        "openai/gpt-5-mini": ("gpt-5",),
    }
    assert dict(found.context_fallbacks) == {"gpt-5-mini": ("gpt-5",)}


@pytest.mark.parametrize("section", ["fallbacks", "context_fallbacks"])
@pytest.mark.parametrize(
    ("named", "lines"),
    [
        (
            {"gpt-5": ["gpt-5-mni"]},
            ["gpt-5[0]: expected a model, and openai has no 'gpt-5-mni'"
             "; did you mean 'gpt-5-mini'?"],
        ),
        (
            {"gpt5": "gpt-5-mini"},
            ["gpt5: expected a model, and there is no 'gpt5'; did you mean 'gpt-5'?"],
        ),
        (
            {"openai/gpt5": "gpt-5-mini"},
            ["openai/gpt5: expected a model, and there is no 'openai/gpt5'"
             "; did you mean 'openai/gpt-5'?"],
        ),
        (
            {"gpt-5": ["gpt-5-mini", "openai/gpt-5-mni"]},
            ["gpt-5[1]: expected a model, and openai has no 'gpt-5-mni'"
             "; did you mean 'openai/gpt-5-mini'?"],
        ),
        (
            {"gpt-5": "deepseek/deepseek-chat"},
            ["gpt-5[0]: expected a model, and deepseek is not in the settings"
             ", nor DEEPSEEK_API_KEY in the environment"],
        ),
        (
            {"gpt-5": "gpt-4"},
            ["gpt-5[0]: expected a model, and openai has no 'gpt-4'; did you mean 'gemini/gpt-4'?"],
        ),
        (
            {"gpt-5": "gemini/switched-off"},
            ["gpt-5[0]: expected a model, and gemini has no 'switched-off'"],
        ),
    ],
)  # fmt: skip
def test_a_model_that_nobody_has(section: str, named: Any, lines: list[str]) -> None:
    off = {"enabled": False, "endpoints": ["a"]}
    gemini = {"models": {"gpt-4": {"endpoints": ["a"]}, "switched-off": off}}
    assert problems({section: named}, gemini=gemini) == [
        f"franca.{section}.{line}" for line in lines
    ]


def test_all_lines_at_once() -> None:
    told = problems({"fallbacks": {"gpt5": ["x", "gpt-5"], "gpt-5": ["y", "z"]}})
    assert [line.split(": ")[0] for line in told] == [
        "franca.fallbacks.gpt5", "franca.fallbacks.gpt-5[0]", "franca.fallbacks.gpt-5[1]",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "named",
    [
        {"gpt-5": ["gpt-5-mini", "openai/gpt-5-mini", "OpenAI/gpt-5-mini"]},
        {"gpt-5": ["qwen/whatever", "groq/llama"]},  # a default endpoint, a key
        {"qwen/whatever": "qwen/other", "groq/x": ["llama", "openai/gpt-5"]},
        {"something": "gpt-5-mini"},  # a model of qwen's default endpoint, perhaps
        {"gpt-5": "my/own"},
        {"my/own": "gpt-5"},
        {"gpt-5": "local/m"},  # needs no key
    ],
)
def test_what_the_environment_or_a_default_endpoint_serves(
    named: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GROQ_API_KEY", "k")
    section = {"fallbacks": named}
    given = document(section, qwen={"default_endpoint": "a"})
    given["backends"]["openai"]["models"]["my/own"] = {"endpoints": ["a"]}
    Settings(given)


def test_a_model_of_two_backends_falls_back_in_each() -> None:
    azure = {"models": {"gpt-5": {"endpoints": ["a"]}}}
    (line,) = problems({"fallbacks": {"gpt-5": ["gpt-5-mini"]}}, openrouter=azure)
    assert line == (
        "franca.fallbacks.gpt-5[0]: expected a model, and openrouter has no 'gpt-5-mini'"
        "; did you mean 'openai/gpt-5-mini'?"
    )
    Settings(document({"fallbacks": {"gpt-5": ["openai/gpt-5-mini"]}}, openrouter=azure))


def test_what_loads_resolves() -> None:
    """Each fallback of a file that loads is a model that a client finds."""
    from franca import create_chat_client

    section = {"fallbacks": {"gpt-5": ["gpt-5-mini", "qwen/any", "local/m"]}}
    settings = Settings(document(section, qwen={"default_endpoint": "a"}))
    client = create_chat_client("openai", "gpt-5", settings=settings)
    assert [row.model for row in client.health()] == ["gpt-5", "gpt-5-mini", "any", "m"]


def test_the_environments_own_endpoints_follow_the_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROQ_API_KEY", "k")
    settings = Settings(document({"retry": {"max_retries": 7}}, qwen={"default_endpoint": "a"}))
    assert settings.resolve("groq", "llama")[0].policy.max_retries == 7
    assert settings.resolve("qwen", "any")[0].policy.max_retries == 7


def test_the_example_says_all_of_it_and_loads() -> None:
    """With the defaults, so that it shows them."""
    example = json.loads((ROOT / "settings.example.json").read_text())["franca"]
    settings = Settings(ROOT / "settings.example.json")
    said = {**example["retry"], **example["routing"], **example["breaker"]}
    own = {f.name for f in fields(Policy) if f.name not in _ELSEWHERE}
    assert said.keys() == own
    assert said == {name: getattr(DEFAULT, name) for name in own}
    target = settings.resolve("openai", "gpt-5-mini")[0]
    assert target.policy.fallbacks
    assert target.policy.context_fallbacks

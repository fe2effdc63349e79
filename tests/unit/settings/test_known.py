"""What the catalogue fills in, and that the settings stand above it, field by field."""

from typing import Any

import pytest

from franca.backends import BACKENDS
from franca.backends.catalogue import find
from franca.settings import Settings, Target
from franca.settings.adhoc import adhoc
from franca.settings.build import for_model
from franca.types import BackendType

KEY: dict[str, Any] = {"base_url": "http://a.test/v1", "api_key": "k"}


def one(backend: str, model: str, **fields: Any) -> Target:
    """The target of a model in a settings file."""
    endpoint = {"id": "e", "api_base": "http://a.test", **fields.pop("endpoint", {})}
    binding = {"endpoint_id": "e", **fields.pop("binding", {})}
    models = {model: {"endpoints": [binding], **fields}}
    settings = Settings(endpoints=[endpoint], backends={backend: {"models": models}})
    (target,) = settings.resolve(backend, model)
    return target


def facts(target: Target) -> tuple[Any, ...]:
    return (target.context_length, target.max_output_tokens, target.native_multimodal,
            target.function_call_available, target.response_format_available)  # fmt: skip


NONE = (None,) * 5
GPT = (400_000, 128_000, True, True, True)


def test_what_the_settings_leave_open() -> None:
    assert facts(one("openai", "gpt-5-mini")) == GPT
    assert facts(one("openai", "gpt-5-mini-2025-08-07")) == GPT
    assert facts(one("openai", "unheard-of")) == NONE
    assert one("openai", "unheard-of").quirks == BACKENDS[BackendType.OpenAI].quirks


def test_what_no_source_says_is_not_known() -> None:
    assert facts(one("yi", "yi-lightning")) == (16_384, None, None, None, None)


@pytest.mark.parametrize(
    ("said", "name", "value"),
    [
        ({"context_length": 1000}, "context_length", 1000),
        ({"context_length": 0}, "context_length", None),  # 0 is none: nothing is fitted
        ({"max_output_tokens": 77}, "max_output_tokens", 77),
        ({"max_output_tokens": 0}, "max_output_tokens", None),
        ({"native_multimodal": False}, "native_multimodal", False),
        ({"function_call_available": False}, "function_call_available", False),
        ({"response_format_available": False}, "response_format_available", False),
        ({"capabilities": {"tools": False}}, "function_call_available", False),
        ({"capabilities": {"input_modalities": ["text"]}}, "native_multimodal", False),
        ({"capabilities": {"structured_output": "none"}}, "response_format_available", False),
    ],
)
def test_the_settings_win_field_by_field(said: dict[str, Any], name: str, value: Any) -> None:
    target, base = one("openai", "gpt-5-mini", **said), one("openai", "gpt-5-mini")
    assert getattr(target, name) == value
    others = {"context_length", "max_output_tokens", "function_call_available"} - {name}
    assert all(getattr(target, other) == getattr(base, other) for other in others)


def test_the_vendors_name_goes_before_the_settings() -> None:
    renamed = one("openai", "gpt-5-mini", binding={"model_id": "gpt-4o-mini"})
    deployed = one("openai", "gpt-5-mini", binding={"model_id": "my-deployment"})
    assert renamed.context_length == 128_000
    assert deployed.context_length == 400_000
    assert one("openai", "fast", id="gpt-4o-mini").context_length == 128_000


@pytest.mark.parametrize(
    ("backend", "model", "form"),
    [
        ("anthropic", "claude-opus-4-8", "anthropic_adaptive"),
        ("anthropic", "claude-haiku-4-5", "anthropic"),
        ("anthropic", "claude-opus-5-5", "anthropic_always"),
        ("anthropic", "anthropic.claude-sonnet-5-5", "anthropic_between"),
        ("openai", "gpt-4o", "never"),
        ("stepfun", "step-3.7-flash", "reasoning_effort"),
        ("stepfun", "step-3.5-flash", "none"),
    ],
)
def test_the_form_of_the_thinking_switch(backend: str, model: str, form: str) -> None:
    assert one(backend, model).quirks.thinking == form
    assert one(backend, model, capabilities={"thinking": "none"}).quirks.thinking == "none"


def test_schemas() -> None:
    assert one("groq", "openai/gpt-oss-120b").quirks.json_schema
    assert not one("groq", "llama-3.3-70b-versatile").quirks.json_schema
    said = {"capabilities": {"structured_output": "json_schema"}}
    assert one("groq", "llama-3.3-70b-versatile", **said).quirks.json_schema
    said = {"capabilities": {"structured_output": "json_object"}}
    assert not one("groq", "openai/gpt-oss-120b", **said).quirks.json_schema


def test_an_older_claude_takes_no_system_message_among_the_others() -> None:
    assert not one("anthropic", "claude-opus-4-7").quirks.inline_system
    assert one("anthropic", "claude-opus-4-8").quirks.inline_system


def test_a_newer_claude_takes_no_sampling_parameters() -> None:
    sampling = ("temperature", "top_p", "top_k")
    assert one("anthropic", "claude-opus-4-8").quirks.unsupported == sampling
    assert one("anthropic", "claude-sonnet-4-6").quirks.unsupported == ()
    said = {"capabilities": {"unsupported": []}}
    assert one("anthropic", "claude-opus-4-8", **said).quirks.unsupported == ()


def test_quirks_are_of_the_backends_own_wire() -> None:
    target = one("anthropic", "claude-opus-4-8", endpoint={"endpoint_type": "openai"})
    assert target.quirks.thinking == "none"
    assert target.context_length == 1_000_000


def test_an_answer_leaves_room_for_the_prompt() -> None:
    """Anthropic's wire sends it where the caller names no length."""
    place = one("moonshot", "kimi-k2.6", endpoint={"endpoint_type": "anthropic"})
    assert place.max_output_tokens == place.context_length == 262144
    assert place.answer_room == 262144 // 8
    short = one("anthropic", "claude-sonnet-4-5", max_output_tokens=900)
    assert short.answer_room == 900


def test_targets_without_settings() -> None:
    assert facts(adhoc("openai", "gpt-5-mini", **KEY)[0]) == GPT
    places = [{"base_url": "http://a.test/v1"}, {"base_url": "http://b.test/v1", "model_id": "x"}]
    first, second = adhoc("openai", "gpt-5-mini", endpoints=places)
    assert facts(first) == facts(second) == GPT


def test_the_vendors_own_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROQ_API_KEY", "k")
    (target,) = Settings().resolve("groq", "llama-3.1-8b-instant")
    assert target.context_length == 131_072
    assert target.quirks.thinking == "never"


def by_default(**endpoint: Any) -> Settings:
    places = [{"id": "e", "api_base": "http://a.test", "headers": {"m": "${model_id}"}, **endpoint}]
    return Settings(endpoints=places, backends={"openai": {"default_endpoint": "e"}})


def test_a_default_endpoints_models() -> None:
    settings = by_default(rpm=5)
    (target,) = settings.resolve("openai", "gpt-5-mini")
    assert facts(target) == GPT
    assert (target.model, target.model_id, target.rpm) == ("gpt-5-mini", "gpt-5-mini", 5)
    assert target.headers == {"m": "gpt-5-mini"}
    assert settings.resolve("openai", "gpt-5-mini")[0] is target
    assert facts(settings.resolve("openai", "unheard-of")[0]) == NONE


def test_a_default_endpoints_capabilities_lie_over_the_catalogue() -> None:
    settings = by_default(capabilities={"thinking": "none", "url_images": False})
    quirks = settings.resolve("openai", "gpt-4o")[0].quirks
    assert (quirks.thinking, quirks.url_images) == ("none", False)


def test_names_without_end_are_not_kept_without_end() -> None:
    settings = by_default()
    for i in range(1100):
        settings.resolve("openai", f"m{i}")
    assert len(settings.snapshot._made) == 1024
    assert settings.resolve("openai", "m1099")[0].model == "m1099"


def test_another_model_at_the_same_place() -> None:
    gpt = adhoc("openai", "gpt-5-mini", **KEY)[0]
    other = for_model(gpt, "gpt-4o-2024-05-13")
    assert facts(other) == (128_000, 4096, True, True, True)
    assert other.quirks.thinking == "never"
    assert facts(for_model(other, "unheard-of")) == NONE
    assert for_model(other, "gpt-5-mini") == gpt
    own = one("openai", "gpt-5-mini", context_length=1000, capabilities={"max_tokens_field": "m"})
    moved = for_model(own, "gpt-4o")
    assert (moved.context_length, moved.quirks.max_tokens_field) == (1000, "m")


def test_the_rows_are_what_is_filled_in() -> None:
    row = find("anthropic", "claude-opus-4-8")
    assert row is not None
    target = one("anthropic", "claude-opus-4-8")
    assert target.context_length == row.context_length
    assert {n: getattr(target.quirks, n) for n in row.changes()} == row.changes()

"""From (backend, model) to targets."""

from typing import Any

import pytest

from franca.backends import BACKENDS, Quirks
from franca.errors import SettingsError
from franca.settings import Secret, Settings, Target
from franca.types import BackendType, EndpointType


def one(settings: Settings, backend: str, model: str | None = None) -> Target:
    (target,) = settings.resolve(backend, model)
    return target


def with_endpoint(backend: str, **fields: Any) -> Settings:
    models = {"m": {"endpoints": ["e"]}}
    return Settings(endpoints=[{"id": "e", **fields}], backends={backend: {"models": models}})


def test_bindings_by_priority_then_file_order(document: dict[str, Any]) -> None:
    targets = Settings(**document).resolve(BackendType.OpenAI, "gpt-4o")
    assert [t.endpoint_id for t in targets] == ["a", "b"]
    assert [t.model_id for t in targets] == ["gpt-4o-2024", "deployed"]
    assert [t.rpm for t in targets] == [None, 7]
    assert targets[0].endpoint.url == "http://a.test/v1"
    assert targets[0].endpoint.api_key == Secret("key-of-a")
    assert targets[0].context_length == 1000


def test_a_lookup_is_the_same_object_and_takes_any_case(document: dict[str, Any]) -> None:
    settings = Settings(document)
    assert settings.resolve("openai", "gpt-4o") is settings.resolve(BackendType.OpenAI, "gpt-4o")
    assert settings.resolve("OpenAI") == settings.resolve("openai", "gpt-4o")


def test_targets_are_those_that_are_on(document: dict[str, Any]) -> None:
    assert [(t.model, t.endpoint_id) for t in Settings(document).targets()] == [
        ("gpt-4o", "a"),
        ("gpt-4o", "b"),
    ]


@pytest.mark.parametrize(
    ("backend", "model", "says"),
    [
        ("openai", "gpt4o", "backends.openai.models.gpt4o: not in the settings; did you mean"),
        ("openai", "old", "backends.openai.models.old: switched off"),
        ("opnai", None, "did you mean 'openai'?"),
        ("qwen", "q", "set DASHSCOPE_API_KEY"),
    ],
)
def test_no_way(document: dict[str, Any], backend: str, model: str | None, says: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings(document).resolve(backend, model)
    assert says in str(caught.value)


def test_default_endpoint_takes_any_model(document: dict[str, Any]) -> None:
    document["backends"]["openai"]["default_endpoint"] = "a"
    document["endpoints"][0]["headers"] = {"X-Model": "${model_id}"}
    target = one(Settings(document), "openai", "new-model")
    assert (target.model, target.model_id, target.endpoint_id) == ("new-model", "new-model", "a")
    assert target.headers == {"X-Model": "new-model"}


def test_default_endpoint_serves_models_that_name_none() -> None:
    settings = Settings(
        endpoints=[{"id": "e"}],
        backends={"groq": {"default_endpoint": "e", "models": {"m": {}}}},
    )
    assert one(settings, "groq", "m").endpoint.url == BACKENDS[BackendType.Groq].url()


def test_the_environment_s_key_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEEPSEEK_API_KEY", "from-env")
    target = one(Settings(), "deepseek")
    assert target.endpoint_id == "deepseek"
    assert target.model == BACKENDS[BackendType.DeepSeek].default_model
    assert target.endpoint.api_key == Secret("from-env")


def test_a_configured_backend_takes_no_implicit_endpoint(
    document: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "from-env")
    with pytest.raises(SettingsError):
        Settings(document).resolve("openai", "unlisted")


def test_the_environment_s_key_goes_to_the_vendor_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "from-env")
    assert one(with_endpoint("openai"), "openai").endpoint.api_key == Secret("from-env")
    elsewhere = with_endpoint("openai", api_base="http://else.test/v1")
    assert one(elsewhere, "openai").endpoint.api_key is None


@pytest.mark.parametrize(
    ("backend", "fields", "kind", "wire"),
    [
        ("openai", {}, EndpointType.OpenAI, "openai-chat"),
        ("anthropic", {"endpoint_type": "default"}, EndpointType.Anthropic, "anthropic-messages"),
        ("openai", {"is_azure": True}, EndpointType.OpenAIAzure, "openai-chat"),
        ("gemini", {"is_vertex": True}, EndpointType.OpenAIVertex, "openai-chat"),
        ("anthropic", {"is_vertex": True}, EndpointType.AnthropicVertex, "anthropic-messages"),
        ("anthropic", {"is_bedrock": True}, EndpointType.AnthropicBedrock, "anthropic-messages"),
        (
            "deepseek",
            {"endpoint_type": "anthropic", "api_base": "http://d.test/anthropic"},
            EndpointType.Anthropic,
            "anthropic-messages",
        ),
    ],
)
def test_types(backend: str, fields: dict[str, Any], kind: EndpointType, wire: str) -> None:
    target = one(with_endpoint(backend, **fields), backend)
    assert (target.endpoint.type, target.wire) == (kind, wire)


def test_another_wire_takes_that_wire_s_quirks() -> None:
    foreign = with_endpoint("deepseek", endpoint_type="anthropic", api_base="http://d.test")
    own = BACKENDS[BackendType.Anthropic].quirks
    assert one(foreign, "deepseek").quirks == own.merge(builtin_tools={})
    foreign = with_endpoint("anthropic", endpoint_type="openai", api_base="http://d.test")
    assert one(foreign, "anthropic").quirks == Quirks()


def test_another_wire_needs_an_address() -> None:
    with pytest.raises(SettingsError, match=r"endpoints\[0\].api_base: expected an address"):
        with_endpoint("deepseek", endpoint_type="anthropic")


def test_quirks_merge_from_row_to_binding() -> None:
    binding = {"endpoint_id": "e", "capabilities": {"think_tags": True, "own": 1}}
    model = {"capabilities": {"renamed": {"seed": "s"}, "stream_usage": False}}
    settings = Settings(
        endpoints=[{"id": "e", "capabilities": {"stream_usage": True, "unsupported": ["n"]}}],
        backends={"openai": {"models": {"m": {**model, "endpoints": [binding]}}}},
    )
    own = BACKENDS[BackendType.OpenAI].quirks
    assert one(settings, "openai").quirks == own.merge(
        think_tags=True, renamed=(("seed", "s"),), stream_usage=False, unsupported=("n",)
    )
    assert settings.export()["backends"]["openai"]["models"]["m"]["endpoints"] == [binding]


def test_a_quirk_of_a_wrong_type_is_named() -> None:
    with pytest.raises(SettingsError, match=r"endpoints\[0\].capabilities.think_tags: expected"):
        with_endpoint("openai", capabilities={"think_tags": "perhaps"})


def test_capabilities_say_what_older_flags_said() -> None:
    model = {
        "endpoints": ["e"],
        "function_call_available": True,
        "capabilities": {
            "tools": False,
            "structured_output": "json_schema",
            "input_modalities": ["text", "image"],
            "thinking": "configurable",
        },
    }
    target = one(
        Settings(endpoints=[{"id": "e"}], backends={"openai": {"models": {"m": model}}}), "openai"
    )
    assert target.function_call_available is False
    assert target.response_format_available is True
    assert target.native_multimodal is True
    assert target.quirks.thinking == "reasoning_effort"


@pytest.mark.parametrize(
    ("backend", "fields", "url"),
    [
        ("qwen", {"region": "intl"}, "https://dashscope-intl.aliyuncs.com/compatible-mode/v1"),
        ("qwen", {}, "https://dashscope.aliyuncs.com/compatible-mode/v1"),
        # older files give only the beginning of the address
        (
            "gemini",
            {"api_base": "https://generativelanguage.googleapis.com/v1beta/"},
            "https://generativelanguage.googleapis.com/v1beta/openai",
        ),
        ("anthropic", {"is_bedrock": True}, ""),
    ],
)
def test_addresses(backend: str, fields: dict[str, Any], url: str) -> None:
    assert one(with_endpoint(backend, **fields), backend).endpoint.url == url


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        (False, False),
        ("ca.pem", "ca.pem"),
        ({"cert": "c", "key": "k"}, ("c", "k")),
        ({"cert": "c"}, ("c",)),
        ({"cert": "c", "ca": "a"}, ("c", "", "a")),
    ],
)
def test_verify(given: Any, taken: Any) -> None:
    assert one(with_endpoint("openai", verify=given), "openai").endpoint.verify == taken


def test_equal_endpoints_are_equal_and_hash() -> None:
    fields: dict[str, Any] = {
        "api_key": "k",
        "credentials": {"project_id": "p", "nested": {"list": [1, 2]}},
        "headers": {"B": "2", "A": "1"},
        "proxy": "http://u:p@proxy.test",
        "timeout": 3,
        "organization": "o",
    }
    first, second = (one(with_endpoint("openai", **fields), "openai").endpoint for _ in range(2))
    assert first == second
    assert hash(first) == hash(second)
    assert first.timeout == 3
    assert first.headers == (("A", "1"), ("B", "2"))


def test_the_default_limits_hold_where_limits_are_kept() -> None:
    settings = with_endpoint("openai")
    assert one(settings, "openai").rpm is None
    with settings.override(rate_limit={"enabled": True, "default_rpm": 5}):
        assert one(settings, "openai").rpm == 5
        assert one(settings, "openai").tpm == 1_000_000


def test_header_templates(document: dict[str, Any]) -> None:
    headers = {"X": "${backend}/${model}/${model_id}@${endpoint_id}", "Y": "plain"}
    document["endpoints"][1]["headers"] = headers
    target = Settings(document).resolve("openai", "gpt-4o")[1]
    assert target.headers == {"X": "openai/gpt-4o/deployed@b", "Y": "plain"}

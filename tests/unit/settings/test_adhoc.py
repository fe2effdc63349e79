"""Targets without any file."""

from typing import Any

import pytest

from franca.errors import SettingsError
from franca.settings import Secret
from franca.settings.adhoc import adhoc
from franca.types import BackendType, EndpointType


def test_one_address() -> None:
    (target,) = adhoc(BackendType.Local, "m", base_url="http://l.test/v1/", api_key="k")
    assert (target.backend, target.model, target.model_id) == ("local", "m", "m")
    assert target.endpoint.id == "local"
    assert target.endpoint.url == "http://l.test/v1"
    assert target.endpoint.api_key == Secret("k")


def test_the_same_again_is_not_built_again() -> None:
    first, second = (
        adhoc("openai", "m", base_url="http://l.test/v1", api_key="k", timeout=3) for _ in range(2)
    )
    assert first is second


def test_several_addresses() -> None:
    targets = adhoc(
        "deepseek",
        "m",
        api_key="shared",
        endpoints=[
            {"base_url": "http://second.test", "priority": 2, "model_id": "other"},
            {"id": "mine", "api_base": "http://first.test", "api_key": "own", "rpm": 3},
            {"api_base": "http://a.test", "endpoint_type": "anthropic", "priority": 3},
        ],
    )
    assert [t.endpoint_id for t in targets] == ["mine", "deepseek-1", "deepseek-3"]
    assert [t.model_id for t in targets] == ["m", "other", "m"]
    assert [t.endpoint.api_key for t in targets] == [Secret(k) for k in ("own", "shared", "shared")]
    assert targets[0].rpm == 3
    assert targets[2].endpoint.type is EndpointType.Anthropic
    assert targets[2].wire == "anthropic-messages"


@pytest.mark.parametrize(("region", "host"), [("cn", "moonshot.cn"), ("intl", "moonshot.ai")])
def test_region_picks_the_address(region: str, host: str) -> None:
    (target,) = adhoc("moonshot", api_key="k", region=region)
    assert host in target.endpoint.url


def test_the_variable_s_key_is_read_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    for value in ("one", "two"):
        monkeypatch.setenv("GROQ_API_KEY", value)
        (target,) = adhoc("groq", "m", region="intl")
        assert target.endpoint.api_key == Secret(value)


def test_the_variable_s_key_goes_to_no_other_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROQ_API_KEY", "k")
    (target,) = adhoc("groq", "m", base_url="http://else.test/v1")
    assert target.endpoint.api_key is None


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"backend": "opnai"}, "did you mean 'openai'?"),
        ({"backend": "local"}, "no model named"),
        ({"backend": "openai", "timeout": "soon"}, "endpoints[0].timeout: expected"),
        ({"backend": "openai", "endpoints": []}, "at least one endpoint"),
        ({"backend": "openai", "endpoints": [{"id": "a"}, {"id": "a"}]}, "already that of"),
        ({"backend": "openai", "endpoint_type": "antropic"}, "did you mean 'anthropic'?"),
    ],
)
def test_the_same_checks_as_a_file_s(arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(SettingsError) as caught:
        adhoc(**arguments)
    assert says in str(caught.value)

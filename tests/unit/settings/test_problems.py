"""All that is wrong, at once, each with its place."""

import re
import subprocess
import sys
import warnings
from decimal import Decimal
from typing import Any, cast

import pytest

from franca import create_chat_client
from franca.errors import SettingsError
from franca.limits.redis.place import place_of
from franca.settings import Settings, SettingsWarning


def problems(document: Any, **options: Any) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        Settings().load(document, **options)
    return list(caught.value.problems)


def test_all_problems_in_one_error() -> None:
    lines = problems(
        {
            "endpoints": [
                {"id": "main", "rpm": "many", "api_kye": "k"},
                {"id": "main"},
                {"endpoint_type": "open_ai"},
                {"id": "v", "verify": {"certt": "c"}},
                {"id": "k", "api_key": 5, "api_base": "${env:FRANCA_TEST_NOT_THERE}"},
            ],
            "backends": {
                "openai": {
                    "default_endpoint": "mian",
                    "models": {
                        "gpt-4o": {"endpoints": ["main", "mein", {"priority": 0}]},
                        "gone": {"endpoints": ["nowhere"]},
                        "off": {"endpoints": [{"endpoint_id": "main", "enabled": False}]},
                        "list": {"endpoints": 5},
                    },
                }
            },
            "rate_limit": {"enabled": True, "backend": "reddis"},
        }
    )
    said = dict(line.split(": ", 1) for line in lines)
    models = "backends.openai.models"
    assert said == {
        "endpoints[4].api_base": "expected environment variable FRANCA_TEST_NOT_THERE to be set",
        "endpoints[0].rpm": "expected a valid integer, got str",
        "endpoints[2].id": "expected, and missing",
        "endpoints[2].endpoint_type": said["endpoints[2].endpoint_type"],
        "endpoints[3].verify.cert": "expected, and missing",
        "endpoints[4].api_key": "expected text or a callable that gives it, got int",
        f"{models}.gpt-4o.endpoints[2].endpoint_id": "expected, and missing",
        f"{models}.gpt-4o.endpoints[2].priority": "expected greater than or equal to 1",
        f"{models}.list.endpoints": "expected a valid list, got int",
        "rate_limit.backend": "expected 'memory', 'redis' or 'diskcache'; did you mean 'redis'?",
        "endpoints[1].id": "expected an id of its own; 'main' is already that of endpoints[0]",
        "backends.openai.default_endpoint": said["backends.openai.default_endpoint"],
        f"{models}.gpt-4o.endpoints[1]": said[f"{models}.gpt-4o.endpoints[1]"],
        f"{models}.gone.endpoints[0]": said[f"{models}.gone.endpoints[0]"],
        f"{models}.off.endpoints": said[f"{models}.off.endpoints"],
        "endpoints[0].api_kye": "unknown key; did you mean 'api_key'?",
        "endpoints[3].verify.certt": "unknown key; did you mean 'cert'?",
    }
    assert said["endpoints[2].endpoint_type"].endswith("did you mean 'openai'?")
    assert said["backends.openai.default_endpoint"].endswith("did you mean 'main'?")
    assert "did you mean 'main'?" in said[f"{models}.gpt-4o.endpoints[1]"]
    assert "exists and is enabled" in said[f"{models}.off.endpoints"]


def test_no_line_is_without_its_place(document: dict[str, Any]) -> None:
    document["backends"] = []
    document["endpoints"] = "x"
    assert all(re.match(r"[\w.\[\]-]+: ", line) for line in problems(document))


def odd(document: dict[str, Any]) -> dict[str, Any]:
    document["endpoints"][0]["api_bass"] = "x"
    document["endpoints"][0]["headers"] = {"X": "${modle_id}"}
    document["backends"]["openai"]["models"]["gpt-4o"]["endpoints"].append("c")
    document["backends"]["opnai"] = {}
    document["backend"] = {}
    document["franca"] = {"retries": {}}
    document["qwen"] = {"models": {}}
    return document


def test_oddities_warn_once_and_load(document: dict[str, Any]) -> None:
    settings = Settings()
    with pytest.warns(SettingsWarning) as caught:
        settings.load(odd(document))
    assert len(caught) == 1
    assert caught[0].filename == __file__
    text = str(caught[0].message)
    for line in (
        "endpoints[0].api_bass: unknown key; did you mean 'api_base'?",
        "endpoints[0].headers.X: unknown template ${modle_id}; did you mean 'model_id'?",
        "backends.openai.models.gpt-4o.endpoints[4]: expected an endpoint's id",
        "backends.opnai: unknown backend, left out; did you mean 'openai'?",
        "backend: unknown key; did you mean 'backends'?",
        "franca.retries: unknown key",
        "qwen: expected under backends.qwen",
    ):
        assert line in text
    assert [t.endpoint_id for t in settings.resolve("openai")] == ["a", "b"]


def test_oddities_are_errors_when_strict(document: dict[str, Any]) -> None:
    assert len(problems(odd(document), strict=True)) == 7


def test_a_load_that_fails_changes_nothing(document: dict[str, Any]) -> None:
    settings = Settings(document)
    before = settings.snapshot
    with pytest.raises(SettingsError):
        settings.load({"endpoints": 1})
    assert settings.snapshot is before


@pytest.mark.parametrize("version", ["3", "0.8", 3])
def test_unknown_versions_are_refused_by_name(version: Any) -> None:
    (line,) = problems({"VERSION": version})
    assert line.startswith(f"VERSION: {str(version)!r} is not a version")


def test_version_2_may_be_a_number_or_missing(document: dict[str, Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Settings({**document, "VERSION": 2})
        del document["VERSION"]
        Settings({**document, "$schema": "settings.schema.json"})
        Settings({"endpoints": []})


@pytest.mark.parametrize("marked", [True, False])
def test_version_1_is_upgraded_and_the_new_form_shown(marked: bool) -> None:
    old: dict[str, Any] = {
        "endpoints": [{"id": "a", "api_key": "planted-canary-key"}],
        "openai": {"models": {"m": {"id": "m", "endpoints": ["a"]}}},
    }
    if marked:
        old["VERSION"] = "1"
    settings = Settings()
    with pytest.warns(SettingsWarning, match='"backends": {') as caught:
        settings.load(old)
    text = str(caught[0].message)
    assert '"VERSION": "2"' in text
    assert "canary" not in text
    assert settings.resolve("openai", "m")[0].endpoint_id == "a"
    assert "backends" not in old


def test_embedding_and_rerank_references_are_checked(document: dict[str, Any]) -> None:
    document["embedding_backends"] = {"mine": {"models": {"e": {"id": "e", "endpoints": ["x"]}}}}
    (line,) = problems(document)
    assert line.startswith("embedding_backends.mine.models.e.endpoints[0]: ")


@pytest.mark.parametrize(
    "url",
    [
        "redis://", "redis://h", "redis://u:p@h:1/2", "rediss://[::1]:6379/0", "unix:///run/r.sock",
        "redis+sentinel://a:1,b:2/main", "redis+sentinel://a/main/3", "redis+cluster://a:1,b:2",
    ],
)  # fmt: skip
def test_every_form_of_redis_loads(url: str) -> None:
    place_of(url)  # the store takes it
    Settings({"rate_limit": {"enabled": True, "backend": "redis", "redis": {"url": url}}})


@pytest.mark.parametrize(
    "url",
    [
        "", "h:6379", "http://secret@h", "redis://:secret@h:x", "redis://:secret@h:70000",
        "redis://:secret@a,b", "redis://secret@[::1/0", "redis+sentinel://a:1", "valkey://h",
        "redis+x://h", "unix://", "redis://h/secret", "redis://h/1/2", "redis+sentinel://a/main/x",
    ],
)  # fmt: skip
def test_a_redis_url_of_a_wrong_form_fails_at_load(url: str) -> None:
    limits = {"enabled": True, "backend": "redis", "redis": {"url": url}}
    (line,) = problems({"rate_limit": limits})
    assert line.startswith("rate_limit.redis.url: expected redis://host:port/db")
    assert "secret" not in line


def test_checking_a_redis_url_loads_no_redis() -> None:
    code = """
import sys
from franca.settings import Settings
Settings({"rate_limit": {"backend": "redis", "redis": {"url": "redis://h"}}})
assert "redis" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_rates() -> None:
    settings = Settings({"franca": {"rates": {"CNY": 7.1, "EUR": "0.93"}}})
    assert settings.rates == {"CNY": Decimal("7.1"), "EUR": Decimal("0.93")}
    assert Settings().rates == Settings({"franca": {}}).rates == {}


@pytest.mark.parametrize("rate", [0, -1, "x", None, float("inf"), float("nan"), [7]])
def test_a_rate_that_is_none(rate: Any) -> None:
    (line,) = problems({"franca": {"rates": {"CNY": rate}}})
    assert line.startswith("franca.rates.CNY: expected")


@pytest.mark.parametrize("currency", ["cny", "USD", "YUAN", ""])
def test_a_currency_that_is_none(currency: str) -> None:
    (line,) = problems({"franca": {"rates": {currency: 7}}})
    assert "expected a code of three capitals other than USD" in line


def _with(**endpoint: Any) -> dict[str, Any]:
    place = {"id": "e", "api_base": "https://api.example/v1", **endpoint}
    models = {"m": {"endpoints": ["e"]}}
    return {"VERSION": "2", "endpoints": [place], "backends": {"openai": {"models": models}}}


@pytest.mark.parametrize("url", ["127.0.0.1:8080/v1", "http://", "localhost", "ftp://a.example"])
def test_an_address_that_cannot_be_called(url: str) -> None:
    with pytest.raises(SettingsError, match=r"endpoints\[0\]\.api_base: expected http://"):
        Settings(_with(api_base=url))
    with pytest.raises(SettingsError, match=r"endpoints\[0\]\.api_base: expected http://"):
        create_chat_client("local", "m", base_url=url)
    assert Settings(_with(api_base=" ")).resolve("openai", "m")  # blank: the vendor's own


def test_a_reference_of_an_unknown_kind() -> None:
    with pytest.raises(SettingsError, match=r"endpoints\[0\]\.api_key: .*no \$\{evn:…\}"):
        Settings(_with(api_key="${evn:OPENAI_API_KEY}"))


def test_a_capability_that_is_nearly_known() -> None:
    with pytest.warns(SettingsWarning, match=r"capabilities\.thinkin: .*did you mean 'thinking'"):
        Settings(_with(capabilities={"thinkin": "none", "something_of_theirs": 1}))


def test_limits_that_are_neither_on_nor_off() -> None:
    with pytest.warns(SettingsWarning, match=r"rate_limit\.enabled: not said, so no limit holds"):
        Settings({**_with(rpm=5), "rate_limit": {"backend": "memory"}})


@pytest.mark.parametrize("endpoints", ["https://api.example/v1", {"base_url": "x"}, [5]])
def test_endpoints_that_are_no_list_of_mappings(endpoints: Any) -> None:
    with pytest.raises(SettingsError, match="endpoints: expected a list of mappings"):
        create_chat_client("local", "m", endpoints=endpoints)


def test_options_of_another_kind() -> None:
    wrong: Any = "settings.json"
    with pytest.raises(TypeError, match=r"settings: expected franca\.Settings"):
        create_chat_client("local", "m", settings=wrong)
    with pytest.raises(TypeError, match=r"hooks: expected franca\.Hooks"):
        create_chat_client(
            "local", "m", base_url="http://127.0.0.1:8080/v1", hooks=cast("Any", print)
        )
    with pytest.raises(TypeError, match=r"hooks: expected franca\.Hooks"):
        create_chat_client(
            "local", "m", base_url="http://127.0.0.1:8080/v1", hooks=[cast("Any", 5)]
        )

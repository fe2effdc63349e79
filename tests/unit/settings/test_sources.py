"""Files, references and the environment."""

import json
from pathlib import Path
from typing import Any

import pytest

from franca.errors import SettingsError
from franca.settings import Secret, Settings, SettingsWarning
from franca.types import BackendType

ROOT = Path(__file__).parents[3]
YAML = """
endpoints:
  - {id: a, api_base: "http://a.test"}
backends: {openai: {models: {m: {endpoints: [a]}}}}
"""
TOML = """
endpoints = [{id = "a", api_base = "http://a.test"}]
[backends.openai.models.m]
endpoints = ["a"]
"""
JSON = (
    '{"endpoints": [{"id": "a"}], "backends": {"openai": {"models": {"m": {"endpoints": ["a"]}}}}}'
)


@pytest.mark.parametrize(
    ("name", "text"), [("s.json", JSON), ("s.yaml", YAML), ("s.yml", YAML), ("s.TOML", TOML)]
)
def test_forms(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_text("\ufeff" + text if name == "s.json" else text, "utf-8")
    for given in (path, str(path)):
        assert Settings().load(given).resolve("openai", "m")[0].endpoint_id == "a"
    assert Settings(path).snapshot.source == str(path)


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("s.json", '{\n"endpoints": [,]}', "line 2"),
        ("s.json", '{"backends": {}, "backends": {}}', "'backends' is given twice"),
        ("s.yaml", "endpoints:\n\t- a", "line 2"),
        ("s.toml", "endpoints =\n", "line 1"),
        ("s.ini", "", ".json, .yaml"),
        ("s.yaml", "- a", "expected a mapping"),
    ],
)
def test_a_file_of_no_form_is_named(tmp_path: Path, name: str, text: str, says: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(SettingsError) as caught:
        Settings().load(path)
    assert says in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"nowhere\.json: no such file; give"):
        Settings(tmp_path / "nowhere.json")


def test_the_example_loads_as_it_stands() -> None:
    settings = Settings(ROOT / "settings.example.json", strict=True)
    assert {t.backend for t in settings.targets()} >= {"openai", "anthropic", "qwen", "local"}
    for backend in BackendType:
        known = settings.snapshot.models[backend]
        (target, *_) = settings.resolve(backend, known[0] if known else "any-model")
        assert target.endpoint.url.startswith("http")


def test_nothing_is_read_from_the_current_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("settings.json", ".env", "franca.yaml"):
        (tmp_path / name).write_text("FRANCA_ENDPOINTS=nonsense")
    monkeypatch.chdir(tmp_path)
    assert list(Settings().load().targets()) == []


def test_references(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "key.txt").write_text("from-file\n")
    monkeypatch.setenv("MY_KEY", "from-variable")
    path = tmp_path / "s.json"
    endpoints = [
        {"id": "a", "api_key": "${file:key.txt}", "headers": {"X": "t ${env:MY_KEY} ${model_id}"}},
        {"id": "b", "api_key": "${env:MY_KEY}"},
    ]
    backends = {"openai": {"models": {"m": {"endpoints": ["a", "b"]}}}}
    path.write_text(json.dumps({"endpoints": endpoints, "backends": backends}))
    settings = Settings(path)
    a, b = settings.resolve("openai", "m")
    assert (a.endpoint.api_key, b.endpoint.api_key) == (
        Secret("from-file"),
        Secret("from-variable"),
    )
    assert a.headers == {"X": "t from-variable m"}
    assert settings.export()["endpoints"][1]["api_key"] == "${env:MY_KEY}"


def test_a_missing_reference_names_its_place(
    document: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FRANCA_TEST_KEY", "x")
    document["endpoints"][0]["api_key"] = "${env:FRANCA_TEST_KEI}"
    document["endpoints"][1]["headers"] = {"X": "${file:no/such}"}
    with pytest.raises(SettingsError) as caught:
        Settings(document)
    first, second = caught.value.problems
    assert first.startswith("endpoints[0].api_key: expected environment variable FRANCA_TEST_KEI")
    assert first.endswith("did you mean 'FRANCA_TEST_KEY'?")
    assert second.startswith("endpoints[1].headers.X: expected a readable text file")


def test_the_environment(
    tmp_path: Path, document: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "s.json"
    path.write_text(json.dumps(document))
    monkeypatch.setenv("FRANCA_SETTINGS", str(path))
    settings = Settings().load()
    assert settings.resolve("openai", "gpt-4o")[0].rpm is None
    monkeypatch.setenv("FRANCA_RATE_LIMIT__ENABLED", "true")
    monkeypatch.setenv("FRANCA_RATE_LIMIT__DEFAULT_RPM", "9")
    monkeypatch.setenv("FRANCA_BACKENDS__OPENAI__DEFAULT_ENDPOINT", "b")
    settings.load()
    assert settings.resolve("openai", "gpt-4o")[0].rpm == 9
    assert settings.resolve("openai", "unlisted")[0].endpoint_id == "b"


def test_the_environment_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRANCA_ENDPOINTS", '[{"id": "e", "api_key": "k"}]')
    monkeypatch.setenv("FRANCA_BACKENDS", '{"groq": {"default_endpoint": "e"}}')
    monkeypatch.setenv("FRANCA_RATE_LIMITS__ENABLED", "true")
    with pytest.warns(SettingsWarning, match="did you mean 'FRANCA_RATE_LIMIT'"):
        settings = Settings().load()
    assert settings.resolve("groq")[0].endpoint.api_key == Secret("k")


def test_a_variable_that_is_not_json_is_named_without_its_value(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FRANCA_ENDPOINTS", "[{planted-canary")
    with pytest.raises(SettingsError, match="FRANCA_ENDPOINTS: expected JSON") as caught:
        Settings().load()
    assert "canary" not in str(caught.value)


def test_a_key_may_be_a_callable(document: dict[str, Any]) -> None:
    keys = iter(["first", "second"])
    document["endpoints"][0]["api_key"] = lambda: next(keys)
    key = Settings(document).resolve("openai")[0].endpoint.api_key
    assert key is not None
    assert (key.fixed, key.reveal(), key.reveal()) == (False, "first", "second")

"""`franca settings`: check, show, schema, init."""

import json
import os
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from franca.backends import BACKENDS
from franca.cli import first_file
from franca.settings import Settings
from franca.types import BackendType

KEY = "a-key-that-nobody-may-see"
Run = Callable[..., "subprocess.CompletedProcess[str]"]
Write = Callable[..., Path]
URL = "http://127.0.0.1:9"


def test_a_good_file(franca: Run, settings_file: Write) -> None:
    path = str(settings_file(URL))
    done = franca("settings", "check", path)
    assert (done.returncode, done.stdout) == (0, f"{path}: good, 2 targets\n")
    told = json.loads(franca("settings", "check", "--settings", path, "--json").stdout)
    assert (told["ok"], told["problems"], told["targets"]) == (True, [], 2)


def test_all_problems_with_their_paths(franca: Run, settings_file: Write) -> None:
    endpoints = [{"id": "one", "rpm": "many"}, {"id": "one", "api_key": KEY}]
    path = str(settings_file(URL, endpoints=endpoints))
    done = franca("settings", "check", path)
    assert done.returncode == 2
    lines = done.stdout.splitlines()
    assert {line.partition(":")[0] for line in lines[:-1]} >= {
        "endpoints[0].rpm",
        "endpoints[1].id",
    }
    told = franca("settings", "check", path, "--json")
    assert told.returncode == 2
    assert json.loads(told.stdout)["problems"] == lines[:-1]
    assert KEY not in done.stdout + done.stderr + told.stdout


def test_a_file_that_is_none(franca: Run, tmp_path: Path) -> None:
    (tmp_path / "broken.json").write_text('{"VERSION": "2",\n "endpoints": [}')
    done = franca("settings", "check", "broken.json")
    assert done.returncode == 2
    assert "line 2" in done.stdout
    assert franca("settings", "check", "absent.json").returncode == 2
    assert "settings init" in franca("settings", "check").stdout


def test_what_is_odd_warns_or_fails(franca: Run, settings_file: Write) -> None:
    path = str(settings_file(URL, rate_limits={}))
    done = franca("settings", "check", path, "--json")
    assert done.returncode == 0
    assert ["rate_limit" in line for line in json.loads(done.stdout)["warnings"]] == [True]
    assert franca("settings", "check", path, "--strict").returncode == 2
    shown = franca("settings", "show", path)
    assert "rate_limits" in shown.stderr
    assert ".py" not in shown.stderr  # a warning has no line of code here


def test_show_hides_keys_and_not_references(franca: Run, settings_file: Write) -> None:
    endpoints = [
        {"id": "one", "api_base": URL, "api_key": KEY},
        {"id": "two", "api_base": f"{URL}/v1", "api_key": "${env:MY_KEY}"},
    ]
    backends = {"local": {"models": {"m": {"endpoints": ["one"]}}, "default_endpoint": "two"}}
    path = str(settings_file(URL, endpoints=endpoints, backends=backends))
    done = franca("settings", "show", path, MY_KEY="another-key-of-mine")
    assert done.returncode == 0, done.stderr
    assert '"api_key": "***"' in done.stdout
    assert '"api_key": "${env:MY_KEY}"' in done.stdout
    told = json.loads(franca("settings", "show", path, "--json", MY_KEY="x").stdout)
    found = [(one["model"], one["endpoint"], one["url"]) for one in told["targets"]]
    assert found == [("m", "one", URL), (None, "two", f"{URL}/v1")]
    assert KEY not in done.stdout + str(told)
    assert "another-key" not in done.stdout


def test_schema(franca: Run) -> None:
    assert "endpoints" in json.loads(franca("settings", "schema").stdout)["properties"]


KEYS = {"OPENAI_API_KEY": KEY, "MOONSHOT_API_KEY": KEY, "YI_API_KEY": KEY}


@pytest.mark.parametrize("name", ["settings.json", "first.yaml"])
def test_init_names_the_variables(franca: Run, tmp_path: Path, name: str) -> None:
    done = franca("settings", "init", "--output", name, **KEYS)
    assert done.returncode == 0, done.stderr
    written = (tmp_path / name).read_text()
    assert KEY not in written + done.stdout
    assert "${env:OPENAI_API_KEY}" in written
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert "FRANCA_SETTINGS" in done.stdout
    checked = franca("settings", "check", "--strict", name, **KEYS)
    assert checked.returncode == 0, checked.stdout


def test_what_init_wrote_leads_somewhere(
    franca: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert franca("settings", "init", **KEYS).returncode == 0
    for name, key in KEYS.items():
        monkeypatch.setenv(name, key)
    settings = Settings(tmp_path / "settings.json")
    (target,) = settings.resolve("openai")
    assert target.model == BACKENDS[BackendType.OpenAI].default_model
    assert target.endpoint.api_key
    assert target.endpoint.api_key.reveal() == KEY
    assert settings.resolve("yi", "any-model")[0].endpoint.url == "https://api.lingyiwanwu.com/v1"


def test_init_overwrites_nothing(franca: Run, tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    path.write_text("mine")
    done = franca("settings", "init", "--json", **KEYS)
    assert done.returncode == 1
    assert "--force" in json.loads(done.stdout)["error"]["message"]
    assert path.read_text() == "mine"
    assert franca("settings", "init", "--force", **KEYS).returncode == 0
    assert "OPENAI_API_KEY" in path.read_text()


def test_init_without_keys(franca: Run, tmp_path: Path) -> None:
    done = franca("settings", "init")
    assert done.returncode == 1
    assert "DASHSCOPE_API_KEY" in done.stdout
    told = json.loads(franca("settings", "init", "--json").stdout)
    assert (told["written"], told["looked_for"]["qwen"]) == (None, "DASHSCOPE_API_KEY")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["settings.ini", "nowhere/settings.json"])
def test_init_where_no_file_can_be(franca: Run, tmp_path: Path, name: str) -> None:
    done = franca("settings", "init", "--output", name, **KEYS)
    assert done.returncode == 1
    assert done.stderr.startswith(f"franca: {name}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="file modes")
def test_what_init_wrote_is_ones_own(franca: Run, tmp_path: Path) -> None:
    franca("settings", "init", **KEYS)  # a key may be written into it by hand later
    assert stat.S_IMODE((tmp_path / "settings.json").stat().st_mode) == 0o600


def test_what_cannot_be_written_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*paths: object) -> None:
        raise KeyboardInterrupt

    path = tmp_path / "settings.json"
    path.write_text("mine")
    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        first_file.write({"VERSION": "2"}, path, force=True)
    assert [one.name for one in tmp_path.iterdir()] == ["settings.json"]
    assert path.read_text() == "mine"

"""`franca models`: the catalogue under the settings, and what endpoints say they serve."""

import json
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from franca.backends.catalogue import models
from franca.cli.models import compared, lines, show
from franca.cli.served import names
from franca.errors import SettingsError
from franca.settings import Settings

KEY = "a-key-that-nobody-may-see"
Run = Callable[..., "subprocess.CompletedProcess[str]"]


def settings(url: str, backend: str = "openai", /, **listed: dict[str, Any]) -> Settings:
    entries: dict[str, Any] = {name: {"endpoints": ["e"], **more} for name, more in listed.items()}
    endpoint = {"id": "e", "api_base": url, "api_key": KEY, "headers": {"x-team": "t"}}
    return Settings(endpoints=[endpoint], backends={backend: {"models": entries}})


class Vendor(BaseHTTPRequestHandler):
    """Answers every GET with `status` and `answer`."""

    url: ClassVar[str]
    status: ClassVar[int]
    answer: ClassVar[Any]
    asked: ClassVar[list[tuple[str, dict[str, str]]]]

    def do_GET(self) -> None:
        self.asked.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
        text = isinstance(self.answer, str)
        body = self.answer.encode() if text else json.dumps(self.answer).encode()
        self.send_response(self.status)
        self.send_header("Content-Type", "text/plain" if text else "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing on the terminal."""


@pytest.fixture
def vendor() -> Iterator[type[Vendor]]:
    Vendor.status, Vendor.answer, Vendor.asked = 200, {"data": []}, []
    with ThreadingHTTPServer(("127.0.0.1", 0), Vendor) as server:
        Vendor.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Vendor
        server.shutdown()


def serving(*ids: str) -> dict[str, Any]:
    return {"object": "list", "data": [{"id": i, "object": "model"} for i in ids]}


def states(url: str, backend: str = "openai", /, **listed: dict[str, Any]) -> dict[str, str]:
    found = compared(settings(url, backend, **listed).targets())
    return {row.model: row.state for row in found}


def test_the_catalogue_alone() -> None:
    found = lines([], "groq")
    assert [line.model for line in found] == [row.name for row in models("groq")]
    assert not any(line.configured for line in found)
    assert {line.backend for line in lines([])} >= {"openai", "yi", "doubao"}


def test_the_settings_first_and_over_the_catalogue() -> None:
    own = settings("http://a.test", **{"gpt-5-mini": {"context_length": 1000}, "mine": {}})
    known, mine, *others = lines(list(own.targets()))
    assert (known.model, known.configured, known.catalogued) == ("gpt-5-mini", True, True)
    assert (known.context_length, known.max_output_tokens) == (1000, 128_000)
    assert known.endpoints == ("e",)
    assert known.date is not None
    assert (mine.model, mine.catalogued, mine.context_length) == ("mine", False, None)
    assert len(others) == len(models("openai")) - 1
    assert {line.backend for line in others} == {"openai"}


def test_what_an_endpoint_serves(vendor: type[Vendor]) -> None:
    vendor.answer = serving("gpt-5-mini-2025-08-07", "gpt-4o", "odd")
    assert states(f"{vendor.url}/v1", **{"gpt-5-mini": {}, "gone": {}}) == {
        "gpt-5-mini-2025-08-07": "configured",
        "gone": "not served",
        "gpt-4o": "known",
        "odd": "unknown",
    }
    ((path, headers),) = vendor.asked
    assert path == "/v1/models"
    assert headers["authorization"] == f"Bearer {KEY}"
    assert headers["x-team"] == "t"


@pytest.mark.parametrize("base", ["", "/v1"])
def test_on_anthropics_wire(vendor: type[Vendor], base: str) -> None:
    vendor.answer = serving("claude-haiku-4-5-20251001")
    listed = {"claude-haiku-4-5": {}}
    assert states(vendor.url + base, "anthropic", **listed) == {
        "claude-haiku-4-5-20251001": "configured"
    }
    ((path, headers),) = vendor.asked
    assert path == "/v1/models?limit=1000"
    assert KEY in headers.get("x-api-key", headers.get("authorization", ""))


@pytest.mark.parametrize(
    ("status", "answer", "says"),
    [
        (401, {"error": {"message": f"no such key: {KEY}"}}, "AuthenticationError"),
        (500, {}, ""),
        (404, "nothing here", ""),
        (200, "a page", "APIError: the answer lists no models"),
        (200, {"object": "error"}, "APIError: the answer lists no models"),
    ],
)
def test_an_endpoint_that_fails_is_a_row(
    vendor: type[Vendor], status: int, answer: Any, says: str
) -> None:
    vendor.status, vendor.answer = status, answer
    (row,) = compared(settings(vendor.url, m={}).targets())
    assert row.state == "failed"
    assert row.error is not None
    assert row.error.startswith(says)
    assert KEY not in row.error


def test_nobody_at_home_and_a_cloud() -> None:
    (row,) = compared(settings("http://127.0.0.1:9", m={}).targets())
    assert row.error is not None
    assert row.error.startswith("ConnectionError")
    azure = Settings(
        endpoints=[{"id": "e", "api_base": "http://a.test", "endpoint_type": "openai_azure"}],
        backends={"openai": {"models": {"m": {"endpoints": ["e"]}}}},
    )
    assert compared(azure.targets())[0].state == "failed"


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ({"data": [{"id": "a"}, {"name": "b"}, {}]}, ["a", "b"]),
        ({"models": [{"name": "a"}]}, ["a"]),
        ([{"id": "a"}], ["a"]),
        (["a"], ["a"]),
        ({"data": []}, []),
        ({"error": "x"}, None),
        (None, None),
        ("text", None),
    ],
)
def test_the_forms_of_an_answer(answer: Any, found: list[str] | None) -> None:
    assert names(answer) == found


def test_no_such_backend_and_nobody_to_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match="did you mean 'groq'"):
        show(None, "grok")
    monkeypatch.delenv("YI_API_KEY", raising=False)
    with pytest.raises(SettingsError, match="no endpoint to ask"):
        show(Settings(), "yi", remote=True)


def test_the_command(franca: Run, vendor: type[Vendor], tmp_path: Path) -> None:
    done = franca("models", "--backend", "groq", "--json")
    rows = json.loads(done.stdout)
    assert done.returncode == 0
    assert {row["model"] for row in rows} == {row.name for row in models("groq")}
    vendor.answer = serving("m")
    document = {
        "endpoints": [{"id": "e", "api_base": vendor.url, "api_key": KEY}],
        "backends": {"local": {"models": {"m": {"endpoints": ["e"]}}}},
    }
    (tmp_path / "s.json").write_text(json.dumps(document))
    done = franca("models", "--remote", "--settings", "s.json", "--json")
    assert [row["state"] for row in json.loads(done.stdout)] == ["configured"]
    shown = franca("models", "--remote", "--settings", "s.json").stdout
    assert "local at e" in shown
    assert "configured" in shown


@pytest.mark.parametrize("columns", [40, 80, 160])
def test_every_width_shows_every_name(franca: Run, columns: int) -> None:
    shown = franca("models", "--backend", "anthropic", COLUMNS=str(columns)).stdout
    assert all(len(line) <= columns for line in shown.splitlines())
    assert shown.count("claude-") == len(models("anthropic"))
    assert "1,000,000" in shown

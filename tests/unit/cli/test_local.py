"""A real model behind `franca local`, and what happens where there is none."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from franca.cli import local
from franca.cli.child import local_server
from franca.cli.local import LocalModel, LocalServerError
from franca.errors import MissingExtraError

KEY = "a-key-for-this-test"
CHAT = {"model": "tiny", "max_tokens": 8, "messages": [{"role": "user", "content": "Hi"}]}


@pytest.fixture(scope="module")
def url(gguf: Path) -> Iterator[str]:
    with local_server(gguf, alias="tiny", api_key=KEY) as address:
        yield address


def post(url: str, body: dict[str, Any], key: str = KEY) -> Any:
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=60) as reply:
        return json.load(reply)


def test_it_is_ready_when_its_address_is_known(url: str) -> None:
    assert url.startswith("http://127.0.0.1:")
    with urllib.request.urlopen(f"{url}/health", timeout=60) as reply:
        assert reply.status == 200
        assert reply.headers["Access-Control-Allow-Origin"] != "*"


def test_both_wires(url: str) -> None:
    openai = post(f"{url}/v1/chat/completions", CHAT)
    assert openai["model"] == "tiny"
    assert openai["usage"]["completion_tokens"] <= 8
    assert openai["choices"][0]["finish_reason"] in ("stop", "length")
    anthropic = post(f"{url}/v1/messages", CHAT)
    assert anthropic["type"] == "message"
    assert anthropic["usage"]["output_tokens"] <= 8


def test_it_asks_for_the_key(url: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        post(f"{url}/v1/chat/completions", CHAT, key="another")
    assert caught.value.code == 401
    caught.value.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_cleanly(gguf: Path, number: int) -> None:
    command = [sys.executable, "-m", "franca", "local", str(gguf), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, bufsize=1) as server:
        assert server.stdout
        assert server.stdout.readline().startswith("http://")
        server.send_signal(number)
        try:
            assert server.wait(60) == 0
        finally:
            server.kill()


def test_a_signal_while_the_model_loads_ends_it(gguf: Path) -> None:
    code = (
        "import os, signal, sys; from franca.cli import local\n"
        "real = local._params\n"
        "def made(*given):\n"
        "    signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGINT))\n"
        "    signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)\n"  # when it loads, and again
        "    return real(*given)\n"
        "local._params = made\n"
        "local.serve(local.LocalModel(local.Path(sys.argv[1]), port=0))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(gguf)], capture_output=True, timeout=60)
    assert done.returncode in (130, 0)  # 0: it had loaded before the signal came
    assert b"Traceback" not in done.stderr


def test_the_shell_goes_on_with_a_line_of_its_own(terminal: Any, gguf: Path) -> None:
    serving = terminal("local", str(gguf), "--port", "0")
    serving.see("ends it")
    serving.type("\x03")
    assert serving.end() == 0
    assert serving.shown.endswith("^C\r\n")


@pytest.mark.skipif(os.name != "posix", reason="asks the system for a process by its id")
def test_it_ends_with_a_killed_parent(gguf: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from franca.cli.child import local_server\n"
        "with local_server(Path(sys.argv[1]), alias='a', api_key='k') as address:\n"
        "    print(address, flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", code, str(gguf)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        address = parent.stdout.readline().strip()
        parent.kill()
    ends = time.monotonic() + 60
    while reachable(address):
        assert time.monotonic() < ends


def reachable(address: str) -> bool:
    try:
        urllib.request.urlopen(f"{address}/health", timeout=60).close()
    except OSError:
        return False
    return True


def test_the_settings_say_where(tmp_path: Path) -> None:
    endpoint = {"id": "here", "api_base": "http://127.0.0.1:8123/v1", "api_key": KEY}
    models = {"small": {"id": "tiny", "endpoints": ["here"]}}
    document = {"VERSION": "2", "endpoints": [endpoint], "backends": {"local": {"models": models}}}
    path = tmp_path / "settings.json"
    path.write_text(json.dumps(document))
    expected = {"host": "127.0.0.1", "port": 8123, "alias": "tiny", "api_key": KEY}
    assert local.place(path) == expected
    del endpoint["api_key"]
    path.write_text(json.dumps(document))
    assert "api_key" not in local.place(path)


def test_its_address_as_json(gguf: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "franca", "local", str(gguf), "--port", "0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout
            told = json.loads(server.stdout.readline())
            assert post(f"{told['openai']}/chat/completions", CHAT)["choices"]
            assert told["model"] == gguf.stem
        finally:
            server.kill()


def test_a_file_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(LocalServerError, match="cannot be read"):
        local.find(tmp_path / "absent.gguf")
    (tmp_path / "other.gguf").write_text("something else")
    with pytest.raises(LocalServerError, match="is not a GGUF file"):
        local.find(tmp_path / "other.gguf")


def test_no_file_and_none_in_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRANCA_CACHE_DIR", str(tmp_path))
    with pytest.raises(LocalServerError, match="franca demo"):
        local.find(None)


def test_a_model_that_does_not_load(tmp_path: Path) -> None:
    pytest.importorskip("xllamacpp")
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF" + bytes(100))
    with (
        pytest.raises(LocalServerError, match="did not start"),
        local_server(broken, alias="a", api_key=KEY),
    ):
        pass


def test_no_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    with pytest.raises(MissingExtraError, match=r"franca\[local\]"):
        local.start(LocalModel(tmp_path / "model.gguf"))


def test_the_world_takes_a_key(tmp_path: Path) -> None:
    with pytest.raises(LocalServerError, match="api-key"):
        local.start(LocalModel(tmp_path / "model.gguf", host="0.0.0.0"))


def test_a_key_is_not_shown() -> None:
    assert KEY not in repr(LocalModel(Path("m"), api_key=KEY))

"""`franca token-server`: real processes, real HTTP."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from franca.chat_clients.counting import token_counter
from franca.cli.token_server import place
from franca.settings import Settings
from franca.tokens import count_messages_tokens, count_tokens
from franca.tokens.remote import text_question

KEY = "a-key-that-nobody-may-see"
SECRET = "the words of a prompt that no log may hold"
TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}
PICTURE = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
CONVERSATION = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": [{"type": "text", "text": "What is this?"}, PICTURE]},
    {"role": "assistant", "content": "A cat."},
    {"role": "user", "content": "是什么品种？"},
]
posix = pytest.mark.skipif(os.name != "posix", reason="sends signals")


def test_a_text(server: Any) -> None:
    for model in ("gpt-5", "claude-sonnet-4-5", "deepseek-chat"):
        status, reply = server.count(text="How many? 多少？", model=model)
        assert status == 200
        assert reply["total_tokens"] == count_tokens("How many? 多少？", model)
        assert reply["model"] == model
        assert reply["fallback"] is False
        assert reply["exact"] is (model != "claude-sonnet-4-5")


def test_a_conversation_with_tools(server: Any) -> None:
    status, reply = server.count(messages=CONVERSATION, tools=[TOOL], model="gpt-5")
    assert status == 200
    local = count_messages_tokens(messages=CONVERSATION, tools=[TOOL], model="gpt-5")
    assert reply["total_tokens"] == local
    assert reply["exact"] is False


def test_a_name_that_says_nothing_is_counted_and_said_so(server: Any) -> None:
    _, reply = server.count(text="hello", model="my-own-model")
    assert (reply["family"], reply["fallback"], reply["exact"]) == ("other", True, False)
    _, reply = server.count(text="hello", model="my-own-model", backend="qwen")
    assert (reply["family"], reply["fallback"], reply["exact"]) == ("qwen", True, True)
    _, reply = server.count(text="hello")  # vv-llm's clients may leave it out
    assert reply["total_tokens"] == 1


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({}, "text: "),
        ({"text": 1}, "text: "),
        ({"text": None}, "text: "),
        ({"text": "a", "messages": []}, "text: "),
        ({"text": "a", "tools": []}, "tools: "),
        ({"text": "a", "modle": "m"}, "modle: "),
        ({"text": "a", "model": "m" * 300}, "model: "),
        ({"text": "a", "backend": "nobody"}, "backend: "),
        ({"messages": [{"role": "user", "content": "a"}, {"content": "b"}]}, "messages[1].role: "),
        ({"messages": [{"role": "user", "content": [{"text": "a"}]}]}, "messages[0].content"),
        ({"messages": [], "tools": ["f"]}, "tools[0]: "),
        ([1], "the body: "),
        (b"{", "the body: Invalid JSON"),
        (b"\xff", "the body: Invalid JSON"),
        (b"", "the body: Invalid JSON"),
        (b"[" * 100_000, "the body: Invalid JSON"),
    ],
)
def test_what_is_no_question_is_told_where(server: Any, body: Any, place: str) -> None:
    status, reply = server.call("POST", "/count_tokens", body)
    assert status == 400
    assert reply["error"]["code"] == "INVALID_REQUEST"
    assert place in reply["error"]["message"]


@pytest.mark.parametrize(
    "tools",
    [
        [{"name": "f", "input_schema": {"properties": [1]}}],
        [{"function": {"name": "f", "parameters": {"properties": {"a": {"type": ["x"]}}}}}],
        [{"function": {"name": "f", "parameters": {"required": 1, "properties": {"a": {}}}}}],
    ],
)
def test_odd_tools_are_the_callers(server: Any, tools: Any) -> None:
    status, _ = server.call("POST", "/count_tokens", {"messages": [], "tools": tools})
    assert status in (200, 400)


def test_other_paths_and_methods_answer_in_form(server: Any) -> None:
    for method, path, status in (("GET", "/nothing", 404), ("GET", "/count_tokens", 405)):
        answered, reply = server.call(method, path)
        assert answered == status
        assert set(reply["error"]) == {"code", "message", "details", "request_id"}


def test_a_body_beyond_the_limit_is_refused_however_it_comes(server: Any) -> None:
    size = (16 << 20) + 1
    assert server.call("POST", "/count_tokens", b" " * size)[0] == 413
    chunks = (b" " * (1 << 20) for _ in range(17))
    connection = server.connect()
    connection.request("POST", "/count_tokens", chunks, encode_chunked=True)  # no length declared
    response = connection.getresponse()
    assert response.status == 413
    assert json.loads(response.read())["error"]["details"] == {"max_body": 16 << 20}
    connection.close()


def test_a_declared_length_is_enough_to_refuse(server: Any) -> None:
    connection = server.connect()
    connection.putrequest("POST", "/count_tokens")
    connection.putheader("Content-Length", str(1 << 40))
    connection.endheaders()
    assert connection.getresponse().status == 413
    connection.close()


def test_ten_megabytes_leave_health_alone(server: Any) -> None:
    text = "The quick brown fox jumps over the lazy dog. " * 220_000
    with ThreadPoolExecutor(1) as pool:
        counted = pool.submit(server.count, text=text, model="gpt-5")
        while not counted.done():
            assert server.call("GET", "/health")[0] == 200
        status, reply = counted.result()
    assert (status, reply["total_tokens"]) == (200, count_tokens(text, "gpt-5"))


def test_fifty_at_once(server: Any) -> None:
    texts = [f"text number {n} " * (n + 1) for n in range(50)]
    with ThreadPoolExecutor(50) as pool:
        replies = list(pool.map(lambda text: server.count(text=text, model="gpt-5"), texts))
    assert {status for status, _ in replies} == {200}
    told = [reply["total_tokens"] for _, reply in replies]
    assert told == [count_tokens(text, "gpt-5") for text in texts]


def test_the_key(start: Any) -> None:
    server = start(FRANCA_TOKEN_SERVER_KEY=KEY)
    ask = {"text": SECRET}

    def status(**headers: str) -> int:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return server.call("POST", "/count_tokens", ask, named)[0]

    assert status(Authorization=f"Bearer {KEY}") == 200
    assert status(Authorization=f"bearer {KEY}") == 200  # a scheme is of any case
    assert status(X_API_Key=KEY) == 200
    assert status() == 401
    assert status(Authorization="Bearer wrong") == 401
    assert status(Authorization=f"Basic {KEY}") == 401
    assert status(X_API_Key=KEY + "é") == 401
    assert status(X_API_Key="") == 401
    assert status(X_API_Key=KEY, Authorization="Bearer wrong") == 401  # each that is given
    _, reply = server.call("POST", "/count_tokens", ask, {"X-API-Key": "wrong"})
    assert reply["error"]["code"] == "UNAUTHORIZED"
    assert server.call("POST", "/count_tokens", b"{", {})[0] == 401  # before the body is looked at
    assert server.call("GET", "/health")[0] == 200
    assert KEY not in json.dumps(server.call("GET", "/openapi.json")[1])
    server.process.terminate()
    status_, said = server.end()
    assert status_ == 0
    assert KEY not in said
    assert SECRET not in said


def in_process(path: str = "/count_tokens", /, **options: Any) -> Any:
    """One request to an application of this process."""
    testclient = pytest.importorskip("starlette.testclient")
    from franca.server import token_app

    with testclient.TestClient(token_app(**options)) as client:
        return client.post(path, json={"text": SECRET})


def test_beyond_what_it_takes_at_once_it_says_so() -> None:
    reply = in_process(at_once=0)
    assert reply.status_code == 503
    assert reply.headers["retry-after"] == "1"
    assert reply.json()["error"]["code"] == "OVERLOADED"


def test_what_it_holds_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("franca.server.token_server.HELD", -1)
    assert in_process().json()["error"]["code"] == "OVERLOADED"


def test_an_error_of_its_own_keeps_the_words(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(body: bytes) -> bytes:
        raise RuntimeError(bytes(body))

    monkeypatch.setattr("franca.server.token_server.answer", fail)
    reply = in_process()
    assert (reply.status_code, reply.json()["error"]["code"]) == (500, "INTERNAL_ERROR")
    assert "RuntimeError" in caplog.text
    assert SECRET not in reply.text + caplog.text


async def test_a_body_that_never_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("fastapi")
    from franca.server import token_app

    monkeypatch.setattr("franca.server.token_server._PATIENCE", 0.01)
    sent: list[Any] = []

    async def receive() -> Any:
        await asyncio.Event().wait()

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http", "http_version": "1.1", "method": "POST", "path": "/count_tokens",
        "raw_path": b"/count_tokens", "query_string": b"", "headers": [], "scheme": "http",
    }  # fmt: skip
    app = token_app()
    await app(scope, receive, send)
    assert sent[0]["status"] == 408
    assert (app.state.busy, app.state.held) == (0, 0)


def wait_for_silence(server: Any) -> None:
    """Until it no longer listens."""
    latest = time.monotonic() + 60
    while time.monotonic() < latest:
        try:
            server.call("GET", "/health")
        except OSError:
            return
        time.sleep(0.02)
    raise AssertionError("it still listens")


def half_sent(server: Any) -> tuple[socket.socket, bytes]:
    """A request whose head and first half have arrived; (its connection, the other half)."""
    body = json.dumps({"text": SECRET, "model": "gpt-5"}).encode()
    place = urlsplit(server.url)
    connection = socket.create_connection((place.hostname, place.port), timeout=60)
    head = f"POST /count_tokens HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
    connection.sendall(head.encode() + b"Expect: 100-continue\r\n\r\n")
    assert connection.recv(4096).startswith(b"HTTP/1.1 100")  # it reads the body now
    connection.sendall(body[:10])
    return connection, body[10:]


@posix
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_in_the_middle_of_a_request(start: Any, number: int) -> None:
    server = start()
    connection, rest = half_sent(server)
    server.process.send_signal(number)
    wait_for_silence(server)
    connection.sendall(rest)
    with connection.makefile("rb") as answer:  # head and body may come apart
        assert answer.readline().startswith(b"HTTP/1.1 200")
        assert any(b'"total_tokens"' in line for line in iter(lambda: answer.read1(4096), b""))
    connection.close()
    status, said = server.end()
    assert status == 0
    assert "Traceback" not in said
    assert SECRET not in said


@posix
def test_callers_that_leave_are_no_news(start: Any) -> None:
    server = start()
    for _ in range(3):
        half_sent(server)[0].close()
    assert server.count(text="a")[0] == 200
    server.process.terminate()
    status, said = server.end()
    assert (status, said.strip()) == (0, "POST /count_tokens; Ctrl-C ends it")


@posix
def test_two_workers(start: Any) -> None:
    server = start("--workers", "2", FRANCA_TOKEN_SERVER_KEY=KEY)
    headers = {"X-API-Key": KEY}
    ask = {"text": "hello", "model": "gpt-5"}
    with ThreadPoolExecutor(8) as pool:
        answers = pool.map(
            lambda _: server.call("POST", "/count_tokens", ask, headers)[0], range(16)
        )
    assert set(answers) == {200}
    assert server.call("POST", "/count_tokens", ask)[0] == 401
    server.process.terminate()
    status, said = server.end()
    assert status == 0, said
    assert KEY not in said


@posix
def test_workers_do_not_outlive_what_started_them(start: Any) -> None:
    server = start("--workers", "2")
    assert server.count(text="a")[0] == 200
    server.process.kill()
    server.process.wait()
    wait_for_silence(server)


def test_where_it_listens(tmp_path: Path) -> None:
    document = {"VERSION": "2", "token_server": {"host": "::1", "port": 7}}
    path = tmp_path / "settings.json"
    path.write_text(json.dumps(document))
    assert place(None, None, None) == ("127.0.0.1", 8338)
    assert place(path, None, None) == ("::1", 7)
    assert place(path, "127.0.0.2", 0) == ("127.0.0.2", 0)


def test_the_settings_have_the_key_of_both_sides(start: Any, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("of-both-sides\n")
    path = tmp_path / "settings.json"
    section = {"host": "127.0.0.1", "port": 1, "api_key": "${file:key}"}
    path.write_text(json.dumps({"VERSION": "2", "token_server": section}))
    running = start("--settings", str(path))
    assert running.count(text="hello")[0] == 401
    with Settings(path).override(token_server={"url": running.url}) as there:
        counter = token_counter(there)
    assert counter is not None
    assert counter._post(text_question("hello", "gpt-5"))[0] == 200
    counter.close()
    overridden = start("--settings", str(path), FRANCA_TOKEN_SERVER_KEY="of-the-variable")
    header = {"X-API-Key": "of-the-variable"}
    assert overridden.call("POST", "/count_tokens", {"text": "a"}, header)[0] == 200


def franca(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "franca", "token-server", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_answers_are_not_held_back() -> None:
    pytest.importorskip("uvicorn")
    from franca.server.run import _listening

    with _listening("127.0.0.1", 0) as listening:  # what asyncio turns Nagle's delay off by
        assert listening.proto == socket.IPPROTO_TCP


def test_beyond_loopback_it_takes_a_key() -> None:
    done = franca("--host", "0.0.0.0", "--port", "0")
    assert done.returncode == 1
    assert "takes an --api-key" in done.stderr


def test_a_port_that_is_taken_is_one_message() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = franca("--port", str(taken.getsockname()[1]))
    assert done.returncode == 1
    assert "cannot listen on 127.0.0.1:" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_the_extra_it_is_named() -> None:
    code = "import sys; sys.modules['fastapi'] = None; sys.argv = ['franca', 'token-server'];"
    code += "from franca.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1
    assert "pip install 'franca[server]'" in done.stderr

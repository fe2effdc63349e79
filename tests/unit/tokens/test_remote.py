"""Counting at a token server, and here when it does not answer."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from franca.chat_clients.counting import count_messages_tokens, count_tokens, token_counter
from franca.errors import APIError, SettingsError
from franca.settings import Settings
from franca.tokens import count_messages_tokens as messages_here
from franca.tokens import count_tokens as here
from franca.tokens.remote import Rest, messages_question, read, text_question
from franca.transport.token_server import RemoteCounter

SECRET = "words that no log may hold"
THERE = 77_777  # no count of ours


class Clock:
    """Seconds that a test moves."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


class Double:
    """A token server that says what it is told to, and remembers what it was asked."""

    def __init__(self) -> None:
        self.status, self.reply = 200, json.dumps({"total_tokens": THERE}).encode()
        self.asked: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.connections: set[Any] = set()
        self.hang: threading.Event | None = None
        self.close = False
        double = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                double.answer(self)

            def log_request(self, code: Any = "-", size: Any = "-") -> None:
                pass

        class Server(ThreadingHTTPServer):
            request_queue_size = 128  # five, else: of many at once some are refused
            daemon_threads = True

        self.http = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        self.asked.append(json.loads(body))
        self.headers.append({**handler.headers, "path": handler.path})
        self.connections.add(handler.client_address)
        status, reply = self.status, self.reply  # a test may change them while this is written
        if self.hang:
            self.hang.wait(60)
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(reply)))
        handler.end_headers()
        handler.wfile.write(reply)
        handler.close_connection = self.close  # without having said so

    def stop(self) -> None:
        self.http.shutdown()
        self.http.server_close()


@pytest.fixture
def double() -> Iterator[Double]:
    one = Double()
    yield one
    one.stop()


def test_what_is_asked() -> None:
    assert json.loads(text_question("a\ud800", "m", "qwen")) == {
        "text": "a\ufffd", "model": "m", "backend": "qwen",
    }  # fmt: skip
    turns = [{"role": "user", "content": "a"}]
    asked = messages_question(turns, [{"name": "f"}])
    assert asked is not None
    assert json.loads(asked) == {"messages": turns, "tools": [{"name": "f"}], "model": ""}
    assert messages_question("a") == messages_question(turns)
    assert messages_question("a\ud83d") == messages_question("a\ufffd")


@pytest.mark.parametrize("content", [b"bytes", Path("a.png"), object(), float("nan")])
def test_what_is_no_json_is_not_asked(content: Any) -> None:
    assert messages_question([{"role": "user", "content": content}]) is None


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"{}", b'{"total_tokens": true}', b'{"total_tokens": -1}', b"\xff"]
)
def test_a_reply_of_another_form(body: bytes) -> None:
    with pytest.raises(APIError, match="total_tokens"):
        read(body)


def test_a_rest() -> None:
    rest = Rest(5)
    assert rest.over(0)
    assert rest.begin(0)
    assert not rest.over(4.9)
    assert rest.over(5)  # one tries
    assert not rest.over(5.1)  # while it does, the others do not
    assert not rest.begin(6)  # no news: it was away before
    assert not rest.over(10.9)
    assert rest.over(11)
    rest.end()
    assert rest.over(11)
    assert rest.begin(12)


def test_it_counts_there_on_one_connection(double: Double) -> None:
    counter = RemoteCounter(double.url + "/under/", api_key="the-key")
    assert counter.count_tokens("hello", "gpt-5") == THERE
    assert counter.count_messages_tokens(messages="hello", model="m", backend="qwen") == THERE
    assert double.asked[0] == {"text": "hello", "model": "gpt-5"}
    assert double.asked[1]["backend"] == "qwen"
    assert {h["path"] for h in double.headers} == {"/under/count_tokens"}
    assert {h["Authorization"] for h in double.headers} == {"Bearer the-key"}
    assert len(double.connections) == 1
    assert "the-key" not in repr(counter)
    counter.close()


def test_a_kept_connection_that_was_closed_is_replaced(double: Double) -> None:
    counter, double.close = RemoteCounter(double.url), True
    for _ in range(3):
        assert counter.count_tokens("hello") == THERE
    assert len(double.connections) == 3
    counter.close()


def test_many_threads_and_tasks(double: Double) -> None:
    counter = RemoteCounter(double.url, timeout=60)
    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(lambda n: counter.count_tokens(f"{n}"), range(64))) == {THERE}

    async def together() -> list[int]:
        texts = (counter.acount_tokens(f"{n}") for n in range(8))
        whole = counter.acount_messages_tokens(messages="a")
        return await asyncio.gather(*texts, whole)

    assert set(asyncio.run(together())) == {THERE}
    assert len(double.connections) <= 32
    counter.close()


def test_a_conversation_of_bytes_is_counted_here(double: Double) -> None:
    block = {"type": "text", "text": "what is this?"}
    odd = [{"role": "user", "content": [block], "name": Path("a")}]
    assert RemoteCounter(double.url).count_messages_tokens(messages=odd) == messages_here(
        messages=odd
    )
    assert double.asked == []


def test_a_large_question_is_counted_here(double: Double) -> None:
    text = "many words " * 100_000
    assert RemoteCounter(double.url).count_tokens(text, "gpt-5") == here(text, "gpt-5")
    assert double.asked == []


def test_what_cannot_be_asked_does_not_spend_the_try(double: Double) -> None:
    clock, (double.status, well) = Clock(), (500, 200)
    counter = RemoteCounter(double.url, clock=clock)
    counter.count_tokens("hello")
    double.status = well
    clock.now += 5
    counter.count_messages_tokens(messages=[{"role": "user", "content": "a", "name": Path("a")}])
    assert counter.count_tokens("hello") == THERE


@pytest.mark.parametrize("key", ["a\nkey", "schlüssel", " "])
def test_a_key_that_no_header_carries(key: str) -> None:
    with pytest.raises(ValueError, match="cannot carry") as caught:
        RemoteCounter("http://127.0.0.1:9", api_key=key)
    assert key == " " or key not in str(caught.value)


def test_a_generator_is_read_once(double: Double) -> None:
    double.status = 500
    turns = [{"role": "user", "content": "hello"}]
    counter = RemoteCounter(double.url)
    assert counter.count_messages_tokens(messages=iter(turns)) == messages_here(messages=turns)


@pytest.mark.parametrize(
    ("status", "reply"),
    [(500, b""), (503, b""), (401, b""), (404, b""), (200, b"<html>"), (200, b'{"total": 3}')],
)
def test_a_server_that_does_not_serve_rests(
    double: Double, caplog: pytest.LogCaptureFixture, status: int, reply: bytes
) -> None:
    clock = Clock()
    counter = RemoteCounter(double.url, api_key="the-key", clock=clock)
    well, (double.status, double.reply) = double.reply, (status, reply)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert counter.count_tokens(SECRET, "gpt-5") == here(SECRET, "gpt-5")
    assert len(double.asked) == 1
    assert len(caplog.records) == 1
    assert SECRET not in caplog.text
    assert "the-key" not in caplog.text
    double.status, double.reply = 200, well
    clock.now += 4.9
    assert counter.count_tokens("hello", "gpt-5") == here("hello", "gpt-5")
    clock.now += 0.2
    assert counter.count_tokens("hello", "gpt-5") == THERE
    assert counter.count_tokens("hello", "gpt-5") == THERE
    assert len(double.asked) == 3


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_refused_question_is_counted_here_and_the_next_is_asked(
    double: Double, status: int
) -> None:
    counter, double.status = RemoteCounter(double.url), status
    assert counter.count_tokens("hello") == here("hello")
    double.status = 200
    assert counter.count_tokens("hello") == THERE


def test_a_server_that_hangs(double: Double) -> None:
    clock, double.hang = Clock(), threading.Event()
    counter = RemoteCounter(double.url, timeout=0.2, clock=clock)
    assert counter.count_tokens("hello", "gpt-5") == here("hello", "gpt-5")
    assert counter.count_tokens("hello", "gpt-5") == here("hello", "gpt-5")
    assert len(double.asked) == 1
    double.hang.set()
    clock.now += 5
    assert counter.count_tokens("hello", "gpt-5") == THERE


def test_nobody_listens() -> None:
    counter = RemoteCounter("http://127.0.0.1:9")
    assert counter.count_tokens("hello", "gpt-5") == here("hello", "gpt-5")


@pytest.mark.parametrize("url", ["", "127.0.0.1:8338", "ftp://a", "http://", "file:///a"])
def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(ValueError, match="http://"):
        RemoteCounter(url)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_child_opens_its_own_connection(double: Double) -> None:
    code = f"""
import os
from franca.transport.token_server import RemoteCounter
counter = RemoteCounter({double.url!r})
assert counter.count_tokens("a") == {THERE}
child = os.fork()
assert counter.count_tokens("b") == {THERE}
os._exit(0) if child == 0 else None
assert os.waitpid(child, 0)[1] == 0
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    assert len(double.connections) == 2


def settings(**section: Any) -> Settings:
    return Settings(VERSION="2", endpoints=[], backends={}, token_server=section)


def test_the_settings_say_where(double: Double, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRANCA_TOKEN_SERVER_KEY", "the-key")
    port = double.http.server_address[1]
    by_port, by_url = (
        settings(host="127.0.0.1", port=port),
        settings(host="127.0.0.1", port=9, url=double.url),
    )
    for each in (by_port, by_url):
        assert count_tokens("hello", "gpt-5", settings=each) == THERE
        assert count_messages_tokens(messages="hello", settings=each) == THERE
    assert token_counter(by_port) is token_counter(by_url)  # one address, one rest
    assert {h["Authorization"] for h in double.headers} == {"Bearer the-key"}
    assert count_tokens("hello", "gpt-5", settings=Settings()) == here("hello", "gpt-5")
    assert token_counter() is None
    with pytest.raises(SettingsError, match=r"token_server.url: .*http://"):
        settings(host="a", port=1, url="a:1")


def test_the_settings_have_the_key(double: Double, monkeypatch: pytest.MonkeyPatch) -> None:
    def ask(**section: Any) -> str:
        there = settings(host="127.0.0.1", port=9, url=double.url, **section)
        assert count_tokens("hello", "gpt-5", settings=there) == THERE
        return double.headers[-1]["Authorization"]

    monkeypatch.setenv("FRANCA_TEST_KEY", "of-the-reference")
    monkeypatch.delenv("FRANCA_TOKEN_SERVER_KEY", raising=False)
    assert ask(api_key="of-the-file") == "Bearer of-the-file"
    assert ask(api_key="${env:FRANCA_TEST_KEY}") == "Bearer of-the-reference"
    keys = iter(["first-key", "second-key"])
    one, two = (ask(api_key=keys.__next__) for _ in range(2))
    assert (one, two) == ("Bearer first-key", "Bearer second-key")
    monkeypatch.setenv("FRANCA_TOKEN_SERVER_KEY", "of-the-environment")
    assert ask(api_key="of-the-file") == "Bearer of-the-environment"


def test_no_one_sees_the_settings_key(double: Double) -> None:
    kept = settings(host="127.0.0.1", port=9, url=double.url, api_key=SECRET)
    shown = repr(kept.snapshot.document) + repr(kept.export()) + repr(kept)
    with pytest.raises(SettingsError, match="cannot carry") as caught:
        token_counter(kept)  # a header holds no spaces
    assert SECRET not in shown + str(caught.value)


def test_a_key_that_is_got_anew_and_is_none(double: Double) -> None:
    counter = RemoteCounter(double.url, api_key=lambda: "a\nkey")
    assert counter.count_tokens("hello", "gpt-5") == here("hello", "gpt-5")
    assert double.asked == []


def warm(url: str) -> None:
    """Its first count loads a vocabulary, which may take longer than a client waits."""
    for question in ({"text": "a", "model": "gpt-5"}, {"text": "a"}):
        asked = urllib.request.Request(f"{url}/count_tokens", json.dumps(question).encode())
        urllib.request.urlopen(asked, timeout=60).close()


def test_the_real_server_and_its_end(start_token_server: Callable[[], Any]) -> None:
    process, url = start_token_server()
    warm(url)
    there = settings(host="127.0.0.1", port=9, url=url)
    turns = [{"role": "user", "content": "Was ist das?"}]
    counter = token_counter(there)
    assert counter is not None
    posted: list[int] = []
    counter._post = lambda body, post=counter._post: (posted.append(1), post(body))[1]
    assert count_tokens("hello there", "gpt-5", settings=there) == here("hello there", "gpt-5")
    assert count_messages_tokens(messages=turns, settings=there) == messages_here(messages=turns)
    assert len(posted) == 2
    process.kill()
    process.wait()
    for _ in range(50):
        assert count_tokens("hello there", "gpt-5", settings=there) == here("hello there", "gpt-5")
    assert len(posted) == 3
    assert counter.count_tokens("\ud83d", "gpt-5") == here("\ud83d", "gpt-5")


@pytest.fixture
def start_token_server() -> Iterator[Callable[[], Any]]:
    pytest.importorskip("fastapi", reason="the extra `server` is not installed")
    running: list[subprocess.Popen[str]] = []

    def start() -> tuple[subprocess.Popen[str], str]:
        command = [sys.executable, "-m", "franca", "token-server", "--port", "0"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        running.append(process)
        assert process.stdout
        return process, process.stdout.readline().strip()

    yield start
    for process in running:
        process.kill()
        process.communicate()

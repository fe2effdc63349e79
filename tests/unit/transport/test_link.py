"""What a link writes without asking the HTTP client is what that would have written."""

from __future__ import annotations

from typing import Any

import openai
import pytest

from franca.flow.effects import Send
from franca.settings import Settings
from franca.settings.target import Target
from franca.transport.link import Link
from franca.types import ChatRequest

BODY = {"model": "m", "messages": [{"role": "user", "content": "hé"}]}


def target(**endpoint: Any) -> Target:
    given = {"id": "e", "api_base": "http://127.0.0.1:9/v1?way=1", "api_key": "x", **endpoint}
    models = {"m": {"endpoints": ["e"]}}
    settings = Settings(endpoints=[given], backends={"openai": {"models": models}})
    return settings.resolve("openai", "m")[0]


def shown(request: Any) -> tuple[Any, ...]:
    headers = sorted((name.lower(), value) for name, value in request.headers.raw)
    body = b"".join(request.stream)
    return request.method, str(request.url), headers, body, request.extensions


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("asked", [{}, {"timeout": 3.5}, {"extra_headers": {"X-One": "1"}}])
@pytest.mark.parametrize("cookie", [False, True])
def test_a_request_is_what_the_http_client_makes(
    is_async: bool, asked: dict[str, Any], cookie: bool
) -> None:
    place = target(organization="o")
    own = openai.DefaultAsyncHttpxClient() if is_async else openai.DefaultHttpxClient()
    ours = Link(place.endpoint, is_async=is_async)
    theirs = Link(place.endpoint, is_async=is_async, http=own)
    send = Send(place, "/chat/completions", BODY, ChatRequest([], **asked))
    for link in (ours, theirs):
        link.http.headers = {"Accept-Encoding": "gzip"}  # the two clients' defaults differ
        if cookie:
            link.http.cookies.set("seen", "yes")
    assert shown(ours.request(send, None)) == shown(theirs.request(send, None))
    assert shown(ours.request(send, "fresh")) == shown(theirs.request(send, "fresh"))


def test_cookies_are_those_of_the_moment() -> None:
    place = target()
    link = Link(place.endpoint, is_async=False)
    send = Send(place, "/chat/completions", BODY, ChatRequest([]))
    link.http.cookies.set("seen", "once")
    assert link.request(send, None).headers["Cookie"] == "seen=once"
    link.http.cookies.clear()
    assert "Cookie" not in link.request(send, None).headers


def test_a_request_keeps_nothing_of_the_one_before() -> None:
    place = target()
    link = Link(place.endpoint, is_async=False)
    first = link.request(Send(place, "/chat/completions", BODY, ChatRequest([])), None)
    first.headers["X-Hook"], first.extensions["timeout"]["read"] = "1", 0.1
    second = link.request(Send(place, "/chat/completions", {}, ChatRequest([])), None)
    assert "X-Hook" not in second.headers
    assert second.headers["Content-Length"] == "2"
    assert second.extensions["timeout"]["read"] == 600.0

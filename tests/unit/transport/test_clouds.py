"""The clouds' endpoints on loopback: path, authorization, body, answer, errors; and an endpoint's
headers, proxy and certificates."""

from __future__ import annotations

import asyncio
import json
import struct
import sys
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from franca import create_async_chat_client, create_chat_client
from franca.errors import AuthenticationError, MissingExtraError, RateLimitError, SettingsError
from franca.settings import Settings
from franca.testing import Answer, Simulator, error, rate_limited
from franca.types import ChatCompletion

KEY = "the-key-0123456789"
GOOGLE = {"project_id": "p", "location": "us-east5"}
AWS = {
    "aws_access_key": "AKIAEXAMPLE",
    "aws_secret_key": "not-a-secret-at-all",
    "aws_region": "us-west-2",
}
AZURE_PATH = "/openai/deployments/the-model/chat/completions"
VERTEX_PATH = "/projects/p/locations/us-east5/publishers/anthropic/models/the-model"
# endpoint's fields, path, header, its beginning
CLOUDS: dict[str, tuple[dict[str, Any], str, str, str]] = {
    "azure key": (
        {"endpoint_type": "openai_azure", "api_key": KEY},
        AZURE_PATH, "api-key", KEY,
    ),
    "azure token": (
        {"endpoint_type": "openai_azure", "credentials": {"azure_ad_token": KEY}},
        AZURE_PATH, "authorization", f"Bearer {KEY}",
    ),
    "azure callable": (
        {"endpoint_type": "openai_azure", "api_key": lambda: KEY},
        AZURE_PATH, "authorization", f"Bearer {KEY}",
    ),
    "openai_vertex token": (
        {"endpoint_type": "openai_vertex", "api_key": KEY},
        "/chat/completions", "authorization", f"Bearer {KEY}",
    ),
    "openai_vertex callable": (
        {"endpoint_type": "openai_vertex", "api_key": lambda: KEY},
        "/chat/completions", "authorization", f"Bearer {KEY}",
    ),
    "anthropic_vertex token": (
        {"endpoint_type": "anthropic_vertex", "api_key": KEY, "credentials": GOOGLE},
        VERTEX_PATH, "authorization", f"Bearer {KEY}",
    ),
    "anthropic_vertex callable": (
        {"endpoint_type": "anthropic_vertex", "api_key": lambda: KEY, "credentials": GOOGLE},
        VERTEX_PATH, "authorization", f"Bearer {KEY}",
    ),
    "anthropic_bedrock": (
        {"endpoint_type": "anthropic_bedrock", "credentials": AWS},
        "/model/the-model/invoke", "authorization", "AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/",
    ),
}  # fmt: skip
SUFFIXES = {False: ":rawPredict", True: ":streamRawPredict"}


@pytest.fixture
def sim() -> Iterator[Simulator]:
    with Simulator() as running:
        yield running


def ask(endpoint: dict[str, Any], *, is_async: bool, stream: bool = False, **params: Any) -> Any:
    """The result of a call of one try, whichever way it goes; `endpoint` lacks nothing but the
    model's id."""
    params.setdefault("max_retries", 0)
    backend = "anthropic" if str(endpoint.get("endpoint_type")).startswith("anthropic") else "local"
    endpoints = [{"model_id": "the-model", **endpoint}]
    if not is_async:
        with create_chat_client(backend, "m", endpoints=endpoints) as client:
            if stream:
                return client.create_stream("hello there", **params).result()
            return client.create_completion("hello there", **params)

    async def go() -> ChatCompletion:
        async with create_async_chat_client(backend, "m", endpoints=endpoints) as client:
            if stream:
                return await client.create_stream("hello there", **params).result()
            return await client.create_completion("hello there", **params)

    return asyncio.run(go())


both = pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
whole_and_stream = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


@both
@whole_and_stream
@pytest.mark.parametrize("name", [name for name in CLOUDS if "bedrock" not in name])
def test_a_cloud_is_asked_in_its_own_way(
    name: str, stream: bool, is_async: bool, sim: Simulator
) -> None:
    endpoint, path, header, begins = CLOUDS[name]
    result = ask({**endpoint, "api_base": sim.url}, is_async=is_async, stream=stream)
    assert result.content == "You said: hello there"
    (sent,) = sim.requests
    in_path = path == VERTEX_PATH
    assert sent.path == path + (SUFFIXES[stream] if in_path else "")
    assert sent.headers[header] == begins
    assert sent.body.get("model") == (None if in_path else "the-model")
    assert ("anthropic_version" in sent.body) == in_path
    assert bool(sent.body.get("stream")) == stream


@both
def test_bedrock_is_signed(is_async: bool, sim: Simulator) -> None:
    endpoint, path, header, begins = CLOUDS["anthropic_bedrock"]
    result = ask({**endpoint, "api_base": sim.url}, is_async=is_async)
    assert result.content == "You said: hello there"
    (sent,) = sim.requests
    assert sent.path == path
    assert sent.headers[header].startswith(begins)
    assert "/us-west-2/bedrock/" in sent.headers[header]
    assert "model" not in sent.body
    assert "anthropic_version" in sent.body


def aws_frame(event: dict[str, Any]) -> bytes:
    """An event as Bedrock frames it: lengths, checksum, headers, JSON with base64, checksum."""
    from base64 import b64encode

    payload = json.dumps({"bytes": b64encode(json.dumps(event).encode()).decode()}).encode()
    headers = b""
    for name, value in ((":event-type", "chunk"), (":message-type", "event")):
        headers += bytes([len(name)]) + name.encode() + b"\x07"
        headers += struct.pack(">H", len(value)) + value.encode()
    prelude = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    head = prelude + struct.pack(">I", zlib.crc32(prelude)) + headers + payload
    return head + struct.pack(">I", zlib.crc32(head))


@both
def test_bedrock_streams_in_aws_frames(is_async: bool, sim: Simulator) -> None:
    usage = {"input_tokens": 2, "output_tokens": 1}
    message = {"id": "msg_1", "role": "assistant", "model": "m", "content": [], "usage": usage}
    text = {"type": "text", "text": ""}
    events = [
        {"type": "message_start", "message": message},
        {"type": "content_block_start", "index": 0, "content_block": text},
        *(
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": t}}
            for t in ("Hel", "lo")
        ),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": usage},
        {"type": "message_stop"},
    ]
    kind = {"content-type": "application/vnd.amazon.eventstream"}
    sim.script(Answer(body=b"".join(map(aws_frame, events)), headers=kind))
    endpoint = {**CLOUDS["anthropic_bedrock"][0], "api_base": sim.url}
    result = ask(endpoint, is_async=is_async, stream=True)
    assert (result.content, result.finish_reason) == ("Hello", "stop")
    assert sim.requests[0].path == "/model/the-model/invoke-with-response-stream"


@both
@whole_and_stream
@pytest.mark.parametrize("name", CLOUDS)
def test_errors_are_ours(name: str, stream: bool, is_async: bool, sim: Simulator) -> None:
    endpoint = {**CLOUDS[name][0], "api_base": sim.url}
    sim.script(rate_limited("0.007"), error(401, f"no such key: {KEY}"))
    with pytest.raises(RateLimitError) as limited:
        ask(endpoint, is_async=is_async, stream=stream)
    assert limited.value.retry_after == 0.007
    assert limited.value.request_id
    with pytest.raises(AuthenticationError) as refused:
        ask(endpoint, is_async=is_async, stream=stream)
    assert refused.value.status_code == 401
    assert len(sim.requests) == 2, "the SDKs' own retries are off"


@both
@pytest.mark.parametrize("kind", ["openai_azure", "openai_vertex", "anthropic_vertex"])
def test_a_callable_is_asked_at_every_call(kind: str, is_async: bool, sim: Simulator) -> None:
    given = iter(["first-token-0123", "second-token-0123"])
    place = {
        "endpoint_type": kind,
        "api_key": lambda: next(given),
        "api_base": sim.url,
        "credentials": {} if kind == "openai_azure" else GOOGLE,
    }
    backend = "anthropic" if kind.startswith("anthropic") else "local"
    if is_async:

        async def twice() -> None:
            async with create_async_chat_client(backend, "m", endpoints=[place]) as client:
                for _ in range(2):
                    await client.create_completion("x")

        asyncio.run(twice())
    else:
        with create_chat_client(backend, "m", endpoints=[place]) as client:
            for _ in range(2):
                client.create_completion("x")
    tokens = [sent.headers["authorization"] for sent in sim.requests]
    assert tokens == ["Bearer first-token-0123", "Bearer second-token-0123"]


class FakeCredentials:
    """Google's, as far as it is used: it has no token until it is refreshed."""

    def __init__(self) -> None:
        self.token: str | None = None
        self.refreshed = 0

    @property
    def valid(self) -> bool:
        return self.token is not None

    expired = property(lambda self: not self.valid)

    def refresh(self, request: Callable[..., Any]) -> None:
        self.refreshed += 1
        self.token = "ya29.refreshed"


@both
@pytest.mark.parametrize("kind", ["openai_vertex", "anthropic_vertex"])
def test_googles_credentials_are_refreshed(
    kind: str, is_async: bool, sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake, asked = FakeCredentials(), []

    def from_info(info: dict[str, Any], scopes: list[str]) -> FakeCredentials:
        asked.append((info["client_email"], scopes))
        return fake

    from google.oauth2.service_account import Credentials

    monkeypatch.setattr(Credentials, "from_service_account_info", from_info)
    account = {**GOOGLE, "private_key": "not-a-private-key-at-all", "client_email": "a@b"}
    endpoint = {"endpoint_type": kind, "credentials": account, "api_base": sim.url}
    assert ask(endpoint, is_async=is_async).content == "You said: hello there"
    assert sim.requests[0].headers["authorization"] == "Bearer ya29.refreshed"
    assert asked == [("a@b", ["https://www.googleapis.com/auth/cloud-platform"])]
    assert fake.refreshed == 1


@both
@pytest.mark.parametrize(
    ("kind", "module", "extra"),
    [
        ("openai_vertex", "google.auth.transport.requests", "vertex"),
        ("anthropic_vertex", "google.auth.transport.requests", "vertex"),
        ("anthropic_bedrock", "botocore", "bedrock"),
        ("anthropic_bedrock", "boto3", "bedrock"),
    ],
)
def test_a_missing_extra_is_named(
    kind: str, module: str, extra: str, is_async: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    given = AWS if extra == "bedrock" else GOOGLE
    endpoint = {"endpoint_type": kind, "credentials": given, "api_base": "http://127.0.0.1:9"}
    with pytest.raises(MissingExtraError, match=rf"franca\[{extra}\]") as missing:
        ask(endpoint, is_async=is_async)
    assert missing.value.extra == extra


@both
@pytest.mark.parametrize("name", ["openai", "azure key", "anthropic_vertex token"])
def test_headers_organization_and_extras(name: str, is_async: bool, sim: Simulator) -> None:
    fields = CLOUDS[name][0] if name in CLOUDS else {"api_key": KEY}
    endpoint = {
        **fields,
        "api_base": sim.url,
        "headers": {"X-Model": "${model_id}/${endpoint_id}", "X-Both": "endpoint"},
        "organization": "org-1",
    }
    extras: dict[str, Any] = {
        "extra_headers": {"x-both": "call", "X-Call": "1"},
        "extra_query": {"debug": "yes"},
        "extra_body": {"speed": "fast"},
    }
    ask(endpoint, is_async=is_async, **extras)
    (sent,) = sim.requests
    assert sent.headers["x-model"].startswith("the-model/")
    assert (sent.headers["x-both"], sent.headers["x-call"]) == ("call", "1")
    assert "debug=yes" in sent.query
    assert sent.body["speed"] == "fast"
    organization = None if name.startswith("anthropic") else "org-1"
    assert sent.headers.get("openai-organization") == organization


def test_an_endpoint_of_the_settings(sim: Simulator) -> None:
    azure = {"id": "az", "api_base": sim.url, "api_key": KEY, "is_azure": True}
    binding = {"endpoint_id": "az", "model_id": "deployed"}
    models = {"m": {"endpoints": [binding]}}
    settings = Settings()
    settings.load(
        {"VERSION": "2", "endpoints": [azure], "backends": {"openai": {"models": models}}}
    )
    with create_chat_client("openai", "m", settings=settings) as client:
        assert client.create_completion("hi").content == "You said: hi"
    assert sim.requests[0].path == "/openai/deployments/deployed/chat/completions"


@both
def test_the_proxy_is_where_the_request_arrives(is_async: bool, sim: Simulator) -> None:
    sim.default = "from the proxy"  # whose request line holds the whole address
    endpoint = {"api_base": "http://nowhere.invalid/v1", "api_key": KEY, "proxy": sim.url}
    assert ask(endpoint, is_async=is_async).content == "from the proxy"
    assert sim.requests[0].headers["host"] == "nowhere.invalid"


@both
@pytest.mark.parametrize("verify", ["/nowhere/ca.pem", {"cert": "/nowhere/client.pem"}])
def test_certificates_that_are_not_there(verify: Any, is_async: bool) -> None:
    endpoint = {"id": "e-1", "api_base": "https://127.0.0.1:9", "api_key": KEY, "verify": verify}
    with pytest.raises(SettingsError, match=r"endpoints\.e-1\.verify: cannot use /nowhere/"):
        ask(endpoint, is_async=is_async)


@both
def test_a_proxy_that_is_no_address_shows_no_password(is_async: bool) -> None:
    proxy = "nonsense://user:hunter2hunter2@127.0.0.1:9"
    endpoint = {"id": "e-1", "api_base": "https://127.0.0.1:9", "api_key": KEY, "proxy": proxy}
    with pytest.raises(SettingsError, match=r"endpoints\.e-1\.proxy: expected") as wrong:
        ask(endpoint, is_async=is_async)
    assert "hunter2" not in str(wrong.value)

"""One endpoint's way out: its HTTP client, its SDK client, the headers that stay the same."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from franca.errors import AuthenticationError
from franca.flow.effects import Send
from franca.limits.drive import perform, settle_aside
from franca.settings.target import Endpoint
from franca.transport import sdk
from franca.types import EndpointType
from franca.version import __version__
from franca.wire import encode

if TYPE_CHECKING:
    from franca.flow.ending import Ending

_NOT_OURS = ("x-stainless-", "user-agent", "openai-organization", "openai-project")
_CONTROL = re.compile(r"[\x00-\x08\n-\x1f\x7f]")
_DEFAULT_TIMEOUT = 600.0  # seconds, as the vendors' SDKs
_LEAST = 0.001  # seconds: 0 means none to the HTTP libraries
_WAITS = ("connect", "read", "write", "pool")


class Link:
    """Built once for an endpoint (and event loop); `refs` counts the clients that hold it.

    Args:
        http: the HTTP client to send on, None for one of its own.
    """

    __slots__ = ("_blanks", "_headers", "_sdk", "_unfit", "_urls", "direct", "endpoint", "http",
                 "is_async", "key", "owned", "refs")  # fmt: skip

    def __init__(self, endpoint: Endpoint, *, is_async: bool, http: Any = None) -> None:
        self.endpoint, self.is_async = endpoint, is_async
        self.owned, self.refs = http is None, 0
        self.http = sdk.http_client(endpoint, is_async=is_async) if http is None else http
        self.direct = endpoint.type in sdk.DIRECT
        by_header = self.direct or endpoint.type is EndpointType.AnthropicVertex
        self.key: Callable[[], str] | None = sdk.key_source(endpoint) if by_header else None
        self._sdk: Any = None
        self._headers = _static_headers(self.sdk, endpoint) if self.direct else {}
        self._blanks: dict[str, Any] = {}
        self._urls: dict[str, Any] = {}
        secret = endpoint.api_key
        self._unfit = bool(secret and secret.fixed and _CONTROL.search(secret.reveal()))

    @property
    def sdk(self) -> Any:
        """The vendor's SDK client, built at first use."""
        if self._sdk is None:
            self._sdk = sdk.sdk_client(self.endpoint, self.http, is_async=self.is_async)
        return self._sdk

    def request(self, send: Send, key: str | None) -> Any:
        """The HTTP request of a direct send; `key` replaces the static one where it is not None."""
        call, target = send.request, send.target
        headers = self._headers
        if target.headers or call.extra_headers or key is not None:
            fresh = {"authorization": f"Bearer {key}"} if key is not None else {}
            headers = _merged(headers, fresh, target.headers, call.extra_headers or {})
        self._check(headers, send)
        body, timeout = encode(send.body), self.timeout(send)
        if self.owned and headers is self._headers and not call.extra_query:
            return self._filled(send.path, body, timeout)
        return self.http.build_request(
            "POST",
            self._url(send.path),
            content=body,
            headers=headers,
            params=call.extra_query,
            timeout=timeout,
        )

    def _filled(self, path: str, body: bytes, timeout: float) -> Any:
        """What `build_request` makes of the static headers. Merging those anew at each call would
        be a seventh of what it costs."""
        blank = self._blanks.get(path) or self._blank(path)
        headers = blank.headers.copy()
        headers["Content-Length"] = str(len(body))
        return type(blank)(
            blank.method,
            blank.url,
            headers=headers,
            cookies=self.http.cookies,
            stream=type(blank.stream)(body),
            extensions={"timeout": dict.fromkeys(_WAITS, timeout)},
        )

    def post(self, send: Send) -> dict[str, Any]:
        """The arguments of the SDK's own `post`, which signs what must be signed.

        Calls the `key` where there is one.
        """
        call, target = send.request, send.target
        fresh = {"authorization": f"Bearer {self.key()}"} if self.key else {}
        headers = _merged(fresh, target.headers, call.extra_headers or {})
        self._check(headers, send)
        options: dict[str, Any] = {"max_retries": 0, "timeout": self.timeout(send)}
        options |= {"headers": headers} if headers else {}
        options |= {"params": dict(call.extra_query)} if call.extra_query else {}
        given = {"cast_to": object, "body": json.loads(encode(send.body)), "options": options}
        if call.stream:
            module = __import__(type(self.sdk).__module__.partition(".")[0])
            kind = module.AsyncStream if self.is_async else module.Stream
            given |= {"stream": True, "stream_cls": kind[object]}
        return given

    def timeout(self, send: Send) -> float:
        """Seconds: until the deadline where there is one, else the endpoint's, or the default."""
        if send.deadline is None:
            return send.request.timeout or self.endpoint.timeout or _DEFAULT_TIMEOUT
        return max(send.deadline - time.monotonic(), _LEAST)

    def _check(self, headers: dict[str, str], send: Send) -> None:
        """The HTTP libraries refuse control characters each with an error of its own, or do not."""
        fresh = headers.values() if headers is not self._headers else ()
        if self._unfit or any(map(_CONTROL.search, fresh)):
            raise AuthenticationError(
                "a key or header holds characters that HTTP cannot carry",
                backend=send.target.backend,
                endpoint_id=send.target.endpoint_id,
            )

    def _blank(self, path: str) -> Any:
        """A request that goes there, with the static headers and nothing else."""
        blank = self.http.build_request("POST", self._url(path), headers=self._headers, content=b"")
        blank.headers.pop("Cookie", None)  # those are of the moment
        self._blanks[path] = blank
        return blank

    def _url(self, path: str) -> Any:
        url = self._urls.get(path)
        if url is None:
            base = str(self.sdk.base_url).rstrip("/")
            if path.startswith("/v1/"):  # people give Anthropic's both ways
                base = base.removesuffix("/v1")
            url = self._urls[path] = type(self.http.base_url)(base + path)
        return url


def _static_headers(client: Any, endpoint: Endpoint) -> dict[str, str]:
    """The SDK's headers, less its telemetry and what it took from the environment."""
    headers = {**client.default_headers, **client.auth_headers}
    kept = {
        name.lower(): value
        for name, value in headers.items()
        if isinstance(value, str) and not name.lower().startswith(_NOT_OURS)
    }
    if endpoint.organization:
        kept["openai-organization"] = endpoint.organization
    return _merged(kept, {"user-agent": f"franca/{__version__}"})


def _merged(*layers: Any) -> dict[str, str]:
    """Headers by name whatever its case; the last one wins."""
    return {name.lower(): value for layer in layers for name, value in layer.items()}


def end_aside(end: Ending) -> None:
    """End a collected stream. Hooks may take locks that are held where the collector came by."""
    if not end.watched:
        if (settle := end()) is not None:
            settle_aside(settle)
        return
    with suppress(RuntimeError):  # the interpreter ends
        threading.Thread(target=_end, args=(end,), daemon=True).start()


def _end(end: Ending) -> None:
    if (settle := end()) is not None:
        perform(settle)


def over(deadline: float) -> bool:
    """Whether a deadline has passed."""
    return time.monotonic() > deadline


def quiet(request: Any, send: Send) -> None:
    """Let an accepted stream's reads wait no longer than its silence may last."""
    if send.idle is not None:
        request.extensions["timeout"]["read"] = send.idle


def pieces(response: Any, decoded: Callable[[], Any]) -> Any:
    """An open response's bytes: past two layers of generators where nothing is to be decoded, and
    no hook of the caller's HTTP client has read them."""
    plain = not (response.is_stream_consumed or "content-encoding" in response.headers)
    return response.stream if plain else decoded()


def frame(event: object) -> bytes:
    """An event that the SDK has decoded, as the line it came from."""
    return b"data: " + encode(event) + b"\n\n"

"""Record and replay: real exchanges, kept in a file without their keys."""

from __future__ import annotations

import json
import os
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal, Self

from franca.flow.effects import Send
from franca.testing.masking import Mask, mask_of, masked, masked_sse
from franca.testing.recorded import append, canonical, difference, packets, read
from franca.testing.seam import STAND_IN, Told, keys_in_place, tapped
from franca.wire import encode

Mode = Literal["replay", "auto", "record"]
MODES = ("replay", "auto", "record")
VARIABLE = "FRANCA_RECORD"

JSON = dict[str, Any]
_KEPT = ("content-type", "retry-after", "retry-after-ms")
_SECRET_HEADERS = ("authorization", "key", "token", "cookie", "secret")


class Cassette:
    """A file of exchanges with the vendors, in place of the vendors while a `with` block lasts: for
    every client of the process, of either wire, sync and async, streams and signed clouds too.

    A request is the recorded one where wire, path and JSON body are the same; the order of an
    object's names does not matter, and keys do not stand in it. Recorded more than once, its
    replies come in the order in which they were recorded, one a request. In a replay
    nothing is counted against a limit, and nothing is waited for between two tries.

    Never written: request headers, of the replies' headers all but the type and the rate limits,
    the endpoint's key, credentials and organisation wherever their text occurs, and what looks like
    a key.

    Args:
        path: JSON lines, in the form that `exchange` takes; folders are made.
        mode: `replay` sends nothing; `auto` sends what is not in the file, where there is a key,
            and records it; `record` sends all, and begins the file anew with the first reply.
            None: what the variable FRANCA_RECORD says, else `replay`.
        ignore: what differs from run to run, by its path in the request's body:
            `metadata.user_id`, `messages.0.content`, `messages.*.id`.
        hide: further texts that are never written; eight characters at least.

    Attributes:
        missed: the first request that was not there, in words; None where all were. Where it is
            there, and nothing else is raised, the end of the block raises it: the code under test
            may have caught it.

    Raises:
        ValueError: no such mode.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        mode: Mode | None = None,
        *,
        ignore: Iterable[str] = (),
        hide: Iterable[str] = (),
    ) -> None:
        told = mode or os.environ.get(VARIABLE) or "replay"
        if told not in MODES:
            raise ValueError(f"mode: {told!r} is none of {', '.join(MODES)}")
        self.path, self.mode = Path(path), told
        self._ignore, self._hide = tuple(ignore), tuple(hide)
        self._lock = threading.Lock()
        self._stack = ExitStack()
        self._left: dict[tuple[str, str], deque[JSON]] = {}
        self._known: list[tuple[str, str]] = []
        self._torn, self._anew = 0, False
        self.missed: str | None = None

    def __enter__(self) -> Self:
        records, self._torn = read(self.path)
        self._anew, self.missed = self.mode == "record", None
        self._left, self._known = {}, []
        for record in records if self.mode != "record" else ():
            key = record.get("wire", ""), canonical(record["request"], self._ignore)
            self._left.setdefault(key, deque()).append(record)
            self._known.append(key)
        if self.mode != "record":
            self._stack.enter_context(keys_in_place())
        self._stack.enter_context(tapped(self._ask, self._hear, waits=self.mode != "replay"))
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        self._stack.close()
        if kind is None and self.missed:
            raise AssertionError(self.missed)

    @property
    def left(self) -> int:
        """How many recorded exchanges no request has asked for."""
        return sum(map(len, self._left.values()))

    def assert_done(self) -> None:
        """AssertionError where a recorded exchange is left."""
        if self.left:
            raise AssertionError(f"{self.path.name}: {self.left} exchanges were not asked for")

    def _ask(self, send: Send) -> Send | Told:
        __tracebackhide__ = True  # pytest shows the caller's own lines, and no argument of these
        if self.mode == "record":
            return send
        key = send.target.wire, canonical(self._request(send), self._ignore)
        with self._lock:
            record = self._take(key, send.path)
            if record is not None:
                return _told(record)
            if self.mode == "auto" and not _made_up(send):
                return send
            words = self._words(key, send)
            self.missed = self.missed or words
        raise AssertionError(words)

    def _take(self, key: tuple[str, str], path: str) -> JSON | None:
        found = self._left.get(key, ())
        for record in found:
            if record["path"].endswith(path):
                self._left[key].remove(record)
                return record
        return None

    def _words(self, key: tuple[str, str], send: Send) -> str:
        if many := self._known.count(key):
            what = f"asked once more than the {many} time(s) that it is recorded"
        else:
            others = [body for wire, body in self._known if wire == key[0]]
            what = difference(key[1], others) or "nothing is recorded for this wire"
        torn = f"\n{self._torn} line(s) of the file cannot be read" if self._torn else ""
        way = f"{VARIABLE}=auto and a key record it"
        return f"{self.path}: not recorded: {key[0]}, {send.path}; {way}\n{what}{torn}"

    def _hear(self, send: Send, told: Told) -> None:
        mask = self._mask(send)
        headers = masked(dict(_headers(told)), mask)
        record = {
            "vendor": send.target.backend,
            "wire": send.target.wire,
            "path": send.path,
            "stream": send.request.stream,
            "request": self._request(send),
            "status": told.status,
            "headers": headers,
            **_content(told, mask),
        }
        with self._lock:
            if self._anew:
                self.path.unlink(missing_ok=True)
                self._anew = False
            append(self.path, record)

    def _request(self, send: Send) -> Any:
        return masked(json.loads(encode(send.body)), self._mask(send))

    def _mask(self, send: Send) -> Mask:
        endpoint, given = send.target.endpoint, send.request.extra_headers or {}
        secrets = [*self._hide, *endpoint.secrets(), endpoint.organization or ""]
        if endpoint.api_key is not None and not endpoint.api_key.fixed:
            secrets.append(endpoint.api_key.reveal())
        for name, value in given.items():
            if any(word in name.lower() for word in _SECRET_HEADERS):
                secrets += [value, value.removeprefix("Bearer ")]
        return mask_of(secrets)


def _made_up(send: Send) -> bool:
    key = send.target.endpoint.api_key
    return key is not None and key.fixed and key.reveal() == STAND_IN


def _headers(told: Told) -> Iterator[tuple[str, str]]:
    for name, value in told.headers.items():
        if name.lower() in _KEPT or "ratelimit" in name.lower():
            yield name.lower(), value


def _content(told: Told, mask: Mask) -> JSON:
    """`sse`, or `reply`: the bytes of JSON where it is an object or a list, else a text."""
    if told.packets is not None:
        return {"sse": masked_sse(b"".join(told.packets).decode("utf-8", "replace"), mask)}
    text = told.body.decode("utf-8", "replace")
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict | list):
        return {"reply": mask(text)}
    clean = masked(value, mask)
    return {"reply": text.encode() if clean == value else json.dumps(clean).encode()}


def _told(record: JSON) -> Told:
    headers, sse, reply = record.get("headers") or {}, record.get("sse"), record.get("reply")
    if sse is not None:
        return Told(record["status"], headers, packets=packets(sse))
    body = reply if isinstance(reply, bytes) else str(reply or "").encode()
    return Told(record["status"], headers, body)

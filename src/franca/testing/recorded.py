"""Recorded exchanges in a file, JSON lines: read, written, compared."""

from __future__ import annotations

import difflib
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from franca.testing.answers import Answer, exchange

JSON = dict[str, Any]
_SHOWN = 60  # lines of a difference
_WIDE = 160  # characters of one


class _Line(msgspec.Struct):
    reply: msgspec.Raw = msgspec.Raw(b"null")


_decode = msgspec.json.Decoder(_Line).decode


def read(path: Path) -> tuple[list[JSON], int]:
    """The exchanges of a file, and how many of its lines are none; a file that is absent has none.

    A line that is torn, or no exchange, is passed over: it takes none of the others with it. A
    reply that is JSON is given as its bytes, as the vendor wrote them.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return [], 0
    found = [record for line in lines if (record := _record(line)) is not None]
    return found, sum(1 for line in lines if line.strip()) - len(found)


def _record(line: bytes) -> JSON | None:
    try:
        value = json.loads(line)
        whole = isinstance(value, dict) and isinstance(value.get("path"), str)
        if not (whole and {"request", "status"} <= value.keys()):
            return None
        if isinstance(value.get("reply"), dict | list):
            value["reply"] = bytes(_decode(line).reply)
    except ValueError:  # UnicodeDecodeError is one
        return None
    return value


def append(path: Path, record: JSON) -> None:
    """One line more, in one write; behind a torn line it begins a new one. A reply that is JSON is
    to be given as its bytes, which stay as they are."""
    reply = record.get("reply")
    if isinstance(reply, bytes):  # a line's end in JSON is never inside of a text
        record = {**record, "reply": msgspec.Raw(reply.replace(b"\r", b"").replace(b"\n", b""))}
    line = msgspec.json.encode(record) + b"\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab+", buffering=0) as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            line = line if file.read(1) == b"\n" else b"\n" + line
        file.write(line)  # to the end, wherever we have read


def exchanges(path: str | os.PathLike[str], **options: Any) -> list[Answer]:
    """A file's replies as the simulator's answers, in order; `options` are `Answer`'s."""
    return [exchange(record, **options) for record in read(Path(path))[0]]


def canonical(request: Any, ignore: Iterable[str]) -> str:
    """What of a request's JSON is compared: names in order, less those to ignore.

    Args:
        ignore: paths with dots; `*` is every item of a list, or every name.
    """
    for path in ignore:
        request = _without(request, path.split("."))
    plain = json.loads(json.dumps(request), parse_float=_number)
    return json.dumps(plain, sort_keys=True, ensure_ascii=False)


def _number(text: str) -> int | float:
    """1.0 is 1."""
    value = float(text)
    return int(value) if value.is_integer() else value


def _without(value: Any, steps: Sequence[str]) -> Any:
    step, rest = steps[0], steps[1:]
    if isinstance(value, Mapping):
        pairs = [(k, _without(v, rest) if rest and _is(step, k) else v) for k, v in value.items()]
        return {k: v for k, v in pairs if rest or not _is(step, k)}
    if isinstance(value, list):
        items = [_without(v, rest) if rest and _is(step, str(i)) else v
                 for i, v in enumerate(value)]  # fmt: skip
        return [v for i, v in enumerate(items) if rest or not _is(step, str(i))]
    return value


def _is(step: str, name: str) -> bool:
    return step in ("*", name)


def packets(sse: str) -> list[bytes]:
    """A stream's text, event by event."""
    return re.findall(rb"(?s).+?(?:\r?\n\r?\n|\r\r|\Z)", sse.encode())


def difference(wanted: str, recorded: Iterable[str]) -> str:
    """How a request, in its canonical form, differs from the nearest of those recorded."""
    lines = _lines(wanted)
    pages = [_lines(text) for text in recorded]
    if not pages:
        return ""
    matcher = difflib.SequenceMatcher(b=lines, autojunk=False)

    def likeness(page: list[str]) -> float:
        matcher.set_seq1(page)
        return matcher.ratio()

    found = difflib.unified_diff(
        max(pages, key=likeness), lines, "recorded", "asked", lineterm="", n=2
    )
    shown = [line if len(line) <= _WIDE else f"{line[:_WIDE]}…" for line in found]
    return "\n".join(shown[:_SHOWN] + (["…"] if len(shown) > _SHOWN else []))


def _lines(text: str) -> list[str]:
    return json.dumps(json.loads(text), indent=1, ensure_ascii=False).split("\n")

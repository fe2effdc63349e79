"""Server-Sent Events, pushed in as bytes of any size, pulled out as (event name, data)."""

from __future__ import annotations

Event = tuple[str, bytes]


class Decoder:
    """Frames an event stream. Lines may end in LF, CRLF or CR; cuts may fall anywhere."""

    __slots__ = ("_buffer", "_cr")

    def __init__(self) -> None:
        self._buffer = b""
        self._cr = False

    def feed(self, data: bytes) -> list[Event]:
        """The events that `data` completes."""
        if data and (self._cr or b"\r" in data):
            data = self._newlines(data)
        buffer = self._buffer + data
        head, end, tail = buffer.rpartition(b"\n\n")
        self._buffer = tail if end else buffer
        return _events(head) if end else []

    @property
    def rest(self) -> bytes:
        """What has come since the last event that was whole."""
        return self._buffer

    def end(self) -> list[Event]:
        """What an ended connection leaves: some vendors leave out the last blank line."""
        rest, self._buffer = self._buffer, b""
        return _events(rest)

    def _newlines(self, data: bytes) -> bytes:
        if self._cr and data.startswith(b"\n"):
            data = data[1:]
        self._cr = data.endswith(b"\r")
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _events(text: bytes) -> list[Event]:
    return [event for block in text.split(b"\n\n") if (event := _event(block))]


def _event(block: bytes) -> Event | None:
    if block.startswith(b"data: ") and b"\n" not in block:  # nearly all of OpenAI's
        return "", block[6:]
    name, data = b"", []
    for line in block.split(b"\n"):
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            data.append(value)
        elif field == b"event":
            name = value
    return (name.decode(errors="replace"), b"\n".join(data)) if data else None

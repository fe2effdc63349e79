"""What a picture's own headers say of it, without decoding it: is anything to be done?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from struct import error, unpack_from
from zlib import crc32

from franca.media.kinds import media_type
from franca.tokens.pixels import Size, picture_size

_ORIENTATION = 0x0112
_JPEG_ALONE = frozenset({0x01, *range(0xD0, 0xD8)})
_JPEG_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


@dataclass(slots=True, frozen=True)
class Header:
    """A picture as it is stored.

    Args:
        size: width and height in pixels, before any turning; None where only a decoder knows it.
        whole: False where bytes are missing, or a checksum is wrong.
        plain: 8 bits a channel, grey, RGB or a palette, with or without alpha; no CMYK.
        moving: an animation.
        orientation: EXIF's, 1 for upright.
    """

    media_type: str
    size: Size | None
    whole: bool = True
    plain: bool = True
    moving: bool = False
    orientation: int = 1


def read_header(data: bytes) -> Header | None:
    """None where the bytes are no picture of a kind that is known."""
    kind = media_type(data)
    if kind is None or not kind.startswith("image/"):
        return None
    reader, size = _READERS.get(kind), picture_size(data)
    if reader is None:
        return Header(kind, size)
    try:
        return reader(data, size)
    except (error, IndexError):
        return Header(kind, size, whole=False)


def _jpeg(data: bytes, size: Size | None) -> Header:
    plain, orientation, at = True, 1, 2
    while data[at : at + 2] != b"\xff\xda":  # the scan, the coded picture itself
        mark = data[at + 1]
        if data[at] != 0xFF:
            return Header("image/jpeg", size, whole=False)
        if mark == 0xFF or mark in _JPEG_ALONE:
            at += 1 if mark == 0xFF else 2
            continue
        length = unpack_from(">H", data, at + 2)[0]
        if mark in _JPEG_FRAME:
            plain = data[at + 4] == 8 and data[at + 9] in (1, 3)
        elif mark == 0xE1 and data[at + 4 : at + 10] == b"Exif\0\0" and orientation == 1:
            orientation = _orientation(data[at + 10 : at + 2 + length])
        at += 2 + length
    return Header("image/jpeg", size, _has_end(data, at), plain, orientation=orientation)


def _has_end(data: bytes, scan: int) -> bool:
    return data.rfind(b"\xff\xd9", scan) > 0


def _png(data: bytes, size: Size | None) -> Header:
    moving, orientation, whole = False, 1, False
    for name, at, length in _chunks(data):
        if crc32(data[at - 4 : at + length]) != unpack_from(">I", data, at + length)[0]:
            break
        moving = moving or name == b"acTL"
        if name == b"eXIf":
            orientation = _orientation(data[at : at + length])
        whole = name == b"IEND"
    return Header("image/png", size, whole, data[24] <= 8, moving, orientation)


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    at, name = 8, b""
    while name != b"IEND":
        length, name = unpack_from(">I4s", data, at)
        yield name, at + 8, length
        at += 12 + length


def _webp(data: bytes, size: Size | None) -> Header:
    whole = len(data) >= 8 + unpack_from("<I", data, 4)[0]
    flags = data[20] if data[12:16] == b"VP8X" else 0
    orientation = 1
    if flags & 0x08 and (at := data.find(b"EXIF", 30)) > 0:
        exif = data[at + 8 : at + 8 + unpack_from("<I", data, at + 4)[0]]
        orientation = _orientation(exif.removeprefix(b"Exif\0\0"))
    return Header("image/webp", size, whole, moving=bool(flags & 0x02), orientation=orientation)


_READERS = {"image/jpeg": _jpeg, "image/png": _png, "image/webp": _webp}


def _orientation(exif: bytes) -> int:
    """The orientation in a block of EXIF; 1 where it has none, or none that can be read."""
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order is None:
        return 1
    try:
        start = unpack_from(f"{order}I", exif, 4)[0]
        for i in range(unpack_from(f"{order}H", exif, start)[0]):
            tag, _, _, value = unpack_from(f"{order}HHIH", exif, start + 2 + 12 * i)
            if tag == _ORIENTATION:
                return value if 1 <= value <= 8 else 1
    except error:
        pass
    return 1

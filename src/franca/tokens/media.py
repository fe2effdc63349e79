"""What pictures, sound and documents cost, by each vendor's published rule (docs/tokens.md)."""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error
from dataclasses import dataclass
from math import ceil
from struct import unpack_from
from typing import TYPE_CHECKING, Literal
from zlib import decompressobj
from zlib import error as zlib_error

from franca.tokens.pixels import Size, picture_size
from franca.types import AudioPart, DocumentPart, ImagePart

if TYPE_CHECKING:
    from franca.tokens.families import Family

UNSEEN: Size = (1024, 1024)
"""What a picture by URL or file id is taken to measure: it is not fetched to be counted."""
_HEAD = 1 << 18  # bytes of a picture that are searched for its size; EXIF may hold a thumbnail
_PAGE = re.compile(rb"/Type\s*/Page(?![a-zA-Z])")
_PACKED = re.compile(rb"/ObjStm(?![a-zA-Z])")
_STREAM = re.compile(rb"stream\r?\n")
_UNPACKED = 1 << 26  # bytes of a document's packed objects that are looked at
_MP3 = 16_000  # bytes a second, at 128 kbit/s


@dataclass(slots=True, frozen=True)
class Picture:
    """A vendor's rule for pictures.

    Args:
        rule: `tiles`: OpenAI's, squares of `unit` pixels after fitting into 2048 and a short side
            of `edge`; `patches`: squares of `unit` pixels, at most `most`, scaled down to fit;
            `area`: pixels / `unit`, after fitting a long side of `edge`; `crops`: Gemini's;
            `fixed`: `base` for any.
        base: tokens of any picture. each: tokens of a tile, a patch, or a crop.
        low: tokens at detail `low`, None where there is no such thing.
    """

    rule: Literal["tiles", "patches", "area", "crops", "fixed"]
    base: float = 0
    each: float = 1
    unit: int = 1
    edge: int = 0
    most: int = 0
    low: int | None = None


def image_tokens(part: ImagePart, family: Family) -> int:
    """The tokens of a picture, of `UNSEEN` size where its bytes are not here."""
    picture = family.picture
    if part.detail == "low" and picture.low is not None:
        return picture.low
    return picture_tokens(picture, _seen(part) or UNSEEN)


def picture_tokens(picture: Picture, size: Size) -> int:
    """The tokens of a picture of that size at full detail."""
    width, height = (max(1, side) for side in size)
    if picture.rule == "fixed":
        return ceil(picture.base)
    if picture.rule == "area":
        width, height = _fit(width, height, picture.edge)
        return min(ceil(picture.base + width * height / picture.unit), picture.most)
    if picture.rule == "tiles":
        width, height = _fit(width, height, 2048)
        width, height = _shrink(width, height, picture.edge / min(width, height))
    if picture.rule == "crops":
        return ceil(picture.base + picture.each * _crops(width, height))
    return ceil(picture.base + picture.each * _squares(picture, width, height))


def _squares(picture: Picture, width: float, height: float) -> int:
    unit, most = picture.unit, picture.most
    if not most or _grid(width, height, unit) <= most:
        return _grid(width, height, unit)
    share = (most * unit**2 / (width * height)) ** 0.5
    whole = min(_whole(side * share / unit) for side in (width, height))
    return min(_grid(width * share * whole, height * share * whole, unit), most)


def _whole(patches: float) -> float:
    """What brings a side down to whole patches."""
    return max(int(patches), 1) / patches


def _grid(width: float, height: float, unit: float) -> int:
    return ceil(round(width / unit, 6)) * ceil(round(height / unit, 6))


def _crops(width: float, height: float) -> int:
    if max(width, height) <= 384:
        return 1
    unit = min(max(int(min(width, height) / 1.5), 256), 768)
    return _grid(width, height, unit) + 1  # and the whole, which is billed and not documented


def _fit(width: float, height: float, edge: int) -> tuple[float, float]:
    return _shrink(width, height, edge / max(width, height))


def _shrink(width: float, height: float, share: float) -> tuple[float, float]:
    return (width * share, height * share) if share < 1 else (width, height)


def _seen(part: ImagePart) -> Size | None:
    data = part.data
    if data is None and part.url and part.url.startswith("data:"):
        data = part.url.partition(",")[2]
    return picture_size(_bytes(data, _HEAD)) if data else None


def _bytes(data: str, most: int | None = None) -> bytes:
    """Base64 text decoded, its first `most` bytes or so; nothing where it is not base64."""
    head = data[: most // 3 * 4] if most else data
    head = head.translate({45: "+", 95: "/"}).rstrip("=")
    try:
        return b64decode(head + "=" * (-len(head) % 4))
    except (Error, ValueError):
        return b""


def audio_tokens(part: AudioPart, family: Family) -> int:
    """The tokens of sound, by its length in seconds: WAV's header tells, else 128 kbit/s."""
    if part.data is None:
        return len(part.transcript or "") // 3
    size = len(part.data) * 3 // 4
    return ceil(family.sound * size / _rate(_bytes(part.data, 64)))


def _rate(head: bytes) -> int:
    """Bytes a second."""
    wav = head[:4] == b"RIFF" and head[8:12] == b"WAVE" and len(head) >= 32
    return max(1, unpack_from("<I", head, 28)[0]) if wav else _MP3


def document_text(part: DocumentPart) -> str | None:
    """The document's text, where it is one of text."""
    if part.text is None and part.data and (part.media_type or "").startswith("text/"):
        return _bytes(part.data).decode("utf-8", "replace")
    return part.text


def document_tokens(part: DocumentPart, family: Family) -> int:
    """The tokens of a document whose text is not here: by its pages, one where they are unseen."""
    return max(_pages(_bytes(part.data)) if part.data else 1, 1) * family.page


def _pages(data: bytes) -> int:
    """How many pages a PDF says it has: in plain, or in packed objects, where most have them."""
    pages, left = len(_PAGE.findall(data)), _UNPACKED
    for packed in map(re.Match.end, _PACKED.finditer(data)):
        begin = _STREAM.search(data, packed, packed + 256)
        if begin is None or left <= 0:
            continue
        stream = memoryview(data)[begin.end() : data.find(b"endstream", begin.end())]
        try:
            objects = decompressobj().decompress(stream, left)
        except zlib_error:  # packed in another way, or encrypted
            continue
        pages += len(_PAGE.findall(objects))
        left -= len(objects)
    return pages

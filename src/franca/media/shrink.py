"""A picture brought to what every vendor takes: JPEG, PNG or WebP, upright, no larger than asked.

Pillow is loaded only where a picture must be drawn anew.
"""

from __future__ import annotations

from io import BytesIO
from math import ceil
from typing import TYPE_CHECKING, Any

from franca.errors import InvalidRequestError, MissingExtraError
from franca.media.header import Header, read_header

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_PIXELS = 50_000_000
"""A picture of more is refused unread: a few kilobytes of PNG can unfold to gigabytes."""
MAX_PNG = 3_750_000
"""Bytes above which a PNG made here becomes a JPEG: 5 MB of base64, the least any vendor takes."""

_KEPT = ("image/jpeg", "image/png", "image/webp")
_OPENED = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")  # and no PostScript, whatever comes
_LOSSY = ("image/jpeg", "image/avif", "image/webp")
_QUALITY = 90


def fit(data: bytes, max_dimension: int | None = None) -> tuple[bytes, str]:
    """The picture and its media type; the very same bytes where nothing is to be done.

    Drawn anew is a picture whose longest side is above `max_dimension`, that lies on its side by
    its EXIF, that moves (its first frame is taken), has 16 bits a channel or is CMYK, or is
    neither JPEG, PNG nor WebP. It keeps no metadata. What was lossy becomes a JPEG, anything else
    and what is transparent a PNG; a PNG above `MAX_PNG` becomes a JPEG, on white.

    Args:
        max_dimension: pixels of the longest side; smaller pictures are not enlarged.

    Raises:
        InvalidRequestError: no picture of a kind that is known, a broken one, or one of more than
            `MAX_PIXELS`.
        MissingExtraError: it must be drawn anew, and Pillow is not installed.
    """
    if max_dimension is not None and max_dimension < 1:
        raise InvalidRequestError(f"max_dimension is {max_dimension}: it must be 1 or more")
    header = read_header(data)
    if header is None:
        raise InvalidRequestError("not a picture of a known kind: JPEG, PNG, WebP, GIF, BMP, TIFF")
    if not header.whole or 0 in (header.size or ()):
        raise InvalidRequestError(f"the picture ({header.media_type}) is broken or cut short")
    _check_pixels(header.size)
    if _good(header, max_dimension):
        return data, header.media_type
    return _redrawn(data, header, max_dimension)


def _good(header: Header, most: int | None) -> bool:
    """Whether the picture can go out as it is."""
    if header.media_type not in _KEPT or header.size is None:
        return False
    upright = header.plain and not header.moving and header.orientation == 1
    return upright and (most is None or max(header.size) <= most)


def _check_pixels(size: tuple[int, int] | None) -> None:
    if size is not None and size[0] * size[1] > MAX_PIXELS:
        raise InvalidRequestError(_too_many(f"{size[0]}x{size[1]}"))


def _too_many(size: str) -> str:
    return f"the picture measures {size}: {MAX_PIXELS // 1_000_000} million pixels are the most"


def _redrawn(data: bytes, header: Header, most: int | None) -> tuple[bytes, str]:
    try:
        from PIL import Image
    except ImportError:
        raise MissingExtraError("Pillow", "media") from None
    try:
        with Image.open(BytesIO(data), formats=_OPENED) as picture:
            _check_pixels(picture.size)
            return _encoded(_drawn(picture, most), header.media_type in _LOSSY)
    except InvalidRequestError:
        raise
    except Image.DecompressionBombError:
        raise InvalidRequestError(_too_many("more")) from None
    except Exception as error:  # of broken bytes Pillow raises whatever they lead it to
        why = f"the picture ({header.media_type}) cannot be read: it is broken or unsupported"
        raise InvalidRequestError(f"{why} ({type(error).__name__})") from None


def _drawn(picture: Image, most: int | None) -> Image:
    """Its first frame: RGB, RGBA or grey, upright, within the size, with no metadata."""
    from PIL import ImageOps
    from PIL.Image import Resampling

    if most is not None:  # a JPEG decodes at once to a half, a quarter … of its size
        share = most / max(picture.size)
        picture.draft(None, (ceil(picture.width * share), ceil(picture.height * share)))
    picture.load()
    drawn = _channels(picture)
    if most is not None and max(drawn.size) > most:
        drawn.thumbnail((most, most), Resampling.LANCZOS, reducing_gap=3.0)
    ImageOps.exif_transpose(drawn, in_place=True)
    drawn.info = {}
    return drawn


def _channels(picture: Image) -> Image:
    """The picture as L, RGB or RGBA; alpha only where something shows through."""
    if picture.mode.startswith("I;16"):
        return picture.convert("I").point(lambda value: value * (1 / 257)).convert("L")
    if picture.mode in ("I", "F"):
        return _stretched(picture)
    if picture.has_transparency_data:
        clear = picture if picture.mode == "RGBA" else picture.convert("RGBA")
        return clear if clear.getchannel("A").getextrema() != (255, 255) else clear.convert("RGB")
    if picture.mode == "1":
        return picture.convert("L")
    return picture if picture.mode in ("L", "RGB") else picture.convert("RGB")


def _stretched(picture: Image) -> Image:
    """Grey of unknown range (32 bits, floats): its darkest black, its brightest white."""
    low, high = picture.getextrema()
    assert isinstance(low, int | float)
    assert isinstance(high, int | float)
    share = 255 / (high - low) if high > low else 0
    return picture.convert("F").point(lambda value: value * share - low * share).convert("L")


def _encoded(picture: Image, lossy: bool) -> tuple[bytes, str]:
    if not lossy or picture.mode == "RGBA":
        png = _saved(picture, format="PNG")
        if len(png) <= MAX_PNG:
            return png, "image/png"
    return _saved(_on_white(picture), format="JPEG", quality=_QUALITY), "image/jpeg"


def _on_white(picture: Image) -> Image:
    from PIL import Image

    if picture.mode != "RGBA":
        return picture
    white = Image.new("RGB", picture.size, "white")
    white.paste(picture, mask=picture.getchannel("A"))
    return white


def _saved(picture: Image, **how: Any) -> bytes:
    out = BytesIO()
    picture.save(out, **how)
    return out.getvalue()

"""Parts made of bytes, a `Path`, or a URL.

A text is a URL, never a file's name: what a user of a service writes into a message must not open
the service's own files.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from pathlib import Path
from urllib.parse import unquote_to_bytes

from franca.errors import InvalidRequestError
from franca.media.kinds import media_type
from franca.media.shrink import fit
from franca.types import AudioPart, DocumentPart, ImagePart

_HTTP = ("http://", "https://")
_VENDORS_OWN = ("gs://", "oss://", "ms://")  # Google's storage, Qwen's uploads, Moonshot's files
Source = bytes | Path | str
"""Bytes; a file; or the text of an http(s) or data: URL."""
MAX_FILE = 128 * 1024 * 1024
"""Bytes of a file at the most: above what any vendor takes; a device or a pipe may have no end."""


def image(
    source: Source, *, max_dimension: int | None = None, detail: str | None = None
) -> ImagePart:
    """A picture for a message. One that is here is brought to what vendors take; see `fit`.

    Args:
        source: an http(s) URL is kept as it is: the vendor fetches it, or franca where it does not.
        max_dimension: pixels of the longest side, for a picture that is here.
        detail: OpenAI's `low`, `high` or `auto`.

    Raises:
        InvalidRequestError: the source is no picture, or a text that is no such URL.
        MissingExtraError: it must be drawn anew, and Pillow is not installed.
    """
    if isinstance(source, str) and is_elsewhere(source):
        if max_dimension is not None:
            why = "max_dimension is for a picture that is here"
            raise InvalidRequestError(f"{why}: image(fetch(url), max_dimension=…)")
        return ImagePart(url=source, detail=detail)
    data, kind = fit(content(source), max_dimension)
    return ImagePart(data=text(data), media_type=kind, detail=detail)


def audio(source: Source) -> AudioPart:
    """Sound for a message: wav, mp3 and whatever else the vendor takes.

    Raises:
        InvalidRequestError: no sound of a known kind; or a URL, which no wire takes for sound.
    """
    if isinstance(source, str) and is_http(source):
        raise InvalidRequestError("sound goes out as bytes: no wire takes a URL for it")
    data = content(source)
    kind = media_type(data) or ""
    if not kind.startswith("audio/"):
        raise InvalidRequestError("not a sound of a known kind: wav, mp3, flac, ogg, m4a")
    return AudioPart(data=text(data), format=kind.removeprefix("audio/"))


def document(source: Source, *, filename: str | None = None) -> DocumentPart:
    """A PDF or a plain text for a message.

    Args:
        filename: as the model is told; a `Path` has its own.

    Raises:
        InvalidRequestError: neither a PDF nor UTF-8 text; or a text that is no URL.
    """
    if isinstance(source, Path):
        filename = filename or source.name
    elif isinstance(source, str) and is_elsewhere(source):
        return DocumentPart(url=source, filename=filename)
    data = content(source)
    if media_type(data) == "application/pdf":
        name = filename or "document.pdf"  # OpenAI wants one
        return DocumentPart(data=text(data), media_type="application/pdf", filename=name)
    try:
        written = data.decode()
    except UnicodeDecodeError:
        written = "\0"
    if "\0" in written:
        raise InvalidRequestError("a document is a PDF or a text in UTF-8")
    return DocumentPart(text=written, media_type="text/plain", filename=filename)


def is_http(url: str) -> bool:
    """Whether it is a URL that can be fetched."""
    return url[:8].lower().startswith(_HTTP)


def is_elsewhere(url: str) -> bool:
    """Whether it is the URL of something that is not here, of a vendor's own kind perhaps."""
    return url[:8].lower().startswith((*_HTTP, *_VENDORS_OWN))


def content(source: Source) -> bytes:
    """The bytes of what is here.

    Raises:
        InvalidRequestError: a file that cannot be read or is above `MAX_FILE`, which names it; or a
            text that is no data: URL; it is not repeated, since it may be the data.
    """
    if isinstance(source, Path):
        return _of_file(source)
    if isinstance(source, bytes | bytearray | memoryview):
        return bytes(source)
    if isinstance(source, str) and source[:5].lower() == "data:":
        return _of_data_url(source)
    if isinstance(source, str):
        why = "a text here is an http(s) or a data: URL"
        raise InvalidRequestError(f"{why}; a file is given as a pathlib.Path, bytes as bytes")
    raise InvalidRequestError(f"expected bytes, a Path or a URL, got {type(source).__name__}")


def _of_file(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE + 1)
    except OSError as error:
        raise InvalidRequestError(f"{path}: {error.strerror}") from None
    if len(data) > MAX_FILE:
        raise InvalidRequestError(f"{path}: more than {MAX_FILE >> 20} MiB")
    return data


def _of_data_url(url: str) -> bytes:
    head, comma, data = url.partition(",")
    if not comma:
        raise InvalidRequestError("a data: URL without a comma")
    if head.lower().endswith(";base64"):
        return decoded(data if "%" not in data else unquote_to_bytes(data).decode("latin-1"))
    return unquote_to_bytes(data)


def decoded(data: str) -> bytes:
    """The bytes of base64 text. Raises InvalidRequestError, without the text."""
    try:
        return b64decode("".join(data.split()), validate=True)
    except ValueError:
        raise InvalidRequestError("the data is not base64") from None


def text(data: bytes) -> str:
    """Base64."""
    return b64encode(data).decode()

"""What bytes are, by how they begin: a name's ending and a server's word prove nothing."""

from __future__ import annotations

_MAGIC = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"BM", "image/bmp"),
    (b"II*\0", "image/tiff"),
    (b"MM\0*", "image/tiff"),
    (b"%PDF-", "application/pdf"),
    (b"ID3", "audio/mp3"),
    (b"fLaC", "audio/flac"),
    (b"OggS", "audio/ogg"),
)
_RIFF = {b"WEBP": "image/webp", b"WAVE": "audio/wav"}
_BRANDS = {b"avif": "image/avif", b"avis": "image/avif", b"M4A ": "audio/m4a"}
_BRANDS |= dict.fromkeys((b"heic", b"heix", b"hevc", b"mif1", b"msf1"), "image/heic")


def media_type(data: bytes) -> str | None:
    """The media type of a picture, a sound or a PDF; None for anything else."""
    if data[:4] == b"RIFF":
        return _RIFF.get(data[8:12])
    if data[4:8] == b"ftyp":
        return _BRANDS.get(data[8:12])
    if len(data) > 2 and data[0] == 0xFF and data[1] & 0xE6 == 0xE2:  # MPEG layer III, no tag
        return "audio/mp3"
    return next((name for magic, name in _MAGIC if data.startswith(magic)), None)

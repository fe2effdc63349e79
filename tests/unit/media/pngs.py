"""Pictures for tests, made without Pillow."""

import struct
import zlib


def png(
    width: int = 8, height: int = 8, depth: int = 8, colour: int = 0, rows: bytes | None = None
) -> bytes:
    """A PNG of raw rows, which are black and of 8-bit grey unless given."""
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    packed = zlib.compress(bytes((width + 1) * height) if rows is None else rows, 9)
    chunks = (chunk(b"IHDR", head), chunk(b"IDAT", packed), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def chunk(name: bytes, content: bytes) -> bytes:
    whole = name + content
    return struct.pack(">I", len(content)) + whole + struct.pack(">I", zlib.crc32(whole))

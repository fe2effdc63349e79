"""Pictures, sound and documents: sizes from their heads, tokens by the vendors' rules."""

import base64
import struct
import zlib

import pytest

from franca.tokens import family_of, message_tokens
from franca.tokens.media import UNSEEN, document_tokens, image_tokens, picture_tokens
from franca.tokens.pixels import picture_size
from franca.types import AudioPart, DocumentPart, ImagePart, Message, TextPart


def png(width: int, height: int) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + head
    start = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", len(head))
    return start + chunk + struct.pack(">I", zlib.crc32(chunk))


def jpeg(width: int, height: int, before: bytes = b"", frame: int = 0xC0) -> bytes:
    size = struct.pack(">BHHB", 8, height, width, 3) + bytes(9)
    return b"\xff\xd8" + before + b"\xff" + bytes([frame]) + struct.pack(">H", 17) + size


def exif(number: int) -> bytes:
    return b"\xff\xe1" + struct.pack(">H", number + 2) + b"\xff\xc0" * (number // 2)


def webp(kind: bytes, body: bytes) -> bytes:
    chunk = kind + struct.pack("<I", len(body)) + body
    return b"RIFF" + struct.pack("<I", len(chunk) + 4) + b"WEBP" + chunk


@pytest.mark.parametrize(
    "data",
    [
        png(640, 480),
        jpeg(640, 480),
        jpeg(640, 480, exif(60_000)),
        jpeg(640, 480, b"\xff\xff" + exif(10)[1:]),
        jpeg(640, 480, b"\xff\xd0" + exif(10), 0xC2),
        b"GIF89a" + struct.pack("<HH", 640, 480),
        b"BM" + bytes(16) + struct.pack("<ii", 640, -480),
        webp(b"VP8 ", bytes(3) + b"\x9d\x01\x2a" + struct.pack("<HH", 640, 480)),
        webp(b"VP8L", b"\x2f" + struct.pack("<I", 639 | 479 << 14)),
        webp(b"VP8X", bytes(4) + (639).to_bytes(3, "little") + (479).to_bytes(3, "little")),
    ],
)
def test_the_size_is_in_the_head(data: bytes) -> None:
    assert picture_size(data) == (640, 480)
    assert all(picture_size(data[:cut]) in (None, (640, 480)) for cut in range(len(data)))


@pytest.mark.parametrize("data", [b"", b"hello", b"\xff\xd8\x00", b"<svg/>", b"RIFF0000WEBPVP9 "])
def test_what_is_no_picture_has_no_size(data: bytes) -> None:
    assert picture_size(data) is None


@pytest.mark.parametrize(
    ("model", "size", "tokens"),
    [
        # OpenAI's documented examples
        ("gpt-4o", (1024, 1024), 765),
        ("gpt-4o", (2048, 4096), 1105),
        ("gpt-4.1-mini", (1024, 1024), 1659),
        ("gpt-4.1-mini", (1800, 2400), 2353),
        ("gpt-5", (1024, 1024), 630),
        # Anthropic's
        ("claude-sonnet-4-5", (200, 200), 54),
        ("claude-sonnet-4-5", (1000, 1000), 1334),
        ("claude-sonnet-4-5", (1092, 1092), 1590),
        ("claude-sonnet-4-5", (8000, 8000), 1600),
        # Google's, and the whole picture once more, as it was billed for one
        ("gemini-2.5-flash", (384, 384), 258),
        ("gemini-2.5-flash", (960, 540), 1548 + 258),
        ("gemini-3-pro-preview", (960, 540), 1120),
        # billed
        ("gemini-2.0-flash", (540, 360), 1806),
        # one that stands on its edge
        ("qwen3-vl-plus", (64, 32), 4),
        ("gpt-4o", (1, 1), 255),
    ],
)
def test_a_picture_costs_what_the_vendor_says(
    model: str, size: tuple[int, int], tokens: int
) -> None:
    assert picture_tokens(family_of(model).picture, size) == tokens


def test_a_picture_costs_its_real_size() -> None:
    family = family_of("gpt-4o")
    data = base64.b64encode(png(512, 512)).decode()
    assert image_tokens(ImagePart(data=data, media_type="image/png"), family) == 255
    assert image_tokens(ImagePart(url=f"data:image/png;base64,{data}"), family) == 255
    assert image_tokens(ImagePart(data=data, detail="low"), family) == 85
    large = png(4000, 4000) + bytes(2_000_000)
    assert image_tokens(ImagePart(data=base64.b64encode(large).decode()), family) == 765


@pytest.mark.parametrize(
    "part",
    [
        ImagePart(url="https://example.com/a.png"),
        ImagePart(file_id="file-1"),
        ImagePart(data="not base64 at all!"),
        ImagePart(data=base64.b64encode(b"no picture").decode()),
        ImagePart(),
    ],
)
def test_an_unseen_picture_is_of_a_middle_size(part: ImagePart) -> None:
    family = family_of("claude-sonnet-4-5")
    assert image_tokens(part, family) == picture_tokens(family.picture, UNSEEN)


def test_sound_costs_its_length() -> None:
    head = b"RIFF" + bytes(4) + b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, 8000, 16000, 2, 16)
    wav = base64.b64encode(head + bytes(160_000)).decode()
    ten_seconds = AudioPart(data=wav, format="wav")
    empty = message_tokens(Message("user", []), "gemini-2.5-flash")
    found = message_tokens(Message("user", [ten_seconds]), "gemini-2.5-flash") - empty
    assert 320 <= found <= 322


def test_a_pdf_costs_its_pages() -> None:
    pdf = b"%PDF-1.4 /Type /Pages /Type /Page /Type/Page /Type /Page >>"
    part = DocumentPart(data=base64.b64encode(pdf).decode(), media_type="application/pdf")
    empty = message_tokens(Message("user", []), "gemini-2.5-flash")
    assert message_tokens(Message("user", [part]), "gemini-2.5-flash") - empty == 3 * 258
    unseen = DocumentPart(url="https://example.com/a.pdf")
    assert message_tokens(Message("user", [unseen]), "gemini-2.5-flash") - empty == 258


def packed(content: bytes, head: bytes = b"") -> bytes:
    return b"<< /Type /ObjStm /N 2 %b >>\nstream\r\n%b\nendstream" % (head, zlib.compress(content))


@pytest.mark.parametrize(
    ("objects", "pages"),
    [
        (packed(b"1 0 2 9 << /Type /Page >> << /Type/Page >>") + packed(b"<< /Type /Page >>"), 3),
        (packed(b"<< /Type /Pages >>") + b"<< /Type /Page >>", 1),
        (packed(b"<< /Type /Page >>").replace(b"x\x9c", b"??"), 1),  # in no form that is known
        (packed(b"<< /Type /Page >> << /Type /Page >>", b"/Filter /FlateDecode"), 2),
        (b"<< /Type /ObjStm >> stream\n", 1),
        (b"/ObjStm", 1),
        (packed(b"<< /Type /Page >>")[:-9], 1),
    ],
)
def test_a_pdf_may_hold_its_pages_packed(objects: bytes, pages: int) -> None:
    data = base64.b64encode(b"%PDF-1.5\n" + objects).decode()
    part = DocumentPart(data=data, media_type="application/pdf")
    assert document_tokens(part, family_of("gemini-2.5-flash")) == pages * 258


def test_a_pdf_that_unfolds_is_not_unfolded_whole() -> None:
    bomb = packed(b"<< /Type /Page >>" * 4_000_000) * 2
    part = DocumentPart(data=base64.b64encode(bomb).decode(), media_type="application/pdf")
    pages = (1 << 26) // len(b"<< /Type /Page >>")
    assert document_tokens(part, family_of("gemini-2.5-flash")) == pages * 258


def test_a_document_of_text_costs_its_text() -> None:
    text = "name: test\nversion: 1.0.0\n" * 20
    data = base64.b64encode(text.encode()).decode()
    part = DocumentPart(data=data, media_type="text/plain")
    as_text = message_tokens(Message("user", [TextPart(text)]), "gpt-4o")
    assert message_tokens(Message("user", [part]), "gpt-4o") == as_text

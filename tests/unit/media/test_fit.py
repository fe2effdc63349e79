"""Pictures brought to what vendors take, on real pictures."""

import io
import struct
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("PIL", reason="Pillow comes with the extra media")

from PIL import Image, ImageDraw
from pngs import png

from franca.errors import InvalidRequestError, MissingExtraError
from franca.media import audio, document, fit, image, sources
from franca.media.header import read_header
from franca.media.shrink import MAX_PIXELS, MAX_PNG
from franca.media.sources import decoded

RED, BLUE = (255, 0, 0), (0, 0, 255)
ORIENTATION = 0x0112


def halves(size: tuple[int, int] = (40, 30), mode: str = "RGB") -> Image.Image:
    """Red on the left, blue on the right."""
    picture = Image.new("RGB", size, RED)
    ImageDraw.Draw(picture).rectangle((size[0] // 2, 0, *size), fill=BLUE)
    return picture.convert(mode)


def saved(picture: Image.Image, form: str = "PNG", **how: Any) -> bytes:
    out = io.BytesIO()
    picture.save(out, form, **how)
    return out.getvalue()


def opened(data: bytes) -> Image.Image:
    picture = Image.open(io.BytesIO(data))
    picture.load()
    return picture


def is_near(picture: Image.Image, at: tuple[int, int], colour: tuple[int, ...]) -> bool:
    seen = picture.convert("RGB").getpixel(at)
    assert isinstance(seen, tuple)
    return all(abs(a - b) <= 8 for a, b in zip(seen, colour, strict=True))


def exif(orientation: int) -> bytes:
    tags = Image.Exif()
    tags[ORIENTATION] = orientation
    tags[0x010F] = "A camera's maker"
    tags.get_ifd(0x8825)[1] = "N"  # where it was taken
    return tags.tobytes()


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("most", [None, 40, 4000])
def test_what_is_fine_keeps_its_very_bytes(form: str, most: int | None) -> None:
    data = saved(halves(), form)
    assert fit(data, most)[0] is data
    assert fit(data, most)[1] == f"image/{form.lower()}"


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA"])
def test_a_png_of_any_usual_mode_is_fine(mode: str) -> None:
    data = saved(halves(mode=mode))
    assert fit(data)[0] is data


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"])
@pytest.mark.parametrize(("size", "shrunk"), [((400, 100), (80, 20)), ((100, 400), (20, 80))])
def test_the_longest_side_is_brought_down(
    form: str, size: tuple[int, int], shrunk: tuple[int, int]
) -> None:
    data, kind = fit(saved(halves(size), form), 80)
    picture = opened(data)
    assert picture.size == shrunk
    assert fit(data, 80)[0] is data
    assert kind == f"image/{str(picture.format).lower()}"
    assert is_near(picture, (1, 1), RED)
    assert is_near(picture, (shrunk[0] - 2, shrunk[1] - 2), BLUE)


def test_a_line_keeps_a_pixel() -> None:
    data, _ = fit(saved(Image.new("RGB", (3000, 2))), 100)
    assert opened(data).size == (100, 1)


@pytest.mark.parametrize(
    ("form", "mode", "kind"),
    [
        ("JPEG", "RGB", "image/jpeg"),
        ("JPEG", "L", "image/jpeg"),
        ("JPEG", "CMYK", "image/jpeg"),
        ("WEBP", "RGB", "image/jpeg"),
        ("WEBP", "RGBA", "image/jpeg"),  # nothing shows through
        ("PNG", "RGB", "image/png"),
        ("PNG", "P", "image/png"),
        ("PNG", "1", "image/png"),
        ("GIF", "P", "image/png"),
        ("TIFF", "CMYK", "image/png"),
        ("TIFF", "F", "image/png"),
    ],
)
def test_lossy_stays_lossy_and_sharp_stays_sharp(form: str, mode: str, kind: str) -> None:
    assert fit(saved(halves((400, 100), mode), form), 80)[1] == kind


@pytest.mark.parametrize("most", [None, 20])
def test_cmyk_becomes_rgb(most: int | None) -> None:
    data, kind = fit(saved(halves(mode="CMYK"), "JPEG"), most)
    picture = opened(data)
    assert (kind, picture.mode) == ("image/jpeg", "RGB")
    assert is_near(picture, (2, 2), RED)


def grey16(colour: int) -> bytes:
    """A quarter, half, three quarters of full light, in 16 bits a channel."""
    channels = {0: 1, 2: 3, 4: 2, 6: 4}[colour]
    shades = (0x4000, 0x8000, 0xC000)
    row = b"".join(struct.pack(f">{channels}H", *[shade] * channels) for shade in shades)
    return png(3, 1, 16, colour, b"\0" + row)


@pytest.mark.parametrize("colour", [0, 2])
def test_16_bits_become_8_of_the_same_shades(colour: int) -> None:
    data, kind = fit(grey16(colour))
    picture = opened(data)
    assert (kind, data[24]) == ("image/png", 8)
    for x, shade in enumerate((64, 128, 192)):
        assert is_near(picture, (x, 0), (shade, shade, shade))


@pytest.mark.parametrize("mode", ["I", "F"])
def test_grey_of_unknown_range_is_stretched(mode: str) -> None:
    picture = Image.new(mode, (3, 1))
    for x, value in enumerate((1000, 2000, 3000)):
        picture.putpixel((x, 0), value)
    seen = opened(fit(saved(picture, "TIFF"))[0])
    assert [seen.getpixel((x, 0)) for x in range(3)] == [0, 127, 255]


@pytest.mark.parametrize("form", ["PNG", "WEBP", "GIF"])
def test_what_shows_through_stays_so(form: str) -> None:
    picture = halves((400, 100), "RGBA")
    picture.paste((0, 0, 0, 0), (0, 0, 100, 100))
    data, kind = fit(saved(picture, form), 80)
    alpha = opened(data).convert("RGBA").getchannel("A")
    assert kind == "image/png"
    assert (alpha.getpixel((5, 5)), alpha.getpixel((75, 5))) == (0, 255)


def test_a_png_too_large_becomes_a_jpeg_on_white() -> None:
    noise = Image.effect_noise((1500, 1500), 100)
    clear = Image.merge("RGBA", [noise, noise.rotate(90), noise.rotate(180), noise])
    clear.paste((0, 0, 0, 0), (0, 0, 200, 200))
    whole = saved(clear, compress_level=1)
    data, kind = fit(whole, 1499)
    assert len(whole) > MAX_PNG > len(data)
    assert kind == "image/jpeg"
    assert is_near(opened(data), (100, 100), (255, 255, 255))


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "TIFF"])
@pytest.mark.parametrize("turn", range(2, 9))
def test_it_is_turned_upright(form: str, turn: int) -> None:
    across, back = turn in (5, 6, 7, 8), turn in (2, 3, 7, 8)
    data = saved(halves((64, 48)), form, exif=exif(turn))
    header = read_header(data)
    assert header is not None
    assert header.orientation == (1 if form == "TIFF" else turn)
    picture = opened(fit(data)[0])
    assert picture.size == ((48, 64) if across else (64, 48))
    first, last = (2, 2), (picture.width - 3, picture.height - 3)
    assert is_near(picture, first, BLUE if back else RED)
    assert is_near(picture, last, RED if back else BLUE)


def test_what_is_drawn_anew_keeps_nothing_of_where_it_was_taken() -> None:
    how = {"exif": exif(6), "comment": b"secret", "xmp": b"<x:xmpmeta>secret</x:xmpmeta>"}
    data = saved(halves((64, 48)), "JPEG", **how)
    assert b"camera" in data
    assert b"secret" in data
    clean = fit(data)[0]
    assert not opened(clean).getexif()
    assert b"camera" not in clean
    assert b"secret" not in clean


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG"])
def test_of_an_animation_the_first_frame(form: str) -> None:
    more = [Image.new("RGB", (40, 30), BLUE)]
    data = saved(Image.new("RGB", (40, 30), RED), form, save_all=True, append_images=more)
    drawn, _ = fit(data)
    picture = opened(drawn)
    assert getattr(picture, "n_frames", 1) == 1
    assert is_near(picture, (5, 5), RED)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("most", [None, 50])
def test_one_cut_short_is_refused(form: str, share: float, most: int | None) -> None:
    data = saved(Image.effect_noise((200, 150), 60).convert("P" if form == "GIF" else "RGB"), form)
    with pytest.raises(InvalidRequestError, match=r"broken|cut short"):
        fit(data[: int(len(data) * share)], most)


def test_a_wrong_checksum_is_refused() -> None:
    data = bytearray(saved(halves()))
    data[60] ^= 1
    with pytest.raises(InvalidRequestError, match="broken"):
        fit(bytes(data))


@pytest.mark.parametrize("data", [b"", b"secret", b"<svg/>", b"%PDF-1.7", b"\xff\xd8\xff", b"BM"])
def test_what_is_no_picture_is_refused_without_its_bytes(data: bytes) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        fit(data)
    assert "secret" not in str(caught.value)


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_random_harm_is_refused_or_fits() -> None:
    """No other error, whatever a byte becomes."""
    for form in ("PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP"):
        data = saved(halves((64, 48)), form)
        for at in range(0, len(data), 7):
            harmed = data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]
            try:
                fit(harmed, 20)
            except InvalidRequestError:
                continue


@pytest.mark.parametrize("size", [(100_000, 100_000), (MAX_PIXELS + 1, 1), (10_000, 5_001)])
def test_a_bomb_is_refused_unread(size: tuple[int, int]) -> None:
    bomb = png(*size, 8, 2, b"\0" * 1_000_000)
    tracemalloc.start()
    with pytest.raises(InvalidRequestError, match=f"{size[0]}x{size[1]}.*50 million"):
        fit(bomb, 1000)
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()


@pytest.mark.parametrize("size", [(0, 0), (0, 9), (9, 0)])
@pytest.mark.parametrize("most", [None, 4])
def test_a_picture_of_nothing_is_refused(size: tuple[int, int], most: int | None) -> None:
    with pytest.raises(InvalidRequestError, match="broken"):
        fit(png(*size), most)


@pytest.mark.parametrize("side", [7_100, 60_000])
def test_a_bomb_whose_size_only_a_decoder_knows(side: int) -> None:
    tags = b"".join(
        struct.pack("<HHII", tag, 4, 1, value)
        for tag, value in ((256, side), (257, side), (258, 8), (262, 1), (273, 8), (279, 8))
    )
    bomb = b"II*\0\x08\0\0\0" + struct.pack("<H", 6) + tags + bytes(4)
    with pytest.raises(InvalidRequestError, match="50 million pixels"):
        fit(bomb)


def test_without_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    fine, large = saved(halves()), saved(halves((100, 100)))
    monkeypatch.setitem(sys.modules, "PIL", None)
    assert fit(fine, 50)[0] is fine
    with pytest.raises(MissingExtraError, match=r"franca\[media\]"):
        fit(large, 50)


@pytest.mark.parametrize("most", [0, -1])
def test_no_size_below_a_pixel(most: int) -> None:
    with pytest.raises(InvalidRequestError, match="max_dimension"):
        fit(saved(halves()), most)


def test_a_picture_from_bytes_a_path_or_a_data_url(tmp_path: Path) -> None:
    data = saved(halves())
    (tmp_path / "a.png").write_bytes(data)
    whole = image(data)
    assert decoded(whole.data or "") == data
    assert whole.media_type == "image/png"
    assert image(tmp_path / "a.png") == whole
    assert image(f"data:image/png;base64,{whole.data}") == whole
    assert image(data, detail="low").detail == "low"
    assert opened(decoded(image(data, max_dimension=20).data or "")).size == (20, 15)


def test_a_url_stays_one() -> None:
    assert image("https://a.example/b.png", detail="high").url == "https://a.example/b.png"
    with pytest.raises(InvalidRequestError, match="max_dimension"):
        image("https://a.example/b.png", max_dimension=100)


@pytest.mark.parametrize("maker", [image, audio, document])
@pytest.mark.parametrize("name", ["/etc/passwd", "a.png", "file:///a.png", "~/a.png", "secret"])
def test_a_text_is_never_a_files_name(maker: Any, name: str) -> None:
    with pytest.raises(InvalidRequestError, match=r"pathlib\.Path") as caught:
        maker(name)
    assert name not in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequestError, match=r"none\.png: No such file"):
        image(tmp_path / "none.png")


@pytest.mark.parametrize("maker", [image, audio, document])
def test_a_file_without_end_is_not_read_to_it(
    maker: Callable[[Path], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "MAX_FILE", 3 << 20)
    with pytest.raises(InvalidRequestError, match=r"^/dev/zero: more than 3 MiB"):
        maker(Path("/dev/zero"))


def test_sound() -> None:
    wav = b"RIFF\x24\0\0\0WAVEfmt " + bytes(28)
    assert audio(wav).format == "wav"
    assert audio(b"\xff\xfb\x90\x00" + bytes(20)).format == "mp3"
    assert decoded(audio(wav).data or "") == wav
    with pytest.raises(InvalidRequestError, match="no wire takes a URL"):
        audio("https://a.example/b.wav")
    with pytest.raises(InvalidRequestError, match="not a sound"):
        audio(b"%PDF-1.7")


def test_documents(tmp_path: Path) -> None:
    (tmp_path / "paper.pdf").write_bytes(b"%PDF-1.7 ...")
    paper = document(tmp_path / "paper.pdf")
    assert (paper.filename, paper.media_type) == ("paper.pdf", "application/pdf")
    assert document(b"%PDF-1.7 ...").filename == "document.pdf"
    assert document(b"a plain text").text == "a plain text"
    assert document("https://a.example/b.pdf").url == "https://a.example/b.pdf"
    with pytest.raises(InvalidRequestError, match="PDF or a text"):
        document(b"\x89PNG\r\n\x1a\n\0")

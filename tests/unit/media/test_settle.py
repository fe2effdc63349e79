"""A conversation's media made ready for where it goes."""

import json
import struct
import threading
from base64 import b64decode, b64encode
from copy import deepcopy
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pngs import png

from franca.backends import Quirks
from franca.errors import ConnectionError, InvalidRequestError
from franca.media import asettle, audio, document, fetch, has_media, image, settle
from franca.media import conversation as module
from franca.media.conversation import LEFT_OUT
from franca.settings import Settings
from franca.settings.target import Endpoint, Target
from franca.types import (
    AudioPart,
    DocumentPart,
    EndpointType,
    ImagePart,
    Message,
    NativePart,
    Part,
    TextPart,
    ToolResult,
)
from franca.wire.reading import read_messages

PDF = b"%PDF-1.7 ..."
SEEING = Target("vendor", "m", "m", Endpoint("e1", EndpointType.OpenAI, "http://127.0.0.1/v1"))
BLIND = replace(SEEING, native_multimodal=False)
REMOTE = replace(SEEING, quirks=Quirks(url_images=False))


def b64(data: bytes) -> str:
    return b64encode(data).decode()


def size(part: Part) -> tuple[int, int]:
    assert isinstance(part, ImagePart)
    assert part.data is not None
    return struct.unpack_from(">II", b64decode(part.data), 16)


def user(*parts: Part) -> list[Message]:
    return [Message("system", "s"), Message("user", [TextPart("look"), *parts])]


def last(messages: list[Message]) -> Part:
    content = messages[-1].content
    assert isinstance(content, list)
    return content[-1]


def settled(*parts: Part, target: Target = SEEING, **how: Any) -> Part:
    return last(settle(user(*parts), (target,), **how))


def no_fetch(url: str) -> bytes:
    raise AssertionError(f"fetched {url}")


def test_without_media_it_is_the_same_list() -> None:
    messages = [Message("user", "a"), Message("user", [TextPart("b")])]
    assert not has_media(messages)
    assert settle(messages, (REMOTE,)) is messages


def test_what_is_fine_is_the_same_part() -> None:
    fine = image(png())
    url = ImagePart("https://a.example/b.png")
    by_id = ImagePart(file_id="file-1")
    as_url = ImagePart(f"data:image/png;base64,{b64(png())}")
    paper = DocumentPart(data=b64(PDF), media_type="application/pdf")
    messages = user(fine, url, by_id, as_url, paper, AudioPart(data="AA==", format="wav"))
    done = settle(messages, (SEEING,), fetch=no_fetch)
    assert done is not messages
    assert all(a is b for a, b in zip(done, messages, strict=True))


def test_the_least_of_the_sizes_holds() -> None:
    pytest.importorskip("PIL")
    targets = [replace(SEEING, max_image_dimension=most) for most in (50, None, 20)]
    part = image(png(100, 60))
    done = settle(user(part), targets)
    assert size(last(done)) == (20, 12)
    assert size(part) == (100, 60)


def test_a_picture_in_a_tools_answer() -> None:
    pytest.importorskip("PIL")
    inner: list[Part] = [TextPart("here"), image(png(100, 60))]
    messages = [Message("tool", [ToolResult("call_1", inner)])]
    answer = last(settle(messages, (replace(SEEING, max_image_dimension=10),)))
    assert isinstance(answer, ToolResult)
    assert isinstance(answer.content, list)
    assert size(answer.content[1]) == (10, 6)
    assert size(inner[1]) == (100, 60)


@pytest.mark.parametrize("process", [True, False])
def test_files_and_bytes_in_the_places_of_urls(tmp_path: Path, process: bool) -> None:
    file: Any = tmp_path / "a.png"
    file.write_bytes(png())
    raw: Any = png()
    parts = (
        ImagePart(file, detail="low"),
        ImagePart(raw),
        ImagePart(data=raw),
        NativePart("openai-chat", {"type": "image_url", "image_url": file}),
        NativePart("openai-chat", {"type": "image_url", "image_url": {"url": raw}}),
    )
    for part in parts:
        assert has_media(user(part))
        done = settled(part, process=process)
        assert isinstance(done, ImagePart)
        assert (done.url, done.data, done.media_type) == (None, b64(png()), "image/png")
    assert isinstance(done := settled(parts[0], process=process), ImagePart)
    assert done.detail == "low"


def test_files_of_sound_and_documents(tmp_path: Path) -> None:
    paper: Any = tmp_path / "a.pdf"
    paper.write_bytes(PDF)
    wav: Any = b"RIFF\x24\0\0\0WAVEfmt " + bytes(28)
    assert settled(DocumentPart(paper)) == document(paper)
    assert settled(AudioPart(data=wav)) == audio(wav)


@pytest.mark.parametrize(
    ("part", "why"),
    [
        (ImagePart("/etc/passwd"), r"messages\[1\]\.content\[1\]: a text here is an http"),
        (ImagePart("a.png"), "pathlib.Path"),
        (ImagePart("file:///a.png"), "pathlib.Path"),
        (ImagePart("secret"), "pathlib.Path"),
        (DocumentPart("/etc/passwd"), r"messages\[1\]\.content\[1\]: a text here is an http"),
        (ImagePart(data="secret!"), r"messages\[1\]\.content\[1\]: the data is not base64"),
        (ImagePart(data=b64(b"secret")), "not a picture"),
        (ImagePart(data=b64(png()[:-20])), r"content\[1\]: the picture .* cut short"),
        (ImagePart("data:image/png;base64"), "comma"),
        (ToolResult("c", [ImagePart("x")]), r"messages\[1\]\.content\[1\]\.content\[0\]: a text"),
    ],
)
def test_what_cannot_be_sent_is_named_by_its_place(part: Part, why: str) -> None:
    with pytest.raises(InvalidRequestError, match=why) as caught:
        settled(part)
    assert "secret" not in str(caught.value)
    assert "passwd" not in repr(caught.value)


@pytest.mark.parametrize("process", [True, False])
def test_a_local_name_is_refused_in_any_case(process: bool) -> None:
    with pytest.raises(InvalidRequestError, match=r"pathlib\.Path"):
        settled(ImagePart("/etc/passwd"), process=process)


def test_unprocessed_nothing_is_looked_at() -> None:
    odd = (ImagePart(data="not base64"), ImagePart("https://a.example/b.png"), image(png(100, 60)))
    target = replace(REMOTE, max_image_dimension=10)
    messages = user(*odd)
    assert settle(messages, (target,), process=False, fetch=no_fetch)[-1] is messages[-1]


def test_a_wrong_word_for_the_kind_is_put_right() -> None:
    for part in (
        ImagePart(data=b64(png()), media_type="image/jpeg"),
        ImagePart(data=b64(png())),
        ImagePart(f"data:image/jpeg;base64,{b64(png())}"),
    ):
        done = settled(part)
        assert isinstance(done, ImagePart)
        assert (done.data, done.media_type) == (b64(png()), "image/png")


def test_urls_are_fetched_where_one_vendor_does_not() -> None:
    asked: list[str] = []

    def had(url: str) -> bytes:
        asked.append(url)
        return PDF if url.endswith("pdf") else png()

    parts = (
        ImagePart("https://a.example/1.png", detail="low"),
        ImagePart("HTTPS://a.example/2.png"),
        ImagePart("https://a.example/1.png"),
        DocumentPart("https://a.example/3.pdf", filename="three.pdf"),
    )
    messages = user(*parts)
    before = deepcopy(messages)
    content = settle(messages, (SEEING, REMOTE), fetch=had)[-1].content
    assert messages == before
    assert sorted(asked) == [
        "HTTPS://a.example/2.png",
        "https://a.example/1.png",
        "https://a.example/3.pdf",
    ]
    assert isinstance(content, list)
    data = b64(png())
    assert content[1] == ImagePart(data=data, media_type="image/png", detail="low")
    assert content[2] == ImagePart(data=data, media_type="image/png")
    paper = DocumentPart(data=b64(PDF), media_type="application/pdf", filename="three.pdf")
    assert content[4] == paper


def test_a_url_is_not_fetched_for_those_who_fetch_it() -> None:
    paper = DocumentPart("https://a.example/1.pdf")
    files = replace(SEEING, quirks=Quirks(url_images=False, url_files=True))
    assert settled(ImagePart("https://a.example/1.png"), fetch=no_fetch).type == "image"
    assert settled(paper, target=files, fetch=no_fetch) is paper
    assert settled(paper, process=False, fetch=no_fetch) is paper


def test_each_kind_is_fetched_where_it_has_to_be() -> None:
    had = {"https://a.example/1.png": png(), "https://a.example/1.pdf": PDF}
    picture, paper = ImagePart("https://a.example/1.png"), DocumentPart("https://a.example/1.pdf")
    assert settled(picture, paper, fetch=had.__getitem__) == replace(
        document(PDF), filename="document.pdf"
    )
    content = settle(user(picture, paper), (SEEING,), fetch=had.__getitem__)[-1].content
    assert isinstance(content, list)
    assert content[1] is picture


@pytest.mark.parametrize(
    ("backend", "kind", "pictures", "files"),
    [
        ("openai", "default", True, False),
        ("gemini", "default", False, False),
        ("mistral", "default", True, True),
        ("openrouter", "default", True, True),
        ("anthropic", "default", True, True),
        ("anthropic", "anthropic_bedrock", False, False),
        ("anthropic", "anthropic_vertex", False, False),
    ],
)
def test_who_fetches_what(backend: str, kind: str, pictures: bool, files: bool) -> None:
    at: Any = {"id": "e", "api_base": "http://127.0.0.1", "api_key": "k", "endpoint_type": kind}
    models = {"m": {"endpoints": ["e"]}}
    (target,) = Settings(endpoints=[at], backends={backend: {"models": models}}).resolve(backend)
    assert (target.quirks.url_images, target.quirks.url_files) == (pictures, files)


@pytest.mark.parametrize("scheme", ["gs", "oss", "ms"])
def test_a_vendors_own_url_is_left_to_it(scheme: str) -> None:
    for part in (image(f"{scheme}://a/b"), document(f"{scheme}://a/b")):
        assert settled(part, target=REMOTE, fetch=no_fetch) is part


def test_a_url_that_cannot_be_had_is_named_by_its_place() -> None:
    def had(url: str) -> bytes:
        raise ConnectionError("no such host", sent=False)

    with pytest.raises(ConnectionError, match=r"messages\[1\]\.content\[1\]: no such host"):
        settled(ImagePart("https://a.example/1.png"), target=REMOTE, fetch=had)
    with pytest.raises(InvalidRequestError, match=r"messages\[1\]\.content\[1\].*public internet"):
        settled(ImagePart("http://169.254.169.254/latest/meta-data"), target=REMOTE)


def test_what_was_fetched_must_be_of_its_kind() -> None:
    with pytest.raises(InvalidRequestError, match="not a picture"):
        settled(ImagePart("https://a.example/1.png"), target=REMOTE, fetch=lambda url: PDF)
    with pytest.raises(InvalidRequestError, match="PDF"):
        settled(DocumentPart("https://a.example/1"), target=REMOTE, fetch=lambda url: png())


def test_fetching_stops_at_the_most_in_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_FETCHED", 1000)
    asked: list[str] = []

    def had(url: str) -> bytes:
        asked.append(url)
        return png() + bytes(600)

    parts = [ImagePart(f"https://a.example/{i}.png") for i in range(100)]
    with pytest.raises(InvalidRequestError, match="more than 1000 bytes"):
        settled(*parts, target=REMOTE, fetch=had)
    assert len(asked) < 10


def test_a_wires_own_form_of_an_address_moves_along() -> None:
    dicts = [
        {"role": "user", "content": [
            {"type": "image_url", "image_url": "https://a.example/1.png"},
            {"type": "image_url", "image_url": {"url": "https://a.example/1.png", "x": 1}},
            {"type": "document_url", "document_url": "https://a.example/1.pdf"},
            {"type": "file", "file": {"file_data": "https://a.example/1.pdf", "x": 1}},
        ]}
    ]  # fmt: skip
    from franca.wire.openai_chat import write_messages

    had = {"https://a.example/1.png": png(), "https://a.example/1.pdf": PDF}
    messages = settle(read_messages(dicts), (REMOTE,), fetch=had.__getitem__)
    sent = json.dumps(write_messages(messages, REMOTE))
    assert "https://" not in sent
    assert sent.count(f"data:image/png;base64,{b64(png())}") == 2
    assert sent.count(f"data:application/pdf;base64,{b64(PDF)}") == 2
    assert sent.count('"x": 1') == 2


def test_without_vision_strict_refuses() -> None:
    with pytest.raises(InvalidRequestError, match=r"vendor \(m\) does not take pictures"):
        settled(image(png()), target=BLIND)


def test_without_vision_warn_says_so_in_the_text() -> None:
    part = ImagePart("/not/looked/at", extra={"cache_control": {"type": "ephemeral"}, "x": 1})
    with pytest.warns(UserWarning, match="does not take pictures"):
        done = settled(part, target=BLIND, policy="warn")
    assert done == TextPart(LEFT_OUT, extra={"cache_control": {"type": "ephemeral"}})


def test_without_vision_passthrough_sends() -> None:
    part = image(png())
    assert settled(part, target=BLIND, policy="passthrough") is part


def test_vision_asked_away_needs_no_policy() -> None:
    assert settled(image(png()), vision=False) == TextPart(LEFT_OUT)
    inner = ToolResult("c", [ImagePart("https://a.example/1.png")])
    done = settled(inner, target=REMOTE, vision=False, fetch=no_fetch)
    assert done == ToolResult("c", [TextPart(LEFT_OUT)])


def test_a_document_is_no_picture() -> None:
    paper = document(PDF)
    assert settled(paper, target=BLIND) is paper


def test_one_target_with_vision_is_enough() -> None:
    part = image(png())
    assert last(settle(user(part), (BLIND, SEEING))) is part


async def test_off_the_loop() -> None:
    here, there = threading.get_ident(), []

    def had(url: str) -> bytes:
        there.append(threading.get_ident())
        return png()

    done = await asettle(user(ImagePart("https://a.example/1.png")), (REMOTE,), fetch=had)
    assert size(last(done)) == (8, 8)
    assert here not in there
    messages = [Message("user", "a")]
    assert await asettle(messages, (REMOTE,)) is messages


def test_a_fetch_of_ones_own() -> None:
    """An intranet's: `functools.partial` opens the guard."""
    with pytest.raises(ConnectionError):
        settled(
            ImagePart("http://127.0.0.1:1/a.png"),
            target=REMOTE,
            fetch=partial(fetch, allow_private=True),
        )

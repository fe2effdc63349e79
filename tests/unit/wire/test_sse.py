from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from franca.wire.sse import Decoder, Event

_words = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=12)
_names = st.sampled_from(["", "message_start", "ping"])
_frames = st.lists(st.tuples(_names, st.lists(_words, min_size=1, max_size=3)), max_size=5)


def decode(pieces: list[bytes]) -> list[Event]:
    decoder = Decoder()
    return [event for piece in pieces for event in decoder.feed(piece)] + decoder.end()


def cut(data: bytes, at: list[int]) -> list[bytes]:
    edges = [0, *sorted(n % (len(data) + 1) for n in at), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(edges)]


@given(_frames, st.lists(st.integers(0, 10_000)), st.sampled_from(["\n", "\r\n", "\r"]),
       st.sampled_from([" ", ""]), st.booleans())  # fmt: skip
@settings(max_examples=300, deadline=None)
def test_any_cut_gives_the_same_events(
    frames: list[tuple[str, list[str]]], at: list[int], end: str, space: str, noisy: bool
) -> None:
    text, want = "", []
    for name, lines in frames:
        text += f": keepalive{end}{end}" if noisy else ""
        text += f"event:{space}{name}{end}" if name else ""
        text += "".join(f"data:{space}{' ' + line if not space and line[:1] == ' ' else line}{end}"
                        for line in lines) + end  # fmt: skip
        want.append((name, "\n".join(lines).encode()))
    assert decode(cut(text.encode(), at)) == want


def test_data_without_the_space() -> None:
    assert decode([b'data:{"a":1}\n\n']) == [("", b'{"a":1}')]


def test_a_missing_last_blank_line_loses_nothing() -> None:
    assert decode([b"data: a\n\ndata: [DONE]"]) == [("", b"a"), ("", b"[DONE]")]


def test_comments_ids_and_blank_lines_are_no_events() -> None:
    assert decode([b": hello\n\nid: 1\nretry: 5\n\n\n\ndata: x\n\n"]) == [("", b"x")]


def test_an_empty_packet_between_cr_and_lf() -> None:
    assert decode([b"data: a\r", b"", b"\ndata: b\r\n\r\n"]) == [("", b"a\nb")]

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai_targets import target

from franca import errors
from franca.types import ChatCompletion, ChatDelta, Usage
from franca.wire.openai_chat import Fold

DONE = b"[DONE]"


def event(delta: dict[str, Any] | None = None, reason: Any = None, **top: Any) -> bytes:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": reason}]
    return json.dumps({"id": "r1", "model": "x", "choices": choices, **top}).encode()


def call(text: str | None = None, *, name: str | None = None, **fields: Any) -> dict[str, Any]:
    function = {k: v for k, v in (("name", name), ("arguments", text)) if v is not None}
    return {**fields, "function": function}


def run(*events: bytes, **quirks: Any) -> tuple[ChatCompletion, list[ChatDelta], Fold]:
    fold = Fold(target(**quirks))
    deltas = [delta for data in events for delta in fold.feed("", data)]
    return fold.result(), deltas, fold


def calls(*pieces: dict[str, Any]) -> tuple[list[tuple[str, str]], list[tuple[int, str]]]:
    """(what was called, what the deltas add up to)."""
    result, deltas, _ = run(*[event({"tool_calls": [piece]}) for piece in pieces], DONE)
    grown: dict[int, str] = {}
    for piece in [piece for delta in deltas for piece in delta.tool_calls or ()]:
        grown[piece.index] = grown.get(piece.index, "") + (piece.arguments or "")
    assert len({c.id for c in result.tool_calls}) == len(result.tool_calls)
    return [(c.name, c.arguments) for c in result.tool_calls], list(grown.items())


def test_text_usage_and_the_end() -> None:
    result, deltas, fold = run(
        event({"role": "assistant", "content": ""}),
        event({"content": "a"}),
        event({"content": "b"}, "stop"),
        event(None, usage={"prompt_tokens": 1}),
        DONE,
    )
    assert [(d.content, d.finish_reason, d.usage) for d in deltas] == [
        ("a", None, None),
        ("b", "stop", None),
        (None, None, Usage(1)),
    ]
    assert {(d.id, d.model) for d in deltas} == {("r1", "x")}
    assert deltas[0].raw["choices"][0]["delta"] == {"content": "a"}
    assert (result.content, result.finish_reason, result.usage) == ("ab", "stop", Usage(1))
    assert len(result.raw) == 4
    assert fold.done


def test_done() -> None:
    assert not run(event({"content": "a"}))[2].done
    assert run(event({"content": "a"}, "stop"))[2].done
    assert run(event({"content": "a"}), DONE)[2].done
    two = [
        {"index": 0, "delta": {}, "finish_reason": "stop"},
        {"index": 1, "delta": {"content": "b"}},
    ]
    assert not run(event(choices=two))[2].done


def test_parallel_calls_interleaved_by_index() -> None:
    want = [("f", '{"a":1}'), ("g", '{"b":2}')]
    assert calls(
        call("", name="f", id="1", index=0),
        call("", name="g", id="2", index=1),
        call('{"a"', index=0),
        call('{"b"', index=1),
        call(":1}", index=0),
        call(":2}", index=1),
    ) == (want, [(0, want[0][1]), (1, want[1][1])])


def test_calls_that_all_have_index_0() -> None:
    want = [("f", "{}"), ("f", "{}")]
    with_ids = [call("{}", name="f", id=str(n), index=0) for n in range(2)]
    without = [call("{}", name="f", id="", index=0) for _ in range(2)]
    bare = [call("{}", name="f") for _ in range(2)]
    for pieces in (with_ids, without, bare):
        assert calls(*pieces) == (want, [(0, "{}"), (1, "{}")])


def test_pieces_with_an_id_and_no_index() -> None:
    want = [("f", '{"a":1}'), ("g", '{"b":2}')]
    pieces = [call('{"a"', name="f", id="1"), call('{"b"', name="g", id="2"),
              call(":1}", id="1"), call(":2}", id="2")]  # fmt: skip
    assert calls(*pieces)[0] == want


def test_a_name_and_id_repeated_with_each_piece() -> None:
    pieces = [call(text, name="f", id="1", index=0) for text in ('{"a"', ":1", "}")]
    assert calls(*pieces) == ([("f", '{"a":1}')], [(0, '{"a":1}')])


def test_arguments_that_repeat_all_before() -> None:
    pieces = [call(text, name="f", id="1", index=0) for text in ('{"a"', '{"a":1', '{"a":1}')]
    assert calls(*pieces) == ([("f", '{"a":1}')], [(0, '{"a":1}')])


@given(st.lists(st.dictionaries(st.text(max_size=4), st.text(max_size=6), min_size=1), min_size=1,
                max_size=3), st.data())  # fmt: skip
def test_arguments_cut_anywhere(arguments: list[dict[str, str]], data: st.DataObject) -> None:
    texts = [json.dumps(a) for a in arguments]
    pieces = [call("", name="f", id=f"c{i}", index=i) for i in range(len(texts))]
    left = dict(enumerate(texts))
    while left:
        at = data.draw(st.sampled_from(sorted(left)))
        n = data.draw(st.integers(1, len(left[at])))
        pieces.append(call(left[at][:n], index=at))
        left[at] = left[at][n:]
        if not left[at]:
            del left[at]
    assert calls(*pieces)[0] == [("f", text) for text in texts]


def test_think_tags_never_leak() -> None:
    text = "<think>hm</think>\na"
    result, deltas, _ = run(*[event({"content": c}) for c in text], DONE, think_tags=True)
    assert (result.reasoning_content, result.content) == ("hm", "a")
    assert "".join(d.reasoning_content or "" for d in deltas) == "hm"
    assert "".join(d.content or "" for d in deltas) == "a"
    result, deltas, _ = run(event({"content": "<th"}), DONE, think_tags=True)
    assert [d.content for d in deltas] == ["<th"] == [result.content]


def test_reasoning_details_run_on() -> None:
    detail = {"type": "reasoning.text", "index": 0, "format": "f"}
    result, deltas, _ = run(
        event({"content": "", "reasoning_details": [{**detail, "text": "h"}]}),
        event({"content": "", "reasoning_details": [{**detail, "text": "m"}]}),
        event({"content": "", "reasoning_details": [{**detail, "signature": "s"}]}),
        event({"content": "a"}, "stop"),
    )
    assert result.reasoning_content == "hm" == "".join(d.reasoning_content or "" for d in deltas)
    [thought] = [part for part in result.parts if part.type == "reasoning"]
    assert (thought.text, thought.signature) == ("hm", "s")
    assert [getattr(d.part, "signature", None) for d in deltas if d.part] == ["s"]


def test_mistrals_chunks_run_on() -> None:
    def thinking(text: str) -> dict[str, Any]:
        return {"type": "thinking", "thinking": [{"type": "text", "text": text}]}

    result, deltas, _ = run(
        event({"content": [thinking("h")]}),
        event({"content": [thinking("m")]}),
        event({"content": "a"}),
        event({"content": [{"type": "reference", "reference_ids": [1]}]}),
        event({"content": "b"}, "stop"),
    )
    assert (result.content, result.reasoning_content) == ("ab", "hm")
    assert [part.type for part in result.parts] == ["reasoning", "text", "native", "text"]
    assert "".join(d.content or "" for d in deltas) == "ab"
    assert [d.part.type for d in deltas if d.part] == ["native"]


def test_usage_that_grows_is_not_summed() -> None:
    result, _, _ = run(
        event({"content": "a"}, usage={"prompt_tokens": 5, "completion_tokens": 1}),
        event({"content": "b"}, "stop", usage={"completion_tokens": 2, "total_tokens": 7}),
    )
    assert result.usage == Usage(5, 2, 7)


def test_logprobs_and_choices_are_kept_apart() -> None:
    def one(index: int, text: str) -> dict[str, Any]:
        return {"index": index, "delta": {"content": text}, "logprobs": {"content": [text]}}

    result, deltas, _ = run(
        *[event(choices=[one(i, t)]) for i, t in [(0, "a"), (1, "x"), (0, "b")]]
    )
    assert [choice.content for choice in result.choices] == ["ab", "x"]
    assert result.logprobs == {"content": ["a", "b"]}
    assert [delta.index for delta in deltas] == [0, 1, 0]


@pytest.mark.parametrize(
    ("name", "data", "kind"),
    [
        ("", b'{"error":{"message":"m","code":429}}', errors.RateLimitError),
        ("error", b'{"message":"m"}', errors.ProviderError),
        ("", b'{"choices":[{"delta":{},"finish_reason":"error"}],"error":{"code":502}}',
         errors.ProviderError),
        ("", b'{"choices":[{"delta":', errors.APIError),
        ("", b'{"choices":[{"delta":7}]}', errors.APIError),
        ("", b"[DONE]", errors.APIError),
    ],
)  # fmt: skip
def test_errors(name: str, data: bytes, kind: type[Exception]) -> None:
    with pytest.raises(errors.CallError) as caught:
        Fold(target()).feed(name, data)
    assert type(caught.value) is kind
    assert caught.value.backend == "vendor"


def test_unknown_events_are_ignored() -> None:
    fold = Fold(target())
    assert fold.feed("ping", b"{}") == fold.feed("ping", b"not json") == fold.feed("", b"") == []


def test_a_stream_of_one_whole_reply() -> None:
    message = {"role": "assistant", "content": "a"}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    result, deltas, _ = run(event(choices=[choice]), DONE)
    assert (result.content, [d.content for d in deltas]) == ("a", ["a"])

"""Conversations that are too long: what stays is valid, fits, and is the most that can stay."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from franca.backends import ANTHROPIC_MESSAGES, OPENAI_CHAT, Quirks
from franca.errors import ContextLengthError, InvalidRequestError
from franca.settings.target import Endpoint, Target
from franca.tokens.truncate import ContextLengthControl, Fitted, fit
from franca.tokens.truncate_sizes import remembered
from franca.types import (
    ChatRequest,
    EndpointType,
    ImagePart,
    Message,
    NativePart,
    Part,
    TextPart,
    ToolCall,
    ToolResult,
)
from franca.wire import wire

SYSTEM = ("system", "developer")
WIRES = (OPENAI_CHAT, ANTHROPIC_MESSAGES)


def size(part: Part) -> int:
    """A count that can be done in the head: characters, and a hundred for a picture."""
    if isinstance(part, TextPart):
        return len(part.text)
    if isinstance(part, ToolCall):
        return len(part.arguments)
    if isinstance(part, ToolResult):
        content = part.content or ""
        return len(content) if isinstance(content, str) else sum(map(size, content))
    return 100


def count(message: Message) -> int:
    content = message.content or ""
    return 3 + (len(content) if isinstance(content, str) else sum(map(size, content)))


def tokens(messages: Sequence[Message]) -> int:
    return sum(map(count, messages))


def fitted(
    messages: Sequence[Message], room: int, control: ContextLengthControl = "latest", **options: Any
) -> Fitted:
    return fit(messages, limit=room, control=control, count=count, **options)


@dataclass
class Talk:
    """A conversation, and which places are one unit: (a user's turn?, the places)."""

    messages: list[Message] = field(default_factory=list)
    units: list[tuple[bool, list[int]]] = field(default_factory=list)

    def say(self, role: Any, content: Any) -> int:
        self.messages.append(Message(role, content))
        return len(self.messages) - 1

    @property
    def told(self) -> list[int]:
        return [i for i, m in enumerate(self.messages) if m.role in SYSTEM]

    def ways(self) -> Iterator[set[int]]:
        """What `latest` may keep, the most first: all from a unit on, and the question to it."""
        for start, (_, _) in enumerate(self.units):
            kept = {place for _, unit in self.units[start:] for place in unit}
            questions = [unit for asks, unit in self.units[: start + 1] if asks]
            yield {*self.told, *kept, *questions[-1]}


TEXTS = st.text("ab 中é\n", min_size=1, max_size=60).map(lambda text: text + "x")
IMAGE = ImagePart(data="iVBORw0KGgo=", media_type="image/png")
NATIVE = {
    ANTHROPIC_MESSAGES: {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
    OPENAI_CHAT: {"type": "some_block", "text": "x"},
}


@st.composite
def talks(draw: st.DrawFn, on: str, least: int = 1) -> Talk:
    talk = Talk()
    for _ in range(draw(st.integers(0, 2))):
        talk.say(draw(st.sampled_from(SYSTEM)), draw(TEXTS))
    for _ in range(draw(st.integers(least, 6))):
        for _ in range(draw(st.sampled_from([1, 1, 1, 2]))):
            talk.units.append((True, [talk.say("user", question(draw))]))
        for _ in range(draw(st.integers(0, 3))):
            talk.units.append((False, tool_round(draw, talk)))
        maybe_told(draw, talk)
        if draw(st.integers(0, 5)):
            talk.units.append((False, [talk.say("assistant", answer(draw, on))]))
    return talk


def question(draw: st.DrawFn) -> str | list[Part]:
    text = draw(TEXTS)
    return text if draw(st.booleans()) else [TextPart(text), IMAGE]


def answer(draw: st.DrawFn, on: str) -> str | list[Part]:
    text = draw(TEXTS)
    return text if draw(st.booleans()) else [TextPart(text), NativePart(on, NATIVE[on])]


def maybe_told(draw: st.DrawFn, talk: Talk) -> None:
    if not draw(st.integers(0, 7)):
        talk.say("system", draw(TEXTS))


def tool_round(draw: st.DrawFn, talk: Talk) -> list[int]:
    """A turn of calls, and their results in any order, in messages of their own or in one."""
    ids = [f"call_{i}" for i in range(draw(st.integers(1, 3)))]  # the same ones in each round
    if draw(st.booleans()):
        ids = [f"{call}_{len(talk.messages)}" for call in ids]
    calls: list[Part] = [ToolCall(i, "f", '{"a": 1}', index=k) for k, i in enumerate(ids)]
    said: list[Part] = [TextPart(draw(TEXTS))] if draw(st.booleans()) else []
    places = [talk.say("assistant", [*said, *calls])]
    results: list[Part] = []
    for call in draw(st.permutations(ids)):
        text = draw(TEXTS)
        results.append(ToolResult(call, text if draw(st.booleans()) else [TextPart(text)]))
    if draw(st.booleans()):
        return places + [talk.say("tool", [result]) for result in results]
    more: list[Part] = [TextPart("go on")] if draw(st.booleans()) else []
    return [*places, talk.say("user", [*results, *more])]


def target(on: str, **changes: Any) -> Target:
    kind = EndpointType.Anthropic if on == ANTHROPIC_MESSAGES else EndpointType.OpenAI
    return Target("b", "m", "m", Endpoint("e", kind, "http://x"), wire=on, **changes)


def body(messages: list[Message], on: str, quirks: Quirks | None = None) -> Any:
    place = target(on, quirks=quirks or Quirks())
    return wire(on).build(ChatRequest(messages), place)


def check_openai(sent: list[dict[str, Any]]) -> None:
    """The vendor's rules: a question first, each result after its call, no call without one."""
    turns = [turn for turn in sent if turn["role"] != "system"]
    assert turns[0]["role"] == "user"
    waiting: set[str] = set()
    for turn in turns:
        if turn["role"] == "tool":
            assert turn["tool_call_id"] in waiting
            waiting.remove(turn["tool_call_id"])
        else:
            assert not waiting
            waiting = {call["id"] for call in turn.get("tool_calls") or ()}
    assert not waiting


def check_anthropic(sent: list[dict[str, Any]]) -> None:
    """The vendor's rules: a question first, and all results in the message after the calls."""
    assert sent[0]["role"] == "user"
    waiting: set[str] = set()
    for place, turn in enumerate(sent):
        blocks = turn["content"] if isinstance(turn["content"], list) else []
        assert turn["content"]
        results = [b["tool_use_id"] for b in blocks if b["type"] == "tool_result"]
        assert sorted(results) == sorted(waiting)
        assert all(b["type"] == "tool_result" for b in blocks[: len(results)])
        waiting = {b["id"] for b in blocks if b["type"] == "tool_use"}
        if turn["role"] == "system":
            assert sent[place - 1]["role"] != "system"
            assert place > 0
    assert not waiting


CHECKS = {OPENAI_CHAT: check_openai, ANTHROPIC_MESSAGES: check_anthropic}
WORDS: list[ContextLengthControl] = ["latest", "first+latest"]
CONTROLS = st.sampled_from(WORDS)


@pytest.mark.parametrize("on", WIRES)
@settings(deadline=None)
@given(data=st.data())
def test_what_stays_is_a_conversation(on: str, data: st.DataObject) -> None:
    talk = data.draw(talks(on))
    control, coarse = data.draw(CONTROLS), data.draw(st.booleans())
    room = data.draw(st.integers(1, tokens(talk.messages) + 5))
    before, objects = copy.deepcopy(talk.messages), list(talk.messages)
    inline = Quirks(inline_system=data.draw(st.booleans()))
    CHECKS[on](body(talk.messages, on, inline)["messages"])
    done = attempt(talk.messages, room, control, coarse)
    assert talk.messages == before
    assert all(a is b for a, b in zip(talk.messages, objects, strict=True))
    if isinstance(done, ContextLengthError):
        assert (done.needs or 0) > room
        assert isinstance(attempt(talk.messages, room, control, False), ContextLengthError)
        return
    assert tokens(done.messages) <= room
    CHECKS[on](body(done.messages, on, inline)["messages"])
    same_objects(talk, done)
    again = fitted(done.messages, room, control, keep_prefix=coarse)
    assert again.truncation is None
    assert again.messages == done.messages


def attempt(
    messages: list[Message], room: int, control: ContextLengthControl, coarse: bool
) -> Fitted | ContextLengthError:
    try:
        return fitted(messages, room, control, keep_prefix=coarse)
    except ContextLengthError as error:
        return error


def same_objects(talk: Talk, done: Fitted) -> None:
    """What stays are the caller's own messages in order, the system's all, units whole."""
    said = done.truncation
    dropped = set(said.indices) if said else set()
    kept = [m for i, m in enumerate(talk.messages) if i not in dropped]
    assert list(map(id, done.messages)) == list(map(id, kept))
    assert dropped.isdisjoint(talk.told)
    for _, unit in talk.units:
        assert dropped.isdisjoint(unit) or dropped.issuperset(unit)
    if said:
        assert said.dropped == len(dropped) > 0
        assert (said.tokens_before, said.tokens_after) == (tokens(talk.messages), tokens(kept))


@settings(deadline=None)
@given(talk=talks(OPENAI_CHAT), data=st.data())
def test_latest_keeps_the_most_that_fits(talk: Talk, data: st.DataObject) -> None:
    room = data.draw(st.integers(1, tokens(talk.messages) + 5))
    ways = [sorted(way) for way in talk.ways()]
    sizes = [tokens([talk.messages[place] for place in way]) for way in ways]
    best = next((way for way, total in zip(ways, sizes, strict=True) if total <= room), None)
    overhead, reserve = data.draw(st.integers(0, 50)), data.draw(st.integers(0, 50))
    limit = room + overhead + reserve
    options: Any = {"overhead": overhead, "reserve": reserve}
    if best is None:
        with pytest.raises(ContextLengthError) as caught:
            fitted(talk.messages, limit, **options)
        error = caught.value
        numbers = (error.needs, error.limit, error.reserve)
        assert numbers == (overhead + min(sizes), limit, reserve)
        assert all(str(number) in str(error) for number in numbers if number)
    else:
        done = fitted(talk.messages, limit, **options)
        assert list(map(id, done.messages)) == [id(talk.messages[place]) for place in best]


@settings(deadline=None)
@given(talk=talks(OPENAI_CHAT, least=2), data=st.data())
def test_first_and_latest_keeps_the_first_question(talk: Talk, data: st.DataObject) -> None:
    first = []
    for asks, unit in talk.units:
        if not asks:
            break
        first += unit
    *_, least = talk.ways()
    needs = tokens([talk.messages[place] for place in {*least, *first}])
    room = data.draw(st.integers(1, tokens(talk.messages)))
    if needs > room:
        with pytest.raises(ContextLengthError, match=str(needs)):
            fitted(talk.messages, room, "first+latest")
    else:
        done = fitted(talk.messages, room, "first+latest")
        assert all(any(m is talk.messages[place] for m in done.messages) for place in first)


def test_first_and_latest_keeps_the_end_of_the_first_answer() -> None:
    messages = chat(6)
    done = fitted(messages, 45, "first+latest")
    assert [m.content for m in done.messages] == ["Q0", "A0" * 5, "Q4", "A4" * 5, "Q5"]
    assert [m.content for m in fitted(messages, 20, "first+latest").messages] == ["Q0", "Q5"]


def chat(turns: int) -> list[Message]:
    """Questions of 5 tokens and answers of 13; the last question is open."""
    pairs = [(Message("user", f"Q{i}"), Message("assistant", f"A{i}" * 5)) for i in range(turns)]
    return [message for pair in pairs for message in pair][:-1]


@pytest.mark.parametrize(("control", "pinned"), [("latest", 0), ("first+latest", 80)])
@settings(deadline=None)
@given(sizes=st.lists(st.integers(1, 30), min_size=40, max_size=60), data=st.data())
def test_the_prefix_stays(
    control: ContextLengthControl, pinned: int, sizes: list[int], data: st.DataObject
) -> None:
    """As a conversation grows, what is sent begins with what was sent before, for as many turns as
    fill a third of the room for turns."""
    room, told = 400, 23
    messages = [Message("system", "s" * 20)]
    sent: list[list[Message]] = []
    used: list[int] = []
    for length in sizes:
        for more in grown(length, data.draw(st.booleans())):
            messages = [*messages, *more]
            sent.append(fitted(messages, room, control, keep_prefix=True).messages)
            used.append(tokens(messages))
    changes = [n for n in range(1, len(sent)) if sent[n][: len(sent[n - 1])] != sent[n - 1]]
    apart = [used[b] - used[a] for a, b in pairwise(changes)]
    assert all(between > (room - told - pinned) / 3 for between in apart)
    assert used[-1] <= room or changes


def grown(size: int, by_tools: bool) -> list[list[Message]]:
    """What two calls add: a question, and an answer or a round of tools."""
    asked = [Message("user", "q" * size)]
    if not by_tools:
        return [asked, [Message("assistant", "a" * size)]]
    calls: list[Part] = [ToolCall(i, "f", "{}") for i in "ab"]
    results = [Message("tool", [ToolResult(i, "r" * (size // 2))]) for i in "ba"]
    return [asked, [Message("assistant", calls), *results]]


def test_without_it_the_prefix_changes_at_every_turn() -> None:
    """What `keep_prefix` is for."""
    sent = [fitted(chat(turns), 100).messages for turns in range(10, 20)]
    assert all(a[0] is not b[0] and a[:1] != b[:1] for a, b in pairwise(sent))
    calm = [fitted(chat(turns), 100, keep_prefix=True).messages for turns in range(10, 20)]
    assert sum(a[:1] != b[:1] for a, b in pairwise(calm)) <= 5


def test_a_long_round_of_tools_keeps_its_question() -> None:
    """One question, many rounds: the oldest rounds go, the question stays."""
    messages = [Message("user", "do it"), *rounds(50)]
    done = fitted(messages, 60)
    assert done.messages[0] is messages[0]
    assert done.messages[-2:] == messages[-2:]
    assert len(done.messages) % 2 == 1
    assert tokens(done.messages) > 60 - 3 * 12

    assert fitted(messages, 60, "first+latest").messages == done.messages


@pytest.mark.parametrize("control", WORDS)
def test_a_coarse_cut_frees_a_third_of_what_may_go(control: ContextLengthControl) -> None:
    """What always stays is no part of it: the system's 200 tokens, and 18 of the first pair."""
    messages = [Message("system", "s" * 197), *chat(50)]
    fixed = 200 + (18 if control == "first+latest" else 0)
    for room in range(300, 500):
        done = fitted(messages, room, control, keep_prefix=True)
        assert done.truncation is not None
        assert fixed + (room - fixed) * 2 // 3 - 24 < done.truncation.tokens_after <= room


def test_coarse_cuts_in_a_row() -> None:
    """Where each turn is more than a third of the room, no cut lasts, and none fails."""
    messages = [Message(role, "x" * 57) for role in ("user", "assistant") * 6]
    for number in range(2, 12):
        done = fitted(messages[:number], 130, keep_prefix=True)
        assert done.messages == messages[(number - 1) // 2 * 2 : number]


def rounds(number: int, name: str = "call") -> list[Message]:
    """Each of 12 tokens."""
    out: list[Message] = []
    for _ in range(number):  # one id over and over, as some vendors have it
        out.append(Message("assistant", [ToolCall(name, "f", "{}")]))
        out.append(Message("tool", [ToolResult(name, "done")]))
    return out


def test_a_late_result_stays_with_its_call() -> None:
    call, late = rounds(1)
    messages = [*chat(3), call, Message("user", "and?"), late, Message("user", "now")]
    for room in range(8, tokens(messages)):
        kept = fitted(messages, room).messages
        assert (call in kept) == (late in kept)
        assert kept[0].role == "user"


def test_results_of_several_turns_in_one_message() -> None:
    calls = [Message("assistant", [ToolCall(i, "f", "{}")]) for i in "ab"]
    both = Message("tool", [ToolResult("b", "done"), ToolResult("a", "done")])
    messages = [*chat(3), calls[0], Message("user", "and?"), calls[1], both, Message("user", "now")]
    for room in range(8, tokens(messages)):
        kept = fitted(messages, room).messages
        assert (calls[0] in kept) == (calls[1] in kept) == (both in kept)


def test_results_without_a_call_go_with_what_they_follow() -> None:
    orphan = Message("tool", [ToolResult("nobody", "x" * 20)])
    bare = Message("tool", "text" * 5)
    for messages in ([orphan, *chat(3)], [*chat(2), orphan, *chat(2)], [*chat(2), bare, *chat(2)]):
        kept = fitted(messages, 30).messages
        assert kept[0].role == "user"
        assert orphan not in kept
        assert bare not in kept


def test_turns_in_a_row_of_the_model_are_one() -> None:
    """A vendor's paused turn goes on in the next message: neither stands alone."""
    paused = [Message("assistant", "a" * 9), Message("assistant", "b" * 9)]
    messages = [Message("user", "q"), *rounds(1), *paused, Message("user", "r")]
    for room in range(8, tokens(messages)):
        kept = fitted(messages, room).messages
        assert (paused[0] in kept) == (paused[1] in kept)


def test_what_has_no_question() -> None:
    """A greeting goes first; a conversation of answers alone keeps what it begins with."""
    greeting = Message("assistant", "hello, how may I help?")
    assert fitted([greeting, *chat(2)], 30).messages == chat(2)
    for messages in ([*rounds(3), *chat(3)], [rounds(1)[1], greeting, *rounds(3), *chat(3)]):
        for room in range(8, tokens(messages)):
            assert fitted(messages, room).messages[0].role == "user"
    with pytest.raises(ContextLengthError):
        fitted([greeting, greeting], 30)
    with pytest.raises(ContextLengthError, match="needs 103 "):
        fitted([Message("system", "s" * 100)], 30)


def test_none_and_what_fits_change_nothing_and_count_nothing() -> None:
    def never(message: Message) -> int:
        raise AssertionError(message)

    messages = chat(50)
    done = fit(messages, limit=10, control="none", count=never)
    assert done == Fitted(messages)
    assert done.messages is not messages
    controls: list[ContextLengthControl] = ["latest", "first+latest", lambda m, limit, c: m]
    for control in controls:
        done = fit(messages, limit=100_000, control=control, count=never, reserve=1000)
        assert done == Fitted(messages)
    assert fit([], limit=0, control="latest", count=never) == Fitted([])
    with pytest.raises(ValueError, match="newest"):
        fit(messages, limit=10, control="newest", count=never)  # ty: ignore[invalid-argument-type] - it is what is tested


def test_a_grown_conversation_costs_its_new_part() -> None:
    counted: list[Message] = []

    def slow(message: Message) -> int:
        counted.append(message)
        return count(message)

    known = remembered(slow)
    messages = [message for i in range(300) for message in (*chat(2), *rounds(1, f"id{i}"))]
    messages = [Message(m.role, m.content, f"n{i}") for i, m in enumerate(messages)]
    options: Any = {"limit": 500, "control": "first+latest", "count": known}
    fit(messages, **options)
    assert len(counted) == len(messages)
    for keep_prefix in (False, True):
        messages = [*messages, Message("user", f"one more {keep_prefix}")]
        counted.clear()
        fit(messages, **options, keep_prefix=keep_prefix)
        assert counted == messages[-1:]
    counted.clear()
    messages[3].content = "changed in place"
    fit(copy.deepcopy(messages), **options)
    assert counted == [messages[3]]


def test_each_part_of_a_message_is_remembered_by_what_is_in_it() -> None:
    known = remembered(count)
    part, call, result = TextPart("a"), ToolCall("i", "f", "{}"), ToolResult("i", [TextPart("b")])
    native = NativePart(OPENAI_CHAT, {"a": [1]})
    parts: list[Part] = [part, call, result, IMAGE, native]
    message = Message("user", parts)
    before = known(message)
    part.text, call.arguments = "aa", '{"a": 1}'
    assert known(message) == before + 1 + 6
    result.content = "longer"
    assert known(message) == before + 7 + 5
    seen: list[int] = []
    marked = remembered(lambda m: seen.append(1) or 1)
    marked(message)
    native.block["a"].append(2)
    marked(message)
    marked(Message("user", parts[:-2]))
    marked(Message("user", None))
    marked(Message("user", []))
    assert len(seen) == 4


# A function of the caller's.


def test_a_function_may_put_others_in_their_place() -> None:
    messages = [Message("system", "be kind"), *chat(6)]
    told: list[int] = []

    def shorten(given: list[Message], limit: int, each: Any) -> list[Any]:
        told.extend([limit, each(given[0])])
        last = given.pop()
        given.clear()
        return [{"role": "user", "content": "so far: …"}, last]

    done = fitted(messages, 62, shorten, overhead=2, reserve=10)
    assert told == [50, 10]
    assert [m.content for m in done.messages] == ["so far: …", "Q5"]
    assert done.messages[-1] is messages[-1]
    assert len(messages) == 12
    said = done.truncation
    assert said is not None
    assert said.indices == (*range(11),)
    assert (said.tokens_before, said.tokens_after) == (tokens(messages) + 2, 12 + 5 + 2)
    assert (said.limit, said.reserve, said.cut) == (62, 10, False)


TOOLS = [Message("user", "Q"), *rounds(2), *chat(3)]


@pytest.mark.parametrize(
    ("keeps", "why"),
    [
        (lambda m: [], "left no turn"),
        (lambda m: [Message("system", "x")], "left no turn"),
        (lambda m: [m[0], m[2], m[-1]], "parted 1"),
        (lambda m: [m[0], m[1], m[-1]], "parted 1"),
        (lambda m: [m[0], m[1], m[3], m[4], m[-1]], "parted 1"),
        (lambda m: [m[0], m[2], m[1], m[-1]], "parted 1"),
        (lambda m: [*m[:4], m[-1]], "parted 1"),
        (lambda m: m[1:3], "user's turn"),
        (lambda m: [3], "is not a message"),
    ],
)
def test_what_a_function_gives_back_is_checked(keeps: Any, why: str) -> None:
    with pytest.raises(InvalidRequestError, match=why):
        fitted(TOOLS, 50, lambda messages, limit, each: keeps(messages))


def test_a_function_that_keeps_too_much() -> None:
    with pytest.raises(ContextLengthError) as caught:
        fitted(TOOLS, 50, lambda messages, limit, each: messages)
    assert caught.value.needs == tokens(TOOLS)


def test_a_function_answers_for_what_was_torn_before() -> None:
    torn = [Message("user", "Q"), rounds(1)[0], *chat(3)]
    assert fitted(torn, 40, lambda m, limit, each: [*m[:2], m[-1]]).messages == [
        *torn[:2],
        torn[-1],
    ]


# Texts that are cut.


WHOLE = [
    "e\u0301", "👩‍👩‍👧", "🇨🇳", "👍🏽", "\r\n", "中", "\u1112\u1161\u11ab", "\ud83d\ude00",
]  # fmt: skip


@settings(deadline=None)
@given(
    words=st.lists(st.sampled_from([*WHOLE, "word ", "x"]), min_size=30, max_size=200),
    room=st.integers(10, 300),
    form=st.sampled_from(["text", "parts", "results", "inner"]),
)
def test_a_text_is_cut_between_characters(words: list[str], room: int, form: str) -> None:
    text = "".join(words)
    messages = [Message("system", "s"), *(Message("user", "old") for _ in range(3))]
    messages += holding(text, form)
    before = copy.deepcopy(messages)
    assume(tokens(messages[-1:]) + tokens(messages[:1]) > room)
    if room < 4 + tokens(holding("\n[…]\n", form)) + (6 if form in ("results", "inner") else 0):
        with pytest.raises(ContextLengthError):
            fitted(messages, room, cut=True)
        return
    done = fitted(messages, room, cut=True)
    assert messages == before
    assert tokens(done.messages) <= room
    assert done.truncation is not None
    assert done.truncation.cut
    head, tail = text_of(done.messages[-1]).split("\n[…]\n")
    assert text.startswith(head)
    assert text.endswith(tail)
    assert len(head) + len(tail) < len(text)
    edges = {0, *(len("".join(words[:n])) for n in range(len(words) + 1))}
    inside = {n for n in range(len(text)) if n not in edges}
    assert len(head) not in inside - word_ends(words)
    assert len(text) - len(tail) not in inside - word_ends(words)
    assert fitted(done.messages, room, cut=True).truncation is None


def word_ends(words: list[str]) -> set[int]:
    """The places within plain words, where a text may be cut too."""
    places: set[int] = set()
    at = 0
    for word in words:
        if word not in WHOLE:
            places.update(range(at, at + len(word)))
        at += len(word)
    return places


def holding(text: str, form: str) -> list[Message]:
    if form == "text":
        return [Message("user", text)]
    if form == "parts":
        return [Message("user", [TextPart(text)])]
    result = ToolResult("a", text if form == "results" else [TextPart(text)])
    return [Message("assistant", [ToolCall("a", "f", "{}")]), Message("tool", [result])]


def text_of(message: Message) -> str:
    content: Any = message.content
    while not isinstance(content, str):
        content = content[0].text if isinstance(content[0], TextPart) else content[0].content
    return content


def test_the_oldest_text_is_cut_first_and_the_models_never() -> None:
    messages = [
        Message("system", "s" * 50),
        Message("user", "q" * 200),
        Message("assistant", [TextPart("a" * 50), ToolCall("a", "f", "{}")]),
        Message("tool", [ToolResult("a", "r" * 200)]),
    ]
    once = fitted(messages, 400, cut=True).messages
    assert [a is b for a, b in zip(once, messages, strict=True)] == [True, False, True, True]
    assert tokens(once) > 380
    twice = fitted(messages, 200, cut=True).messages
    assert [a is b for a, b in zip(twice, messages, strict=True)] == [True, False, True, False]
    assert twice[1].content == "\n[…]\n"
    with pytest.raises(ContextLengthError, match=r"needs 1\d\d tokens"):
        fitted(messages, 100, cut=True)
    with pytest.raises(ContextLengthError):
        fitted(messages, 400)


def test_what_points_into_a_cut_text_goes_with_it() -> None:
    part = TextPart("t" * 90, citations=[{"start": 50}], extra={"cache_control": {}})
    content = fitted([Message("user", [part])], 50, cut=True).messages[0].content
    assert content == [TextPart(text_of(Message("user", content)), extra=part.extra)]
    assert part.citations

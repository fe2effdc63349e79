"""A conversation as blocks that are kept or dropped whole, and which of them are kept.

A block is a user's turn, or a round of the model's: its turn and the results of all the tools that
it called. All that is no system message is in a block. What is kept is the blocks from a cut on,
and before them the user's turn that they answer: so any cut leaves a user's turn at the beginning.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from operator import sub

from franca.types import Message, ToolCall, ToolResult

SYSTEM = frozenset({"system", "developer"})
LOW = 2 / 3
"""How full the room for what may be dropped is after a coarse cut."""

Pins = tuple[int, ...]


@dataclass(slots=True, frozen=True)
class Blocks:
    """A conversation in blocks.

    Args:
        starts: the place of each block's first message.
        heads: for each block, the block of the user's turn that it answers: itself for a user's
            turn, -1 where the conversation begins with an answer.
        tokens: of each block.
        before: of the blocks before each one, and of all.
        all: of all messages as far as each block's end, the system's too.
        told: the places of the system messages. count: how many messages there are.
    """

    starts: list[int]
    heads: list[int]
    tokens: list[int]
    before: list[int]
    all: list[int]
    told: list[int]
    count: int

    def total(self, cut: int, last: int, pins: Pins = ()) -> int:
        """The tokens of what a cut keeps of the conversation as far as the block `last`.

        Args:
            pins: blocks that are kept wherever the cut is.
        """
        return self.all[last] - self._without(cut, pins)

    def _without(self, cut: int, pins: Pins) -> int:
        head = self.heads[cut]
        kept = self.tokens[head] if 0 <= head < cut else 0
        for pin in pins:
            if pin < cut and pin != head:
                kept += self.tokens[pin]
        return self.before[cut] - kept

    def dropped(self, cut: int, pins: Pins = ()) -> list[int]:
        """The places of the messages that a cut leaves out, in order."""
        ends = [*self.starts[1:], self.count]
        kept = {*self.told}
        for block in {self.heads[cut], *pins} - {-1}:
            kept.update(range(self.starts[block], ends[block]))
        return [place for place in range(self.starts[cut]) if place not in kept]

    def opening(self) -> Pins:
        """The user's first turns, and the block that ends the answer to them, if there is one."""
        heads, count = self.heads, len(self.heads)
        first = next((block for block in range(count) if heads[block] == block), count)
        users = first
        while users < count and heads[users] == users:
            users += 1
        end = users
        while end < count and heads[end] == users - 1:
            end += 1
        return (*range(first, users), *range(max(end - 1, users), end))

    def fine(self, room: int, pins: Pins) -> int:
        """The first cut that fits into the room, else the last of all."""
        return self._cut(0, len(self.heads) - 1, room, pins)

    def coarse(self, room: int, pins: Pins) -> int:
        """The cut of a conversation that was fitted each time it had grown by a block.

        It moves only when the room is full, and then until a third of it is free: so as the
        conversation goes on, the cut stays where it is for many turns. It hangs on nothing but the
        conversation, so that nothing has to be remembered from one call to the next.
        """
        cut, last, count = 0, -1, len(self.heads)
        while (last := bisect_right(self.all, room + self._without(cut, pins), last + 1)) < count:
            fixed = self.all[last] - self.before[last + 1]
            fixed += sum(self.tokens[pin] for pin in pins if pin < last)
            low = min(room, fixed + int((room - fixed) * LOW))
            cut = self._cut(cut, last, low, pins)
        return cut

    def _cut(self, cut: int, last: int, room: int, pins: Pins) -> int:
        while cut < last and self.total(cut, last, pins) > room:
            cut += 1
        return cut


def blocks_of(messages: Sequence[Message], counts: Sequence[int]) -> Blocks:
    """The blocks of a conversation.

    Args:
        counts: the tokens of each message.
    """
    starts, users, told = _starts(messages)
    ends = [*starts[1:], len(messages)]
    spoken = [*counts]
    for place in told:
        spoken[place] = 0
    all_, turns = [*accumulate(counts, initial=0)], [*accumulate(spoken, initial=0)]
    before = [0, *(turns[end] for end in ends)]
    return Blocks(
        starts,
        [*accumulate((k if asks else -1 for k, asks in enumerate(users)), max)],
        [*map(sub, before[1:], before)],
        before,
        [all_[end] for end in ends],
        told,
        ends[-1],
    )


def _starts(messages: Sequence[Message]) -> tuple[list[int], list[bool], list[int]]:
    """Where blocks begin, which of them are users' turns, and where system messages are."""
    starts: list[int] = []
    users: list[bool] = []
    told: list[int] = []
    asked: dict[str, int] = {}  # ids come again: the nearest call before a result is meant
    previous = ""
    for place, message in enumerate(messages):
        role, results = message.role, ()
        if role in SYSTEM:
            told.append(place)
            continue
        if isinstance(message.content, list):
            if role == "assistant":
                for call in call_ids(message):
                    asked[call] = place
            elif results := result_ids(message):
                late = bisect_right(starts, min([asked.get(call, place) for call in results]))
                if late < len(starts):  # all since the call goes with it
                    del starts[late:], users[late:]
        asks = role == "user" and not results
        # one answer may be several turns, and what comes before the user's first is one block
        answers = role == "assistant" != previous and True in users
        if asks or answers or not starts:
            starts.append(place)
            users.append(asks)
        previous = role
    return starts, users, told


def call_ids(message: Message) -> list[str]:
    """The ids of the tool calls in a message."""
    content = message.content
    if not isinstance(content, list):
        return []
    return [part.id for part in content if isinstance(part, ToolCall)]


def result_ids(message: Message) -> list[str]:
    """The ids of the calls that a message answers."""
    content = message.content
    if not isinstance(content, list):
        return []
    return [part.tool_call_id for part in content if isinstance(part, ToolResult)]

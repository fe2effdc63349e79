"""A conversation as blocks that are kept or dropped whole, and which of them are kept.

A block is a user's turn, or a round of the model's: its turn and the results of all the tools that
it called. All that is no system message is in a block. What is kept is the blocks from a cut on,
and before them the user's turn that they answer: so any cut leaves a user's turn at the beginning.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from operator import sub

from franca.types import Message, ToolCall, ToolResult

SYSTEM = ("system", "developer")
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
        before: of all the blocks before each one, and of all.
        system: of the system messages before each block's end.
    """

    starts: list[int]
    heads: list[int]
    tokens: list[int]
    before: list[int]
    system: list[int]

    def total(self, cut: int, last: int, pins: Pins = ()) -> int:
        """The tokens of what a cut keeps of the conversation as far as the block `last`.

        Args:
            pins: blocks that are kept wherever the cut is.
        """
        tokens, head = self.tokens, self.heads[cut]
        kept = self.system[last] + self.before[last + 1] - self.before[cut]
        if 0 <= head < cut:
            kept += tokens[head]
        for pin in pins:
            if pin < cut and pin != head:
                kept += tokens[pin]
        return kept

    def kept(self, cut: int, pins: Pins = ()) -> list[int]:
        """The blocks that a cut keeps, in order."""
        early = {self.heads[cut], *pins}
        return [*sorted(block for block in early if 0 <= block < cut), *range(cut, len(self.heads))]

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
        cut = 0
        for last in range(len(self.heads)):
            if self.total(cut, last, pins) > room:
                fixed = self.system[last] + sum(self.tokens[pin] for pin in pins if pin < last)
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
    starts, users = _starts(messages)
    ends = [*starts[1:], len(messages)]
    told = [n if m.role in SYSTEM else 0 for m, n in zip(messages, counts, strict=True)]
    system = [*accumulate(told, initial=0)]
    spoken = [*accumulate(map(sub, counts, told), initial=0)]
    before = [0, *(spoken[end] for end in ends)]
    return Blocks(
        starts,
        [*accumulate((k if asks else -1 for k, asks in enumerate(users)), max)],
        [*map(sub, before[1:], before)],
        before,
        [system[end] for end in ends],
    )


def _starts(messages: Sequence[Message]) -> tuple[list[int], list[bool]]:
    """Where blocks begin, and which of them are users' turns."""
    starts: list[int] = []
    users: list[bool] = []
    asked: dict[str, int] = {}  # ids come again: the nearest call before a result is meant
    previous = ""
    for place, message in enumerate(messages):
        role = message.role
        if role in SYSTEM:
            continue
        results = result_ids(message) if isinstance(message.content, list) else ()
        if results and (called := [asked[call] for call in results if call in asked]):
            late = bisect_right(starts, min(called))  # all up to here goes with the call
            del starts[late:], users[late:]
        asks = role == "user" and not results
        if asks or not starts or _begins(role, previous, users):
            starts.append(place)
            users.append(asks)
        if role == "assistant" and isinstance(message.content, list):
            asked.update((call, place) for call in call_ids(message))
        previous = role
    return starts, users


def _begins(role: str, previous: str, users: Sequence[bool]) -> bool:
    """Whether a turn that is not the user's begins a block. One answer may be several turns, and
    what comes before the user's first turn is one block."""
    if role == "assistant":
        return previous != "assistant" and True in users
    return users[-1]


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


def kept_places(blocks: Blocks, messages: Sequence[Message], kept: Iterable[int]) -> list[int]:
    """The places of the messages of some blocks, and of all system messages."""
    places = {place for place, message in enumerate(messages) if message.role in SYSTEM}
    ends = [*blocks.starts[1:], len(messages)]
    for block in kept:
        places.update(range(blocks.starts[block], ends[block]))
    return sorted(places)

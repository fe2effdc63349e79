"""A conversation made to fit into a model's context, by leaving out its oldest turns.

System messages always stay. Turns go whole: a call goes or stays with all its results, and a
model's answer never stays without the user's turn that it answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from franca.errors import ContextLengthError, InvalidRequestError
from franca.tokens.truncate_blocks import (
    SYSTEM,
    Blocks,
    Pins,
    blocks_of,
    call_ids,
    result_ids,
)
from franca.tokens.truncate_sizes import Count, at_most, surely_fits
from franca.tokens.truncate_text import shortened
from franca.types import CONTROLS, ContextLengthControl, Message, MessageLike
from franca.wire.reading import read_messages

__all__ = ["ContextLengthControl", "Fitted", "Truncation", "fit"]

_Whole = tuple[list[Message], tuple[int, ...], int]
"""Messages that stay, before any is cut; the places of those that go; the tokens that stay."""


@dataclass(slots=True, frozen=True)
class Truncation:
    """What was left out of a conversation.

    Args:
        dropped: how many messages. indices: their places in the caller's list.
        tokens_before, tokens_after: of the prompt, tools and all.
        limit: the model's context. reserve: tokens of it that were kept for the answer.
        cut: whether a text that stayed was cut.
    """

    dropped: int
    indices: tuple[int, ...]
    tokens_before: int
    tokens_after: int
    limit: int
    reserve: int
    cut: bool = False


@dataclass(slots=True, frozen=True)
class Fitted:
    """The messages to send, and what was left out; None where nothing was."""

    messages: list[Message]
    truncation: Truncation | None = None


def fit(
    messages: Sequence[Message],
    *,
    limit: int,
    control: ContextLengthControl,
    count: Count,
    overhead: int = 0,
    reserve: int = 0,
    keep_prefix: bool = False,
    cut: bool = False,
    bound: Callable[[Message], float] = at_most,
) -> Fitted:
    """The conversation, shortened where it must be. The caller's list and messages stay as they
    are, and the messages that are kept are the same objects.

    Nothing is counted where the conversation surely fits. What has been fitted fits: doing it again
    changes nothing. Where nothing has to go, nothing is checked or repaired either.

    Args:
        limit: the model's context, in tokens.
        control: see `ContextLengthControl`; a function is called only where something has to go.
        count: the tokens of one message; `remembered` keeps it from counting one twice.
        overhead: tokens of the prompt that are in no message: tools, a schema.
        reserve: tokens to leave for the answer.
        keep_prefix: for prompt caching, which needs the beginning of the prompt to be the same as
            in the call before. Turns go in coarse steps: when the room is full, as many as free a
            third of it, and then none until it is full again. Where the steps are follows from the
            conversation alone. Costs up to a third of the history.
        cut: where the newest turns alone are too long, cut their texts, the oldest first: they keep
            their beginnings and ends. System messages and the model's own turns are never cut.
        bound: an upper bound of `count`, cheaper than it.

    Raises:
        ContextLengthError: what must stay does not fit; `needs`, `limit` and `reserve` say by how
            much. Under `none` never.
        InvalidRequestError: a function gave back nothing, a call without its result, or a result
            without its call.
        ValueError: no such control.
    """
    if not callable(control) and control not in CONTROLS:
        raise ValueError(f"context_length_control: {control!r} is none of {', '.join(CONTROLS)}")
    room = limit - overhead - reserve
    if control == "none" or not messages or surely_fits(messages, room, bound):
        return Fitted(list(messages))
    counts = [count(message) for message in messages]
    total = sum(counts)
    if total <= room:
        return Fitted(list(messages))
    if callable(control):
        whole, indices, shorter = _asked(messages, control, room, count)
    else:
        whole, indices, shorter = _newest(messages, counts, control, room, keep_prefix)
    kept, shorter = _cut(whole, shorter, room, count) if cut else (whole, shorter)
    if shorter > room:
        raise _too_long(shorter + overhead, limit, reserve)
    tokens = (total + overhead, shorter + overhead)
    said = Truncation(len(indices), indices, *tokens, limit, reserve, kept is not whole)
    return Fitted(kept, said)


def _newest(
    messages: Sequence[Message], counts: Sequence[int], control: str, room: int, keep_prefix: bool
) -> _Whole:
    """The newest turns, and what stays with them."""
    indices = tuple(_dropped(blocks_of(messages, counts), control, room, keep_prefix))
    gone = set(indices)
    whole = [message for place, message in enumerate(messages) if place not in gone]
    return whole, indices, sum(counts) - sum(counts[place] for place in indices)


def _dropped(blocks: Blocks, control: str, room: int, keep_prefix: bool) -> list[int]:
    """The places of what goes: of the ways to fit the one that keeps most, else of all that may."""
    last, at, pins = len(blocks.starts) - 1, 0, ()
    if last < 0:
        return []
    for pins in _pins(blocks, control):
        at = blocks.coarse(room, pins) if keep_prefix else blocks.fine(room, pins)
        if blocks.total(at, last, pins) <= room:
            break
    return blocks.dropped(at, pins)


def _pins(blocks: Blocks, control: str) -> Iterable[Pins]:
    """What stays wherever the cut is, the most first."""
    if control != "first+latest":
        return [()]
    opening = blocks.opening()
    users = tuple(block for block in opening if blocks.heads[block] == block)
    return [opening, users] if users != opening else [opening]


def _cut(
    messages: list[Message], tokens: int, room: int, count: Count
) -> tuple[list[Message], int]:
    """The messages with so much text cut out that they fit, if it can be, and their tokens; the
    same list where nothing has to be."""
    if tokens <= room:
        return messages, tokens
    excess = tokens - room
    out = []
    for message in messages:
        if excess > 0 and message.role not in SYSTEM:
            shorter = shortened(message, excess, count)
            excess -= count(message) - count(shorter)
            message = shorter
        out.append(message)
    return out, sum(map(count, out))


def _asked(
    messages: Sequence[Message],
    control: Callable[[list[Message], int, Count], Iterable[MessageLike]],
    room: int,
    count: Count,
) -> _Whole:
    """What a caller's function keeps, checked."""
    kept = read_messages(control(list(messages), room, count))
    if all(message.role in SYSTEM for message in kept):
        raise InvalidRequestError("context_length_control: the function left no turn")
    torn = _torn(kept) - _torn(messages)
    if torn:
        raise InvalidRequestError(
            f"context_length_control: the function parted {len(torn)} calls and their results"
        )
    if _begins(messages) == "user" != _begins(kept):
        raise InvalidRequestError("context_length_control: the user's turn is not the first")
    same = set(map(id, kept))
    indices = tuple(place for place, message in enumerate(messages) if id(message) not in same)
    return kept, indices, sum(map(count, kept))


def _torn(messages: Iterable[Message]) -> set[str]:
    """The ids of calls without results and of results without a call before them."""
    open_: set[str] = set()
    answered: set[str] = set()
    torn: set[str] = set()
    for message in messages:
        for call in result_ids(message):
            (answered if call in open_ or call in answered else torn).add(call)
        open_ -= answered
        calls = set(call_ids(message))
        torn |= open_ & calls  # an id that comes again before the first was answered
        open_ |= calls
        answered -= calls
    return torn | open_


def _begins(messages: Iterable[Message]) -> str | None:
    return next((message.role for message in messages if message.role not in SYSTEM), None)


def _too_long(needs: int, limit: int, reserve: int) -> ContextLengthError:
    kept = f", {reserve} of them kept for the answer" if reserve else ""
    error = ContextLengthError(
        f"the prompt needs {needs} tokens at the least, the model's context has {limit}{kept}",
        code="context_length_exceeded",
    )
    error.needs, error.limit, error.reserve = needs, limit, reserve
    return error

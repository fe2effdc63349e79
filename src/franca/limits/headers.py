"""What a vendor's reply says of its limits. Pure: the reply's own `date` is the clock.

- OpenAI: `x-ratelimit-{limit,remaining,reset}-{requests,tokens,project-tokens}`; `reset` is in how
  long nothing is counted any more (`1s`, `6m0s`, `12ms`), by a bucket that refills evenly: 1 of
  5,000 a minute is back in 12 ms. Requests may be counted by the day under the same names.
  (developers.openai.com/api/docs/guides/rate-limits; community.openai.com/t/535297, /t/1268905)
- Groq: the same names, `limit-requests` always by the day, `limit-tokens` by the minute.
  (console.groq.com/docs/rate-limits)
- Azure: the same names, `reset` in whole seconds; −1, −1 and 0 from its Responses API; some
  deployments send only what remains, and that stale.
  (learn.microsoft.com/answers/questions/5625878; github.com/EvolvingPrograms/oaib/issues/11)
- Mistral and Cerebras put the span into the name: `x-ratelimit-limit-tokens-minute`,
  `-req-minute` without a reset; `-requests-day` with one in seconds.
  (github.com/mistralai/client-ts/issues/169; inference-docs.cerebras.ai/support/rate-limits)
- Anthropic: `anthropic-ratelimit-{requests,tokens,input-tokens,output-tokens}-…`; `reset` is the
  time (RFC 3339) when all of it is back; tokens are rounded to thousands.
  (docs.anthropic.com/en/api/rate-limits; anthropics/anthropic-sdk-typescript issues 357, 450)
- DeepSeek sends none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from franca.limits.rules import MINUTE, SECOND, Rules, Seen

_NAME = re.compile(
    rb"x-ratelimit-(?P<what>limit|remaining|reset)-(?P<of>requests|req|(?:input-|output-|project-)?tokens)"
    rb"(?:-(?P<span>second|minute|hour|day|month))?"
    rb"|anthropic-ratelimit-(?P<of_>requests|(?:input-|output-)?tokens)-(?P<what_>limit|remaining|reset)"
)
_ALIASES = {"req": "requests", "project_tokens": "tokens"}
_DAY = 1440 * MINUTE
_SPANS = {
    b"second": SECOND,
    b"minute": MINUTE,
    b"hour": 60 * MINUTE,
    b"day": _DAY,
    b"month": 30 * _DAY,
}
_UNITS = {
    "ns": 0.001,
    "us": 1,
    "µs": 1,
    "ms": 1000,
    "s": SECOND,
    "m": MINUTE,
    "h": 60 * MINUTE,
    "d": _DAY,
    "": SECOND,
}
_PIECE = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h|d)")
_DURATION = re.compile(r"\d+(?:\.\d+)?|(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h|d))+")
_LONGEST = 31 * _DAY
_MONTHS = {
    name: number
    for number, name in enumerate(
        ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), 1
    )
}
_DIGITS = 15  # no count of anything has more

Pairs = list[tuple[bytes, bytes]]


class _Place(NamedTuple):
    """Where a word's figures stand among the headers; −1: nowhere."""

    name: str
    span: int
    limit: int
    remaining: int
    reset: int


def observed(headers: Mapping[str, str], rules: Rules) -> tuple[Seen, ...]:
    """What the reply says of the windows that `rules` has; at most one word of each."""
    return read(headers, rules)[0]


def hold(headers: Mapping[str, str], rules: Rules) -> int:
    """For how many microseconds nothing is left by a limit that is none of `rules`' windows: one
    counted by the day. 0: no word of it."""
    return read(headers, rules)[1]


def read(headers: Mapping[str, str], rules: Rules) -> tuple[tuple[Seen, ...], int]:
    """(observed, hold), at the price of one."""
    pairs = _pairs(headers)
    places, date = _places(tuple([name for name, _ in pairs]))
    seen: dict[int, Seen] = {}
    wait = 0
    for place in places:
        windows, left = _windows(place.name, rules), pairs[place.remaining][1]
        if not windows and left != b"0":
            continue
        limit, remaining = _count(pairs[place.limit][1]), _count(left)
        if not 0 <= remaining <= limit or not limit:
            continue
        reset, slack = _reset(pairs, place.reset, date)
        for window in windows:
            if _about(
                rules.windows[window].span, place.span, limit - remaining, limit, reset, slack
            ):
                _take(seen, window, limit, remaining)
                break
        else:
            if not remaining and reset > 0:  # it refills evenly: `limit` units in `reset`
                wait = max(wait, -(-reset // limit))
    return tuple(seen.values()), wait


def _pairs(headers: Mapping[str, str]) -> Pairs:
    """The headers as bytes; of an HTTP client's, which decode at every look, as they came."""
    raw = getattr(headers, "raw", None)
    if isinstance(raw, list):
        return raw
    if "ratelimit" not in " ".join(headers).lower():
        return []
    return [(name.encode(), value.encode()) for name, value in headers.items()]


@lru_cache(64)  # a vendor sends the same names every time
def _places(names: tuple[bytes, ...]) -> tuple[tuple[_Place, ...], int]:
    found: dict[tuple[str, int, bytes], dict[str, int]] = {}
    for index, each in enumerate(names):
        if match := _NAME.fullmatch(each.lower()):
            what, of = (match["what"] or match["what_"]), (match["of"] or match["of_"])
            span = _SPANS.get(match["span"], 0)
            name = of.decode().replace("-", "_")
            key = _ALIASES.get(name, name), span, of
            found.setdefault(key, {})[what.decode()] = index
    places = tuple(
        _Place(name, span, at["limit"], at["remaining"], at.get("reset", -1))
        for (name, span, _), at in found.items()
        if "limit" in at and "remaining" in at
    )
    date = next((index for index, name in enumerate(names) if name.lower() == b"date"), -1)
    return places, date


def _count(text: bytes) -> int:
    """−1 for nonsense."""
    return int(text) if text.isdigit() and len(text) <= _DIGITS else -1


def _windows(name: str, rules: Rules) -> list[int]:
    """Where the rules count such things, the longest span first."""
    short = name + "/"
    found = []
    for place, window in enumerate(rules.windows):
        if window.name == name or window.name.startswith(short):
            found.append(place)
    if len(found) > 1:
        found.sort(key=lambda place: -rules.windows[place].span)
    return found


def _take(seen: dict[int, Seen], window: int, limit: int, remaining: int) -> None:
    """The tighter of two words of one window (a project's, its organisation's)."""
    if (other := seen.get(window)) is None:
        seen[window] = Seen(window, limit, remaining)
    else:
        other.limit, other.remaining = min(other.limit, limit), min(other.remaining, remaining)


def _about(span: int, said: int, used: int, limit: int, reset: int, slack: int) -> bool:
    """Whether the word can be of a window of such a span: as its name said, else within a factor
    of two, since the figures are rounded. What is used up comes back at the rate of `limit` in
    a span; where nothing tells, a minute is meant."""
    if said or reset < 0 or not used:
        return (said or MINUTE) == span
    return (reset - slack) * limit <= 2 * span * used and 2 * (reset + slack) * limit >= span * used


def _reset(pairs: Pairs, place: int, date: int) -> tuple[int, int]:
    """In how long all of it is back, and how exactly that is told; (−1, 0) for nonsense."""
    text = pairs[place][1] if place >= 0 else b""
    if text[4:5] != b"-":
        return _duration(text)
    then, now = _instant(text), _day(pairs[date][1] if date >= 0 else b"")
    if then < 0 or now < 0 or then - now > _LONGEST:
        return -1, 0
    return max(then - now, 0), SECOND


@lru_cache(1024)
def _duration(text: bytes) -> tuple[int, int]:
    spelt = text.decode("utf-8", "replace")
    if not _DURATION.fullmatch(spelt):
        return -1, 0
    pieces = _PIECE.findall(spelt) or [(spelt, "")]
    span = round(sum(float(number) * _UNITS[unit] for number, unit in pieces))
    if span > _LONGEST:
        return -1, 0
    return span, SECOND if span % SECOND == 0 else SECOND // 1000


@lru_cache(64)
def _instant(text: bytes) -> int:
    """Microseconds of the epoch, of RFC 3339; −1 for nonsense."""
    try:
        moment = datetime.fromisoformat(text.decode())
    except ValueError:
        return -1
    return -1 if moment.tzinfo is None else round(moment.timestamp() * SECOND)


@lru_cache(8)
def _day(text: bytes) -> int:
    """The same, of an HTTP date: `Tue, 10 Sep 2024 23:58:08 GMT`."""
    spelt = text.decode("ascii", "replace")
    month = _MONTHS.get(spelt[8:11], 0)
    if len(spelt) != 29:
        return -1
    return _instant(f"{spelt[12:16]}-{month:02}-{spelt[5:7]}T{spelt[17:25]}Z".encode())

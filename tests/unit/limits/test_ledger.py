"""The ledger against a book that keeps every grant and forgets nothing, on a clock of its own."""

import copy
import random
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from franca.limits.ledger import Ledger
from franca.limits.rules import FOREVER, MINUTE, SECOND, Rules, Seen, Standing, Window

DAY = 1440 * MINUTE
LIMITS = (12, 100, 5)
FULL = Rules(
    (Window("requests", 12), Window("tokens", 100), Window("requests/1", 5, SECOND)), slots=4
)
OPEN = Rules(FULL.windows)
ONE = Rules((Window("tokens", 100),))


@dataclass
class Entry:
    """What somebody used, since when."""

    at: int
    amounts: list[int]
    margins: tuple[int, ...] = ()
    expires: int = 0
    used: list[int] = field(default_factory=list)


class Book:
    """The rules, said as simply as they can be: all entries are kept, every sum is made anew."""

    def __init__(self, rules):
        self.rules, self.entries = rules, []
        self.granted, self.queue, self.order = {}, {}, []
        self.now = self.hold = 0
        self.caps = {}
        self.foreign = [Entry(-DAY, [0] * len(rules.windows)) for _ in rules.windows]

    def used(self, place):
        width = self.rules.windows[place].width
        return sum(
            entry.amounts[place]
            for entry in [*self.entries, self.foreign[place]]
            if self.now // width - entry.at // width < 257
        )

    def limit(self, place):
        limit, until = self.caps.get(place, (FOREVER, FOREVER))
        return min(self.rules.windows[place].limit, limit if until > self.now else FOREVER)

    def fits(self, entry):
        if self.hold > self.now or (self.rules.slots and len(self.granted) >= self.rules.slots):
            return False
        return all(
            self.used(n) + min(entry.amounts[n] + entry.margins[n], self.limit(n)) <= self.limit(n)
            for n in range(len(self.rules.windows))
        )

    def advance(self, now):
        self.now = max(self.now, now)
        for book in (self.granted, self.queue):
            for name in [name for name, entry in book.items() if entry.expires <= self.now]:
                del book[name]

    def pump(self):
        while self.queue:
            name, head = next(iter(self.queue.items()))
            if not self.fits(head):
                return
            del self.queue[name]
            self.grant(name, head)

    def grant(self, name, entry):
        entry.at, entry.expires = self.now, self.now + self.rules.keep
        self.entries.append(entry)
        self.granted[name] = entry
        self.order.append(name)
        entry.used = [self.used(n) for n in range(len(self.rules.windows))]

    def settle(self, now, name, billed, seen, hold):
        self.advance(now)
        self.queue.pop(name, None)
        if (entry := self.granted.pop(name, None)) is not None:
            entry.amounts = list(billed or [0] * len(entry.amounts))
        for word in seen:
            self.lower(word, entry)
        if hold:
            self.hold = max(self.hold, self.now + hold) if hold > 0 else 0
        self.pump()

    def lower(self, word, entry):
        place, zeros = word.window, [0] * len(self.rules.windows)
        self.foreign[place] = Entry(-DAY, zeros)
        self.caps[place] = word.limit, self.now + self.rules.windows[place].span
        used = entry.used[place] if entry else self.used(place)
        zeros[place] = max(self.limit(place) - used - word.remaining, 0)
        self.foreign[place] = Entry(entry.at if entry else self.now, zeros)

    def look(self, now):
        self.advance(now)
        self.pump()
        places = range(len(self.rules.windows))
        return Standing(
            self.now,
            tuple(map(self.used, places)),
            tuple(map(self.limit, places)),
            len(self.granted),
            len(self.queue),
            max(self.hold - self.now, 0),
        )


class Both:
    """The ledger and the book, side by side."""

    def __init__(self, rules):
        self.rules, self.ledger, self.book = rules, Ledger(rules), Book(rules)
        self.now, self.names, self.told = 1000 * DAY + 12345, 0, {}
        self.granted = []

    def compare(self):
        assert self.ledger.look(self.now, self.rules) == self.book.look(self.now)
        assert list(self.ledger.granted) == list(self.book.granted)
        assert list(self.ledger.queue) == list(self.book.queue)
        assert {name for name, _ in self.ledger.rung} <= set(self.book.order)

    def step(self, span):
        self.now += span
        self.compare()

    def reserve(self, amounts, margins, patience):
        self.names += 1
        name = f"n{self.names}"
        before = copy.deepcopy(self.ledger)
        width = min(window.width for window in self.rules.windows)
        book = self.book
        book.advance(self.now)
        book.pump()
        entry = Entry(0, list(amounts), margins)
        fits = not book.queue and book.fits(entry)
        verdict = self.ledger.reserve(self.now, self.rules, name, amounts, margins, patience)
        assert verdict.granted == fits
        if fits:
            book.grant(name, entry)
        else:
            self.check_wait(verdict, patience)
            if verdict.queued:
                entry.expires = self.now + self.rules.lease
                book.queue[name] = entry
            if verdict.known and not before.queue:
                alone(before, self.rules, (amounts, margins), self.now + verdict.wait, width)
        self.compare()

    def check_wait(self, verdict, patience):
        assert verdict.now == self.now
        assert verdict.wait > 0 or not verdict.known
        assert verdict.queued == (patience > 0 and verdict.wait <= patience)

    def again(self, index):
        names = [*self.book.queue, *self.book.granted]
        if not names:
            return
        name, book = names[index % len(names)], self.book
        book.advance(self.now)
        book.pump()
        verdict = self.ledger.reserve(self.now, self.rules, name, (0,) * 9, (0,) * 9)
        if name in book.granted:
            assert (verdict.granted, verdict.now) == (True, book.granted[name].at)
        elif name in book.queue:
            assert verdict.queued
            assert verdict.wait > 0 or not verdict.known
            book.queue[name].expires = self.now + self.rules.lease
        else:  # it has expired: it is a stranger now
            self.ledger.settle(self.now, self.rules, name, None)
        self.compare()

    def settle(self, index, share, seen, hold):
        names = [*self.book.granted, *self.book.queue, "nobody"]
        name = names[index % len(names)]
        entry = self.book.granted.get(name)
        billed = None
        if share is not None and entry:
            billed = tuple(int(amount * share) for amount in entry.amounts)
        for words, pause in ((seen, hold), ((), 0)):  # the second changes nothing
            self.ledger.settle(self.now, self.rules, name, billed, words, pause)
            self.book.settle(self.now, name, billed, words, pause)
            self.compare()


def alone(ledger, rules, wanted, due, width):
    """It is granted when it was told, and not a bucket earlier."""
    early = copy.deepcopy(ledger)
    capped = any(ring.cap_until > early.now for ring in early.rings)  # a cap may lapse before
    if due - width > early.now and not capped:
        assert not early.reserve(due - width, rules, "x", *wanted, patience=0).granted
    ledger.expiry = FOREVER  # others' slots are not to fall free meanwhile
    assert ledger.reserve(due, rules, "x", *wanted, patience=0).granted


amounts_ = st.tuples(st.integers(0, 3), st.integers(0, 60), st.integers(0, 2))
margins_ = st.just((0, 0, 0)) | st.tuples(st.just(0), st.integers(0, 120), st.just(0))
patience_ = st.sampled_from([FOREVER, FOREVER, 0, SECOND, 20 * SECOND])
span_ = st.one_of(
    st.integers(1, 3906),
    st.integers(3906, SECOND),
    st.integers(SECOND, 10 * SECOND),
    st.sampled_from([MINUTE, MINUTE + 1, 257 * ONE.windows[0].width, SECOND]),
    st.sampled_from([2 * MINUTE, DAY]),
)
word_ = st.builds(Seen, st.integers(0, 2), st.integers(1, 120), st.integers(0, 120))
share_ = st.sampled_from([None, 0.0, 0.5, 1.0, 1.0, 1.0, 1.5])
hold_ = st.sampled_from([0, 0, 0, SECOND, 30 * SECOND, -1])
index_ = st.integers(0, 30)
history_ = st.lists(
    st.one_of(
        st.tuples(st.just("reserve"), amounts_, margins_, patience_),
        st.tuples(st.just("reserve"), amounts_, margins_, patience_),
        st.tuples(st.just("step"), span_),
        st.tuples(st.just("settle"), index_, share_, st.just(()), st.just(0)),
        st.tuples(st.just("settle"), index_, share_, st.lists(word_, max_size=1), hold_),
        st.tuples(st.just("again"), index_),
    ),
    max_size=40,
)


@settings(max_examples=300, deadline=None)
@given(history_, st.sampled_from([FULL, OPEN]))
def test_it_agrees_with_the_book(history, rules):
    both = Both(rules)
    for what, *how in history:
        getattr(both, what)(*how)


@settings(max_examples=100, deadline=None)
@given(history_, st.sampled_from([FULL, OPEN]))
def test_in_the_end_everything_is_granted_in_the_order_it_came(history, rules):
    both = Both(rules)
    for what, *how in history:
        if what != "settle":
            getattr(both, what)(*how)
    ledger, granted, now = both.ledger, [], both.now
    waiting = list(ledger.queue)
    ledger.alive = lambda owner: True
    while ledger.queue:
        name = next(iter(ledger.queue))
        verdict = ledger.reserve(now, rules, name, (), ())
        if verdict.granted or not verdict.known:
            for each in list(ledger.granted):  # slots come free only by settling
                if each in waiting and each not in granted:
                    granted.append(each)
                ledger.settle(now, rules, each, (0, 0, 0))
        else:
            assert verdict.wait > 0
            now += verdict.wait
    granted += [name for name in ledger.granted if name in waiting and name not in granted]
    assert granted == waiting


@settings(max_examples=200, deadline=None)
@given(history_)
def test_who_comes_when_told_is_granted(history):
    """Those ahead come on time too; later arrivals do no harm."""
    both = Both(OPEN)
    for what, *how in history:
        getattr(both, what)(*how)
    ledger = copy.deepcopy(both.ledger)
    told = []
    for name in list(ledger.queue):  # each hears anew what it has to expect as things stand
        verdict = ledger.reserve(both.now, OPEN, name, (), ())
        assert verdict.known
        told.append((both.now + verdict.wait, name))
    assert told == sorted(told, key=lambda each: each[0])
    ledger.reserve(both.now, OPEN, "later", (1, 1, 1), (0, 0, 0))
    for due, name in told:
        ledger.renew(due, OPEN, [each for _, each in told])
        verdict = ledger.reserve(due, OPEN, name, (), ())
        assert verdict.granted
        assert verdict.now <= due


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_no_interval_of_the_span_holds_more_than_the_limit(data):
    """Whatever its phase: intervals (t, t + span] that end at a grant are the fullest."""
    ledger, now = Ledger(OPEN), 10**9
    entries: dict[str, tuple[int, tuple[int, ...]]] = {}
    history = data.draw(st.lists(st.tuples(span_, amounts_, share_), min_size=5, max_size=60))
    for serial, (span, amounts, share) in enumerate(history):
        now += span % (3 * SECOND) if span < MINUTE else span
        name = str(serial)
        ledger.reserve(now, OPEN, name, amounts, (0, 0, 0))
        for each, held in ledger.granted.items():
            entries.setdefault(each, (held.at, held.amounts))
        if share is not None and share <= 1 and name in ledger.granted:
            billed = tuple(int(n * share) for n in amounts)
            entries[name] = now, billed
            ledger.settle(now + 1, OPEN, name, billed)
            for each, held in ledger.granted.items():
                entries.setdefault(each, (held.at, held.amounts))
    for place, window in enumerate(OPEN.windows):
        for end, _ in entries.values():
            inside = [n[place] for at, n in entries.values() if end - window.span < at <= end]
            assert sum(inside) <= window.limit


def saturate(rules, amounts, minutes, seed):
    """Use per minute, after the first, by workers who come exactly when they are told."""
    ledger, draw, grants = Ledger(rules), random.Random(seed), []
    start = now = draw.randrange(DAY)
    serial = 0
    while now < start + minutes * MINUTE:
        serial += 1
        amount = amounts(draw)
        verdict = ledger.reserve(now, rules, str(serial), amount, (0,) * len(amount))
        while not verdict.granted:
            now += verdict.wait
            verdict = ledger.reserve(now, rules, str(serial), amount, (0,) * len(amount))
        grants.append((verdict.now - start, amount))
        ledger.settle(now, rules, str(serial), amount)
    return [
        sum(n[-1] for at, n in grants if k * MINUTE <= at < (k + 1) * MINUTE)
        for k in range(1, minutes)
    ]


@pytest.mark.parametrize("seed", range(3))
def test_saturated_it_is_used(seed):
    requests = Rules((Window("requests", 600),))
    used = saturate(requests, lambda draw: (1,), 6, seed)
    assert sum(used) / len(used) >= 0.99 * 600
    tokens = Rules((Window("requests", 10**6), Window("tokens", 100_000)))
    used = saturate(tokens, lambda draw: (1, draw.randrange(50, 500)), 6, seed)
    assert sum(used) / len(used) >= 0.99 * 100_000


def test_slots_are_never_exceeded_and_fall_free_in_order():
    rules, now = Rules(slots=2), 5 * SECOND
    ledger = Ledger(rules)
    for name in "abcd":
        verdict = ledger.reserve(now, rules, name, (), ())
        assert verdict.granted == (name in "ab")
        assert verdict.known or name in "cd"
    ledger.settle(now + 1, rules, "b", ())
    assert [name for name, _ in ledger.rung] == ["c"]
    assert (list(ledger.granted), list(ledger.queue)) == (["a", "c"], ["d"])


def test_what_ends_after_it_expired_changes_nothing():
    ledger, now = Ledger(ONE), DAY
    ledger.reserve(now, ONE, "a", (100,), (0,))
    late = now + ONE.keep
    assert ledger.look(late, ONE).busy == 0
    ledger.reserve(late, ONE, "b", (60,), (0,))
    ledger.settle(late, ONE, "a", (1000,))
    assert ledger.look(late, ONE).used == (60,)
    assert not ledger.reserve(late, ONE, "c", (41,), (0,), patience=0).granted


def test_the_dead_free_their_slots_and_the_living_keep_them():
    rules, living = Rules(slots=1, lease=SECOND), {"a"}
    ledger = Ledger(rules, alive=lambda owner: owner in living)
    ledger.reserve(0, rules, "a", (), (), owner="a")
    assert ledger.reserve(0, rules, "b", (), ()).queued
    ledger.renew(SECOND - 1, rules, ["b"])
    assert ledger.look(SECOND, rules).busy == 1
    living.clear()
    ledger.renew(SECOND + 1, rules, ["a", "b"])
    assert ledger.look(2 * SECOND, rules).waiting == 1
    assert ledger.look(2 * SECOND + 1, rules).busy == 0  # both are gone


def test_a_clock_that_goes_back_stands_still():
    ledger = Ledger(ONE)
    ledger.reserve(DAY, ONE, "a", (100,), (0,))
    verdict = ledger.reserve(DAY - MINUTE, ONE, "b", (1,), (0,), patience=0)
    assert (verdict.granted, verdict.now) == (False, DAY)
    assert verdict.wait <= MINUTE + 2 * ONE.windows[0].width


def test_more_than_the_limit_goes_alone():
    ledger = Ledger(ONE)
    assert ledger.reserve(DAY, ONE, "a", (1,), (0,)).granted
    verdict = ledger.reserve(DAY, ONE, "b", (100,), (5000,))
    assert verdict.queued
    assert ledger.reserve(DAY + verdict.wait, ONE, "b", (100,), (5000,)).granted


def test_behind_one_who_is_late_there_is_a_wait_all_the_same():
    """The head was due, but a lease before it was billed more than it had reserved."""
    ledger = Ledger(ONE)
    ledger.reserve(DAY, ONE, "old", (50,), (0,))
    ledger.reserve(DAY + 30 * SECOND, ONE, "new", (20,), (0,))
    wait = ledger.reserve(DAY + 31 * SECOND, ONE, "head", (10,), (60,)).wait
    due = DAY + 31 * SECOND + wait  # when the old one is forgotten
    ledger.settle(DAY + 32 * SECOND, ONE, "new", (70,))
    ledger.renew(due, ONE, ["head"])
    behind = ledger.reserve(due, ONE, "behind", (1,), (0,))
    assert behind.queued
    assert behind.wait >= 29 * SECOND
    verdict = ledger.reserve(due, ONE, "head", (), ())
    assert verdict.wait == behind.wait
    ledger.renew(due + SECOND, ONE, ["head", "behind"])
    for name in ("head", "behind"):
        assert ledger.reserve(due + verdict.wait, ONE, name, (), ()).granted


def test_a_vendors_word_is_about_the_time_of_the_grant():
    ledger = Ledger(ONE)
    ledger.reserve(DAY, ONE, "slow", (10,), (0,))
    ledger.reserve(DAY + SECOND, ONE, "quick", (5,), (0,))
    ledger.settle(DAY + 30 * SECOND, ONE, "slow", (10,), [Seen(0, 80, 30)])
    standing = ledger.look(DAY + 30 * SECOND, ONE)  # others had used 40 of the 80 by then
    assert (standing.used, standing.limits) == ((55,), (80,))
    assert copy.deepcopy(ledger).look(DAY + 60 * SECOND + SECOND // 2, ONE).used == (5,)
    ledger.settle(DAY + 31 * SECOND, ONE, "quick", (5,), [Seen(0, 80, 65)])
    assert ledger.look(DAY + 31 * SECOND, ONE).used == (15,)  # the newest word is the one
    ledger.settle(DAY + 32 * SECOND, ONE, "nobody", None, [Seen(0, 120, 0)])
    standing = ledger.look(DAY + 32 * SECOND, ONE)
    assert (standing.used, standing.limits) == ((100,), (100,))  # more than the rules' is not given
    later = DAY + 32 * SECOND + MINUTE + ONE.windows[0].width
    assert ledger.look(later, ONE).used == (0,)

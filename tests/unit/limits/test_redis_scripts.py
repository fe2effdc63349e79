"""The scripts against a real Redis: they do what `Ledger` does, and put back what was forgotten."""

import itertools
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from franca.limits.ledger import Ledger
from franca.limits.memory import MemoryStore
from franca.limits.model import (
    FOREVER,
    MINUTE,
    SECOND,
    Lease,
    Reserve,
    Rules,
    Seen,
    Settle,
    Standing,
    Verdict,
    Window,
)
from franca.limits.redis import scripts
from franca.limits.redis.link import Link
from franca.limits.redis.scripts import Command, Entry, Known, Reply, Scope
from franca.testing.redis_server import RedisServer

_names = itertools.count()
STORE = MemoryStore()  # an ask names one; the scripts do not
EPOCH = 1_763_000_000_000_000


class Book:
    """A scope in Redis, and a client of it with a time of its own."""

    def __init__(self, server: RedisServer, rules: Rules) -> None:
        self.server, self.rules = server, rules
        self.link = Link(server.url)
        self.scope: Scope = scripts.scope_of("test", f"scope-{next(_names)}", rules)
        self.known = Known(proposal=f"epoch-{next(_names)}")

    def call(self, command: Command) -> Reply:
        reply = self.link.call(command)
        assert isinstance(reply, Reply)
        return reply

    def learn(self, command: Command) -> Reply:
        reply = self.call(command)
        assert not reply.lost
        self.known = Known(reply.epoch, reply.seq)
        return reply

    def reserve(
        self, now: int, lease: Lease, patience: int = FOREVER, owner: str = "nobody"
    ) -> Verdict:
        ask = Reserve(STORE, "", self.rules, lease, patience)
        return scripts.verdict(self.learn(scripts.reserve(self.scope, self.known, ask, owner, now)))

    def settle(
        self,
        now: int,
        lease: Lease,
        billed: tuple[int, ...] | None = None,
        seen: tuple[Seen, ...] = (),
        hold: int = 0,
    ) -> None:
        ask = Settle(STORE, "", self.rules, lease, billed, seen, hold)
        self.learn(scripts.settle(self.scope, self.known, ask, now))

    def renew(self, now: int, member: str, ids: list[str]) -> list[str]:
        return scripts.members(
            self.learn(scripts.renew(self.scope, self.known, member, ids, now=now))
        )

    def look(self, now: int) -> Standing:
        return scripts.standing(self.call(scripts.look(self.scope, now)))

    def names(self) -> list[str]:
        listed = self.server.command("KEYS", "test:*").split("\r\n")
        return [key for key in listed if key.startswith(self.scope.book[:-1])]

    def forget(self) -> None:
        for key in self.names():
            self.server.command("DEL", key)


WINDOWS = (
    Window("requests", 6),
    Window("tokens", 1000),
    Window("requests/1", 3, SECOND),
)
rules_given = st.builds(
    Rules,
    st.lists(st.sampled_from(WINDOWS), unique=True, max_size=3).map(tuple),
    st.sampled_from([0, 0, 1, 3]),
    st.sampled_from([2 * SECOND, 30 * SECOND]),
)
jumps = st.one_of(
    st.sampled_from([0, 0, 1, -7, 3907, 234_375, SECOND, 20 * SECOND, 61 * SECOND, 5 * MINUTE]),
    st.integers(0, 3 * SECOND),
)


class History:
    """The same history told to a ledger and to Redis."""

    def __init__(self, server: RedisServer, data: st.DataObject) -> None:
        self.draw = data.draw
        self.rules = self.draw(rules_given)
        self.now = self.draw(st.sampled_from([0, EPOCH]))
        self.ledger, self.book = Ledger(self.rules), Book(server, self.rules)
        self.leases: list[Lease] = []
        self.ears = self.book.link.subscribe(self.book.scope.book)
        assert self.ears.get_message(timeout=10)["type"] == "subscribe"

    def step(self) -> None:
        self.now = max(0, self.now + self.draw(jumps))
        actions = [self.reserve, self.reserve, self.settle, self.renew]
        act: Callable[[], None] = self.draw(st.sampled_from(actions))
        if self.leases or act == self.reserve:
            act()
        standing = self.ledger.look(self.now, self.rules)
        assert self.book.look(self.now) == standing

    def reserve(self) -> None:
        if not self.leases or self.draw(st.integers(0, 3)):
            limits = [window.limit for window in self.rules.windows]
            amounts = [self.draw(st.sampled_from([1, 2, n // 2, n, 2 * n])) for n in limits]
            margins = [self.draw(st.sampled_from([0, 0, 1, 5])) for _ in limits]
            self.leases.append(Lease(tuple(amounts), tuple(margins)))
            lease = self.leases[-1]
        else:
            lease = self.draw(st.sampled_from(self.leases))
        patience = self.draw(st.sampled_from([0, SECOND, 10 * SECOND, FOREVER, FOREVER]))
        expected = self.ledger.reserve(
            self.now, self.rules, lease.id, lease.amounts, lease.margins, patience
        )
        given = self.book.reserve(self.now, lease, patience, self.book.scope.book)
        assert given == expected

    def settle(self) -> None:
        lease = self.draw(st.sampled_from(self.leases))
        if self.draw(st.booleans()):
            self.leases.remove(lease)
        billed = self.draw(st.sampled_from([None, lease.amounts, tuple(3 for _ in lease.amounts)]))
        word = st.builds(Seen, st.just(0), st.integers(1, 12), st.integers(0, 6))
        seen = self.draw(st.lists(word, max_size=1 if self.rules.windows else 0).map(tuple))
        hold = self.draw(st.sampled_from([0, 0, 0, -1, SECOND // 2, 10 * SECOND]))
        self.ledger.settle(self.now, self.rules, lease.id, billed, seen, hold)
        self.book.settle(self.now, lease, billed, seen, hold)

    def renew(self) -> None:
        ids = [lease.id for lease in self.leases if self.draw(st.booleans())]
        self.ledger.renew(self.now, self.rules, ids)
        assert "me" in self.book.renew(self.now, "me", ids)

    def heard(self) -> list[str]:
        """Whom the scripts rang; as many as the ledger says, and no more."""
        found = [self.ears.get_message(timeout=10) for _ in self.ledger.rung]
        assert self.ears.get_message(timeout=0) is None
        self.ears.close()
        return [message["data"].decode() for message in found]


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data(), st.integers(1, 40))
def test_any_history_is_told_as_the_ledger_tells_it(
    redis_server: RedisServer, data: st.DataObject, steps: int
) -> None:
    history = History(redis_server, data)
    history.reserve()
    for _ in range(steps):
        history.step()
    assert history.heard() == [id_ for id_, _ in history.ledger.rung]
    for key in history.book.names():
        ttl = int(redis_server.command("PTTL", key)[1:])
        assert ttl > 0, f"{key} stays for ever"
    history.book.forget()
    history.book.link.close()


@pytest.fixture
def book(redis_server: RedisServer) -> Book:
    return Book(redis_server, Rules((Window("requests", 10), Window("tokens", 100)), 2))


def test_a_script_that_the_server_forgot_is_sent_again(book: Book) -> None:
    assert book.reserve(EPOCH, Lease((1, 10))).granted
    book.server.command("SCRIPT", "FLUSH")
    lease = Lease((1, 10))
    assert book.reserve(EPOCH, lease).granted
    assert book.look(EPOCH).used == (2, 20)


def test_all_keys_are_of_one_slot(book: Book) -> None:
    keys = {book.scope.book, book.scope.queue, book.scope.members}
    assert len(keys) == 3
    assert len({key[key.index("{") : key.index("}")] for key in keys}) == 1
    odd = scripts.scope_of("a{}b", "}{", Rules())
    assert odd.book.count("{") == odd.book.count("}") == 1


def test_all_keys_expire(book: Book) -> None:
    first, second, third = Lease((1, 10)), Lease((1, 10)), Lease((1, 10))
    for lease in (first, second, third):
        book.reserve(EPOCH, lease)
    book.renew(EPOCH, "me", [first.id])
    assert len(book.names()) == 3
    for key in book.names():
        assert int(book.server.command("PTTL", key)[1:]) > 0


def test_a_long_hold_outlives_the_rest(book: Book) -> None:
    lease = Lease((1, 10))
    book.reserve(EPOCH, lease)
    book.settle(EPOCH, lease, hold=3600 * SECOND)
    assert int(book.server.command("PTTL", book.scope.book)[1:]) > 3_600_000


def test_a_look_makes_nothing(book: Book) -> None:
    standing = book.look(EPOCH)
    assert (standing.used, standing.limits) == ((0, 0), (10, 100))
    assert book.names() == []


def test_members_live_as_long_as_they_renew(book: Book) -> None:
    assert book.renew(EPOCH, "a", []) == ["a"]
    assert sorted(book.renew(EPOCH + 20 * SECOND, "b", [])) == ["a", "b"]
    assert book.renew(EPOCH + 31 * SECOND, "b", []) == ["b"]


@pytest.mark.parametrize("how", ["settle", "reserve", "renew"])
def test_who_knows_another_state_changes_nothing(book: Book, how: str) -> None:
    lease = Lease((1, 10))
    book.reserve(EPOCH, lease)
    held = book.look(EPOCH)
    ask = Reserve(STORE, "", book.rules, Lease((1, 10)))
    for known in (Known("another", 0), Known(book.known.epoch, book.known.seen + 1)):
        if how == "reserve":
            command = scripts.reserve(book.scope, known, ask, "nobody", EPOCH)
        elif how == "settle":
            command = scripts.end(book.scope, known, lease, now=EPOCH)
        else:
            command = scripts.renew(book.scope, known, "me", [], now=EPOCH)
        reply = book.call(command)
        assert (reply.lost, reply.epoch, reply.seq) == (True, book.known.epoch, 1)
        assert book.look(EPOCH) == held
    book.forget()
    reply = book.call(scripts.reserve(book.scope, book.known, ask, "nobody", EPOCH))
    assert (reply.lost, reply.epoch) == (True, "")
    assert book.names() == []


def test_a_queue_that_the_server_dropped_begins_anew(book: Book) -> None:
    first, second, third, fourth = (Lease((1, 10)) for _ in range(4))
    for lease in (first, second, third, fourth):
        book.reserve(EPOCH, lease)
    book.server.command("DEL", book.scope.queue)  # as where memory is short
    again = book.reserve(EPOCH + 1, fourth)
    assert (again.queued, book.look(EPOCH + 1).waiting) == (True, 1)
    book.settle(EPOCH + 2, first, (1, 10))
    assert book.reserve(EPOCH + 3, fourth).granted
    assert not book.reserve(EPOCH + 3, third).granted
    book.settle(EPOCH + 4, second, (1, 10))
    assert book.reserve(EPOCH + 5, third).granted


class Member:
    """One of those who put back what was forgotten."""

    def __init__(self, book: Book, name: str, proposal: str) -> None:
        self.book, self.name, self.proposal = book, name, proposal
        self.entries: list[Entry] = []

    def restore(self, now: int, expected: list[str], was: Known | None = None) -> int:
        was = was or self.book.known
        known = Known(was.epoch, was.seen, self.proposal)
        command = scripts.restore(
            self.book.scope, known, self.name, expected, MINUTE, self.entries, now=now
        )
        reply = self.book.call(command)
        self.epoch, self.seq = reply.epoch, reply.seq
        return scripts.awaited(reply)


def test_all_put_back_what_they_were_granted(book: Book) -> None:
    ann, ben = Member(book, "ann", "new-1"), Member(book, "ben", "new-2")
    done, going = Lease((1, 30)), Lease((2, 20))
    book.reserve(EPOCH, done)
    book.reserve(EPOCH + SECOND, going)
    ann.entries = [Entry(done.id, EPOCH, (1, 25), settled=True)]
    ben.entries = [Entry(going.id, EPOCH + SECOND, (2, 20), settled=False, rest=30 * SECOND)]
    book.forget()
    now = EPOCH + 5 * SECOND
    assert ann.restore(now, ["ann", "ben"]) == 1
    assert (ann.epoch, ann.seq) == ("new-1", 2)
    held = book.look(now)
    assert (held.used, held.busy, held.hold) == ((1, 25), 0, MINUTE)
    assert ann.restore(now, ["ann", "ben"]) == 1, "a second time changes nothing"
    assert book.look(now) == held
    assert ben.restore(now, ["ann", "ben"]) == 0
    assert ben.epoch == "new-1"
    back = book.look(now)
    assert (back.used, back.busy, back.hold) == ((3, 45), 1, 0)
    book.known = Known("new-1", 2)
    book.settle(now, going, (2, 5))
    assert book.look(now).used == (3, 30)
    assert book.look(EPOCH + 62 * SECOND).used == (0, 0), "each in its own bucket"


def test_who_waits_is_granted_when_the_last_has_restored(book: Book) -> None:
    ann, ben = Member(book, "ann", "new-1"), Member(book, "ben", "new-2")
    book.reserve(EPOCH, Lease((1, 10)))
    book.forget()
    was, book.known = book.known, Known("new-1", 1)
    ann.restore(EPOCH, ["ben"], was)
    ears = book.link.subscribe("ann's")
    assert ears.get_message(timeout=10)["type"] == "subscribe"
    waiting = Lease((1, 10))
    verdict = book.reserve(EPOCH + 1, waiting, owner="ann's")
    assert (verdict.queued, verdict.wait) == (True, MINUTE - 1)
    ben.restore(EPOCH + 2, [], was)
    assert ears.get_message(timeout=10)["data"].decode() == waiting.id
    ears.close()
    assert book.reserve(EPOCH + 3, waiting).granted


def test_nobody_waits_longer_than_the_window(book: Book) -> None:
    book.reserve(EPOCH, Lease((1, 10)))
    book.forget()
    Member(book, "ann", "new-1").restore(EPOCH, ["ben"])
    book.known = Known("new-1", 1)
    assert not book.reserve(EPOCH + MINUTE - 1, Lease((1, 10)), 0).granted
    assert book.reserve(EPOCH + MINUTE, Lease((1, 10)), 0).granted


def test_a_vendors_hold_is_kept(book: Book) -> None:
    lease = Lease((1, 10))
    book.reserve(EPOCH, lease)
    book.settle(EPOCH, lease, hold=10 * MINUTE)
    known = book.known
    book.known = Known(known.epoch, known.seen + 1)  # the server forgot the last grant
    assert Member(book, "ann", "new-1").restore(EPOCH, []) == 0
    assert book.look(EPOCH).hold == 10 * MINUTE


def test_what_the_book_still_has_is_not_counted_twice(book: Book) -> None:
    """A server that forgot its last moments: what is older is in the book."""
    settled, going, late, lost = (Lease((1, 10)) for _ in range(4))
    book.rules = Rules(book.rules.windows)  # any number at a time
    book.scope = scripts.scope_of("test", f"scope-{next(_names)}", book.rules)
    for at, lease in enumerate((settled, going, late)):
        book.reserve(EPOCH + at, lease)
    book.settle(EPOCH + 3, settled, (1, 8))
    book.known = Known(book.known.epoch, book.known.seen + 1)  # it forgot `lost`, and late's end
    ann = Member(book, "ann", "new-1")
    ann.entries = [
        Entry(settled.id, EPOCH, (1, 8), settled=True),
        Entry(going.id, EPOCH + 1, (1, 10), settled=False, rest=30 * SECOND),
        Entry(late.id, EPOCH + 2, (1, 4), settled=True),
        Entry(lost.id, EPOCH + 9, (1, 10), settled=False, rest=30 * SECOND),
    ]
    assert ann.restore(EPOCH + SECOND, []) == 0
    standing = book.look(EPOCH + SECOND)
    assert (standing.used, standing.busy) == ((4, 8 + 10 + 4 + 10), 2)


def test_what_the_server_never_heard_of_counts_whatever_the_time_it_bears(book: Book) -> None:
    """A process that decides for itself goes by its own guess of the server's clock."""
    book.reserve(EPOCH + SECOND, Lease((1, 10)))
    alone = Lease((1, 10))
    ann = Member(book, "ann", "new-1")
    ann.entries = [Entry(alone.id, EPOCH, (1, 7), settled=True, alone=True)]
    assert ann.restore(EPOCH + 2 * SECOND, []) == 0
    assert book.look(EPOCH + 2 * SECOND).used == (2, 17)


def test_a_record_of_many_leases_is_written_whole(book: Book) -> None:
    book.reserve(EPOCH, Lease((1, 1)))
    book.forget()
    ann = Member(book, "ann", "new-1")
    ann.entries = [
        Entry(f"x.{k}", EPOCH + k, (0, 1), settled=False, rest=SECOND) for k in range(4500)
    ]
    assert ann.restore(EPOCH + SECOND, []) == 0
    standing = book.look(EPOCH + SECOND)
    assert (standing.busy, standing.used) == (4500, (0, 4500))
    book.known = Known("new-1", 1)
    ids = [entry.id for entry in ann.entries]
    assert book.renew(EPOCH + SECOND, "ann", ids) == ["ann"]
    assert book.look(EPOCH + 20 * SECOND).busy == 4500
    assert book.look(EPOCH + 60 * SECOND).busy == 0, "the dead are buried at once"

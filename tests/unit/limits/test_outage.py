"""Redis is away: what all processes are granted together stays within the limits."""

from dataclasses import dataclass, field
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from franca.limits.ledger import Ledger
from franca.limits.redis.outage import Journal, Membership, Outage, span_of
from franca.limits.rules import FOREVER, SECOND, Rules, Window

RULES = Rules((Window("requests", 60, 10 * SECOND), Window("tokens", 4000, 10 * SECOND)))
SLOTS = Rules((Window("requests", 10_000),), slots=6)


@dataclass
class Process:
    journal: Journal
    outage: Outage | None = None
    held: list[str] = field(default_factory=list)


def most(grants: list[tuple[int, int]], span: int) -> int:
    """The most that was granted in any interval of that length."""
    grants.sort()
    most = total = first = 0
    for at, amount in grants:
        total += amount
        while grants[first][0] <= at - span:
            total -= grants[first][1]
            first += 1
        most = max(most, total)
    return most


class World:
    """Some processes, one ledger before the outage, each its own after it."""

    def __init__(self, rules: Rules, processes: int, random: Random) -> None:
        self.rules, self.random = rules, random
        self.ledger = Ledger(rules)
        self.processes = [Process(Journal(rules)) for _ in range(processes)]
        self.now, self.number = 100 * SECOND, 0
        self.granted: list[tuple[int, tuple[int, ...]]] = []
        self.busiest = 0

    def run(self, steps: int) -> None:
        for _ in range(steps):
            self.now += self.random.choice([0, 1000, 30_000, 200_000])
            process = self.random.choice(self.processes)
            self.settle(process) if self.random.random() < 0.4 else self.ask(process)
            self.busiest = max(self.busiest, sum(len(p.held) for p in self.processes))

    def ask(self, process: Process) -> None:
        self.number += 1
        id_ = str(self.number)
        wanted = (1, self.random.choice([10, 100, 400]))[: len(self.rules.windows)]
        none = (0,) * len(wanted)
        if process.outage is None:
            verdict = self.ledger.reserve(self.now, self.rules, id_, wanted, none, 0)
        else:
            verdict = process.outage.reserve(self.now, self.rules, id_, wanted, none, 0, None)
        if verdict.granted:
            process.journal.grant(id_, verdict.now, wanted)
            process.held.append(id_)
            self.granted.append((verdict.now, wanted))

    def settle(self, process: Process) -> None:
        if not process.held:
            return
        id_ = process.held.pop(self.random.randrange(len(process.held)))
        amounts = process.journal.notes[id_].amounts
        process.journal.settle(id_, amounts)
        if process.outage is None:
            self.ledger.settle(self.now, self.rules, id_, amounts)
        else:
            process.outage.settle(self.now, self.rules, id_, amounts)

    def go_away(self) -> None:
        for process in self.processes:
            self.now += self.random.choice([0, 50_000])
            process.outage = Outage(
                self.rules, "share", self.now, process.journal, len(self.processes)
            )


@given(st.integers(1, 5), st.integers(0, 10**6))
def test_shares_never_add_up_to_more_than_the_limits(processes, seed):
    world = World(RULES, processes, Random(seed))
    world.run(200)
    world.go_away()
    world.run(600)
    for place, window in enumerate(RULES.windows):
        grants = [(at, amounts[place]) for at, amounts in world.granted]
        assert most(grants, window.span) <= window.limit


@given(st.integers(1, 4), st.integers(0, 10**6))
def test_slots_do_not_grow_in_the_first_lease(processes, seed):
    world = World(SLOTS, processes, Random(seed))
    world.run(100)
    world.go_away()
    world.run(50)
    assert world.busiest <= SLOTS.slots


def away(mode="share", share=2, held=0, rules=RULES):
    journal = Journal(rules)
    for number in range(held):
        journal.grant(f"old{number}", 100 * SECOND, (1, 10))
        journal.settle(f"old{number}", (1, 10))
    return Outage(rules, mode, 100 * SECOND, journal, share)


def ask(outage, id_, now, amounts=(1, 10), patience=FOREVER, rules=RULES):
    return outage.reserve(now, rules, id_, amounts, (0, 0), patience, None)


def test_who_held_nothing_is_granted_its_part_after_a_window():
    outage = away()
    assert not ask(outage, "a", 105 * SECOND).granted
    later = 100 * SECOND + span_of(RULES)
    assert [ask(outage, f"b{n}", later).granted for n in range(31)] == [True] * 30 + [False]


def test_who_held_something_takes_again_what_it_gives_up():
    outage = away(held=20)
    verdict = ask(outage, "a", 101 * SECOND)
    assert not verdict.granted
    assert verdict.queued
    assert ask(outage, "a", 101 * SECOND + verdict.wait).granted


def test_closed_grants_nothing_and_says_ask_again():
    verdict = ask(away("closed", held=20), "a", 500 * SECOND)
    assert (verdict.granted, verdict.queued, verdict.known) == (False, True, False)
    assert not ask(away("closed"), "a", 500 * SECOND, patience=0).queued


def test_open_grants_everything():
    outage = away("open")
    assert all(ask(outage, str(n), 101 * SECOND).granted for n in range(500))


def test_without_a_known_membership_share_is_closed():
    outage = away(share=0)
    assert not ask(outage, "a", 500 * SECOND).granted


def test_more_than_the_part_is_not_granted_even_alone():
    outage = away(share=60)
    assert not ask(outage, "a", 500 * SECOND, (1, 100)).granted
    assert ask(outage, "b", 500 * SECOND, (1, 60)).granted


def test_a_settled_lease_gives_back():
    outage = away(share=60)
    later = 500 * SECOND
    assert ask(outage, "a", later).granted
    assert not ask(outage, "b", later, patience=0).granted
    outage.settle(later, RULES, "a", None)
    assert ask(outage, "b", later).granted


@pytest.mark.parametrize(("joined", "now", "share"), [(0, 20, 3), (10, 20, 0), (0, 60, 0)])
def test_a_part_needs_a_membership_that_the_others_know(joined, now, share):
    membership = Membership()
    for second in range(joined, 21, 5):
        membership.told(["a", "b", "c"], second * SECOND + 1, 30 * SECOND)
    assert membership.share(now * SECOND + 1, 30 * SECOND) == share


def test_a_journal_forgets_what_has_ended_and_left_the_window():
    journal = Journal(RULES)
    for number in range(1000):
        journal.grant(str(number), number * SECOND, (1, 1))
        if number:
            journal.settle(str(number), (1, 1))
    assert len(journal.notes) < 200
    assert "0" in journal.notes

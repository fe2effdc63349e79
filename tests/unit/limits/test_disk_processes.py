"""The store for the processes of one host, by real processes: each runs a part of `PARTS`."""

import json
import re
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager

import pytest

from franca.errors import TimeoutError
from franca.limits.disk import DiskStore
from franca.limits.model import SECOND, Lease, Look, Reserve, Rules, Settle, Standing, Window

PARTS = """
import asyncio, json, sys, threading, time
from franca.limits.acquire import acquire
from franca.limits.disk import DiskStore
from franca.limits.drive import adrive, drive
from franca.limits.model import FOREVER, SECOND, Lease, Reserve, Rules, Settle, Window

def say(*what):
    print(json.dumps(what), flush=True)

def hammer(store, rules, seconds):
    granted = []
    def attempts():
        while time.monotonic() < ends:
            lease = Lease((1, 7))
            if store.perform(Reserve(store, "k", rules, lease, 0)).granted:
                granted.append((at(store, rules, lease), 7))
                store.perform(Settle(store, "k", rules, lease, (1, 7)))
    ends = time.monotonic() + seconds
    threads = [threading.Thread(target=attempts) for _ in range(2)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    say(granted)

def at(store, rules, lease):  # asked again, it tells when it was granted
    return store.perform(Reserve(store, "k", rules, lease, 0)).now

def hold(store, rules):
    leases = [Lease((0,) * len(rules.windows)) for _ in range(2)]
    say([store.perform(Reserve(store, "k", rules, lease, 0)).granted for lease in leases])
    threading.Event().wait()

def stop_within(store, rules):
    store._clock = lambda: say("within") or threading.Event().wait()
    store.perform(Reserve(store, "k", rules, Lease(()), 0))

def turn(store, rules):
    lease = Lease(())
    drive(acquire(store, "k", rules, lease, 60))
    say(lease.at)
    store.perform(Settle(store, "k", rules, lease))

def asleep(store, rules, kind):  # only a ring ends it
    lease = Lease(())
    assert store.perform(Reserve(store, "k", rules, lease)).queued
    if kind == "sync":
        lease.sleep(FOREVER // 1000)
    else:
        asyncio.run(lease.asleep(FOREVER // 1000))
    say(store.perform(Reserve(store, "k", rules, lease)).granted)

part, directory, rules, *args = json.loads(sys.argv[1])
windows, slots, lease = rules
rules = Rules(tuple(Window(*window) for window in windows), slots, lease)
globals()[part](DiskStore(directory), rules, *args)
"""

SLOTS = Rules((), slots=2, lease=2 * SECOND)
SLOT = Rules((), slots=1)


@contextmanager
def playing(part, directory, rules, *args):
    figures = [[w.name, w.limit, w.span] for w in rules.windows], rules.slots, rules.lease
    said = json.dumps([part, str(directory), figures, *args])
    with subprocess.Popen(
        [sys.executable, "-c", PARTS, said], stdout=subprocess.PIPE, text=True
    ) as player:
        try:
            yield player
        finally:
            player.kill()


def hear(player):
    return json.loads(player.stdout.readline())[0]


def until_waiting(store, rules, number):
    ends = time.monotonic() + 60
    while time.monotonic() < ends:
        standing = store.perform(Look(store, "k", rules))
        assert isinstance(standing, Standing)
        if standing.waiting == number:
            return
        time.sleep(0.01)
    raise AssertionError("nobody queues")


def until_renewed(store, rules):
    def expiries():
        attempt(store, rules, Lease(()))
        return [
            granted.expires for granted in store._scopes["k", rules.shape].ledger.granted.values()
        ]

    before, ends = expiries(), time.monotonic() + 60
    while not all(now > then for now, then in zip(expiries(), before, strict=True)):
        assert time.monotonic() < ends, "nobody renews"
        time.sleep(0.01)


def attempt(store, rules, lease):
    return store.perform(Reserve(store, "k", rules, lease, 0))


@pytest.fixture
def store(tmp_path):
    store = DiskStore(tmp_path)
    yield store
    store.close()


def test_no_window_holds_more_than_the_limit(tmp_path):
    rules = Rules((Window("requests", 40, SECOND), Window("tokens", 250, SECOND)), slots=6)
    with ExitStack() as stack:
        play = [playing("hammer", tmp_path, rules, 3) for _ in range(4)]
        players = [stack.enter_context(each) for each in play]
        granted = sorted(each for player in players for each in hear(player))
    assert len(granted) >= 2 * (250 // 7)  # it was used
    for first, (start, _) in enumerate(granted):
        within = [tokens for at, tokens in granted[first:] if at < start + SECOND]
        assert len(within) <= 40
        assert sum(within) <= 250


def test_the_slots_of_a_killed_process_are_free_after_the_lease(store, tmp_path):
    with playing("hold", tmp_path, SLOTS) as holder:
        assert hear(holder) == [True, True]
        until_renewed(store, SLOTS)
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        killed = time.monotonic()
        while not attempt(store, SLOTS, Lease(())).granted:
            assert time.monotonic() < killed + 60
            time.sleep(0.02)
    assert attempt(store, SLOTS, Lease(())).granted


def test_a_process_killed_within_a_decision_leaves_nothing_of_it(tmp_path):
    store = DiskStore(tmp_path, timeout=0.2)
    store.perform(Look(store, "k", SLOT))
    with playing("stop_within", tmp_path, SLOT) as player:
        assert hear(player) == "within"
        with pytest.raises(TimeoutError, match=re.escape(str(tmp_path))):
            attempt(store, SLOT, Lease(()))
        player.send_signal(signal.SIGKILL)
        player.wait()
    assert attempt(store, SLOT, Lease(())).granted
    store.close()


def test_first_come_first_served(store, tmp_path):
    mine = Lease(())
    assert attempt(store, SLOT, mine).granted
    with ExitStack() as stack:
        players = []
        for number in range(3):
            players.append(stack.enter_context(playing("turn", tmp_path, SLOT)))
            until_waiting(store, SLOT, number + 1)
        store.perform(Settle(store, "k", SLOT, mine))
        turns = [hear(player) for player in players]
    assert turns == sorted(turns)


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_freed_slot_rings_for_a_sleeper(store, tmp_path, kind):
    mine = Lease(())
    assert attempt(store, SLOT, mine).granted
    with playing("asleep", tmp_path, SLOT, kind) as sleeper:
        until_waiting(store, SLOT, 1)
        store.perform(Settle(store, "k", SLOT, mine))
        assert hear(sleeper) is True
        assert not attempt(store, SLOT, Lease(())).granted


def test_a_process_ends_though_its_store_is_open(tmp_path):
    with playing("turn", tmp_path, SLOT) as player:
        hear(player)
        assert player.wait(60) == 0

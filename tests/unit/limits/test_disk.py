"""The store for the processes of one host, within one process."""

import asyncio
import contextlib
import gc
import os
import sqlite3
import sys
import threading
import time
import weakref

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from franca.errors import MissingExtraError, SettingsError, TimeoutError
from franca.limits.acquire import acquire
from franca.limits.codec import decode, encode, rebase
from franca.limits.disk import DiskStore
from franca.limits.drive import adrive, drive
from franca.limits.ledger import Ledger
from franca.limits.memory import MemoryStore
from franca.limits.model import (
    FOREVER,
    MINUTE,
    SECOND,
    Answer,
    Lease,
    Look,
    Reserve,
    Rules,
    Seen,
    Settle,
    Standing,
    Verdict,
    Window,
)

THREE = Rules((Window("requests", 3),))
SLOT = Rules((), slots=1)


class Clock:
    def __init__(self, now: int = 1000 * SECOND) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def store(tmp_path, clock):
    store = DiskStore(tmp_path / "limits", clock=clock)
    yield store
    store.close()


def attempt(store, rules, lease, patience=0) -> Verdict:
    verdict = store.perform(Reserve(store, "k", rules, lease, patience))
    assert isinstance(verdict, Verdict)
    return verdict


def look(store, rules) -> Standing:
    standing = store.perform(Look(store, "k", rules))
    assert isinstance(standing, Standing)
    return standing


async def alook(store, rules) -> Standing:
    standing = await store.aperform(Look(store, "k", rules))
    assert isinstance(standing, Standing)
    return standing


def one() -> Lease:
    return Lease((1,))


# What it remembers


def test_another_store_on_the_directory_counts_the_same(store, clock, tmp_path):
    other = DiskStore(tmp_path / "limits", clock=clock)
    granted = [attempt(each, THREE, one()).granted for each in (store, other, store, other)]
    assert granted == [True, True, True, False]
    assert attempt(store, THREE, one()).wait == attempt(other, THREE, one()).wait
    clock.now += 61 * SECOND
    assert attempt(other, THREE, one()).granted
    other.close()


def test_what_is_written_survives_its_writer(store, clock, tmp_path):
    for _ in range(3):
        attempt(store, THREE, one())
    store.close()
    assert look(DiskStore(tmp_path / "limits", clock=clock), THREE).used == (3,)


def test_scopes_and_shapes_are_apart(store):
    for _ in range(3):
        attempt(store, THREE, one())
    elsewhere = store.perform(Reserve(store, "other", THREE, one(), 0))
    assert elsewhere.granted
    other_shape = Rules((Window("requests", 3, 10 * SECOND),))
    assert attempt(store, other_shape, one()).granted
    assert not attempt(store, THREE, one()).granted


def test_a_cache_in_the_same_directory_is_left_alone(store, tmp_path):
    from diskcache import Cache

    with Cache(str(tmp_path / "limits"), cull_limit=7) as cache:
        cache["answer"] = 42
        attempt(store, THREE, one())
        assert cache["answer"] == 42
        assert cache.cull_limit == 7
        cache.clear()
    assert look(store, THREE).used == (1,)


def test_large_figures_are_kept(store, clock, tmp_path):
    rules = Rules((Window("tokens", 1 << 50),))
    attempt(store, rules, Lease((1 << 45,)))
    store.close()
    again = DiskStore(tmp_path / "limits", clock=clock)
    assert look(again, rules).used == (1 << 45,)
    again.close()


amounts = st.tuples(st.integers(0, 9), st.integers(0, 900))
step = st.one_of(
    st.tuples(st.just("reserve"), st.integers(0, 11), amounts, st.sampled_from((0, 5, 90))),
    st.tuples(st.just("settle"), st.integers(0, 11), st.none() | amounts, st.integers(-1, 2)),
    st.tuples(st.just("seen"), st.integers(0, 11), st.integers(1, 9), st.integers(0, 9)),
    st.tuples(st.just("pass"), st.integers(0, 90 * SECOND)),
    st.tuples(st.just("look")),
)


@settings(max_examples=60, deadline=None)
@given(steps=st.lists(step, max_size=40), slots=st.integers(0, 3))
def test_it_decides_as_memory_does(tmp_path_factory, steps, slots):
    """Whichever of two processes' stores is asked."""
    clock = Clock()
    rules = Rules((Window("requests", 9), Window("tokens", 900)), slots, lease=500 * SECOND)
    directory = tmp_path_factory.mktemp("limits")
    memory = MemoryStore(clock)
    disks = [DiskStore(directory, clock=clock) for _ in range(2)]
    leases: dict[int, Lease] = {}

    def both(which: int, ask) -> None:
        expected: Answer = memory.perform(ask)
        assert disks[which].perform(ask) == expected

    for name, *args in steps:
        which = args[0] % 2 if args else 0
        if name == "pass":
            clock.now += args[0]
        elif name == "look":
            both(which, Look(memory, "k", rules))
        elif name == "reserve":
            lease = leases.get(args[0]) or leases.setdefault(args[0], Lease(args[1]))
            both(which, Reserve(memory, "k", rules, lease, args[2] * SECOND))
        elif (lease := leases.pop(args[0], None)) is not None and name == "settle":
            both(which, Settle(memory, "k", rules, lease, args[1], hold=args[2] * SECOND))
        elif lease is not None:
            both(which, Settle(memory, "k", rules, lease, None, (Seen(0, args[1], args[2]),)))
    both(0, Look(memory, "k", rules))
    for disk in disks:
        disk.close()


def test_a_refusal_writes_nothing(store):
    for _ in range(3):
        attempt(store, THREE, one())
    state = store._scopes["k", THREE.shape].state
    assert not attempt(store, THREE, one()).granted
    with sqlite3.connect(store.directory / "cache.db") as database:
        assert database.execute("SELECT state FROM franca_limits").fetchone() == (state,)
    database.close()


def test_what_a_look_finds_granted_stays_so(store, clock, tmp_path):
    rules = Rules(THREE.windows, lease=2 * MINUTE)
    for _ in range(3):
        attempt(store, rules, one())
    queued = one()
    clock.now += attempt(store, rules, queued, FOREVER).wait
    then = clock.now
    other = DiskStore(tmp_path / "limits", clock=clock)
    assert look(other, rules).waiting == 0
    clock.now += SECOND
    verdict = attempt(store, rules, queued)
    assert (verdict.granted, verdict.now) == (True, then)
    other.close()


# Leases


def test_a_lease_that_is_held_is_renewed_and_a_collected_one_is_not(store, clock):
    rules = Rules((), slots=2, lease=3 * SECOND)
    held, lost = Lease(()), Lease(())
    attempt(store, rules, held)
    attempt(store, rules, lost)
    del lost
    gc.collect()
    for _ in range(4):
        clock.now += SECOND
        store._tended = -1e9  # it is time
        store.tend()
    assert look(store, rules).busy == 1
    store.perform(Settle(store, "k", rules, held, ()))
    assert look(store, rules).busy == 0


def test_its_thread_renews_by_itself(tmp_path):
    store = DiskStore(tmp_path)
    rules = Rules((), slots=1, lease=SECOND)
    held = Lease(())
    attempt(store, rules, held)
    scope = store._scopes["k", rules.shape]
    first, ends = scope.ledger.granted[held.id].expires, time.monotonic() + 60
    while scope.ledger.granted[held.id].expires == first:
        assert time.monotonic() < ends
        time.sleep(0.01)
    store.close()


def test_a_settle_within_a_decision_comes_after_it(store):
    """As where a collection ends the owner of another lease just then."""
    lease = Lease((1,))
    attempt(store, THREE, lease)
    clock, once = store._clock, [lease]

    def collecting() -> int:
        if once:
            store.perform(Settle(store, "k", THREE, once.pop()))
        return clock()

    store._clock = collecting
    assert attempt(store, THREE, one()).granted
    assert look(store, THREE).used == (1,)


def test_who_is_interrupted_holds_nothing(store):
    def interrupted() -> int:
        raise KeyboardInterrupt

    clock, store._clock = store._clock, interrupted
    with pytest.raises(KeyboardInterrupt):
        attempt(store, SLOT, Lease(()))
    store._clock = clock
    assert attempt(store, SLOT, Lease(())).granted


async def test_a_cancelled_task_leaves_nothing(tmp_path):
    """Cancelled while its reserve waits for the database in its thread."""
    store = DiskStore(tmp_path)
    look(store, SLOT)
    stopper = sqlite3.connect(tmp_path / "cache.db", isolation_level=None)
    stopper.execute("BEGIN IMMEDIATE")
    task = asyncio.create_task(adrive(acquire(store, "k", SLOT, Lease(()))))
    for _ in range(20):  # the loop is free meanwhile
        await asyncio.sleep(0.005)
    task.cancel()
    asyncio.get_running_loop().call_later(0.1, stopper.execute, "COMMIT")
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await alook(store, SLOT)).busy == 0
    stopper.close()
    store.close()


async def test_many_cancellations_leave_nothing(tmp_path):
    store = DiskStore(tmp_path)
    rules = Rules((Window("requests", 1000),), slots=2)

    async def call(turns: int) -> None:
        lease = Lease((1,))
        await adrive(acquire(store, "k", rules, lease))
        try:
            for _ in range(turns):
                await asyncio.sleep(0)
        finally:
            await asyncio.shield(store.aperform(Settle(store, "k", rules, lease)))

    for round_ in range(30):
        tasks = [asyncio.create_task(call(n)) for n in range(4)]
        for _ in range(round_):
            await asyncio.sleep(0)
        for task in tasks[1:]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    standing = await alook(store, rules)
    assert (standing.busy, standing.waiting, standing.used) == (0, 0, (0,))
    store.close()


async def test_a_freed_slot_wakes_a_task_and_a_thread(tmp_path):
    """Of another store, by its port: a lost ring would take two seconds."""
    ours, theirs = DiskStore(tmp_path), DiskStore(tmp_path)
    for sleeper in ("task", "thread"):
        first, second = Lease(()), Lease(())
        assert attempt(ours, SLOT, first).granted
        waiting = (
            asyncio.create_task(adrive(acquire(theirs, "k", SLOT, second)))
            if sleeper == "task"
            else asyncio.create_task(asyncio.to_thread(drive, acquire(theirs, "k", SLOT, second)))
        )
        while not (await alook(ours, SLOT)).waiting:
            await asyncio.sleep(0.01)
        ours.perform(Settle(ours, "k", SLOT, first))
        await asyncio.wait_for(waiting, 60)
        assert second._rung is False
        theirs.perform(Settle(theirs, "k", SLOT, second))
    ours.close()
    theirs.close()


def test_a_ring_reaches_the_lease_of_another_store(tmp_path):
    ours, theirs = DiskStore(tmp_path), DiskStore(tmp_path)
    first, second, rung = Lease(()), Lease(()), threading.Event()
    assert attempt(ours, SLOT, first).granted
    assert attempt(theirs, SLOT, second, FOREVER).queued
    second._wake = rung.set
    ours.perform(Settle(ours, "k", SLOT, first))
    assert rung.wait(60)
    assert attempt(theirs, SLOT, second).granted
    ours.close()
    theirs.close()


# Its life


def test_a_store_is_collected_and_its_thread_ends(tmp_path):
    before = set(threading.enumerate())
    store = DiskStore(tmp_path)
    attempt(store, THREE, one())
    (thread,) = set(threading.enumerate()) - before
    gone = weakref.ref(store)
    del store
    thread.join(60)
    gc.collect()
    assert gone() is None
    assert not thread.is_alive()


def test_closing_ends_its_thread_and_it_opens_again(store):
    before = set(threading.enumerate())
    attempt(store, THREE, one())
    (thread,) = set(threading.enumerate()) - before
    store.close()
    thread.join(60)
    assert not thread.is_alive()
    assert attempt(store, THREE, one()).granted
    assert look(store, THREE).used == (2,)


def test_a_fork_uses_nothing_of_its_parent(tmp_path):
    store = DiskStore(tmp_path)
    rules = Rules((Window("requests", 10),), slots=2)
    mine = Lease((1,))
    attempt(store, rules, mine)
    read, write = os.pipe()
    if (child := os.fork()) == 0:
        code = 1
        try:
            inherited = store._database is not None  # sqlite forbids it
            before = look(store, rules)
            store.perform(Settle(store, "k", rules, mine))  # which is its parent's
            granted = [attempt(store, rules, one()).granted for _ in range(2)]
            if (before.busy, before.used, granted) == (1, (1,), [True, False]):
                code = int(inherited)
            os.write(write, b"x")
        finally:
            os._exit(code)
    assert os.read(read, 1) == b"x"
    assert os.waitpid(child, 0)[1] == 0
    assert look(store, rules).used == (2,)
    os.close(read)
    os.close(write)
    store.close()


def test_a_fork_amid_decisions_can_decide(tmp_path):
    store = DiskStore(tmp_path)
    rules = Rules((Window("requests", 1 << 30),))
    over = threading.Event()

    def busy() -> None:
        while not over.is_set():
            attempt(store, rules, one())

    threads = [threading.Thread(target=busy) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(5):
            if (child := os.fork()) == 0:
                code = 1
                try:
                    code = 0 if attempt(store, rules, one()).granted else 1
                finally:
                    os._exit(code)
            assert os.waitpid(child, 0)[1] == 0
    finally:
        over.set()
        for thread in threads:
            thread.join()
    store.close()


# After a reboot


def test_after_a_reboot_what_was_used_counts_as_just_used(store, clock, tmp_path):
    for wait in (0, 20 * SECOND, 10 * SECOND):
        clock.now += wait
        assert attempt(store, THREE, one()).granted
    store.close()
    clock.now = 5 * SECOND
    again = DiskStore(tmp_path / "limits", clock=clock)
    verdict = attempt(again, THREE, one())
    assert not verdict.granted
    assert 29 * SECOND < verdict.wait < 31 * SECOND  # the first was 30 s before the last
    assert attempt(DiskStore(tmp_path / "limits", clock=clock), THREE, one()) == verdict
    clock.now += verdict.wait
    assert attempt(again, THREE, one()).granted
    assert not attempt(again, THREE, one()).granted
    again.close()


def test_after_a_reboot_no_lease_is_held_and_a_hold_lasts_as_before(store, clock, tmp_path):
    gone, queued = Lease(()), Lease(())
    attempt(store, SLOT, gone)
    attempt(store, SLOT, queued, FOREVER)
    store.perform(Settle(store, "k", SLOT, Lease(()), hold=40 * SECOND))
    store.close()
    clock.now = SECOND
    again = DiskStore(tmp_path / "limits", clock=clock)
    standing = look(again, SLOT)
    assert (standing.busy, standing.waiting, standing.hold) == (0, 0, 40 * SECOND)
    clock.now += 40 * SECOND
    assert attempt(again, SLOT, Lease(())).granted
    again.close()


@given(
    grants=st.lists(st.tuples(st.integers(0, 20 * SECOND), st.integers(0, 40)), max_size=12),
    booted=st.integers(0, 900 * SECOND),
)
def test_nobody_waits_longer_than_a_window_for_what_was_before(grants, booted):
    rules = Rules((Window("tokens", 100),))
    ledger = Ledger(rules)
    now = 1000 * SECOND
    for number, (wait, amount) in enumerate(grants):
        now += wait
        ledger.reserve(now, rules, f"{number}", (amount,), (0,), 0)
    used = ledger.look(now, rules).used
    rebase(ledger, booted)
    assert ledger.look(booted, rules).used == used == (sum(ledger.rings[0].counts),)
    verdict = ledger.reserve(booted, rules, "new", (100,), (0,), 0)
    assert verdict.wait <= MINUTE + 2 * rules.windows[0].width
    assert ledger.reserve(booted + verdict.wait, rules, "new", (100,), (0,), 0).granted


# What cannot be used


def test_what_is_encoded_is_decoded():
    rules = Rules((Window("requests", 3), Window("tokens", 1 << 40)), slots=1)
    ledger = Ledger(rules)
    ledger.reserve(7 * SECOND, rules, "a", (1, 1 << 38), (0, 0), owner=4)
    ledger.reserve(8 * SECOND, rules, "b", (1, 5), (0, 7), owner=5)
    again = decode(encode(ledger), rules)
    assert (again.granted, again.queue) == (ledger.granted, ledger.queue)
    assert (again.now, again.hold, again.kept, again.expiry) == (
        *(ledger.now, ledger.hold, ledger.kept),
        ledger.expiry,
    )
    for ring, expected in zip(again.rings, ledger.rings, strict=True):
        assert ring.counts == expected.counts
        assert (ring.last, ring.used) == (expected.last, expected.used)


@given(st.binary(max_size=300))
def test_no_bytes_are_decoded_but_a_ledgers(noise):
    with pytest.raises(ValueError, match=r"."):
        decode(noise, THREE)


@given(st.integers(0, 1023), st.integers(1, 255))
def test_spoilt_bytes_are_a_ledger_or_an_error(place, flip):
    ledger = Ledger(THREE)
    ledger.reserve(7 * SECOND, THREE, "a", (1,), (0,), owner=4)
    state = bytearray(encode(ledger))
    state[place] ^= flip
    with contextlib.suppress(ValueError):
        decode(bytes(state), THREE)


@pytest.mark.parametrize("state", [b"", b"nonsense", b"\0\0\0\x01\x90", 5, "text", None])
def test_a_spoilt_state_is_an_error_that_names_the_directory(store, state):
    attempt(store, THREE, one())
    database = sqlite3.connect(store.directory / "cache.db")
    if state is None:  # of a later version
        ledger = encode(Ledger(THREE))
        state = ledger[:5] + bytes([ledger[5] + 1]) + ledger[6:]
    database.execute("UPDATE franca_limits SET state = ?", (state,))
    database.commit()
    database.close()
    for _ in range(2):
        with pytest.raises(SettingsError, match="limits") as caught:
            attempt(store, THREE, one())
        assert str(store.directory) in str(caught.value)


def test_a_spoilt_database_is_an_error_that_names_the_directory(tmp_path):
    (tmp_path / "cache.db").write_bytes(b"this is no database, but it is long enough" * 100)
    with pytest.raises(SettingsError) as caught:
        attempt(DiskStore(tmp_path), THREE, one())
    assert str(tmp_path) in str(caught.value)


def test_a_directory_that_cannot_be_made_is_an_error_that_names_it(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError) as caught:
        attempt(DiskStore(tmp_path / "file" / "limits"), THREE, one())
    assert str(tmp_path / "file" / "limits") in str(caught.value)


def test_a_database_that_cannot_be_opened_is_an_error_that_names_the_directory(tmp_path):
    (tmp_path / "cache.db").mkdir()
    with pytest.raises(SettingsError) as caught:
        attempt(DiskStore(tmp_path), THREE, one())
    assert str(tmp_path) in str(caught.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_directory_that_cannot_be_written_is_an_error_that_names_it(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(SettingsError) as caught:
        attempt(DiskStore(tmp_path), THREE, one())
    tmp_path.chmod(0o700)
    assert str(tmp_path) in str(caught.value)


def test_a_database_that_stays_busy_is_an_error_that_names_it(tmp_path):
    store = DiskStore(tmp_path, timeout=0.05)
    attempt(store, THREE, one())
    stopper = sqlite3.connect(tmp_path / "cache.db", isolation_level=None)
    stopper.execute("BEGIN IMMEDIATE")
    with pytest.raises(TimeoutError) as caught:
        attempt(store, THREE, one())
    assert str(tmp_path) in str(caught.value)
    stopper.execute("COMMIT")
    stopper.close()
    assert attempt(store, THREE, one()).granted
    assert look(store, THREE).used == (2,)
    store.close()


def test_a_new_directory_is_its_owners(tmp_path):
    attempt(DiskStore(tmp_path / "limits"), THREE, one())
    assert (tmp_path / "limits").stat().st_mode & 0o077 == 0


def test_without_diskcache_the_error_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "diskcache", None)
    with pytest.raises(MissingExtraError, match=r"franca\[diskcache\]"):
        DiskStore(tmp_path)

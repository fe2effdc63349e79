"""Redis dies and comes back, with its memory and without it: real servers, several members."""

import threading
import time
from collections.abc import Callable, Iterator

import on_redis
import pytest
from on_redis import until

from franca.errors import RateLimitError
from franca.limits.acquire import acquire
from franca.limits.drive import drive
from franca.limits.model import (
    SECOND,
    Lease,
    Look,
    Reserve,
    Rules,
    Settle,
    Standing,
    Verdict,
    Window,
)
from franca.limits.redis import RedisStore, scripts
from franca.testing.redis_server import RedisServer

RULES = Rules((Window("requests", 20, 3 * SECOND),), lease=2 * SECOND)
LONG = Rules((Window("requests", 20, 60 * SECOND),), lease=2 * SECOND)
SLOTS = Rules((Window("requests", 1000, 3 * SECOND),), slots=2, lease=2 * SECOND)


@pytest.fixture(params=[False, True], ids=["forgetful", "aof"])
def server(request, needs_redis) -> Iterator[RedisServer]:
    with RedisServer(appendonly=request.param) as running:
        yield running


@pytest.fixture
def forgetful(needs_redis) -> Iterator[RedisServer]:
    with RedisServer() as running:
        yield running


@pytest.fixture
def members() -> Iterator[Callable[..., RedisStore]]:
    made: list[RedisStore] = []

    def make(server: RedisServer, mode="share") -> RedisStore:
        made.append(RedisStore(server.url, on_unavailable=mode))
        return made[-1]

    yield make
    for store in made:
        store.close()


def ask(store: RedisStore, rules: Rules = RULES, lease: Lease | None = None) -> Verdict:
    return on_redis.ask(store, "s", rules, lease or Lease((1,)), 0)


def settle(store: RedisStore, lease: Lease, billed=(1,), rules: Rules = RULES) -> None:
    store.perform(Settle(store, "s", rules, lease, billed))


def look(store: RedisStore, rules: Rules = RULES) -> Standing:
    return on_redis.look(store, "s", rules)


def restart(server: RedisServer) -> None:
    server.kill()
    server.start()


def granted(store: RedisStore) -> bool:
    return ask(store).granted


def test_what_was_used_is_used_after_a_restart(server, members):
    one, two = members(server), members(server)
    leases = [Lease((1,)) for _ in range(9)]
    for number, lease in enumerate(leases):
        assert ask((one, two)[number % 2], lease=lease).granted
    restart(server)
    assert one.perform(Settle(one, "s", RULES, leases[0], None)) is None
    until(lambda: not look(one).hold and look(one).used == (8,) and look(two).used == (8,))
    assert look(one).busy == 8
    for number, lease in enumerate(leases):
        settle((one, two)[number % 2], lease)
        settle((one, two)[number % 2], lease, None)  # a second time changes nothing
    assert (look(two).used, look(two).busy) == ((8,), 0)


def test_never_more_than_the_limit_over_a_restart(server, members):
    stores = [members(server) for _ in range(3)]
    times: list[int] = []
    over = threading.Event()

    def work(store: RedisStore) -> None:
        while not over.is_set():
            lease = Lease((1,))
            if (verdict := ask(store, lease=lease)).granted:
                times.append(verdict.now)
                settle(store, lease)
            time.sleep(0.003)

    threads = [threading.Thread(target=work, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    try:
        until(lambda: len(times) > 5)
        restart(server)
        before = len(times)
        until(lambda: len(times) > before + 25)  # it goes on, for more than one window
    finally:
        over.set()
    for thread in threads:
        thread.join()
    times.sort()
    most = max(sum(1 for t in times if at - RULES.windows[0].span < t <= at) for at in times)
    assert most <= 20


def test_who_waits_is_granted_after_the_outage_and_sees_no_error(server, members):
    store = members(server)
    for _ in range(20):
        assert ask(store).granted
    leases = [Lease((1,)) for _ in range(5)]
    threads = [
        threading.Thread(target=lambda x=x: drive(acquire(store, "s", RULES, x, 30)))
        for x in leases
    ]
    for thread in threads:
        thread.start()
    until(lambda: look(store).waiting == 5)
    server.kill()
    time.sleep(0.3)
    server.start()
    for thread in threads:
        thread.join(30)
    assert all(lease.at for lease in leases)


def test_a_member_that_is_gone_counts_as_having_used_all(forgetful, members):
    one, dead = members(forgetful), members(forgetful)
    assert ask(one).granted
    assert ask(dead).granted
    until(lambda: _renewed(one, 2))
    dead.close()
    forgetful.kill()
    time.sleep(0.2)
    forgetful.start()
    until(lambda: look(one).hold > 0)
    assert not granted(one)
    until(lambda: granted(one))
    assert not look(one).hold


def test_all_hear_of_a_new_member_at_once(forgetful, members):
    rules = Rules(RULES.windows, lease=60 * SECOND)  # too long to wait for the next renewal
    one = members(forgetful)
    assert ask(one, rules).granted
    two = members(forgetful)
    assert ask(two, rules).granted
    until(lambda: _renewed(one, 2))


def test_who_comes_first_after_a_loss_waits_for_those_who_know_more(
    forgetful, members, monkeypatch
):
    one = members(forgetful)
    for _ in range(15):
        assert ask(one, LONG).granted
    may_restore = threading.Event()
    tend = one.tend
    monkeypatch.setattr(one, "tend", lambda: tend() if may_restore.wait(10) else 0.0)
    restart(forgetful)
    two = members(forgetful)
    assert not ask(two, LONG).granted
    may_restore.set()
    until(lambda: not _away(one))
    until(lambda: ask(two, LONG).granted)
    assert [ask(two, LONG).granted for _ in range(5)] == [True] * 4 + [False]


def test_what_is_put_back_of_one_scope_disturbs_no_other(forgetful, members):
    one, two = members(forgetful), members(forgetful)
    for store in (one, two):
        for key in ("s", "other"):
            assert _key(store, key).granted
    epochs = [held.known.epoch for held in one._held.values()]
    forgetful.command("DEL", one._held["s", RULES.shape].scope.book)
    until(lambda: _key(one, "s").granted and _key(two, "s").granted)
    after = [held.known.epoch for held in one._held.values()]
    assert after[0] != epochs[0]
    assert after[1] == epochs[1]
    assert [held.known.epoch for held in two._held.values()] == after


def _key(store: RedisStore, key: str) -> Verdict:
    verdict = store.perform(Reserve(store, key, RULES, Lease((1,)), 0))
    assert isinstance(verdict, Verdict)
    return verdict


def test_who_comes_first_and_stays_alone_waits_for_a_second(forgetful, members):
    restart(forgetful)
    store = members(forgetful)
    assert not ask(store).granted
    until(lambda: granted(store))


def _renewed(store: RedisStore, many: int) -> bool:
    """Whether it has heard of so many members: it is told a third of a lease after the other."""
    (held,) = store._held.values()
    return len(held._membership.members) == many


def test_closed_grants_nothing_while_it_is_away(server, members):
    store = members(server, "closed")
    assert ask(store).granted
    server.kill()
    assert not ask(store).granted
    with pytest.raises(RateLimitError, match="does not answer"):
        drive(acquire(store, "s", RULES, Lease((1,)), 0.3))
    server.start()
    until(lambda: granted(store))


def test_open_grants_everything_and_remembers_it(server, members):
    store = members(server, "open")
    assert ask(store).granted
    server.kill()
    assert all(ask(store).granted for _ in range(30))
    server.start()
    until(lambda: not _away(store))
    assert not ask(store).granted


def _away(store: RedisStore) -> bool:
    (held,) = store._held.values()
    return held.away


def test_share_takes_again_what_this_process_gives_up(server, members):
    store = members(server)
    leases = [Lease((1,)) for _ in range(4)]
    for lease in leases:
        assert ask(store, lease=lease).granted
    until(lambda: _share(store) == 1)
    server.kill()
    assert not ask(store).granted
    settle(store, leases[0], None)
    again = Lease((1,))
    assert ask(store, lease=again).granted
    assert not ask(store).granted
    server.start()
    until(lambda: not _away(store))
    assert look(store).used == (4,)
    assert look(store).busy == 4
    settle(store, again, None)
    assert look(store).used == (3,)


def _share(store: RedisStore) -> int:
    (held,) = store._held.values()
    return held._membership.share(time.monotonic_ns() // 1000, RULES.lease)


def test_what_nobody_was_told_was_granted_is_given_back(server, members):
    store = members(server)
    assert ask(store).granted
    unheard = Lease((1,))
    (held,) = store._held.values()
    store._link.call(scripts.reserve(held.scope, held.known, reserve_of(store, unheard), "x"))
    server.kill()
    until(lambda: not store.perform(Settle(store, "s", RULES, unheard, None)) and _away(store))
    server.start()
    until(lambda: not _away(store))
    until(lambda: look(store).used == (1,))


def reserve_of(store: RedisStore, lease: Lease) -> Reserve:
    return Reserve(store, "s", RULES, lease, 0)


def test_slots_are_kept_over_a_restart(server, members):
    store = members(server)
    leases = [Lease((1,)) for _ in range(2)]
    for lease in leases:
        assert ask(store, SLOTS, lease).granted
    restart(server)
    assert not ask(store, SLOTS).granted
    until(lambda: not _away(store))
    assert not ask(store, SLOTS).granted
    settle(store, leases[0], rules=SLOTS)
    until(lambda: ask(store, SLOTS).granted)


async def test_the_async_side_goes_on_too(server, members):
    store = members(server, "open")
    assert (await store.aperform(Reserve(store, "s", RULES, Lease((1,)), 0))).granted
    server.kill()
    lease = Lease((1,))
    assert (await store.aperform(Reserve(store, "s", RULES, lease, 0))).granted
    await store.aperform(Settle(store, "s", RULES, lease, None))
    server.start()
    until(lambda: not _away(store))
    standing = await store.aperform(Look(store, "s", RULES))
    assert standing.used == (1,)
    await store.aclose()

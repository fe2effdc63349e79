"""The store on a real Redis: rings, renewals, forks, a cluster."""

import asyncio
import gc
import os
import subprocess
import sys
import threading
import time
import weakref

import msgspec
import pytest
from on_redis import ONE, RULES, ask, look, until

from franca.errors import MissingExtraError
from franca.limits.acquire import acquire
from franca.limits.drive import adrive, drive
from franca.limits.model import MINUTE, Lease, Look, Rules, Settle, Standing
from franca.limits.redis import RedisStore, scripts
from franca.limits.redis.scripts import Command
from franca.testing.redis_server import RedisServer


def test_two_stores_count_together(redis_server: RedisServer, store: RedisStore, key: str) -> None:
    other = RedisStore(redis_server.url)
    lease = Lease((1, 10))
    assert ask(store, key, RULES, lease).granted
    assert ask(other, key, RULES, Lease((1, 20))).granted
    store.perform(Settle(store, key, RULES, lease, (1, 4)))
    assert look(other, key).used == (2, 24)
    assert look(RedisStore(redis_server.url, prefix="other"), key).used == (0, 0)
    other.close()


def test_the_async_side_counts_with_it(store: RedisStore, key: str) -> None:
    async def main() -> None:
        lease = Lease((1, 10))
        await adrive(acquire(store, key, RULES, lease))
        assert lease.at
        await store.aperform(Settle(store, key, RULES, lease, (1, 7)))

    assert ask(store, key, RULES, Lease((1, 10))).granted
    for _ in range(2):  # each run is another loop
        asyncio.run(main())
    assert look(store, key).used == (3, 24)


CHILD = """
import asyncio, sys
from franca.limits import acquire as module
from franca.limits.acquire import acquire
from franca.limits.drive import adrive, drive
from franca.limits.model import Lease, Rules, Window
from franca.limits.redis import RedisStore, link

link.PATIENCE = 3.0  # a busy machine's slow answer is an answer
module._POLL = 3600 * 1_000_000  # nothing but a ring wakes it in time
url, key, how = sys.argv[1:]
store = RedisStore(url)
rules = Rules((Window("requests", 100),), slots=1)
lease = Lease((1,))
if how == "sync":
    drive(acquire(store, key, rules, lease))
else:
    asyncio.run(adrive(acquire(store, key, rules, lease)))
print("granted", lease.at > 0)
"""


@pytest.mark.parametrize("how", ["sync", "async"])
def test_a_ring_reaches_another_process(
    redis_server: RedisServer, store: RedisStore, key: str, how: str
) -> None:
    mine = Lease((1,))
    assert ask(store, key, ONE, mine).granted
    command = [sys.executable, "-c", CHILD, redis_server.url, key, how]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        try:
            until(lambda: look(store, key, ONE).waiting == 1)
            store.perform(Settle(store, key, ONE, mine))
            out, error = child.communicate(timeout=60)
        finally:
            child.kill()
    assert out.decode().split() == ["granted", "True"]
    assert error == b"", "and its thread does not keep it from ending"


def test_many_wait_in_turn(store: RedisStore, key: str) -> None:
    """Threads and tasks, one at a time."""
    inside, most = [0], [0]
    lock = threading.Lock()

    def enter(by: int) -> None:
        with lock:
            inside[0] += by
            most[0] = max(most[0], inside[0])

    def thread() -> None:
        lease = Lease((1,))
        drive(acquire(store, key, ONE, lease))
        enter(1)
        time.sleep(0.001)
        enter(-1)
        store.perform(Settle(store, key, ONE, lease, (1,)))

    async def task() -> None:
        lease = Lease((1,))
        await adrive(acquire(store, key, ONE, lease))
        enter(1)
        await asyncio.sleep(0.001)
        enter(-1)
        await store.aperform(Settle(store, key, ONE, lease, (1,)))

    async def tasks() -> None:
        await asyncio.gather(*(task() for _ in range(20)))

    threads = [threading.Thread(target=thread) for _ in range(10)]
    for each in threads:
        each.start()
    asyncio.run(tasks())
    for each in threads:
        each.join(60)
    assert most == [1]
    standing = look(store, key, ONE)
    assert (standing.used, standing.busy, standing.waiting) == ((30,), 0, 0)


def test_a_cluster(needs_redis: None, key: str) -> None:
    with RedisServer(cluster=True) as server:
        store = RedisStore(server.url)
        mine, next_ = Lease((1,)), Lease((1,))
        assert ask(store, key, ONE, mine).granted
        done = threading.Event()

        def wait() -> None:
            drive(acquire(store, key, ONE, next_))
            done.set()

        threading.Thread(target=wait, daemon=True).start()
        until(lambda: look(store, key, ONE).waiting == 1)
        server.command("SCRIPT", "FLUSH")
        asyncio.run(store.aperform(Settle(store, key, ONE, mine, (1,))))
        assert done.wait(30)
        scope = scripts.scope_of("franca", key, ONE)
        slots = {
            server.command("CLUSTER", "KEYSLOT", name)
            for name in (scope.book, scope.queue, scope.members)
        }
        assert len(slots) == 1
        store.close()


def test_a_forked_child_speaks_for_itself(store: RedisStore, key: str) -> None:
    assert ask(store, key, RULES, Lease((1, 10))).granted
    member = store.member

    async def main() -> int:
        await store.aperform(Look(store, key, RULES))  # a connection that the child inherits
        child = os.fork()
        if child == 0:
            code = 1
            try:
                granted = ask(store, key, RULES, Lease((1, 10))).granted
                code = 0 if granted and store.member != member else 2
            finally:
                os._exit(code)
        for _ in range(20):
            standing = await store.aperform(Look(store, key, RULES))
            assert isinstance(standing, Standing)
        return os.waitpid(child, 0)[1]

    assert asyncio.run(main()) == 0
    assert look(store, key).used == (2, 20)


def test_a_collected_store_ends_its_thread(redis_server: RedisServer, key: str) -> None:
    store = RedisStore(redis_server.url)
    before = set(threading.enumerate())
    assert ask(store, key, RULES, Lease((1, 10))).granted
    (thread,) = set(threading.enumerate()) - before
    gone = weakref.ref(store)
    del store
    gc.collect()
    until(lambda: gone() is None)
    thread.join(30)
    assert not thread.is_alive()


def test_a_closed_store_ends_its_thread(redis_server: RedisServer, key: str) -> None:
    store = RedisStore(redis_server.url)
    before = set(threading.enumerate())
    assert ask(store, key, RULES, Lease((1, 10))).granted
    (thread,) = set(threading.enumerate()) - before
    store.close()
    thread.join(30)
    assert not thread.is_alive()


def test_only_leases_that_live_are_renewed(
    store: RedisStore, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[Command] = []
    call = store._link.call
    lease, other = Lease((1, 10)), Lease((1, 10))
    ask(store, key, RULES, lease)
    ask(store, key, RULES, other)
    (held,) = store._held.values()
    known = held.known
    monkeypatch.setattr(store._link, "call", lambda command: said.append(command) or call(command))

    def renewed() -> list[str]:
        """The leases in the next renewal."""
        said.clear()
        held.due = 0.0
        store.tend()
        argv = [command.given[-1] for command in said if command.script == "renew"]
        return msgspec.msgpack.decode(argv[0])[1]

    assert sorted(renewed()) == sorted([lease.id, other.id])
    settled = lease.id
    del other
    gc.collect()
    assert renewed() == [settled]
    store.perform(Settle(store, key, RULES, lease, (1, 10)))
    assert renewed() == []
    assert held.known == known
    assert store.tend() <= RULES.lease / 3 / 1_000_000


def test_a_dead_owners_slot_is_free_again(
    redis_server: RedisServer, store: RedisStore, key: str
) -> None:
    rules = Rules((), slots=1, lease=MINUTE // 60)
    code = (
        "import os, sys\n"
        "from franca.limits.model import Lease, Reserve, Rules\n"
        "from franca.limits.redis import RedisStore\n"
        "store, rules, lease = RedisStore(sys.argv[1]), Rules((), 1, 1_000_000), Lease(())\n"
        "store.perform(Reserve(store, sys.argv[2], rules, lease))\n"
        "os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", code, redis_server.url, key], check=False, timeout=60)
    drive(acquire(store, key, rules, Lease(()), max_wait=30))


def test_without_redis_py_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis", None)
    monkeypatch.setitem(sys.modules, "redis.asyncio", None)
    with pytest.raises(MissingExtraError, match=r"franca\[redis\]"):
        RedisStore()


def test_importing_franca_imports_no_redis() -> None:
    code = "import sys, franca, franca.limits.limiter; assert 'redis' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)

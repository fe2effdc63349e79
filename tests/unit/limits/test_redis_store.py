"""The store on a real Redis: rings, cancellation, forks, refusals, a cluster."""

import asyncio
import gc
import os
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path

import msgspec
import pytest

from franca.errors import MissingExtraError, SettingsError
from franca.limits.acquire import acquire
from franca.limits.drive import adrive, drive
from franca.limits.memory import MemoryStore
from franca.limits.model import (
    FOREVER,
    MINUTE,
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
from franca.limits.redis import link as links
from franca.limits.redis.link import Away, Link
from franca.limits.redis.scripts import Command, Known, Reply
from franca.testing.redis_server import RedisServer, redis_binary

RULES = Rules((Window("requests", 100), Window("tokens", 1000)))
ONE = Rules((Window("requests", 100),), slots=1)
_names = count()


@pytest.fixture
def key() -> str:
    return f"store-{next(_names)}"


@pytest.fixture
def store(redis_server: RedisServer) -> Iterator[RedisStore]:
    store = RedisStore(redis_server.url)
    yield store
    store.close()


def ask(
    store: RedisStore, key: str, rules: Rules, lease: Lease, patience: int = FOREVER
) -> Verdict:
    verdict = store.perform(Reserve(store, key, rules, lease, patience))
    assert isinstance(verdict, Verdict)
    return verdict


def look(store: RedisStore, key: str, rules: Rules = RULES) -> Standing:
    standing = store.perform(Look(store, key, rules))
    assert isinstance(standing, Standing)
    return standing


def until(what: Callable[[], bool]) -> None:
    """Wait for it; a bound so that no test hangs, not a measure."""
    ends = time.monotonic() + 30
    while not what():
        assert time.monotonic() < ends
        time.sleep(0.01)


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


def test_a_unix_socket(redis_server: RedisServer, key: str) -> None:
    store = RedisStore(f"unix://{redis_server.socket}")
    assert ask(store, key, RULES, Lease((1, 10))).granted
    store.close()


CHILD = """
import asyncio, sys
from franca.limits import acquire as module
from franca.limits.acquire import acquire
from franca.limits.drive import adrive, drive
from franca.limits.model import Lease, Rules, Window
from franca.limits.redis import RedisStore

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


def test_a_cancelled_call_leaves_no_answer_behind(own_server: RedisServer, key: str) -> None:
    """The answer that was not awaited is nobody else's."""
    link = Link(own_server.url)
    scope = scripts.scope_of("test", key, RULES)

    async def main() -> None:
        assert isinstance(await link.acall(scripts.look(scope)), Reply)
        own_server.stop()
        calls = [asyncio.create_task(link.acall(scripts.look(scope, 7))) for _ in range(5)]
        await asyncio.sleep(0.05)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        own_server.resume()
        for now in range(100, 140):
            reply = await link.acall(scripts.look(scope, now))
            assert isinstance(reply, Reply)
            assert scripts.standing(reply).now == now
        await link.aclose()

    asyncio.run(main())


def test_a_blocked_loop_is_no_outage(redis_server: RedisServer, key: str) -> None:
    link = Link(redis_server.url)
    scope = scripts.scope_of("test", key, RULES)

    async def main() -> None:
        assert isinstance(await link.acall(scripts.look(scope)), Reply)
        call = asyncio.create_task(link.acall(scripts.look(scope)))
        await asyncio.sleep(0)
        time.sleep(3 * links.PATIENCE)
        assert isinstance(await call, Reply)
        await link.aclose()

    asyncio.run(main())


@pytest.mark.parametrize("how", ["killed", "stopped"])
def test_a_server_away_is_noticed(own_server: RedisServer, key: str, how: str) -> None:
    link = Link(own_server.url)
    command = scripts.look(scripts.scope_of("test", key, RULES))

    async def main() -> list[Reply | Away]:
        assert isinstance(await link.acall(command), Reply)
        assert isinstance(link.call(command), Reply)
        own_server.kill() if how == "killed" else own_server.stop()
        began = time.monotonic()
        found = [await link.acall(command), link.call(command)]  # each twice: the open connection
        found += [await link.acall(command), link.call(command)]  # and a new one
        assert time.monotonic() - began < 10
        await link.aclose()
        return found

    for away in asyncio.run(main()):
        assert isinstance(away, Away)
        assert str(own_server.port) in str(away)


def test_a_server_that_is_back_is_used_at_once(own_server: RedisServer, key: str) -> None:
    link = Link(own_server.url)
    command = scripts.look(scripts.scope_of("test", key, RULES))
    assert isinstance(link.call(command), Reply)
    own_server.kill()
    assert isinstance(link.call(command), Away)
    own_server.start()
    assert isinstance(link.call(command), Reply)


@pytest.mark.parametrize(
    "options", [["--maxmemory", "1"], ["--min-replicas-to-write", "1"]], ids=["full", "alone"]
)
def test_a_server_that_cannot_write_is_away(
    needs_redis: None, key: str, options: list[str]
) -> None:
    with RedisServer(options=options) as server:
        link, scope = Link(server.url), scripts.scope_of("test", key, RULES)
        ask = Reserve(MemoryStore(), key, RULES, Lease((1, 1)))
        link.call(scripts.reserve(scope, Known(proposal="e"), ask, "nobody"))
        away = link.call(scripts.reserve(scope, Known(proposal="e"), ask, "nobody"))
        assert isinstance(away, Away)
        link.close()


@pytest.mark.parametrize("given", ["", ":w0rdlike@", "nobody:w0rdlike@"])
def test_a_wrong_password_is_the_users_mistake(needs_redis: None, key: str, given: str) -> None:
    with RedisServer(password="s3cret-w0rd") as server:
        store = RedisStore(server.url.replace(":s3cret-w0rd@", given))
        for attempt in (
            lambda: look(store, key),
            lambda: asyncio.run(store.aperform(Look(store, key, RULES))),
        ):
            with pytest.raises(SettingsError, match=f"127.0.0.1:{server.port}") as caught:
                attempt()
            shown = f"{caught.value!r} {caught.value.__context__!r} {store!r}"
            assert "w0rd" not in shown
        right = RedisStore(server.url)
        assert look(right, key).used == (0, 0)
        assert "w0rd" not in repr(right)
        for each in (store, right):
            each.close()


@pytest.mark.parametrize("lacks", ["~other:* &* +@all", "~* resetchannels +@all", "~* &* +ping"])
def test_a_user_who_may_not_is_the_users_mistake(needs_redis: None, key: str, lacks: str) -> None:
    with RedisServer() as server:
        server.command("ACL", "SETUSER", "limited", "on", ">w0rd", *lacks.split())
        store = RedisStore(server.url.replace("//", "//limited:w0rd@"))

        def use() -> None:
            first, second = Lease((1,)), Lease((1,))
            ask(store, key, ONE, first)
            ask(store, key, ONE, second)
            store.perform(Settle(store, key, ONE, first))

        def refused() -> bool:
            try:
                use()
            except SettingsError as error:
                return "may not do what is needed" in str(error)
            return False  # the thread may not have tried yet

        until(refused)
        store.close()


def test_a_server_that_is_no_cluster(redis_server: RedisServer, key: str) -> None:
    store = RedisStore(redis_server.url.replace("redis://", "redis+cluster://").removesuffix("/0"))
    with pytest.raises(SettingsError, match="no cluster"):
        look(store, key)


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


@pytest.fixture
def encrypted(redis_server: RedisServer, tmp_path: Path) -> Iterator[tuple[int, Path]]:
    """A port where the server speaks TLS, and its certificate."""
    if (openssl := shutil.which("openssl")) is None:
        pytest.skip("no openssl on the PATH to make a certificate")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = [openssl, "req", "-x509", "-nodes", "-newkey", "rsa:2048", "-days", "2"]
    command += ["-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1"]
    command += ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    loop = asyncio.new_event_loop()

    async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(1 << 16):
                writer.write(data)
        writer.close()

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", redis_server.port)
        await asyncio.gather(pipe(reader, back), pipe(there, writer))

    relaying = asyncio.start_server(relay, "127.0.0.1", 0, ssl=context)
    server = loop.run_until_complete(relaying)
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    yield server.sockets[0].getsockname()[1], certificate
    loop.call_soon_threadsafe(server.close)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(30)


def test_tls(encrypted: tuple[int, Path], store: RedisStore, key: str) -> None:
    port, certificate = encrypted
    safe = RedisStore(f"rediss://127.0.0.1:{port}/0?ssl_ca_certs={certificate}")
    assert ask(safe, key, RULES, Lease((1, 10))).granted
    asyncio.run(safe.aperform(Reserve(safe, key, RULES, Lease((1, 10)))))
    assert look(store, key).used == (2, 20)
    safe.close()
    unknown = RedisStore(f"rediss://127.0.0.1:{port}/0")
    with pytest.raises(SettingsError, match="certificate is not trusted"):
        look(unknown, key)
    with pytest.raises(SettingsError, match="certificate is not trusted"):
        asyncio.run(unknown.aperform(Look(unknown, key, RULES)))


@pytest.fixture
def sentinel(own_server: RedisServer, tmp_path: Path) -> Iterator[str]:
    """The URL of a service that one Sentinel knows."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = tmp_path / "sentinel.conf"
    config.write_text(
        f"port {port}\nbind 127.0.0.1\nsentinel monitor main 127.0.0.1 {own_server.port} 1\n"
    )
    binary = redis_binary()
    assert binary
    quiet = subprocess.DEVNULL
    with subprocess.Popen([binary, config, "--sentinel"], stdout=quiet, stderr=quiet) as process:
        yield f"redis+sentinel://127.0.0.1:1,127.0.0.1:{port}/main/0"  # the first is not there
        process.kill()


def test_a_service_behind_sentinels(own_server: RedisServer, sentinel: str, key: str) -> None:
    link = Link(sentinel)
    command = scripts.look(scripts.scope_of("franca", key, RULES))
    until(lambda: isinstance(link.call(command), Reply))
    link.close()
    store = RedisStore(sentinel)
    assert ask(store, key, RULES, Lease((1, 10))).granted
    lease = Lease((1, 10))
    asyncio.run(store.aperform(Reserve(store, key, RULES, lease)))
    store.perform(Settle(store, key, RULES, lease, (1, 3)))
    assert look(RedisStore(own_server.url), key).used == (2, 13)
    store.close()
    unknown = Link(sentinel.replace("/main/", "/other/"))
    assert isinstance(unknown.call(command), Away)
    own_server.kill()
    assert isinstance(link.call(command), Away)
    link.close()


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
        return msgspec.msgpack.decode(argv[0])

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

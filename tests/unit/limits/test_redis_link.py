"""The ways to a real Redis, and what is said of one that does not answer or refuses."""

import asyncio
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from on_redis import ONE, RULES, ask, look, until

from franca.errors import SettingsError
from franca.limits.memory import MemoryStore
from franca.limits.model import Lease, Look, Reserve, Settle
from franca.limits.redis import RedisStore, scripts
from franca.limits.redis import link as links
from franca.limits.redis.link import Away, Link
from franca.limits.redis.scripts import Known, Reply
from franca.testing.redis_server import RedisServer, redis_binary


def test_a_unix_socket(redis_server: RedisServer, key: str) -> None:
    store = RedisStore(f"unix://{redis_server.socket}")
    assert ask(store, key, RULES, Lease((1, 10))).granted
    store.close()


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


def test_a_blocked_loop_is_no_outage(
    redis_server: RedisServer, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = Link(redis_server.url)
    scope = scripts.scope_of("test", key, RULES)

    async def main() -> None:
        assert isinstance(await link.acall(scripts.look(scope)), Reply)
        monkeypatch.setattr(links, "PATIENCE", 0.5)
        call = asyncio.create_task(link.acall(scripts.look(scope)))
        await asyncio.sleep(0)
        time.sleep(3 * links.PATIENCE)
        assert isinstance(await call, Reply)
        await link.aclose()

    asyncio.run(main())


@pytest.mark.parametrize("how", ["killed", "stopped"])
def test_a_server_away_is_noticed(
    own_server: RedisServer, key: str, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = Link(own_server.url)
    command = scripts.look(scripts.scope_of("test", key, RULES))

    async def main() -> list[Reply | Away]:
        assert isinstance(await link.acall(command), Reply)
        assert isinstance(link.call(command), Reply)
        monkeypatch.setattr(links, "PATIENCE", 0.2)
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
    asyncio.run_coroutine_threadsafe(_ended(server), loop).result(30)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(30)
    loop.close()


async def _ended(server: asyncio.Server) -> None:
    server.close()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


def test_tls(encrypted: tuple[int, Path], store: RedisStore, key: str) -> None:
    port, certificate = encrypted
    safe = RedisStore(f"rediss://127.0.0.1:{port}/0?ssl_ca_certs={certificate}")
    assert ask(safe, key, RULES, Lease((1, 10))).granted
    asyncio.run(safe.aperform(Reserve(safe, key, RULES, Lease((1, 10)))))
    assert look(store, key).used == (2, 20)
    safe.close()
    unknown = f"rediss://127.0.0.1:{port}/0"
    with pytest.raises(SettingsError, match="certificate is not trusted"):
        _until_refused(unknown, lambda store: look(store, key))
    with pytest.raises(SettingsError, match="certificate is not trusted"):
        _until_refused(unknown, lambda s: asyncio.run(s.aperform(Look(s, key, RULES))))


def _until_refused(url: str, use: Callable[[RedisStore], object]) -> None:
    """On a busy machine the handshake may be too slow at first: then the server is away."""
    for _ in range(20):
        store = RedisStore(url)
        use(store)
        store.close()


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
    seen = RedisStore(own_server.url)  # on a busy machine a step may have been taken as away
    until(lambda: look(seen, key).used == (2, 13))
    store.close()
    unknown = Link(sentinel.replace("/main/", "/other/"))
    assert isinstance(unknown.call(command), Away)
    own_server.kill()
    assert isinstance(link.call(command), Away)
    link.close()

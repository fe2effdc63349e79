"""Connections to Redis: one client for all threads, one for each event loop."""

from __future__ import annotations

import asyncio
import os
import re
import ssl
import threading
import weakref
from collections import deque
from collections.abc import AsyncGenerator, Iterator
from contextlib import suppress
from typing import Any

from franca.errors import MissingExtraError, SettingsError
from franca.limits.redis.place import Place, place_of
from franca.limits.redis.scripts import Command, Reply, read, script

PATIENCE = 0.21
"""After so many seconds without an answer the server is away."""
_GRACE = 0.02  # a loop that was blocked meanwhile may not have read what is there
_TOGETHER = 16  # connections of one event loop


class Away(Exception):
    """Redis does not answer, or cannot decide now: connection refused, reset or timed out, still
    loading, read-only, failing over, out of memory."""


class Link:
    """The way to one Redis.

    Args:
        url: see `place_of`. Its query may name redis-py's own options of a connection, such as
            `ssl_ca_certs`.

    Raises:
        MissingExtraError: redis is not installed.
        SettingsError: the URL is of no known form.
    """

    def __init__(self, url: str) -> None:
        try:
            import redis.asyncio
        except ImportError:
            raise MissingExtraError("redis", "redis") from None
        self._redis: Any = redis
        self.place = place_of(url)
        self._client: Any = None
        self._idle: deque[Any] = deque()  # of its pool's connections, between two calls
        self._lock = threading.Lock()
        self._loops: dict[asyncio.AbstractEventLoop, _Loop] = {}
        _links.add(self)

    def call(self, command: Command) -> Reply | Away:
        """Run a script, blocking.

        Raises:
            SettingsError: the server refuses the password, or something that is needed.
        """
        try:
            return read(self._run(command))
        except Exception as error:
            ours = self.meaning(error)
        return _returned(ours)

    async def acall(self, command: Command) -> Reply | Away:
        """The same for asyncio."""
        loop = asyncio.get_running_loop()
        if (entry := self._loops.get(loop)) is None:
            entry = await self._enter(loop)
        try:
            async with entry.free, asyncio.timeout(None) as limit:
                late = loop.call_later(PATIENCE, _hurry, loop, limit)
                try:
                    return read(await _arun(entry.client, command, self._redis))
                finally:
                    late.cancel()
        except Exception as error:
            ours = self.meaning(error)
        return _returned(ours)

    def subscribe(self, *channels: str) -> Any:
        """A redis-py PubSub that listens on these; any of its errors is for `meaning`."""
        pubsub = self._sync().pubsub()
        pubsub.subscribe(*channels)
        return pubsub

    def publish(self, channel: str, text: str) -> None:
        """Say something on a channel, if anybody hears it."""
        with suppress(Exception):
            self._sync().execute_command("PUBLISH", channel, text)

    def close(self) -> None:
        """Close the connections that threads use; a later call opens new ones."""
        with self._lock:
            client, self._client, self._idle = self._client, None, deque()
        if client is not None:
            client.close()

    async def aclose(self) -> None:
        """Close those of the running event loop too."""
        if (entry := self._loops.pop(asyncio.get_running_loop(), None)) is not None:
            await entry.client.aclose()
        self.close()

    def forked(self) -> None:
        """The child opens its own. What its parent has open is kept untouched: to close a
        connection of a loop would change the parent's selector."""
        _parents.append((self._client, self._idle, self._loops))
        self._client, self._idle = None, deque()
        self._loops, self._lock = {}, threading.Lock()

    def _sync(self) -> Any:
        with self._lock:
            if self._client is None:
                self._client = _client(self.place, self._redis)
            return self._client

    def _run(self, command: Command) -> Any:
        source, given = script(command.script), command.given
        try:
            return self._say("EVALSHA", source.sha, *given)
        except self._redis.exceptions.NoScriptError:
            return self._say("EVAL", source.text, *given)

    def _say(self, *words: object) -> Any:
        """As `execute_command` (a cluster's has the way to find), in half the time: connections
        are kept aside unchecked. On one that was dead already the same is said again on another;
        each script may be heard twice."""
        client = self._client or self._sync()
        if (pool := getattr(client, "connection_pool", None)) is None:
            return client.execute_command(*words)
        with suppress(IndexError, self._redis.exceptions.ConnectionError):
            return self._said(pool, self._idle.pop(), words)
        return self._said(pool, pool.get_connection(), words)

    def _said(self, pool: Any, connection: Any, words: tuple[object, ...]) -> Any:
        try:
            connection.send_command(*words, check_health=False)
            answer = connection.read_response()
        except self._redis.exceptions.ResponseError:
            self._idle.append(connection)
            raise
        except BaseException:
            pool.release(connection)
            raise
        self._idle.append(connection)
        return answer

    async def _enter(self, loop: asyncio.AbstractEventLoop) -> _Loop:
        for dead in [other for other in list(self._loops) if other.is_closed()]:
            self._loops.pop(dead, None)
        entry = _Loop(_client(self.place, self._redis.asyncio))
        entry = self._loops.setdefault(loop, entry)
        await entry.guard(loop, self._loops)
        return entry

    def meaning(self, error: Exception) -> Exception:
        """Our error for one of redis-py's: `Away`, a SettingsError, or itself."""
        return meaning(error, self.place, self._redis.exceptions)


class _Loop:
    """What an event loop has open. It is closed when the loop shuts its generators down, as
    `asyncio.run` does: that is the one moment at which it still can be."""

    __slots__ = ("_guard", "client", "free")

    def __init__(self, client: Any) -> None:
        self.client = client
        self.free = asyncio.Semaphore(_TOGETHER)
        self._guard: AsyncGenerator[None, None] | None = None

    async def guard(self, loop: asyncio.AbstractEventLoop, loops: _Loops) -> None:
        """Have the loop's end close it."""
        if self._guard is None:
            self._guard = self._close_at_end(loop, loops)
            await anext(self._guard)

    async def _close_at_end(
        self, loop: asyncio.AbstractEventLoop, loops: _Loops
    ) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            loops.pop(loop, None)
            await self.client.aclose()


_Loops = dict[asyncio.AbstractEventLoop, _Loop]
_links: weakref.WeakSet[Link] = weakref.WeakSet()
_parents: list[object] = []


async def _asaid(client: Any, *words: object) -> Any:
    if (pool := getattr(client, "connection_pool", None)) is None:
        return await client.execute_command(*words)
    connection = await pool.get_connection()
    try:
        await connection.send_command(*words, check_health=False)
        return await connection.read_response()
    finally:
        await pool.release(connection)


async def _arun(client: Any, command: Command, redis: Any) -> Any:
    source, given = script(command.script), command.given
    try:
        return await _asaid(client, "EVALSHA", source.sha, *given)
    except redis.exceptions.NoScriptError:
        return await _asaid(client, "EVAL", source.text, *given)


def _hurry(loop: asyncio.AbstractEventLoop, limit: asyncio.Timeout) -> None:
    limit.reschedule(loop.time() + _GRACE)


def _client(place: Place, library: Any) -> Any:
    """A client of `redis` or of `redis.asyncio`, which never tries twice by itself."""
    import redis.backoff

    is_async = library is not redis
    ours = {
        "retry": library.retry.Retry(redis.backoff.NoBackoff(), 0),
        "socket_timeout": None if is_async else PATIENCE,  # there `acall` has its own
        "socket_connect_timeout": None if is_async else PATIENCE,
        "protocol": 2,
        "driver_info": None,
        "decode_responses": False,
    }
    given = library.connection.parse_url(place.url)
    given.pop("retry_on_timeout", None)
    if place.kind == "redis":
        return library.Redis.from_pool(library.ConnectionPool(**given | ours))
    encrypted = issubclass(given.pop("connection_class", object), library.SSLConnection)
    given.pop("host", None), given.pop("port", None)
    if encrypted:
        given["ssl"] = True
    if place.kind == "cluster":
        given.pop("db", None)
        nodes = [library.cluster.ClusterNode(host, port) for host, port in place.nodes]
        return library.RedisCluster(
            startup_nodes=nodes, require_full_coverage=False, **given, **ours
        )
    if not is_async:  # all in all not longer
        ours["socket_timeout"] = ours["socket_connect_timeout"] = PATIENCE / 2
    asking = PATIENCE / 2 / len(place.nodes)
    questions = ours | {"socket_timeout": asking, "socket_connect_timeout": asking}
    if encrypted:
        questions |= {name: value for name, value in given.items() if name.startswith("ssl")}
    sentinel = library.sentinel.Sentinel(
        place.nodes, sentinel_kwargs=questions | place.sentinel, **given, **ours
    )
    return sentinel.master_for(place.service, redis_class=library.Redis)


def _returned(ours: Exception) -> Away:
    if isinstance(ours, Away):
        return ours
    raise ours


_BUSY = re.compile(  # a script's error has the command's within
    r"(?:^|-)(?:LOADING|READONLY|CLUSTERDOWN|TRYAGAIN|MASTERDOWN|OOM|MISCONF|BUSY|NOREPLICAS)\b"
)
_FORBIDDEN = re.compile(r"(?:^|-)NOPERM\b|The user executing the script")


def meaning(error: Exception, place: Place, exceptions: Any) -> Exception:
    """Our error for one of redis-py's; itself where it is neither the server's nor the user's."""
    said = str(error)
    if isinstance(
        error,
        (
            exceptions.AuthenticationError,
            exceptions.AuthorizationError,
            exceptions.AuthenticationWrongNumberOfArgsError,
        ),
    ) or said.startswith(("NOAUTH", "WRONGPASS")):
        return SettingsError([f"{place}: it refuses the user or the password of the URL"])
    if isinstance(error, exceptions.NoPermissionError) or _FORBIDDEN.search(said):
        return SettingsError(
            [
                f"{place}: the user of the URL may not do what is needed:"
                " EVAL, EVALSHA, SUBSCRIBE, PUBLISH and what the scripts call,"
                " on keys and channels that begin with the store's prefix"
            ]
        )
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in _causes(error)):
        return SettingsError([f"{place}: its certificate is not trusted; see ssl_ca_certs"])
    if "cluster mode is not enabled" in said.lower() or "cluster support disabled" in said:
        return SettingsError([f"{place}: this Redis is no cluster: write redis:// instead"])
    if "DB index" in said or "Invalid Database" in said:
        return SettingsError([f"{place}: it has no such database"])
    if isinstance(error, exceptions.InvalidResponse):
        return SettingsError([f"{place}: what answers there is no Redis, or wants TLS: rediss://"])
    lost = (
        exceptions.ConnectionError,
        exceptions.TimeoutError,
        exceptions.ClusterError,
        exceptions.RedisClusterException,
        exceptions.ReadOnlyError,
        exceptions.TryAgainError,
        exceptions.OutOfMemoryError,
        TimeoutError,
        OSError,
        EOFError,
    )
    if isinstance(error, lost) or _BUSY.search(said):
        return Away(f"{place} is away: {type(error).__name__}")
    return error


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _forked() -> None:
    for link in list(_links):
        link.forked()


os.register_at_fork(after_in_child=_forked)

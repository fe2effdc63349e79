"""Where a Redis is: what its URL says."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlencode, urlsplit

from franca.errors import SettingsError

_FORMS = (
    "redis://[user:password@]host:port/db, rediss:// for TLS, unix:///socket,"
    " redis+sentinel://[user:password@]host:port,host:port/service/db"
    " or redis+cluster://[user:password@]host:port,host:port"
)
_PORTS = {"sentinel": 26379}


@dataclass(slots=True, frozen=True)
class Place:
    """A server, a service that Sentinels know, or a cluster.

    Args:
        kind: `redis`, `sentinel` or `cluster`.
        nodes: whom to ask: the servers of a cluster, or the Sentinels.
        url: of the (first) server with credentials, as redis-py reads it.
        sentinel: what the Sentinels want: username and password.
    """

    kind: str
    label: str
    nodes: tuple[tuple[str, int], ...] = ()
    service: str = ""
    url: str = field(default="", repr=False)
    sentinel: dict[str, Any] = field(default_factory=dict, repr=False)

    def __str__(self) -> str:
        return self.label


def place_of(url: str) -> Place:
    """What a URL says.

    Raises:
        SettingsError: it is none of the forms. Nothing of it is repeated: it may hold a password.
    """
    try:
        parts = urlsplit(url)
        scheme, _, kind = parts.scheme.partition("+")
        if scheme == "unix" and not kind and parts.path:
            return Place("redis", f"unix://{parts.path}", url=url)
        if scheme not in ("redis", "rediss") or kind not in ("", "sentinel", "cluster"):
            raise ValueError
        return _network(parts, scheme, kind or "redis")
    except (ValueError, IndexError):
        raise SettingsError([f"the URL of a Redis is {_FORMS}"]) from None


def _network(parts: SplitResult, scheme: str, kind: str) -> Place:
    credentials, at, hosts = parts.netloc.rpartition("@")
    nodes = tuple(_nodes(hosts.split(","), _PORTS.get(kind, 6379)))
    if kind == "redis" and len(nodes) != 1:
        raise ValueError
    query = dict(parse_qsl(parts.query))
    sentinel = {
        name: query.pop(f"sentinel_{name}")
        for name in ("username", "password")
        if f"sentinel_{name}" in query
    }
    *service, database = (
        parts.path.strip("/").split("/") if kind == "sentinel" else ["", parts.path]
    )
    if kind == "sentinel" and not service:  # no database: the first
        service, database = [database], "0"
    if kind == "sentinel" and not service[0]:
        raise ValueError
    host, port = nodes[0]
    where = f"[{host}]" if ":" in host else host
    label = ",".join(f"{host}:{port}" for host, port in nodes)
    plain = f"{scheme}://{credentials}{at}{where}:{port}/{database.strip('/')}"
    return Place(
        kind,
        f"{parts.scheme}://{label}{parts.path}",
        nodes,
        unquote(service[0]),
        plain + (f"?{urlencode(query)}" if query else ""),
        sentinel,
    )


def _nodes(hosts: Iterable[str], port: int) -> Iterable[tuple[str, int]]:
    for host in hosts:
        split = urlsplit(f"//{host}")
        yield split.hostname or "localhost", split.port or port

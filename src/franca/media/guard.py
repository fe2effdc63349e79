"""Where a URL may lead: the checks of `fetch` that need no network."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from urllib.parse import quote, urljoin, urlsplit

from franca.errors import InvalidRequestError
from franca.settings.target import place

# Written out, since what `ipaddress` calls global differs between versions of Python.
_NOT_PUBLIC = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16",
        "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16",
        "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
        "168.63.129.16/32",  # Azure's own services in every machine, at a public address
    )
)  # fmt: skip
_PUBLIC6 = IPv6Network("2000::/3")
_NOT_PUBLIC6 = tuple(
    IPv6Network(network) for network in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
)
_NAT64 = IPv6Network("64:ff9b::/96")
_HOST = re.compile(r"[A-Za-z0-9._:-]+")
_PORTS = {"http": 80, "https": 443}


@dataclass(slots=True, frozen=True)
class Place:
    """A checked URL, taken apart.

    Args:
        shown: the URL without user, password and query, for messages.
        host: the name to look up, and to verify the certificate against.
        header: for `Host`. target: path and query, for the request line.
    """

    url: str
    shown: str
    secure: bool
    host: str
    port: int
    header: str
    target: str


def parse(url: str) -> Place:
    """The place that a URL names.

    Raises:
        InvalidRequestError: not http(s), no host, with a password, or no URL.
    """
    try:
        parts = urlsplit(url)
        port, host = parts.port, _host(parts.hostname or "")
        target = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~")
        target += f"?{quote(parts.query, safe='/%:@!$&()*+,;=~?[]')}" if parts.query else ""
    except ValueError:
        raise InvalidRequestError("a URL that cannot be read") from None
    if parts.scheme not in _PORTS:  # of data: the rest is the picture itself
        raise InvalidRequestError(f"{parts.scheme or 'no scheme'}: only http and https are fetched")
    shown = place(parts.geturl())
    if not _HOST.fullmatch(host):
        raise InvalidRequestError(f"{shown}: no host")
    if "@" in parts.netloc:
        raise InvalidRequestError(f"{shown}: a URL with a user's name or password is not fetched")
    header = f"[{host}]" if ":" in host else host
    header += f":{port}" if port is not None else ""
    secure = parts.scheme == "https"
    return Place(url, shown, secure, host, port or _PORTS[parts.scheme], header, target)


def _host(name: str) -> str:
    """A name as it is looked up: in ASCII, without a dot at its end."""
    name = name.rstrip(".")
    return name if ":" in name else name.encode("idna").decode("ascii")


def redirected(origin: Place, location: str) -> Place:
    """Where a redirect leads, checked as the first URL was; never from https to http."""
    try:
        goal = parse(urljoin(origin.url, location.strip()))
    except ValueError:
        raise InvalidRequestError(f"{origin.shown} leads to a URL that cannot be read") from None
    if origin.secure and not goal.secure:
        raise InvalidRequestError(f"{origin.shown} leads from https to http")
    return goal


def check(addresses: Iterable[str], host: str) -> None:
    """Refuse a name of which any address is not of the public internet.

    Raises:
        InvalidRequestError: names the host and never the address: that would map the network.
    """
    if not all(is_public(address) for address in addresses):
        raise InvalidRequestError(f"{host} is not on the public internet: it is not fetched")


def is_public(address: str) -> bool:
    """Whether an address is one of the public internet: not private, loopback, link-local (the
    clouds' metadata), shared (CGNAT), multicast, reserved; nor one of these inside of IPv6."""
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, IPv6Address):
        inner = IPv4Address(int(ip) & 0xFFFFFFFF) if ip in _NAT64 else ip.ipv4_mapped
        if inner is None:
            return ip in _PUBLIC6 and not any(ip in network for network in _NOT_PUBLIC6)
        ip = inner
    return not any(ip in network for network in _NOT_PUBLIC)

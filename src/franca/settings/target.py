"""Where a call may go: what `resolve` gives, all merged and rendered, data only."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from franca.backends import ANTHROPIC_MESSAGES, OPENAI_CHAT, Quirks
from franca.settings.policy import DEFAULT, Policy
from franca.types import EndpointType

if TYPE_CHECKING:
    from franca.settings.price_form import Prices


def place(url: str) -> str:
    """A URL without what may be secret in it: user, password, query."""
    return re.sub(r"//[^/@]*@", "//", url).partition("?")[0]


class Secret:
    """A key that no repr, export or log shows. Holds text, or a callable that gives it anew."""

    __slots__ = ("_source",)

    def __init__(self, source: str | Callable[[], str]) -> None:
        self._source = source

    def reveal(self) -> str:
        """The key itself; calls the callable, where it is one."""
        return self._source if isinstance(self._source, str) else self._source()

    @property
    def fixed(self) -> bool:
        """Whether it is the same at every call."""
        return isinstance(self._source, str)

    def __repr__(self) -> str:
        return "Secret('***')"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._source == other._source

    def __hash__(self) -> int:
        return hash(self._source)

    def __reduce__(self) -> str | tuple[Any, ...]:
        raise TypeError("a Secret is not pickled")


@dataclass(slots=True, frozen=True)
class Endpoint:
    """An address, the credentials for it, and how to get there.

    Hashable by identity of its content: two equal endpoints share one transport.

    Args:
        type: never `default`: resolved to the backend's own.
        url: the base URL, without a trailing slash; empty: the SDK's own for the type.
        credentials: the cloud's own: project_id, location, api_version, aws_* … as sorted pairs.
        headers: as sorted pairs; values may hold `${model_id}`, rendered per target.
        verify: False, a CA bundle's path, or of the client (certificate,), (certificate, key) or
            (certificate, key, CA bundle); the key's path is empty where the certificate holds it.
    """

    id: str
    type: EndpointType
    url: str
    api_key: Secret | None = None
    region: str | None = None
    credentials: tuple[tuple[str, Any], ...] = field(default=(), repr=False)
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    proxy: str | None = field(default=None, repr=False)
    organization: str | None = None
    timeout: float | None = None
    verify: bool | str | tuple[str, ...] = True
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        content = (self.id, self.type, self.url, self.api_key, self.headers, self.proxy)
        object.__setattr__(self, "_hash", hash(content))

    def __hash__(self) -> int:
        return self._hash  # every call looks up its transport by endpoint: hash the content once

    def __repr__(self) -> str:
        return f"Endpoint(id={self.id!r}, type={str(self.type)!r}, url={place(self.url)!r})"

    def secrets(self) -> list[str]:
        """What no message may repeat: the key (where it is fixed), credentials, header values."""
        key = [self.api_key.reveal()] if self.api_key and self.api_key.fixed else []
        pairs = [*self.credentials, *self.headers]
        return key + [value for _, value in pairs if isinstance(value, str) and len(value) >= 16]


@dataclass(slots=True, frozen=True)
class Counting:
    """Who counts against the limits, and what holds when one is used up.

    Args:
        place: Redis' address or the directory; None for memory.
        shared: whether every process that reads these settings counts together; else the scope is
            this very endpoint, in this process.
        max_wait: seconds, None for as long as it takes.
        lease: seconds for which the place of a killed process stays taken.
    """

    backend: str = "memory"
    place: Secret | None = None
    shared: bool = False
    on_unavailable: str = "share"
    max_wait: float | None = None
    lease: float = 30.0


_SHARE = 8  # one part in so many of the context


@dataclass(slots=True, frozen=True)
class Target:
    """One endpoint for one model.

    Args:
        model: the name in the settings. model_id: the name the endpoint knows it by.
        wire: the wire format's name.
        headers: the endpoint's, rendered.
        rpm, tpm, itpm, otpm: requests, tokens, input and output tokens a minute; rps: requests a
            second. None: no limit.
        counting: who counts them, None where limits are off.
        policy: how its calls are tried again and spread.
        prices: the settings' own, None where they have none.
        kept: where others keep what they made of this target, by their own names.
        endpoint_enabled etc. do not appear: what is off is not a target.
    """

    backend: str
    model: str
    model_id: str
    endpoint: Endpoint
    wire: str = OPENAI_CHAT
    quirks: Quirks = field(default_factory=Quirks)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False, hash=False)
    priority: int = 1
    weight: float = 1.0
    rpm: int | None = None
    tpm: int | None = None
    itpm: int | None = None
    otpm: int | None = None
    rps: int | None = None
    concurrent_requests: int | None = None
    counting: Counting | None = None
    policy: Policy = DEFAULT
    context_length: int | None = None
    max_output_tokens: int | None = None
    max_image_dimension: int | None = None
    native_multimodal: bool | None = None
    function_call_available: bool | None = None
    response_format_available: bool | None = None
    prices: Mapping[str, Prices] | None = field(default=None, repr=False, compare=False)
    kept: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def endpoint_id(self) -> str:
        return self.endpoint.id

    @property
    def answer_room(self) -> int | None:
        """The tokens for an answer whose length nobody named: an eighth of the context, at most
        `max_output_tokens`, or what a wire that must name a length sends; None where nothing is
        known."""
        most = self.max_output_tokens
        if most is None and self.wire == ANTHROPIC_MESSAGES:
            most = self.quirks.default_max_tokens
        share = (self.context_length or 0) // _SHARE
        return min(share, most) if share and most else share or most

"""From what a settings file says of an endpoint to the wire it speaks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from franca.backends import ANTHROPIC_MESSAGES, BACKENDS, OPENAI_CHAT, Quirks, Row
from franca.types import BackendType, EndpointType

_ANTHROPIC = frozenset(
    {EndpointType.Anthropic, EndpointType.AnthropicVertex, EndpointType.AnthropicBedrock}
)
_OWN = {OPENAI_CHAT: EndpointType.OpenAI, ANTHROPIC_MESSAGES: EndpointType.Anthropic}
_VERTEX = {OPENAI_CHAT: EndpointType.OpenAIVertex, ANTHROPIC_MESSAGES: EndpointType.AnthropicVertex}
_CLOUDS = {
    EndpointType.AnthropicVertex: frozenset({"web_search"}),
    EndpointType.AnthropicBedrock: frozenset[str](),
}
"""The clouds that serve Claude, each with those of Anthropic's own tools that it runs."""
_TYPES = {t.value: t for t in EndpointType}


def kind_of(endpoint: Mapping[str, Any], row: Row) -> EndpointType | None:
    """An endpoint's type on a backend, never `default`; None where its word is not one.

    A named type holds before the older flags, and the backend's own wire decides the rest.
    """
    named = str(endpoint.get("endpoint_type") or EndpointType.Default).strip().lower()
    if named != EndpointType.Default:
        return _TYPES.get(named)
    if endpoint.get("is_azure"):
        return EndpointType.OpenAIAzure
    if endpoint.get("is_vertex"):
        return _VERTEX[row.wire]
    return EndpointType.AnthropicBedrock if endpoint.get("is_bedrock") else _OWN[row.wire]


def wire_of(kind: EndpointType) -> str:
    """The wire format that a type speaks."""
    return ANTHROPIC_MESSAGES if kind in _ANTHROPIC else OPENAI_CHAT


def is_http(url: str) -> bool:
    """Whether a text is an HTTP address, with a host."""
    return re.match(r"(?i)https?://[^/?#]", url) is not None


def is_plain(kind: EndpointType) -> bool:
    """Whether the address and the key are the vendor's own, and no cloud's."""
    return kind in _OWN.values()


def quirks_of(wire: str, row: Row) -> Quirks:
    """The quirks to begin with: the row's on its own wire, the wire's own elsewhere, less the tools
    that only Anthropic runs."""
    if wire == row.wire:
        return row.quirks
    if wire != ANTHROPIC_MESSAGES:
        return Quirks()
    return BACKENDS[BackendType.Anthropic].quirks.merge(builtin_tools={})


def of_cloud(quirks: Quirks, kind: EndpointType) -> Quirks:
    """The quirks on a cloud that serves the models of others: Claude's there fetch nothing, and
    have few of its maker's tools."""
    if kind not in _CLOUDS:
        return quirks
    tools = {k: v for k, v in quirks.builtin_tools.items() if k in _CLOUDS[kind]}
    return quirks.merge(url_images=False, url_files=False, builtin_tools=tools)


def at_address(quirks: Quirks, row: Row, url: str) -> Quirks:
    """The quirks at an address where the vendor's own tools are asked for in another form."""
    for start, tools in row.tools_at.items():
        if url.startswith(start):
            return quirks.merge(builtin_tools=tools)
    return quirks

"""The `anthropic-beta` header that a request's tools need.

What the vendor has released since needs none; these are the types that its SDK (2.12) keeps under
`beta` alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from franca.settings.target import Target
from franca.types import ChatRequest

HEADER = "anthropic-beta"
_COMPUTER = "computer-use-2024-10-22"
_OF_TOOL = {
    "advisor_20260301": "advisor-tool-2026-03-01",
    "bash_20241022": _COMPUTER,
    "code_execution_20250522": "code-execution-2025-05-22",
    "computer_20241022": _COMPUTER,
    "computer_20250124": "computer-use-2025-01-24",
    "computer_20251124": "computer-use-2025-11-24",
    "mcp_toolset": "mcp-client-2025-11-20",
    "text_editor_20241022": _COMPUTER,
}
_OLD_MCP = "mcp-client-2025-04-04"
"""Of servers without an `mcp_toolset`, as they were written before there was one."""


def headers(body: Mapping[str, Any], request: ChatRequest, target: Target) -> dict[str, str]:
    """Headers to lay over the request's own; none where the tools need none.

    Args:
        body: what `build` has made of the request.

    A beta that the caller or the endpoint's settings name stays, and is the one of its family.
    """
    needed = list(dict.fromkeys(_needed(body)))
    if not needed:
        return {}
    given = _given(request.extra_headers or {}) or _given(target.headers)
    families = {_family(beta) for beta in given}
    added = [beta for beta in needed if _family(beta) not in families]
    return {HEADER: ",".join([*given, *added])} if added else {}


def _needed(body: Mapping[str, Any]) -> Iterator[str]:
    kinds = [str(t.get("type")) for t in body.get("tools") or () if isinstance(t, Mapping)]
    yield from (_OF_TOOL[kind] for kind in kinds if kind in _OF_TOOL)
    if body.get("mcp_servers") and "mcp_toolset" not in kinds:
        yield _OLD_MCP


def _given(own: Mapping[str, str]) -> list[str]:
    values = [value for name, value in own.items() if name.lower() == HEADER]
    return [beta.strip() for beta in ",".join(values).split(",") if beta.strip()]


def _family(beta: str) -> str:
    """The name without its date."""
    return beta[: -len("-2025-11-20")]

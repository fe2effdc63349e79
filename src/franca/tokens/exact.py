"""Vendors' own counting, as data: what to ask and where the answer stands.

Nothing is sent from here: a client builds a request's body with its wire, sends `Asked.body` to
`Asked.path` below the base URL with its own credentials, and reads the reply with `read`:

    asked = ask(target.backend, wire_name, body)
    total = asked.read(reply) if asked else get_message_token_counts(...)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from franca.errors import APIError
from franca.types import BackendType


@dataclass(slots=True, frozen=True)
class Counter:
    """A vendor's endpoint that counts.

    Args:
        path: where, below the base URL of the wire.
        keys: the fields of a request that it takes; the others cost no tokens.
        at: where the total stands in its reply.
    """

    path: str
    keys: frozenset[str]
    at: tuple[str, ...]


@dataclass(slots=True, frozen=True)
class Asked:
    """What is to be sent, and how its reply is read."""

    path: str
    body: dict[str, Any]
    at: tuple[str, ...]

    def read(self, reply: Any) -> int:
        """The prompt's tokens.

        Raises:
            APIError: the reply is not of the endpoint's form.
        """
        for key in self.at:
            reply = reply.get(key) if isinstance(reply, Mapping) else None
        if not isinstance(reply, int) or isinstance(reply, bool) or reply < 0:
            raise APIError(f"the counting endpoint's reply has no {'.'.join(self.at)}")
        return reply


_ANTHROPIC = Counter(
    "/v1/messages/count_tokens",
    frozenset({
        "model", "messages", "system", "tools", "tool_choice", "thinking", "output_config",
        "mcp_servers", "context_management",
    }),
    ("input_tokens",),
)  # fmt: skip
_COUNTERS = {
    BackendType.Moonshot: Counter(
        "/tokenizers/estimate-token-count",
        frozenset({"model", "messages"}),
        ("data", "total_tokens"),
    ),
    BackendType.ZhiPuAI: Counter(
        "/tokenizer", frozenset({"model", "messages", "tools"}), ("usage", "prompt_tokens")
    ),
}
"""As documented by the vendors, 2026-11. On Anthropic's wire every vendor has Anthropic's own."""


def ask(backend: BackendType | str, wire: str, body: Mapping[str, Any]) -> Asked | None:
    """The question that counts a request; None where the vendor has no such endpoint.

    Args:
        wire: the name of the request's wire.
        body: the request as it would be sent.
    """
    own = {kind.value: counter for kind, counter in _COUNTERS.items()}
    counter = _ANTHROPIC if wire == "anthropic-messages" else own.get(str(backend))
    if counter is None:
        return None
    kept = {key: value for key, value in body.items() if key in counter.keys}
    return Asked(counter.path, kept, counter.at)

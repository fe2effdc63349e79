"""Tokens and what they cost: counted and priced with no network."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from franca.tokens.counting import count_tokens, get_token_counts, text_tokens
    from franca.tokens.exact import Asked, ask
    from franca.tokens.families import Family, family_of
    from franca.tokens.messages import (
        count_messages_tokens,
        get_message_token_counts,
        message_tokens,
        tools_tokens,
    )
    from franca.tokens.prices import (
        MODEL_PRICING,
        Cost,
        cost,
        estimate_batch_cost,
        estimate_cost,
        result_cost,
        total,
    )

_HOMES = {
    "counting": "count_tokens get_token_counts text_tokens",
    "exact": "Asked ask",
    "families": "Family family_of",
    "messages": "count_messages_tokens get_message_token_counts message_tokens tools_tokens",
    "prices": "MODEL_PRICING Cost cost estimate_batch_cost estimate_cost result_cost total",
}
_HOME = {name: home for home, names in _HOMES.items() for name in names.split()}

__all__ = [
    "MODEL_PRICING",
    "Asked",
    "Cost",
    "Family",
    "ask",
    "cost",
    "count_messages_tokens",
    "count_tokens",
    "estimate_batch_cost",
    "estimate_cost",
    "family_of",
    "get_message_token_counts",
    "get_token_counts",
    "message_tokens",
    "result_cost",
    "text_tokens",
    "tools_tokens",
    "total",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'franca.tokens' has no attribute {name!r}")
    value = getattr(import_module(f"franca.tokens.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__

"""Tokens and what they cost: counted and priced with no network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from franca import lazy

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
    from franca.tokens.truncate import Fitted, Truncation, fit

__all__ = [
    "MODEL_PRICING",
    "Asked",
    "Cost",
    "Family",
    "Fitted",
    "Truncation",
    "ask",
    "cost",
    "count_messages_tokens",
    "count_tokens",
    "estimate_batch_cost",
    "estimate_cost",
    "family_of",
    "fit",
    "get_message_token_counts",
    "get_token_counts",
    "message_tokens",
    "result_cost",
    "text_tokens",
    "tools_tokens",
    "total",
]

__getattr__, __dir__ = lazy.names(
    __name__,
    {
        "counting": "count_tokens get_token_counts text_tokens",
        "exact": "Asked ask",
        "families": "Family family_of",
        "messages": "count_messages_tokens get_message_token_counts message_tokens tools_tokens",
        "prices": "MODEL_PRICING Cost cost estimate_batch_cost estimate_cost result_cost total",
        "truncate": "Fitted Truncation fit",
    },
)

"""What a result is told beside the vendor's words: what prices it, what was left out for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from franca.settings.target import Target
from franca.types import ChatCompletion

if TYPE_CHECKING:
    from franca.settings.price_form import Prices
    from franca.tokens.prices import Cost
    from franca.tokens.truncate import Truncation

Bill = Callable[[ChatCompletion], "Cost | None"]


def finish(result: ChatCompletion, target: Target, truncation: Truncation | None) -> None:
    """Tell a result how its cost is found, and what was left out of its prompt."""
    result._bill, result._truncation = bill(target), truncation


def bill(target: Target) -> Bill:
    """From a result of this target to its cost, used when somebody asks for it."""
    try:
        return target.kept["bill"]
    except KeyError:
        made = partial(
            _cost, model=target.model_id, prices=target.prices, region=target.endpoint.region
        )
        return target.kept.setdefault("bill", made)


def _cost(
    result: ChatCompletion, *, model: str, prices: Mapping[str, Prices] | None, region: str | None
) -> Cost | None:
    from franca.tokens.prices import result_cost

    return result_cost(result, model=model, prices=prices, region=region)

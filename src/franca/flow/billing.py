"""What prices a result: made once for a target, used when somebody asks for the cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from franca.settings.price_form import Prices
from franca.settings.target import Target
from franca.types import ChatCompletion

if TYPE_CHECKING:
    from franca.tokens.prices import Cost

Bill = Callable[[ChatCompletion], "Cost | None"]


def bill(target: Target) -> Bill:
    """From a result of this target to its cost."""
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

"""What calls would cost, with the settings' own prices and rates: the names that `franca` exports.

`franca.tokens` has the same without the settings.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

from franca.chat_clients.counting import count_messages_tokens
from franca.tokens import prices as local
from franca.tokens.prices import Cost, ModelPricing
from franca.types import MessageLike

if TYPE_CHECKING:
    from franca.settings import Settings

Conversation = Sequence[MessageLike] | str


def _settings(given: Settings | None) -> Settings:
    if given is not None:
        return given
    from franca.settings import settings

    return settings


def estimate_cost(
    prompt_tokens: int,
    completion_tokens: int = 0,
    model: str = "",
    backend: str | None = None,
    *,
    is_input: bool = True,
    cached_tokens: int | None = None,
    at: date | None = None,
    region: str | None = None,
    context: Mapping[str, str] | None = None,
    settings: Settings | None = None,
) -> Cost | None:
    """What a call of this size would cost, None where no price is known.

    Args:
        prompt_tokens: all of the prompt. completion_tokens: all of the answer.
        model, backend, cached_tokens, at, region, context: see `franca.tokens.estimate_cost`.
        is_input: False takes the first number for tokens of the answer.
        settings: whose prices hold; None: the process's own.
    """
    if not is_input:
        prompt_tokens, completion_tokens = 0, prompt_tokens + completion_tokens
    return local.estimate_cost(
        prompt_tokens,
        completion_tokens,
        model,
        backend,
        cached_tokens=cached_tokens,
        at=at,
        prices=_settings(settings).prices,
        region=region,
        context=context,
    )


def estimate_batch_cost(
    items: Iterable[tuple[int, int] | Conversation],
    model: str = "",
    backend: str | None = None,
    *,
    avg_output_tokens: int = 500,
    at: date | None = None,
    region: str | None = None,
    settings: Settings | None = None,
) -> Cost | None:
    """What a batch would cost, at the vendor's batch price where one is known.

    Args:
        items: for each request, its prompt tokens and completion tokens, or its messages.
        avg_output_tokens: of the answer to each request that is given by its messages.
        model, backend, at, region: see `franca.tokens.estimate_batch_cost`.
        settings: whose prices and token server hold; None: the process's own.
    """

    def size(item: tuple[int, int] | Conversation) -> tuple[int, int]:
        match item:
            case (int(prompt), int(answer)):
                return prompt, answer
        tokens = count_messages_tokens(item, model, backend, settings=settings)
        return tokens, avg_output_tokens

    own = _settings(settings).prices
    return local.estimate_batch_cost(
        map(size, items), model, backend, at=at, prices=own, region=region
    )


def total_cost(
    costs: Iterable[Cost | None],
    currency: str = "USD",
    rates: Mapping[str, Decimal | int | str] | None = None,
    *,
    settings: Settings | None = None,
) -> Cost | None:
    """The sum of costs; None where one of them is not known.

    Args:
        currency: of the sum.
        rates: how much of a currency one US dollar buys; None: the settings' `franca.rates`.
        settings: instead of the process's own.

    Raises:
        SettingsError: a rate is missing; it is named.
    """
    known = rates if rates is not None else _settings(settings).rates
    return local.total(costs, currency, known)


MODEL_PRICING = ModelPricing(lambda: _settings(None).prices)
"""As `franca.tokens.MODEL_PRICING`, the settings' own prices among them."""

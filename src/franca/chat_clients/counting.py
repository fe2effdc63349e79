"""Counting as the settings have it: at their token server where they name one, else here.

`franca.tokens` counts the same and never leaves the process.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from franca.errors import SettingsError
from franca.media.conversation import settle
from franca.settings.target import Secret, Target
from franca.tokens import messages as local
from franca.tokens.counting import Backend
from franca.tokens.counting import get_token_counts as count_here
from franca.tokens.messages import Tools
from franca.types import ChatRequest, MessageLike

if TYPE_CHECKING:
    from franca.settings import Settings
    from franca.transport.token_server import RemoteCounter

KEY = "FRANCA_TOKEN_SERVER_KEY"
"""The environment's variable with the token server's key; it lies over the settings' `api_key`."""
_COUNTED = frozenset({"response_format", "thinking", "tool_choice"})
"""Parameters that cost tokens of the prompt, and that a token server is not told."""


def token_counter(settings: Settings | None = None) -> RemoteCounter | None:
    """The client of the settings' token server, one for the whole process; None where they name
    none.

    Args:
        settings: instead of the process's own `franca.settings.settings`.

    Raises:
        SettingsError: its address or its key cannot be used.
    """
    if settings is None:
        from franca.settings import settings
    document = settings.snapshot.document
    section = document.token_server if document is not None else None
    if section is None:
        return None
    host = f"[{section.host}]" if ":" in section.host else section.host
    try:
        given = os.environ.get(KEY)
        key = Secret(given) if given else section.api_key
        return _counter(section.url or f"http://{host}:{section.port}", key)
    except ValueError as error:
        raise SettingsError([f"token_server: {error}"]) from None


@lru_cache(maxsize=16)
def _counter(url: str, key: Secret | None) -> RemoteCounter:
    from franca.transport.token_server import RemoteCounter

    if key is None:
        return RemoteCounter(url)
    return RemoteCounter(url, api_key=key.reveal() if key.fixed else key.reveal)


def get_token_counts(
    text: str, model: str = "", backend: Backend = None, *, settings: Settings | None = None
) -> int:
    """A text's tokens; see `franca.tokens.get_token_counts`.

    Args:
        settings: instead of the process's own.
    """
    counter = token_counter(settings)
    return (counter.count_tokens if counter else count_here)(text, model, backend)


def get_message_token_counts(
    *,
    messages: Iterable[MessageLike] | str,
    tools: Tools | None = None,
    model: str = "",
    backend: Backend = None,
    settings: Settings | None = None,
) -> int:
    """A prompt's tokens; see `franca.tokens.get_message_token_counts`.

    Args:
        settings: instead of the process's own.
    """
    counter = token_counter(settings)
    count = counter.count_messages_tokens if counter else local.get_message_token_counts
    return count(messages=messages, tools=tools, model=model, backend=backend)


count_tokens = get_token_counts


def count_messages_tokens(
    messages: Iterable[MessageLike] | Iterable[Sequence[MessageLike]] | str,
    model: str = "",
    backend: Backend = None,
    *,
    tools: Tools | None = None,
    settings: Settings | None = None,
) -> int:
    """The tokens of a prompt, or of a list of conversations together.

    Args:
        messages, model, backend, tools: see `get_message_token_counts`.
        settings: instead of the process's own.
    """

    def one(turns: Iterable[Any] | str) -> int:
        return get_message_token_counts(
            messages=turns, tools=tools, model=model, backend=backend, settings=settings
        )

    if isinstance(messages, str):
        return one(messages)
    turns = list(messages)
    several = [turn for turn in turns if isinstance(turn, list)]
    return sum(map(one, several)) if several and len(several) == len(turns) else one(turns)


def counted(
    request: ChatRequest,
    target: Target,
    messages: Iterable[MessageLike] | str,
    settings: Settings | None,
) -> int:
    """The prompt's tokens of a client's call. What holds media is counted here: files are read
    for it, and nothing is fetched.

    Args:
        messages: those of the request, as the caller wrote them.
    """
    params: dict[str, Any] = request.params
    priced = {name: params[name] for name in _COUNTED & params.keys()}
    settled = settle(request.messages, (target,), request.capability_policy, process=False)
    alone = not priced and settled is request.messages
    counter = token_counter(settings) if alone else None
    tools, model, backend = params.get("tools"), target.model_id, target.backend
    if counter is not None:
        return counter.count_messages_tokens(
            messages=messages, tools=tools, model=model, backend=backend
        )
    return local.get_message_token_counts(
        messages=settled,
        tools=tools,
        model=model,
        backend=backend,
        wire=target.wire,
        **priced,
    )

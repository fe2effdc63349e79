"""Wire formats: one package each, pure functions, no I/O and no clock.

A wire is a module with

- `PATH`: where requests go, below the base URL;
- `build(request, target) -> dict`: the request's JSON body;
- `headers(body, request, target) -> dict`: what the body needs in HTTP headers, to lay over the
  request's own;
- `parse(body, target) -> ChatCompletion`: a whole reply;
- `Fold(target)`: a stream, event by event; see `franca.wire.stream.Fold`;
- `read_request(body) -> list[Message]`: the history of a request of this wire;
- `read_message(message) -> list[Message]`, `write_messages(messages, target)`: the two ways
  between our messages and the wire's.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from types import ModuleType

import msgspec

from franca.errors import InvalidRequestError

_encode = msgspec.json.Encoder().encode
_MODULES = {
    "openai-chat": "franca.wire.openai_chat",
    "anthropic-messages": "franca.wire.anthropic_messages",
}


@cache
def wire(name: str) -> ModuleType:
    """The wire of that name, loaded at first use."""
    return import_module(_MODULES[name])


def encode(body: object) -> bytes:
    """JSON. Raises InvalidRequestError for what JSON cannot hold."""
    try:
        return _encode(body)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidRequestError(f"the request cannot be written as JSON: {error}") from None

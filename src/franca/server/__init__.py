"""The token server: counts over HTTP, for programs that cannot or will not hold vocabularies.

Needs the extra `server`. `franca token-server` runs it; `token_app` is its ASGI application.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from franca.server.run import serve
    from franca.server.token_server import token_app

_HOME = {"serve": "run", "token_app": "token_server"}

__all__ = ["serve", "token_app"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__

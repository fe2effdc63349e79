"""The token server: counts over HTTP, for programs that cannot or will not hold vocabularies.

Needs the extra `server`. `franca token-server` runs it; `token_app` is its ASGI application.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from franca import lazy

if TYPE_CHECKING:
    from franca.server.run import serve
    from franca.server.token_server import token_app

__all__ = ["serve", "token_app"]

__getattr__, __dir__ = lazy.names(__name__, {"run": "serve", "token_server": "token_app"})

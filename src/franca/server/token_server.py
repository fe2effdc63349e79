"""`POST /count_tokens`, `GET /health`: the token server's application."""

from __future__ import annotations

import asyncio
import hmac
import logging
import re
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Annotated, Any

from franca.errors import InvalidRequestError, MissingExtraError
from franca.version import __version__

try:
    from fastapi import Depends, FastAPI, Request, Response, Security
    from fastapi.security import APIKeyHeader, HTTPBearer
    from starlette.requests import ClientDisconnect
except ImportError as error:
    raise MissingExtraError("fastapi", "server") from error

from franca.server.problems import Problem, answer_in_form, described
from franca.server.token_request import QUESTION, Count, answer

MAX_BODY = 16 << 20
"""Bytes."""
AT_ONCE = 256
"""Requests in progress, those whose body still comes included."""
HELD = 16 * MAX_BODY
"""Bytes of all the bodies that are held at a time."""
_THREADS = 4  # the engine holds the GIL, so these only let a short text past a long one
_PATIENCE = 30.0  # seconds for a body to arrive
_DRAINED = 4  # times too large: what is beyond that is not even read
_REFS = "#/components/schemas/{model}"
_BEARER = re.compile(r"\Abearer +", re.IGNORECASE)
_log = logging.getLogger("franca.server")


def token_app(
    *, api_key: str | None = None, max_body: int = MAX_BODY, at_once: int = AT_ONCE
) -> FastAPI:
    """The application, for any ASGI server.

    Args:
        api_key: the key to ask for; None asks for none.
        max_body: bytes of a body; larger ones are answered with 413.
        at_once: requests in progress; further ones are answered with 503.
    """

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncGenerator[None]:
        with ThreadPoolExecutor(_THREADS, "counting") as app.state.pool:
            yield

    app = FastAPI(
        title="franca token server",
        version=__version__,
        lifespan=life,
        separate_input_output_schemas=False,
    )
    answer_in_form(app)
    app.state.busy = app.state.held = 0
    guards = [Depends(_guard(api_key))] if api_key else []

    @app.get("/health")
    async def health() -> dict[str, str]:
        """Whether it serves; takes no key."""
        return {"status": "ok", "version": __version__}

    @app.post(
        "/count_tokens",
        response_model=Count,
        responses=described(*([400, 401] if api_key else [400]), 408, 413, 500, 503),
        dependencies=guards,
    )
    async def count_tokens(request: Request) -> Response:
        """The tokens of a text, or of a conversation with its tools."""
        if app.state.busy >= at_once:
            raise _overloaded()
        app.state.busy += 1
        try:
            return Response(await _count(request, max_body), media_type="application/json")
        finally:
            app.state.busy -= 1

    app.openapi = lambda: _documented(app, FastAPI.openapi(app))
    return app


async def _count(request: Request, max_body: int) -> bytes:
    body = bytearray()
    state = request.app.state
    try:
        async with asyncio.timeout(_PATIENCE):
            await _read(request, body, max_body)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(state.pool, answer, body)
    except Problem:
        raise
    except TimeoutError:
        raise Problem(408, f"the body took longer than {_PATIENCE:g} s") from None
    except ClientDisconnect:
        raise Problem(400, "the body ended early") from None  # nobody is there to read it
    except InvalidRequestError as error:
        raise Problem(400, error.message) from None
    except Exception as error:
        _log.error("a count failed: %s", type(error).__name__)  # its words may hold the text
        raise Problem(500, "the count failed") from None
    finally:
        state.held -= len(body)


async def _read(request: Request, body: bytearray, most: int) -> None:
    """Fill `body`. One that is too large is read on for a while, so that its sender sees 413."""
    state, size = request.app.state, 0
    if _declared(request) <= most * _DRAINED:
        async for chunk in request.stream():
            size += len(chunk)
            if size <= most:
                if state.held > HELD:
                    raise _overloaded()
                state.held += len(chunk)
                body += chunk
            elif size > most * _DRAINED:
                break
    if max(size, _declared(request)) > most:
        raise Problem(413, f"the body is larger than {most:,} bytes", details={"max_body": most})


def _declared(request: Request) -> int:
    length = request.headers.get("content-length", "0")
    return int(length) if length.isdecimal() else 0


def _overloaded() -> Problem:
    return Problem(503, "too many requests at once", headers={"Retry-After": "1"})


def _guard(api_key: str) -> Any:
    """A dependency that asks for the key, as a bearer or as `X-API-Key`; given twice, both must
    be right. The security schemes are there to be documented."""
    expected = api_key.encode()

    def allowed(
        request: Request,
        bearer: Annotated[Any, Security(HTTPBearer(auto_error=False))],
        header: Annotated[Any, Security(APIKeyHeader(name="X-API-Key", auto_error=False))],
    ) -> None:
        words = request.headers.get("authorization")
        found = header, words and _BEARER.sub("", words)
        given = [key for key in found if key is not None]
        if not given or not all(_same(key, expected) for key in given):
            raise Problem(
                401, "the API key is missing or wrong", headers={"WWW-Authenticate": "Bearer"}
            )

    return allowed


def _same(key: str, expected: bytes) -> bool:
    return hmac.compare_digest(key.encode("latin-1", "replace"), expected)


def _documented(app: FastAPI, schema: dict[str, Any]) -> dict[str, Any]:
    """The body is read and checked off the loop, so FastAPI does not know its form."""
    post = schema["paths"]["/count_tokens"]["post"]
    if "requestBody" not in post:
        body = QUESTION.json_schema(ref_template=_REFS)
        schema["components"]["schemas"] |= body.pop("$defs")
        content = {"application/json": {"schema": body}}
        post["requestBody"] = {"required": True, "content": content}
    return schema

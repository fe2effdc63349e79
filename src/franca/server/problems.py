"""What the servers answer when something is wrong: one form, and no words of an exception."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import HTTPException as FastAPIHTTPException
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

_CODES = {
    400: "INVALID_REQUEST",
    401: "UNAUTHORIZED",
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    408: "REQUEST_TIMEOUT",
    413: "REQUEST_TOO_LARGE",
    500: "INTERNAL_ERROR",
    503: "OVERLOADED",
}


class Problem(FastAPIHTTPException):
    """A refusal.

    Args:
        details: what else a program may read of it.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        details: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(status, message, dict(headers or {}))
        self.details = dict(details or {})


class ErrorBody(BaseModel):
    """Why a request was refused."""

    code: str
    message: str
    details: dict[str, Any]
    request_id: str


class ErrorReply(BaseModel):
    """The form of every refusal."""

    error: ErrorBody


def answer_in_form(app: FastAPI) -> None:
    """Have the application's refusals take this form, its framework's own too."""
    app.add_exception_handler(HTTPException, _reply)


def described(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Refusals, for an operation's documentation."""
    phrase = {status: HTTPStatus(status).phrase for status in statuses}
    return {s: {"model": ErrorReply, "description": phrase[s]} for s in statuses}


async def _reply(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    status = error.status_code
    body = {
        "code": _CODES.get(status, "ERROR"),
        "message": error.detail,
        "details": getattr(error, "details", {}),
        "request_id": f"req_{secrets.token_hex(8)}",
    }
    return JSONResponse({"error": body}, status, headers=error.headers)

"""A request as its target's wire has it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from franca.settings.target import Target
from franca.types import ChatRequest
from franca.wire import wire


def built(request: ChatRequest, target: Target) -> tuple[str, dict[str, Any], ChatRequest]:
    """(path, body, the request with the headers that this body needs)."""
    format_ = wire(target.wire)
    body = format_.build(request, target)
    if more := format_.headers(body, request, target):
        request = replace(request, extra_headers={**(request.extra_headers or {}), **more})
    return format_.PATH, body, request

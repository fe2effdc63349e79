"""A target of this wire, with the quirks that a test is about."""

from __future__ import annotations

from typing import Any

from franca.backends import Quirks
from franca.settings.target import Endpoint, Target
from franca.types import EndpointType

ENDPOINT = Endpoint("e1", EndpointType.OpenAI, "http://127.0.0.1/v1")


def target(*, fields: dict[str, Any] | None = None, **quirks: Any) -> Target:
    return Target("vendor", "m", "m-1", ENDPOINT, quirks=Quirks(**quirks), **(fields or {}))

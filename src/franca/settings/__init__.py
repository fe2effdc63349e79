"""Where models are, and with which keys: load a file once, and every client finds its way.

    from franca.settings import settings

    settings.load("settings.json")

`settings` is the default instance that clients use; `Settings` makes another of its own.
Every name is loaded on first use, so that `franca.settings.target` stands without pydantic.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from franca.settings.load import Settings as Settings
    from franca.settings.load import settings as settings
    from franca.settings.problems import SettingsWarning as SettingsWarning
    from franca.settings.schema import json_schema as json_schema
    from franca.settings.target import Endpoint as Endpoint
    from franca.settings.target import Secret as Secret
    from franca.settings.target import Target as Target

_HOMES = {
    "Endpoint": "target",
    "Secret": "target",
    "Settings": "load",
    "SettingsWarning": "problems",
    "Target": "target",
    "json_schema": "schema",
    "settings": "load",
}

__all__ = [
    "Endpoint",
    "Secret",
    "Settings",
    "SettingsWarning",
    "Target",
    "json_schema",
    "settings",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})

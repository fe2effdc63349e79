"""Where models are, and with which keys: load a file once, and every client finds its way.

    from franca.settings import settings

    settings.load("settings.json")

`settings` is the default instance that clients use; `Settings` makes another of its own.
Every name is loaded on first use, so that `franca.settings.target` stands without pydantic.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from franca import lazy

if TYPE_CHECKING:
    from franca.settings.load import Settings as Settings
    from franca.settings.load import settings as settings
    from franca.settings.problems import SettingsWarning as SettingsWarning
    from franca.settings.schema import json_schema as json_schema
    from franca.settings.target import Endpoint as Endpoint
    from franca.settings.target import Secret as Secret
    from franca.settings.target import Target as Target

__all__ = [
    "Endpoint",
    "Secret",
    "Settings",
    "SettingsWarning",
    "Target",
    "json_schema",
    "settings",
]

__getattr__, __dir__ = lazy.names(
    __name__,
    {
        "load": "Settings settings",
        "problems": "SettingsWarning",
        "schema": "json_schema",
        "target": "Endpoint Secret Target",
    },
)

"""The settings that a command works with."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from franca.backends import BACKENDS
from franca.backends.catalogue import find
from franca.errors import SettingsError
from franca.settings import Settings
from franca.settings.problems import nearest
from franca.settings.sources import PREFIX, SECTIONS

_VARIABLES = frozenset(PREFIX + name.upper() for name in (*SECTIONS, "SETTINGS"))
_GIVE = "give --settings FILE, or name one in FRANCA_SETTINGS"
_FIRST = "`franca settings init` writes a first file"


def opened(path: Path | None, *, strict: bool = False) -> Settings:
    """The settings in that file, or in the one the environment names; empty where it names none.

    Args:
        strict: what would only warn is an error.

    Raises:
        SettingsError: they cannot be used.
    """
    inside = path is not None or _inside()
    return Settings().load(path, strict=strict) if inside else Settings()


def _inside() -> bool:
    """Whether the environment has settings: other variables of ours, a cache's place, are none."""
    return not {n.split("__")[0] for n, value in os.environ.items() if value}.isdisjoint(_VARIABLES)


def given(path: Path | None, *, strict: bool = False) -> Settings:
    """The same, and there are some.

    Raises:
        SettingsError: there are none, or they cannot be used.
    """
    settings = opened(path, strict=strict)
    if settings.snapshot.document is None:
        raise SettingsError([f"no settings: {_GIVE}; {_FIRST}"])
    return settings


def load(path: Path | None) -> Settings:
    """The same, and at least one model is enabled in them.

    Raises:
        SettingsError: there are none, or they cannot be used.
    """
    settings = opened(path)
    if not any(settings.targets()):
        line = f"nothing to call: {_GIVE}; {_FIRST}"
        raise SettingsError([line if path is None else f"{path}: no model is enabled"])
    return settings


def backend_named(name: str | None) -> str | None:
    """The backend of that name, whatever its case.

    Raises:
        SettingsError: there is none.
    """
    known = [backend.value for backend in BACKENDS]
    if name is None or name.lower() in known:
        return name and name.lower()
    raise SettingsError([f"backend {name!r}: no such backend{nearest(name.lower(), known)}"])


def chosen(settings: Settings, backend: str | None, model: str | None) -> tuple[str, str | None]:
    """(backend, model) to call where perhaps neither is named.

    That is the settings' first that fits; without settings, a vendor whose key is in the
    environment. A model of None is the backend's own first.

    Raises:
        SettingsError: there is none, or nobody can tell whose the model is.
    """
    if backend is not None:
        return backend, model
    listed = list(settings.targets())
    for target in listed:
        if model in (None, target.model):
            return target.backend, target.model
    names = list(settings.snapshot.models) if listed else _keyed()
    return _whose(names, model), model


def _keyed() -> list[str]:
    """The backends whose key is in the environment, those that name a model of their own first."""
    rows = [row for row in BACKENDS.values() if row.key and os.environ.get(row.key)]
    if not rows:
        keys = "a vendor's key in the environment (OPENAI_API_KEY, DEEPSEEK_API_KEY, …)"
        raise SettingsError([f"nothing to call: it takes {keys}, or --settings FILE; {_FIRST}"])
    rows.sort(key=lambda row: row.default_model is None)
    return [row.backend.value for row in rows]


def _whose(backends: Sequence[str], model: str | None) -> str:
    """Which of the backends the model is of: the only one, or the one whose catalogue has it."""
    fitting = [name for name in backends if model is None or find(name, model)]
    if len(backends) == 1 or model is None:
        return backends[0]
    if len(fitting) == 1:
        return fitting[0]
    what = f"{' and '.join(fitting)} have it" if fitting else "nothing says whose it is"
    raise SettingsError([f"model {model}: {what}; name its --backend"])

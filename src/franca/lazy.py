"""Names of a package that load the module they live in at their first use (PEP 562)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def names(
    package: str, homes: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """The `__getattr__` and `__dir__` of a package whose names are loaded at first use.

    `homes` maps a module, relative to `package`, to the names that live in it, parted by spaces.
    A name once loaded stands in the package itself; an unknown one raises AttributeError.
    `dir(package)` is its `__all__`.
    """
    home_of = {name: home for home, listed in homes.items() for name in listed.split()}

    def load(name: str) -> Any:
        if name not in home_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(f"{package}.{home_of[name]}"), name)
        setattr(sys.modules[package], name, value)
        return value

    return load, lambda: sys.modules[package].__all__

"""Pictures, sound and documents on their way into a message, each name loaded at first use."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from franca.media.conversation import asettle, has_media, settle
    from franca.media.fetching import afetch, fetch
    from franca.media.shrink import fit
    from franca.media.sources import audio, document, image

_HOMES = {
    "conversation": "asettle has_media settle",
    "fetching": "afetch fetch",
    "shrink": "fit",
    "sources": "audio document image",
}
_HOME = {name: home for home, names in _HOMES.items() for name in names.split()}

__all__ = ["afetch", "asettle", "audio", "document", "fetch", "fit", "has_media", "image", "settle"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value

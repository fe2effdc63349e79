"""Pictures, sound and documents on their way into a message, each name loaded at first use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from franca import lazy

if TYPE_CHECKING:
    from franca.media.conversation import asettle, has_media, settle
    from franca.media.fetching import afetch, fetch
    from franca.media.shrink import fit
    from franca.media.sources import audio, document, image

__all__ = ["afetch", "asettle", "audio", "document", "fetch", "fit", "has_media", "image", "settle"]

__getattr__, __dir__ = lazy.names(
    __name__,
    {
        "conversation": "asettle has_media settle",
        "fetching": "afetch fetch",
        "shrink": "fit",
        "sources": "audio document image",
    },
)

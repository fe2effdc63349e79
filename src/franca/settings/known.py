"""What the catalogue knows of a model, for the fields that the settings leave open."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from franca.backends import BACKENDS, QUIRK_NAMES, Quirks
from franca.backends.catalogue import Model, find
from franca.settings.target import Target
from franca.settings.wires import quirks_of
from franca.types import BackendType

_FACTS = (
    "context_length",
    "max_output_tokens",
    "native_multimodal",
    "function_call_available",
    "response_format_available",
)


@lru_cache(maxsize=4096)
def known(backend: str, wire: str, model_id: str, model: str) -> tuple[Quirks, Mapping[str, Any]]:
    """What holds for a model before the settings are heard: its quirks and its facts; a fact is
    None where it is not known.

    Args:
        model_id: the vendor's name for it, looked up first.
        model: its name in the settings, which counts where the endpoint has a name of its own.
    """
    row = BACKENDS[BackendType(backend)]
    quirks = quirks_of(wire, row)
    entry = find(backend, model_id) or find(backend, model)
    if entry is None:
        return quirks, dict.fromkeys(_FACTS)
    if wire == row.wire:  # what differs is known of the backend's own wire
        quirks = quirks.merge(**entry.changes())
    return quirks, _facts(entry)


def _facts(entry: Model) -> dict[str, Any]:
    kinds, form = entry.input_modalities, entry.structured_output
    values = (
        entry.context_length,
        entry.max_output_tokens,
        None if kinds is None else "image" in kinds,
        entry.tools,
        None if form is None else form != "none",
    )
    return dict(zip(_FACTS, values, strict=True))


def said(target: Target) -> dict[str, Any]:
    """The quirks and facts that the settings gave a target: those that are not the catalogue's."""
    base, facts = known(target.backend, target.wire, target.model_id, target.model)
    own = target.quirks
    quirks = {n: v for n in QUIRK_NAMES if (v := getattr(own, n)) != getattr(base, n)}
    return {"quirks": quirks, **{n: v for n in _FACTS if (v := getattr(target, n)) != facts[n]}}


def fields_for(target: Target, model: str) -> dict[str, Any]:
    """The fields with which the target of one model becomes that of another."""
    (quirks, facts), kept = known(target.backend, target.wire, model, model), said(target)
    quirks = quirks.merge(**kept.pop("quirks"))
    return {"model": model, "model_id": model, "quirks": quirks, **facts, **kept}

"""What the vendors' current models can do: a file of facts a backend, read when it is asked for.

The files are package data, made by `scripts/catalogue.py`; each row bears its date and its source.
A fact that no source gives is None: it is not known, and nobody may take it for a no.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from franca.backends.quirks import ThinkingForm
from franca.types import BackendType

StructuredOutput = Literal["none", "json_object", "json_schema"]


@dataclass(slots=True, frozen=True, eq=False)
class Model:
    """A model of one backend.

    Args:
        name: the vendor's.
        date: the day of its source, or on which a source without a date was read (ISO).
        source: where the facts are from.
        context_length: tokens of prompt and answer together.
        max_output_tokens: tokens of an answer at most, its reasoning included.
        tools: whether it calls functions.
        structured_output: the most that `response_format` takes.
        input_modalities, output_modalities: of text, image, audio, video, pdf.
        reasoning: whether it can think before it answers.
        reasoning_efforts: the words that its effort may be.
        thinking: the form of its thinking switch, where it is not the backend's.
        quirks: what else differs from the backend's own, as fields of `Quirks`.
        aliases: other names of the vendor's for it.
        deprecated: the day from which the vendor says it serves it no longer (ISO).
    """

    name: str
    date: str
    source: str
    context_length: int | None = None
    max_output_tokens: int | None = None
    tools: bool | None = None
    structured_output: StructuredOutput | None = None
    input_modalities: tuple[str, ...] | None = None
    output_modalities: tuple[str, ...] | None = None
    reasoning: bool | None = None
    reasoning_efforts: tuple[str, ...] | None = None
    thinking: ThinkingForm | None = None
    quirks: tuple[tuple[str, Any], ...] = ()
    aliases: tuple[str, ...] = ()
    deprecated: str | None = None

    def changes(self) -> dict[str, Any]:
        """The fields of `Quirks` in which it differs from its backend."""
        found = dict(self.quirks)
        if self.thinking is not None:
            found["thinking"] = self.thinking
        if self.structured_output is not None:
            found["json_schema"] = self.structured_output == "json_schema"
        return found


@cache
def models(backend: str) -> tuple[Model, ...]:
    """A backend's models in the order of its file; none for `local`, whose models are yours.

    Raises:
        ValueError: there is no such backend.
    """
    name = BackendType(backend).value
    path = os.path.join(os.path.dirname(__file__), "models", f"{name}.json")
    try:
        with open(path, encoding="utf-8") as file:
            rows = json.load(file)
    except FileNotFoundError:
        return ()
    return tuple(_model(row) for row in rows)


def find(backend: str, name: str) -> Model | None:
    """The model of that name, whatever its case; else the one it is an alias of or a dated
    snapshot, in a cloud's form or the vendor's. None where it is not in the catalogue.

    Raises:
        ValueError: there is no such backend.
    """
    known = _by_name(backend)
    return next((known[form] for form in _forms(name.lower()) if form in known), None)


def _model(row: dict[str, Any]) -> Model:
    quirks = tuple(sorted(_hashable(row.pop("quirks", {})).items()))
    return Model(**_hashable(row), quirks=quirks)


def _hashable(row: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(v) if isinstance(v, list) else v for name, v in row.items()}


@cache
def _by_name(backend: str) -> dict[str, Model]:
    rows = models(backend)
    aliases = {alias.lower(): row for row in rows for alias in row.aliases}
    return aliases | {row.name.lower(): row for row in rows}


_PLACE = (
    r"^(?:arn:.*/|ft:|models/|(?:projects/.*/)?publishers/[^/]+/models/|(?:google|pro)/)?"
    r"(?:(?:[a-z]{2,6}(?:-gov)?\.)?(?:anthropic|amazon|meta|mistral|cohere|openai)\.(?=[a-z]))?"
)
"""What clouds put before a name: Bedrock's vendor and region, Vertex's publisher, fine-tuned."""
_EDITION = r"(?:-v\d+(?::\d+)?(?::\d+k)?|:(?:nitro|floor|exacto|online)|(?<=\d):[^/]*:[^/]*)$"
"""What they put after it: Bedrock's version, OpenRouter's routing, whose fine-tuned model it is."""
_DAY = r"(?:0[1-9]|[12]\d|3[01])"
_MONTH = r"(?:0[1-9]|1[0-2])"
_DATE = rf"(?:[-@]20\d\d-?{_MONTH}-?{_DAY}|-2\d{_MONTH}{_DAY}|-{_MONTH}{_DAY}|[-@]latest)$"
"""A snapshot's date: 2025-08-07, 20250929, 250615, 0709."""


def _forms(name: str) -> Iterator[str]:
    """The name, and what it may be a form of, the nearest first."""
    yield name
    bare = re.sub(_EDITION, "", re.sub(_PLACE, "", name))
    yield bare
    yield re.sub(_DATE, "", bare)

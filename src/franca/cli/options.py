"""The options that several commands have, each written once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer


def _backends(incomplete: str) -> Iterator[str]:
    """For the shell's completion."""
    from franca.types.enums import BackendType

    return (name.value for name in BackendType if name.value.startswith(incomplete))


SettingsFile = Annotated[
    Path | None,
    typer.Option(
        "--settings",
        metavar="FILE",
        help="A settings file; without it, what FRANCA_SETTINGS names.",
    ),
]
NoSettings = Annotated[
    Path | None,
    typer.Option(
        "--settings", metavar="FILE", help="Taken as by every command; it changes nothing here."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="JSON for programs.")]
Backend = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="The vendor.", autocompletion=_backends),
]
OnlyBackend = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Only this backend.", autocompletion=_backends),
]
OnlyModel = Annotated[str | None, typer.Option(metavar="NAME", help="Only this model.")]
Model = Annotated[str | None, typer.Option(metavar="NAME", help="The model.")]
System = Annotated[str | None, typer.Option(metavar="TEXT", help="What the model is told first.")]
MaxTokens = Annotated[
    int | None, typer.Option(metavar="N", help="The most tokens of an answer.", min=1)
]
Timeout = Annotated[
    float, typer.Option(metavar="SECONDS", help="Seconds for each question.", min=0.1)
]
AtOnce = Annotated[int, typer.Option(metavar="N", help="Endpoints asked at once.", min=1)]

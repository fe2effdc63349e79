"""`settings check`, `settings show`, `settings schema` and `settings init`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from franca.cli.command import FAILED, UNUSABLE, Group, clean
from franca.cli.options import AsJson, NoSettings, SettingsFile

app = typer.Typer(
    cls=Group,
    help="Check, show or begin a settings file.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_File = Annotated[Path | None, typer.Argument(metavar="FILE", help="The same as --settings FILE.")]
_Written = Annotated[
    Path | None,
    typer.Option(
        "--settings",
        "--output",
        "-o",
        metavar="FILE",
        help="What to write: its name ends in .json or .yaml. settings.json by default.",
    ),
]


def _one(file: Path | None, settings: Path | None) -> Path | None:
    """The file, which may be named in either way."""
    if file and settings and file != settings:
        raise typer.BadParameter("FILE and --settings name two files; give one of them")
    return file or settings


@app.command()
@clean
def check(
    file: _File = None,
    settings: SettingsFile = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="What would only warn is a problem.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List all that is wrong with a file.

    Each problem has its path and, for a name that does not exist, the nearest that does. Nothing
    is called. Exit status 2 where there is one.
    """
    from franca.cli import settings_file

    report = settings_file.check(_one(file, settings), strict=strict)
    settings_file.show_check(report, as_json=as_json)
    if not report.ok:
        raise typer.Exit(UNUSABLE)


@app.command()
@clean
def show(
    file: _File = None,
    settings: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """Show the document and where its models are.

    Every key is ***; references such as ${env:OPENAI_API_KEY} stay.
    """
    from franca.cli import settings_file
    from franca.cli.source import given

    settings_file.show(given(_one(file, settings)), as_json=as_json)


@app.command()
@clean
def schema(settings: NoSettings = None, as_json: AsJson = False) -> None:
    """Print the JSON schema of settings files, for an editor."""
    import json

    from franca.cli.command import emit
    from franca.settings import json_schema

    emit(json_schema()) if as_json else typer.echo(json.dumps(json_schema(), indent=2))


@app.command()
@clean
def init(
    settings: _Written = None,
    force: Annotated[bool, typer.Option("--force", help="Write over what is there.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write a first file from the keys in the environment.

    The file names the variables, as in ${env:OPENAI_API_KEY}; no key is written.
    """
    from franca.cli import first_file

    found, output = first_file.keyed(), settings or Path("settings.json")
    if found:
        first_file.write(first_file.document(found), output, force=force)
    first_file.show(found, output, as_json=as_json)
    if not found:
        raise typer.Exit(FAILED)

"""What every command shares: errors as one message, exit statuses, JSON, a terminal's text."""

from __future__ import annotations

import errno
import functools
import json
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import Any, ParamSpec, TextIO, TypeVar

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from franca.errors import FrancaError, SettingsError

FAILED, UNUSABLE = 1, 2
_P = ParamSpec("_P")
_R = TypeVar("_R")
_UNSEEN = dict.fromkeys((*range(32), *range(127, 160)), "\ufffd")
_PLAIN = {**_UNSEEN, ord("\n"): "\n", ord("\t"): "\t", ord("\r"): None}


class Group(TyperGroup):
    """Commands under one name.

    Typer loads pydantic to read a flag whose default is None, and reads --help and those of the
    shell's completion before any command: False spares each --help half of its time.
    """

    def get_params(self, ctx: Any) -> list[Any]:
        params = super().get_params(ctx)
        for param in params:
            param.default = False if param.default is None else param.default
        return params

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except TyperException as error:
            if ctx.parent is None and "--json" in sys.argv:
                emit({"error": {"type": "UsageError", "message": error.format_message()}})
            raise


def clean(command: Callable[_P, _R]) -> Callable[_P, _R]:
    """The command, with franca's own errors shown as one message and told by the exit status.

    With `--json` they are a JSON object on stdout too, as wrong usage is.
    """

    @functools.wraps(command)
    def run(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        vars(warnings)["showwarning"] = _shown  # as the module's documentation says to
        try:
            return command(*args, **kwargs)
        except FrancaError as error:
            note(f"franca: {error}")
            if kwargs.get("as_json"):
                emit({"error": problem(error)})
            raise typer.Exit(UNUSABLE if isinstance(error, SettingsError) else FAILED) from None
        except OSError as error:
            if error.errno == errno.EPIPE:  # whoever read it has enough: Typer ends quietly
                raise
            note(f"franca: {error}")
            if kwargs.get("as_json"):
                with suppress(OSError):  # it may be stdout that fails
                    emit({"error": problem(error)})
            raise typer.Exit(FAILED) from None

    return run


class ReadError(FrancaError):
    """A file, or stdin, that cannot be read."""


def piped() -> str:
    """All that stdin says. Raises ReadError where it is no UTF-8."""
    try:
        return sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ReadError("stdin: not UTF-8 text") from None


def emit(value: Any) -> None:
    """JSON on stdout: indented for a terminal, else on one line, so that a file gathers lines."""
    indent = 2 if sys.stdout.isatty() else None
    typer.echo(json.dumps(value, indent=indent, ensure_ascii=False, default=str))


def problem(error: Exception) -> dict[str, Any]:
    """An error as `--json` tells it."""
    told: dict[str, Any] = {"type": type(error).__name__, "message": str(error)}
    if isinstance(error, SettingsError):
        told["problems"] = list(error.problems)
    return told


def note(text: str) -> None:
    """A line for people, on stderr."""
    typer.echo(printable(text) if sys.stderr.isatty() else text, err=True)


def after_ctrl_c() -> None:
    """A new line for the shell, after the ^C that its terminal shows."""
    if sys.stderr.isatty():
        note("")


def printable(text: str) -> str:
    """The text without what would steer a terminal: a model's words may hold escape sequences."""
    return text.translate(_PLAIN)


def _shown(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """A warning without the line of code that gave it, which is nobody's here."""
    note(f"franca: {message}")

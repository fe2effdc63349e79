"""What the benchmarks' command lines share: options, peers, a table to read, the results."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, Protocol


class Row(Protocol):
    """A line of the results: a dataclass, written out whole."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def met(self) -> bool: ...


def parser(description: str, *, quick: str, only: str, peers: list[str]) -> argparse.ArgumentParser:
    """The options that each has; `quick` and `only` say what these two do there.

    `peers` are the libraries that `--peer NAME=PYTHON` may name.
    """
    options = argparse.ArgumentParser(description=description)
    options.add_argument("--quick", action="store_true", help=quick)
    options.add_argument("--check", action="store_true", help="exit status 1 if a bar is missed")
    options.add_argument("--json", type=Path, metavar="FILE", help="the results, for a machine")
    options.add_argument("--only", default="", help=only)
    options.add_argument(
        "--peer", type=_peer(peers), action="append", default=[], metavar="NAME=PYTHON",
        help="one more library, under the Python that has it",
    )  # fmt: skip
    return options


def _peer(known: list[str]) -> Callable[[str], tuple[str, str]]:
    def peer(text: str) -> tuple[str, str]:
        name, _, python = text.partition("=")
        if name not in known:
            raise argparse.ArgumentTypeError(f"no peer {name!r}: known are {', '.join(known)}")
        if not os.access(python, os.X_OK):
            raise argparse.ArgumentTypeError(f"{name}: {python!r} is not a Python to run")
        return name, python

    return peer


def aligned(lines: Sequence[Sequence[str]], left: Iterable[int] = (0,)) -> str:
    """The cells in columns, the `left` ones to the left."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(_line(line, widths, set(left)) for line in lines)


def _line(cells: Sequence[str], widths: list[int], left: set[int]) -> str:
    padded = [
        cell.ljust(width) if place in left else cell.rjust(width)
        for place, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return "  ".join(padded).rstrip()


def conclude(rows: Sequence[Row], options: argparse.Namespace) -> int:
    """Write the results where that was asked for; the exit status."""
    if options.json:
        results = [{**asdict(row), "met": row.met} for row in rows]
        options.json.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    return 1 if options.check and not all(row.met for row in rows) else 0

"""Rows on a terminal: a table where it is wide enough for one, else a few lines for each row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

Cell = str | Text
_ENDLESS = 10_000


@dataclass(slots=True, frozen=True)
class Columns:
    """What the cells of a row are.

    Args:
        names: what says whose row it is.
        figures: the rest, empty cells of which are left out where there is no table. `right`: how
            many of them are numbers, and stand to the right.
    """

    names: Sequence[str]
    figures: Sequence[str]
    right: int = 0


def show(columns: Columns, rows: Iterable[Sequence[Cell]], total: Sequence[Cell] = ()) -> None:
    """Print them. `total`: a last row, the sum of the others."""
    console, every = Console(highlight=False), list(rows)
    table = _table(columns, every, total)
    needed = Measurement.get(console, console.options.update(max_width=_ENDLESS), table).maximum
    fits = needed <= console.width
    if fits:
        console.print(table)
        return
    for line in _lines(columns, [*every, total] if total else every, console):
        console.print(line, soft_wrap=True)


def _table(columns: Columns, rows: Iterable[Sequence[Cell]], total: Sequence[Cell]) -> Table:
    table = Table(*columns.names, box=SIMPLE_HEAD, show_footer=bool(total))
    for i, heading in enumerate(columns.figures):
        table.add_column(heading, justify="right" if i < columns.right else "left")
    for column, cell in zip(table.columns, total, strict=False):
        column.footer = cell
    for row in rows:
        table.add_row(*row)
    return table


def _lines(columns: Columns, rows: Iterable[Sequence[Cell]], console: Console) -> Iterator[Text]:
    """For a terminal each cell is folded beside its heading; piped on, it stays on its line."""
    count, width = len(columns.names), max(map(len, columns.figures))
    indent = width + 4
    room = max(console.width - indent, 1) if console.is_terminal else _ENDLESS
    for row in rows:
        yield Text(" ".join(str(cell) for cell in row[:count] if cell), "bold")
        for heading, cell in zip(columns.figures, row[count:], strict=True):
            if cell:
                folded = Text.assemble(cell).wrap(console, room, overflow="fold")
                body = Text("\n" + " " * indent).join(folded)
                yield Text.assemble(f"  {heading:<{width}}  ", body)

"""Tables that fit: no word or number is ever broken, whatever the width."""

from collections.abc import Sequence
from textwrap import wrap

from rich.cells import cell_len
from rich.console import Console, JustifyMethod
from rich.table import Column, Table
from rich.text import Text

from ensemble_kit.cli.console import results

GAP = 2
"""Blanks between columns."""
PROSE = 30
"""Width at which a column of prose is broken between words."""


def table(*heads: str, title: str = "", numbers: bool = True) -> Table:
    """An empty table of the one look that all commands share.

    heads : the first column is left, the others right (numbers) or left.
    """
    drawn = Table(title=title or None)
    for place, head in enumerate(heads):
        drawn.add_column(head, justify="right" if place and numbers else "left")
    return drawn


def show(drawn: Table, console: Console | None = None) -> None:
    """Print a table within the console's width.

    Headings break between words only; columns that do not fit follow below with the first column
    repeated, under the same title. A single column that is wider than the console is not cut.
    """
    console = console or results
    columns = [_Whole(column) for column in drawn.columns]
    if not columns:
        return
    if drawn.title:
        console.print(str(drawn.title), markup=False, soft_wrap=True)
    parts = _parts([column.whole_width for column in columns], console.width)
    broken = len(parts) > 1
    if broken:
        parts = _parts([column.width for column in columns], console.width)
    for number, part in enumerate(parts):
        if number:
            console.print()
        _print(console, [columns[i] for i in part], drawn.show_header, broken=broken)


class _Whole:
    """A column as plain lines. width : of its widest unbreakable piece; whole_width : of its
    widest line, the heading unbroken.

    The cells of a column with a ``ratio`` are prose, broken between words beyond ``PROSE``.
    """

    def __init__(self, column: Column) -> None:
        self.justify: JustifyMethod = column.justify
        self.head = _plain(column.header)
        self.cells = [_text(cell) for cell in column.cells]
        if column.ratio:
            self.cells = [Text("\n".join(wrap(cell.plain, PROSE))) for cell in self.cells]
        lines = [line for cell in self.cells for line in cell.plain.splitlines()]
        words = self.head.split()
        self.width = max((cell_len(piece) for piece in [*lines, *words]), default=0)
        self.whole_width = max(self.width, cell_len(self.head))


def _parts(widths: Sequence[int], most: int) -> list[list[int]]:
    """Columns of each table: the first in all of them, the others in order, as many as fit."""
    parts: list[list[int]] = []
    used = most + 1
    for place in range(1, len(widths)):
        if used + GAP + widths[place] > most:
            parts.append([0])
            used = widths[0]
        parts[-1].append(place)
        used += GAP + widths[place]
    return parts or [[0]]


def _print(console: Console, columns: Sequence[_Whole], with_heads: bool, *, broken: bool) -> None:
    shown = Table(box=None, pad_edge=False, show_header=with_heads, padding=(0, GAP, 0, 0))
    for column in columns:
        width = column.width if broken else column.whole_width
        head = Text("\n".join(wrap(column.head, max(width, 1), break_long_words=False)))
        shown.add_column(head, justify=column.justify, no_wrap=True, width=width)
    for row in zip(*(column.cells for column in columns), strict=True):
        shown.add_row(*row)
    kept = console.width
    console.width = max(kept, sum(column.whole_width + GAP for column in columns))
    console.print(shown, soft_wrap=False)
    console.width = kept


def _plain(cell: object) -> str:
    return cell.plain if isinstance(cell, Text) else str(cell)


def _text(cell: object) -> Text:
    """A cell without markup: a name with brackets stays what it is."""
    return cell if isinstance(cell, Text) else Text(str(cell))

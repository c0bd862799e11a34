"""Tables that fit: no word or number is ever broken, whatever the width.

A table that is too wide is changed in this order, and as little as is needed: headings break
between words; prose does too; intervals go under their values; columns that may be spared are left
out, with a line that names the file that holds them; the other columns follow below, with the
first column repeated; the first column's names stand on lines of their own.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from ensemble_kit.core.names import escaped
from ensemble_kit.progress.console import columns_of, results, wrapped

GAP = 2
"""Blanks between columns."""
PROSE = 24
"""Width that a column of prose keeps where there is room for it."""
HEAD = "bold"


@dataclass
class Table:
    """Columns with headings and rows of words.

    heads : the first column is left, the others right (``numbers``) or left. left, prose, spare :
    places of columns that are left all the same; whose cells may break between words; that may be
    left out where there is no room, being in the file ``kept_in``.
    """

    heads: Sequence[str]
    title: str = ""
    numbers: bool = True
    left: Sequence[int] = ()
    prose: Sequence[int] = ()
    spare: Sequence[int] = ()
    kept_in: str = ""
    rows: list[tuple[str, ...]] = field(default_factory=list)

    def add_row(self, *cells: str) -> None:
        assert len(cells) == len(self.heads)
        self.rows.append(cells)


def table(
    *heads: str, title: str = "", numbers: bool = True, left: Sequence[int] = (),
    prose: Sequence[int] = (), spare: Sequence[int] = (), kept_in: str = "",
) -> Table:  # fmt: skip
    """An empty table of the one look that all commands share; see :class:`Table`."""
    return Table(heads, title, numbers, left, prose, spare, kept_in)


def facts(*pairs: tuple[str, str]) -> Table:
    """Names and what they are, a row each, without headings."""
    return Table(("", ""), numbers=False, prose=(1,), rows=list(pairs))


def show(drawn: Table, console: Console | None = None) -> None:
    """Print a table within the console's width, after an empty line."""
    console = console or results
    console.print()
    for line in lines_of(drawn, columns_of(console)):
        console.print(line, soft_wrap=True)


def lines_of(drawn: Table, width: int) -> list[Text]:
    """The lines of a table, none wider than ``width`` but where one word is."""
    title = [Text(line, HEAD) for line in wrapped(drawn.title, width).split("\n") if drawn.title]
    columns = [_column(drawn, place) for place in range(len(drawn.heads))]
    ways: list[tuple[list[_Column], list[Text]]] = [(columns, [])]
    if drawn.spare:
        rest = [column for place, column in enumerate(columns) if place not in drawn.spare]
        ways.append((rest, _left_out(drawn, width)))
    for chosen, note in ways:
        for changed in _changes(chosen, width):
            if _whole(changed) <= width:
                return [*title, *_block(changed), *note]
    chosen, note = ways[-1]
    narrow = [column.headed().under().fitted(width - 2 * GAP) for column in chosen]
    widest = max((column.width for column in narrow[1:]), default=0)
    beside = narrow[0].width + GAP + widest <= width
    return [*title, *(_repeated if beside else _named)(narrow, width), *note]


@dataclass(frozen=True)
class _Column:
    """head, cells : of lines. right : to the right. prose : cells may break between words."""

    head: tuple[str, ...]
    cells: tuple[tuple[str, ...], ...]
    right: bool
    prose: bool

    @property
    def width(self) -> int:
        return max(
            (cell_len(line) for cell in (self.head, *self.cells) for line in cell), default=0
        )

    def headed(self) -> "_Column":
        """The heading broken between words, as far as the cells let it."""
        words = " ".join(self.head).split()
        cells = (line for cell in self.cells for line in cell)
        least = max(map(cell_len, (*words, *cells)), default=0)
        return replace(self, head=tuple(wrapped(" ".join(self.head), least).split("\n")))

    def under(self) -> "_Column":
        """Intervals under their values."""
        if self.prose:
            return self
        cells = (tuple("\n".join(cell).replace(" [", "\n[").split("\n")) for cell in self.cells)
        return replace(self, cells=tuple(cells)).headed()

    def fitted(self, width: int) -> "_Column":
        """Prose broken between words."""
        if not self.prose:
            return self
        cells = (wrapped("\n".join(cell), max(width, 1)).split("\n") for cell in self.cells)
        return replace(self, cells=tuple(tuple(cell) for cell in cells))


def _column(drawn: Table, place: int) -> _Column:
    cells = tuple(tuple(map(escaped, str(row[place]).split("\n"))) for row in drawn.rows)
    right = bool(place) and drawn.numbers and place not in (*drawn.left, *drawn.prose)
    return _Column((escaped(drawn.heads[place]),), cells, right, place in drawn.prose)


def _whole(columns: Sequence[_Column]) -> int:
    return sum(column.width for column in columns) + GAP * (len(columns) - 1)


def _changes(columns: list[_Column], width: int) -> Iterator[list[_Column]]:
    """The columns as they are, then narrower and narrower."""
    yield columns
    yield [column.headed() for column in columns]
    for made in ([column.headed() for column in columns], [column.under() for column in columns]):
        prose = [column for column in made if column.prose]
        others = _whole([column for column in made if not column.prose]) + GAP * len(prose)
        if prose and (room := (width - others) // len(prose)) >= PROSE - len(prose):
            yield [column.fitted(room) for column in made]
        yield made


def _block(columns: Sequence[_Column], indent: int = 0) -> Iterator[Text]:
    """Headings (unless all are empty), then the rows."""
    if any(line for column in columns for line in column.head):
        yield from _row(columns, [column.head for column in columns], indent, HEAD)
    for cells in zip(*(column.cells for column in columns), strict=True):
        yield from _row(columns, cells, indent)


def _row(
    columns: Sequence[_Column], cells: Sequence[tuple[str, ...]], indent: int, style: str = ""
) -> Iterator[Text]:
    for number in range(max(map(len, cells))):
        line = " " * indent
        for column, cell in zip(columns, cells, strict=True):
            piece = cell[number] if number < len(cell) else ""
            blanks = " " * (column.width - cell_len(piece))
            line += (blanks + piece if column.right else piece + blanks) + " " * GAP
        yield Text(line.rstrip(), style)


def _repeated(columns: Sequence[_Column], width: int) -> Iterator[Text]:
    """One table below the other, the first column in each."""
    first, others = columns[0], list(columns[1:])
    for number, part in enumerate(_parts(others, width - first.width - GAP)):
        if number:
            yield Text()
        yield from _block([first, *part])


def _named(columns: Sequence[_Column], width: int) -> Iterator[Text]:
    """One table below the other; each row's name stands on a line of its own, above its values."""
    first, others = columns[0], list(columns[1:])
    for number, part in enumerate(_parts(others, width - GAP)):
        if number:
            yield Text()
        heads = _row(part, [column.head for column in part], GAP, HEAD)
        lines = wrapped(" ".join(first.head), width).split("\n")
        yield from (line for line in (*(Text(line, HEAD) for line in lines), *heads) if line.plain)
        for row, name in enumerate(first.cells):
            yield from (Text(line) for piece in name for line in wrapped(piece, width).split("\n"))
            yield from _row(part, [column.cells[row] for column in part], GAP)


def _parts(columns: Sequence[_Column], width: int) -> list[list[_Column]]:
    """As many columns as fit, then as many again."""
    parts: list[list[_Column]] = []
    for column in columns:
        if not parts or _whole([*parts[-1], column]) > width:
            parts.append([])
        parts[-1].append(column)
    return parts


def _left_out(drawn: Table, width: int) -> list[Text]:
    names = [drawn.heads[place] for place in drawn.spare]
    told = f"{names[0]} … {names[-1]}" if len(names) > 3 else ", ".join(names)
    text = f"left out at this width: {told} ({drawn.kept_in})"
    return [Text(line) for line in wrapped(text, width).split("\n")]

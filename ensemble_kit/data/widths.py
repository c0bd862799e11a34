"""Tables of text whose rows have as many cells as their header."""

import csv
from io import StringIO
from pathlib import Path

import numpy as np

from ensemble_kit.core.errors import DataError, count, some
from ensemble_kit.data.binary_tables import check_extent

SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}


def check_cells(path: Path, text: str, separator: str) -> None:
    """Every row has as many cells as the header: a shorter one would be filled up in silence."""
    widths = (_widths if '"' in text else _plain_widths)(path, text, separator)
    if not widths:
        return
    n_cells = widths[0][1]
    check_extent(path, text.count("\n"), n_cells)
    wrong = [f"line {line} ({cells})" for line, cells in widths if cells != n_cells]
    if not wrong:
        return
    other = [
        word
        for mark, word in SEPARATORS.items()
        if mark != separator and text.count(mark) > len(wrong)
    ]
    mixed = f" (parted by {SEPARATORS[separator]}s; there are {other[0]}s too)" if other else ""
    raise DataError(
        f"{path}: not a table: the header has {count(n_cells, 'cell')}, otherwise "
        f"{some(wrong)}{mixed}{_open_quote(text)}; give every row as many cells, empty where "
        "nothing is known"
    )


def _plain_widths(path: Path, text: str, separator: str) -> list[tuple[int, int]]:
    """(line, cells) of the first row and of those of other widths, where no cell is quoted:
    counted over all bytes at once."""
    data = np.frombuffer(text.encode() + b"\n", np.uint8)
    ends = np.flatnonzero(data == ord("\n"))
    starts = np.concatenate([[0], ends[:-1] + 1])
    marks = np.flatnonzero(data == ord(separator))
    edges = np.flatnonzero((data == ord("\n")) | (data == ord(separator)))
    lengths = np.diff(edges, prepend=-1)
    if int(lengths.max()) > csv.field_size_limit():
        raise _endless(path, text, int(np.searchsorted(ends, edges[lengths.argmax()])) + 1)
    cells = np.searchsorted(marks, ends) - np.searchsorted(marks, starts) + 1

    def blank(row: int) -> bool:
        return not data[starts[row] : ends[row]].tobytes().strip()

    first = next((row for row in range(len(ends)) if not blank(row)), -1)
    if first < 0:
        return []
    odd = [row for row in np.flatnonzero(cells != cells[first]).tolist() if not blank(row)]
    return [(row + 1, int(cells[row])) for row in (first, *odd)]


def _widths(path: Path, text: str, separator: str) -> list[tuple[int, int]]:
    """(line, cells) of every row that is not blank; the last line of a quoted row counts."""
    reader = csv.reader(StringIO(text, newline=""), delimiter=separator)
    widths = []
    try:
        for row in reader:
            if row and not (len(row) == 1 and not row[0].strip()):
                widths.append((reader.line_num, len(row)))
    except csv.Error as error:
        if "field limit" in str(error):
            raise _endless(path, text, reader.line_num) from None
        raise DataError(
            f"{path}: not a table (line {reader.line_num}: {error}); mend that line"
        ) from None
    return widths


def _endless(path: Path, text: str, line: int) -> DataError:
    return DataError(
        f"{path}: not a table: line {line} has a cell of more than {csv.field_size_limit():,} "
        f"letters{_open_quote(text)}; mend that line"
    )


def _open_quote(text: str) -> str:
    return "; a quote is not closed" if text.count('"') % 2 else ""

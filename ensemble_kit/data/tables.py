"""The one reader of tables: CSV with any separator, parquet, npz; every cell a stripped str.

Nothing is guessed in silence: what a reading supposed is said in :attr:`TableRead.notes`.
"""

import csv
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass
from io import BytesIO, StringIO
from pathlib import Path
from unicodedata import normalize

import pandas as pd

from ensemble_kit.core.errors import DataError, count, some
from ensemble_kit.core.regular import check_regular
from ensemble_kit.data.binary_tables import read_npz, read_parquet
from ensemble_kit.data.no_text import refuse_binary
from ensemble_kit.data.widths import SEPARATORS, check_cells

SUFFIXES = (".csv", ".tab", ".tsv", ".txt")
BINARY = {".parquet": read_parquet, ".pq": read_parquet, ".npz": read_npz}
DECIMAL = r"[-+]?\d*(?:,\d+)?(?:[eE][-+]?\d+)?"
OLD = "Windows-1252"
LOOK = 50
"""Lines by which the separator is told."""


@dataclass(frozen=True, eq=False)
class TableRead:
    """frame : every cell a stripped str, ``""`` where there is none. notes : what was supposed.
    headed : False where the first line was
    data and the columns are called column_1, column_2 …"""

    frame: pd.DataFrame
    notes: tuple[str, ...] = ()
    headed: bool = True


def read_rows(path: Path) -> pd.DataFrame:
    """The frame alone of :func:`read_table`."""
    return read_table(path).frame


def read_table(path: Path, known: Collection[str] = ()) -> TableRead:
    """Read a table: .parquet and .npz by their kind, everything else as text.

    known : lower-case names of images; a first line with one of them (file ending aside) is data
    and no header. Raises DataError for a file that cannot be read, holds a NUL, is empty, has no
    rows, two columns of one name or rows of different lengths.
    """
    if path.is_dir():
        raise DataError(f"{path}: a folder is no table; give one file")
    if path.exists():
        if not path.is_file():
            raise DataError(f"{path}: a pipe, device or socket is no table; give a regular file")
        check_regular(path, DataError)
    reader = BINARY.get(path.suffix.lower())
    if reader:
        frame, notes = reader(path)
        return _finished(path, frame, list(notes))
    text, notes = _text(path)
    if not text.strip():
        raise DataError(
            f"{path}: the file is empty, but a table has a header line and a row for each image; "
            "give the whole file"
        )
    text, said, more = _without_preamble(path, text)
    notes += more
    separator = said or _separator(text)
    if separator != ",":
        notes.append(f"{path.name}: its cells are parted by {SEPARATORS[separator]}s")
    frame = _parse(path, text, separator)
    first = [str(cell) for cell in frame.iloc[0]]
    headed = not any(_stem(cell) in known for cell in first)
    if headed:
        frame = pd.DataFrame(frame.iloc[1:].reset_index(drop=True))
        frame.columns = pd.Index(first)
    else:
        frame.columns = pd.Index([f"column_{place}" for place in range(1, len(first) + 1)])
        notes.append(
            f"{path.name}: no header line ({first[0]} is an image): its first line is data"
        )
    if separator == ";":
        frame, more = _with_points(path, frame)
        notes += more
    return _finished(path, frame, notes, headed)


def read_numbers(path: Path, id_column: Callable[[list[str]], str]) -> pd.DataFrame:
    """A text table of numbers and one column of ids, in UTF-8, or UTF-16 with its mark.

    id_column : names of columns -> the one of ids. Numbers are parsed as such, which is faster
    than :func:`read_table`'s cells of text. Raises DataError, or ValueError where the parser gives
    up.
    """
    text, notes = _text(path)
    if any(note.endswith(OLD) for note in notes):
        raise DataError(f"{path}: is not UTF-8 text; save the table as UTF-8")
    text, said, _ = _without_preamble(path, text)
    separator = said or _separator(text)
    content = text.encode("utf-8")
    del text
    head = pd.read_csv(BytesIO(content), sep=separator, nrows=0).columns
    ids = id_column([str(name) for name in head])

    def parsed(decimal: str) -> pd.DataFrame:
        return pd.read_csv(BytesIO(content), sep=separator, decimal=decimal, dtype={ids: str})

    frame = parsed(".")
    texts = [name for name in frame.columns if name != ids and frame[name].dtype.kind not in "fiub"]
    return parsed(",") if separator == ";" and texts else frame


def _without_preamble(path: Path, text: str) -> tuple[str, str, list[str]]:
    """The text without Excel's line ``sep=;`` and lines of comment before the header, the
    separator that was named, and notes."""
    separator, lines, notes = "", 0, []
    while True:
        first, _, rest = text.partition("\n")
        line = first.strip(" ")
        if line[:4].lower() == "sep=" and line[4:5] in SEPARATORS and rest:
            separator = line[4:5]
        elif line.startswith("#") and rest:
            lines += 1
        else:
            break
        text = rest
    if lines:
        notes.append(
            f"{path.name}: {count(lines, 'line')} of comment (#) before the header left out"
        )
    return text, separator, notes


def _stem(cell: str) -> str:
    name = cell.replace("\\", "/").rpartition("/")[2].lower()
    stem, dot, _ = name.rpartition(".")
    return stem if dot and stem else name


def _text(path: Path) -> tuple[str, list[str]]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    text, notes = _decoded(path, content)
    text = text.lstrip("\ufeff")
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise DataError(f"{path}: line {line} holds a NUL character; names are plain text")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text, notes


def _decoded(path: Path, content: bytes) -> tuple[str, list[str]]:
    """By its byte-order mark; without one UTF-8, else Windows-1252, which is said."""
    refuse_binary(path, content)
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        try:
            return content.decode("utf-16"), [f"{path.name}: read as UTF-16"]
        except UnicodeDecodeError:
            raise DataError(
                f"{path}: begins like UTF-16 but is not; save the table as UTF-8"
            ) from None
    halves = content[:200]
    if len(halves) > 3 and halves[1::2].count(0) > len(halves) // 3:
        try:
            return content.decode("utf-16-le"), [f"{path.name}: read as UTF-16"]
        except UnicodeDecodeError:
            pass
    try:
        return content.decode("utf-8-sig"), []
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
    try:
        said = f"{path.name}: line {line} is not UTF-8; the file was read as {OLD}"
        return content.decode("cp1252"), [said]
    except UnicodeDecodeError:
        raise DataError(f"{path}: line {line} is not UTF-8 text; save the table as UTF-8") from None


def _separator(text: str) -> str:
    """The separator whose cells are as many in the first lines as in the header; else the one
    the header has most of."""
    lines = [line for line in text[: 1 << 18].split("\n")[: LOOK + 1] if line.strip()][:LOOK]
    counts: dict[str, int] = {}
    steady = []
    for separator in SEPARATORS:
        try:
            widths = [len(row) for row in csv.reader(lines, delimiter=separator)]
        except csv.Error:
            continue
        counts[separator] = widths[0] if widths else 0
        if widths and widths[0] > 1 and len(set(widths)) == 1:
            steady.append(separator)
    if steady:
        return max(steady, key=lambda separator: counts[separator])
    most = max(counts, key=lambda separator: counts[separator], default=",")
    return most if counts.get(most, 0) > 1 else ","


def _parse(path: Path, text: str, separator: str) -> pd.DataFrame:
    check_cells(path, text, separator)
    try:
        frame = pd.read_csv(
            StringIO(text), sep=separator, header=None, dtype=str, keep_default_na=False
        )
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise DataError(
            f"{path}: not a table ({str(error).strip()}); a CSV has one header line and as many "
            "cells in every row"
        ) from None
    stripped = {name: frame[name].fillna("").str.strip() for name in frame.columns}
    return pd.DataFrame(stripped)


def _finished(path: Path, frame: pd.DataFrame, notes: list[str], headed: bool = True) -> TableRead:
    """Blank rows and nameless blank columns of a spreadsheet, and pandas' index, left out."""
    if len(frame):
        filled = (frame != "").any(axis=1)
        if not filled.all():
            notes.append(f"{path.name}: {count(int((~filled).sum()), 'blank row')} left out")
            frame = frame[filled].reset_index(drop=True)
    frame.columns = pd.Index([normalize("NFC", str(name)) for name in frame.columns])
    nameless = [place for place, name in enumerate(frame.columns) if not str(name)]
    blank = [place for place in nameless if frame.iloc[:, place].eq("").all()]
    index = [p for p in nameless if p not in blank and p == 0 and _is_index(frame.iloc[:, 0])]
    if blank:
        notes.append(f"{path.name}: {count(len(blank), 'blank column')} without a name left out")
    if index:
        notes.append(f"{path.name}: its first column has no name and counts the rows: left out")
    keep = [place for place in range(frame.shape[1]) if place not in (*blank, *index)]
    frame = frame.iloc[:, keep]
    twice = sorted(name for name, times in Counter(map(str, frame.columns)).items() if times > 1)
    if any("." in name and is_number(name) for name in twice):
        raise DataError(
            f"{path}: its first line has numbers ({some(twice, 3)}) where names of columns belong: "
            "add a header line"
        )
    if twice:
        raise DataError(
            f"{path}: column {some(name or repr(name) for name in twice)} appears "
            "twice; give every column one name"
        )
    if frame.empty:
        raise DataError(
            f"{path}: a header with no rows below it, but a table has a row for each image; "
            "give the whole file"
        )
    return TableRead(frame, tuple(notes), headed)


def _with_points(path: Path, frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Columns of numbers written 0,5 with a point, where cells are parted by semicolons."""
    made = {}
    for place in range(frame.shape[1]):
        cells = frame.iloc[:, place]
        filled = cells[cells != ""]
        if filled.str.contains(",", regex=False).any() and filled.str.fullmatch(DECIMAL).all():
            made[place] = cells.str.replace(",", ".", regex=False)
    if not made:
        return frame, []
    columns = [made.get(place, frame.iloc[:, place]) for place in range(frame.shape[1])]
    out = pd.concat(columns, axis=1)
    out.columns = frame.columns
    named = some(str(frame.columns[place]) for place in made)
    return out, [f"{path.name}: numbers with a comma (0,5) read as 0.5 in {named}"]


def is_number(text: str) -> bool:
    """Whether a cell is a number as Python reads one."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def _is_index(values: "pd.Series[str]") -> bool:
    return bool(values.str.fullmatch(r"\d+").all() and values.is_unique)

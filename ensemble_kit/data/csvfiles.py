"""Reading a table of text as it stands: no guessed types, no silent repair."""

import csv
from io import StringIO
from pathlib import Path

import pandas as pd

from ensemble_kit.core.errors import DataError, count, some

MISSING = frozenset({"", "nan", "na", "n/a", "none", "null", "unknown"})
"""What metadata columns say (in any case) where they know nothing."""


def read_rows(path: Path) -> pd.DataFrame:
    """The rows of a CSV (or tab-separated ``.tab``, ``.tsv``) file, every cell a stripped str.

    Raises DataError for a file that cannot be read, is not UTF-8, holds a NUL, is empty, has
    no rows, two columns of one name or rows of different lengths.
    """
    try:
        content = path.read_bytes()
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise DataError(f"{path}: line {line} is not UTF-8 text; save the table as UTF-8") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise DataError(f"{path}: line {line} holds a NUL character; names are plain text")
    if not text.strip():
        raise DataError(
            f"{path}: the file is empty, but a table has a header line and a row for each image; "
            "give the whole file"
        )
    return _parse(path, text)


def _parse(path: Path, text: str) -> pd.DataFrame:
    first = text.split("\n", 1)[0]
    separator = "\t" if "\t" in first and "," not in first else ","
    _check_cells(path, text, separator)
    try:
        frame = pd.read_csv(
            StringIO(text), sep=separator, header=None, dtype=str, keep_default_na=False
        )
    except pd.errors.ParserError as error:
        raise DataError(
            f"{path}: not a table ({str(error).strip()}); a CSV has one header line and as many "
            "cells in every row"
        ) from None
    frame = frame.fillna("").apply(lambda column: column.str.strip())
    header = [str(name) for name in frame.iloc[0]]
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise DataError(f"{path}: column {some(twice)} appears twice; give every column one name")
    frame = pd.DataFrame(frame.iloc[1:].reset_index(drop=True))
    frame.columns = pd.Index(header)
    if frame.empty:
        raise DataError(
            f"{path}: a header with no rows below it, but a table has a row for each image; "
            "give the whole file"
        )
    return frame


def _check_cells(path: Path, text: str, separator: str) -> None:
    """Every row has as many cells as the header: a shorter one would be filled up in silence."""
    reader = csv.reader(StringIO(text, newline=""), delimiter=separator)
    n_cells = 0
    wrong = []
    try:
        for row in reader:
            if not row or (len(row) == 1 and not row[0].strip()):
                continue
            n_cells = n_cells or len(row)
            if len(row) != n_cells:
                wrong.append(f"line {reader.line_num} ({len(row)})")
    except csv.Error as error:
        raise DataError(
            f"{path}: not a table (line {reader.line_num}: {error}); mend that line"
        ) from None
    if wrong:
        raise DataError(
            f"{path}: not a table: the header has {count(n_cells, 'cell')}, otherwise "
            f"{some(wrong)}; give every row as many cells, empty where nothing is known"
        )


def without_missing(values: "pd.Series[str]") -> "pd.Series[str]":
    """The values with every way of saying "not known" written as ``""``."""
    return values.mask(values.str.lower().isin(MISSING), "")

"""Slices: groups of images that share a value of a metadata column."""

from dataclasses import dataclass

import numpy as np

from ensemble_kit.core.errors import DataError, some
from ensemble_kit.core.records import Bools, ImageTable, Strings

USUAL = ("sex", "age", "site", "localization", "dx_type", "source")
AGE_COLUMNS = ("age", "age_approx")
AGE_EDGES = (30.0, 45.0, 60.0, 75.0)
AGE_BANDS = ("0-29", "30-44", "45-59", "60-74", "75+")
UNKNOWN = "unknown"
ONE, SEVERAL = "one", "several"
MOST_VALUES = 50


@dataclass(frozen=True, eq=False)
class Slice:
    """The images whose ``column`` has ``value``; rows : (n,) mask."""

    column: str
    value: str
    rows: Bools

    @property
    def name(self) -> str:
        return f"{self.column}={self.value}"


def make_slices(table: ImageTable, named: tuple[str, ...] = ()) -> list[Slice]:
    """Slices by the usual columns that the table has, and by every column named.

    Ages become bands (0-29, 30-44, 45-59, 60-74, 75+ years); empty values become "unknown". A
    column with a single value makes no slices. Images that are the only one of their lesion (where
    no lesion is known: of their group) form a slice, and the others: published test sets often
    hold the former alone, which are easier.
    """
    missing = [name for name in named if name not in table.slices]
    if missing:
        raise DataError(
            f"no metadata column {some(missing)} to slice by: there are "
            f"{some(table.slices) or 'none'}; name one of these"
        )
    columns = dict.fromkeys([name for name in USUAL if name in table.slices] + list(named))
    slices = []
    for column in columns:
        values = banded(column, table.slices[column])
        distinct = np.unique(values)
        if len(distinct) > MOST_VALUES and column in named:
            raise DataError(
                f"column {column!r} has {len(distinct):,} values: a column to slice by has at most "
                f"{MOST_VALUES}; group its values first"
            )
        if 1 < len(distinct) <= MOST_VALUES:
            slices += [Slice(column, str(value), values == value) for value in distinct]
    return slices + _by_photographs(table)


def _by_photographs(table: ImageTable) -> list[Slice]:
    known = table.lesions != ""
    column = "images of the lesion" if known.any() else "images of the group"
    units = table.lesions if known.any() else table.groups
    known = known if known.any() else np.ones(len(table), np.bool_)
    _, codes, sizes = np.unique(units, return_inverse=True, return_counts=True)
    single = sizes[codes] == 1
    parts = [(ONE, known & single), (SEVERAL, known & ~single), (UNKNOWN, ~known)]
    found = [Slice(column, value, rows) for value, rows in parts if rows.any()]
    return found if (known & single).any() and (known & ~single).any() else []


def banded(column: str, values: Strings) -> Strings:
    """(n,) the values as sliced by: age bands, "unknown" for the empty ones."""
    text = np.where(np.char.strip(values) == "", UNKNOWN, values)
    if column not in AGE_COLUMNS:
        return np.asarray(text, dtype=np.str_)
    return np.array([_age_band(str(value)) for value in text], dtype=np.str_)


def _age_band(value: str) -> str:
    try:
        age = float(value)
    except ValueError:
        return UNKNOWN
    if not np.isfinite(age):
        return UNKNOWN
    return AGE_BANDS[int(np.searchsorted(AGE_EDGES, age, side="right"))]

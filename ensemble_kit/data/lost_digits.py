"""Long numbers that a spreadsheet or a float has rounded: as names they may be two in one."""

import pandas as pd

from ensemble_kit.core.errors import DataError, some

ROUNDED = r"\d(\.\d+)?[eE]\+\d+|\d{16,}\.0+"
"""``1.23E+17`` of a spreadsheet, ``1.2345678901234568e+17`` and ``9007199254740993.0`` of a float:
beyond 2^53 not every whole number is a float (IEEE 754)."""


def check_digits(values: "pd.Series[str]", column: str, source: str) -> None:
    """Raise DataError where a column of ids or groups holds rounded numbers."""
    rounded = values[values.str.fullmatch(ROUNDED)]
    if len(rounded):
        raise DataError(
            f"{source}: {column} holds {some(rounded.unique(), 2)}: long numbers that a "
            "spreadsheet or a float has rounded, so that different ones became one: write the "
            "table again with this column as text"
        )

"""How tables say "not known", in any case of letters."""

import pandas as pd

from ensemble_kit.core.errors import count

BLANK = frozenset({"", "nan", "#n/a", "#na", "<na>", "nat", "-", "--", "–", "?"})
"""What programs and spreadsheets write for an empty cell: never a class."""
MISSING = BLANK | {
    "na",
    "n/a",
    "none",
    "null",
    "unknown",
    "unk",
    "not known",
    "unspecified",
    "missing",
}
"""What metadata columns say where they know nothing. A class may be called so."""
NUMBERS = frozenset({"-1", "-9", "-99", "-999", "-9999"})
"""Numbers that stand for "not known" in ids and ages."""


def without_missing(values: "pd.Series[str]", numbers: bool = False) -> "pd.Series[str]":
    """The values with every way of saying "not known" written as ``""``.

    numbers : whether -1, -99 … (also as -1.0) are such ways: in ids and ages.
    """
    gone = _missing(values, numbers)
    return values.mask(gone, "") if gone.any() else values


def without_blanks(values: "pd.Series[str]") -> "pd.Series[str]":
    """Class names with empty cells of any program as ``""``; "unknown" and "none" stay.

    A letter and its accent are one (NFC), as two systems write one name in two ways.
    """
    values = values.str.normalize("NFC")
    return values.mask(values.str.lower().isin(BLANK), "")


def said(column: str, values: "pd.Series[str]", numbers: bool = False) -> list[str]:
    """A sentence if the column spells "not known" in another way than leaving the cell empty."""
    tally = values[_missing(values, numbers) & (values != "")].value_counts()
    found = {str(value): int(times) for value, times in tally.items()}
    if not found:
        return []
    what = ", ".join(f"{value!r} ({count(times, 'image')})" for value, times in found.items())
    return [f"{column}: {what} taken for not known"]


def _missing(values: "pd.Series[str]", numbers: bool) -> "pd.Series[bool]":
    """Whether each value says "not known"."""
    plain = values.str.strip().str.lower()
    gone = plain.isin(MISSING)
    if numbers:
        negative = plain.str.startswith("-")
        if negative.any():
            gone |= negative & plain.str.replace(r"\.0+$", "", regex=True).isin(NUMBERS)
    return gone

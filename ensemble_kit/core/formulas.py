"""Names that a spreadsheet would run as a formula, were they in a table that it opens: refused when
data are read, so that no table that is written holds one."""

import re
from collections.abc import Iterable, Mapping
from unicodedata import normalize

import numpy as np
from numpy.typing import NDArray

from ensemble_kit.core.errors import DataError, EnsembleKitError, some
from ensemble_kit.core.records import ImageTable

FORMULA = re.compile(r"\s*(=|[+@-].*(\w\(|\||!))", re.DOTALL)
"""How a cell begins that a spreadsheet would run: with ``=``, or with another of its signs before a
call (``+f(``), a command (``+cmd|``) or a sheet (``+a!``). Scores and grades (``-1``, ``+``,
``-(3)``, ``+ve (old)``) are names."""
EQUAL = ("=", "\uff1d")
SIGNS = frozenset("=+-@ \t\uff1d\uff0b\uff0d\uff20")


def is_formula(cell: str) -> bool:
    """Whether a spreadsheet would run the cell of a table, in signs of any width."""
    return cell[:1] in SIGNS and bool(FORMULA.match(normalize("NFKC", cell)))


def check_no_formula(names: Iterable[str], what: str, error: type[EnsembleKitError]) -> None:
    """Raise ``error`` where a name begins like a formula. what : of the names ("class")."""
    _refuse([name for name in names if is_formula(name)], what, error)


def check_table(table: ImageTable) -> None:
    """DataError where a class, id or group begins like a formula, or a file, a column of metadata
    or one of its values with ``=`` (other signs begin what people write: ``- left!``)."""
    check_no_formula(table.class_names, "class", DataError)
    for what, names in (
        ("image id", table.image_ids), ("group", table.groups), ("lesion", table.lesions),
        ("patient", table.patients),
    ):  # fmt: skip
        check_no_formula(_beginning(names, SIGNS), what, DataError)
    values: Mapping[str, NDArray[np.str_]] = {"file": table.paths} | {
        f"metadata {name}": column for name, column in table.slices.items()
    }
    _refuse([name for name in table.slices if name[:1] in EQUAL], "metadata column", DataError)
    for what, column in values.items():
        _refuse(_beginning(column, EQUAL), what, DataError)


def _beginning(names: NDArray[np.str_], signs: Iterable[str]) -> list[str]:
    """The names that begin with one of the signs, told from all first letters at once."""
    if names.dtype.kind != "U" or not names.size or not names.dtype.itemsize:
        return []
    first = np.ascontiguousarray(names).view(np.uint32).reshape(len(names), -1)[:, 0]
    return [str(name) for name in names[np.isin(first, [ord(sign) for sign in signs])]]


def _refuse(odd: list[str], what: str, error: type[EnsembleKitError]) -> None:
    if odd:
        named = some(dict.fromkeys(map(repr, odd)), 3)
        raise error(
            f"{what} {named} begins like a formula, which a spreadsheet that opens the written "
            "tables would run: rename it"
        )

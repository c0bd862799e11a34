"""Rows of a table by image id: the one place where two tables are brought into one order."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray


def row_numbers(ids: Iterable[object]) -> dict[str, int]:
    """id -> its row; of an id listed twice, the last."""
    return {str(name): row for row, name in enumerate(ids)}


def align_rows(
    ids: Iterable[object],
    wanted: Iterable[object],
    refuse: Callable[[list[str]], Exception] = lambda missing: KeyError(*missing[:1]),
) -> NDArray[np.int64]:
    """(m,) int row in ``ids`` of each of the m ``wanted`` ids, in their order.

    refuse : makes the error to raise from the wanted ids that have no row.
    """
    row_of = row_numbers(ids)
    names = [str(name) for name in wanted]
    missing = [name for name in names if name not in row_of]
    if missing:
        raise refuse(missing)
    return np.array([row_of[name] for name in names], dtype=np.int64)


def spelled_as(names: Sequence[str], ids: Iterable[object]) -> tuple[list[str], list[str]]:
    """``names`` as ``ids`` spell them where only the case of letters differs, and what changed.

    Returns the names, and ``a = b`` for each that was spelled otherwise. Nothing is changed where
    ``ids`` themselves differ in case alone, or where two names would become one.
    """
    there = {str(name) for name in ids}
    lower = {name.lower(): name for name in there}
    if all(name in there for name in names) or len(lower) < len(there):
        return list(names), []
    spelled = [name if name in there else lower.get(name.lower(), name) for name in names]
    if len(set(spelled)) < len(set(names)):
        return list(names), []
    changed = [f"{a} = {b}" for a, b in zip(names, spelled, strict=True) if a != b]
    return spelled, list(dict.fromkeys(changed))

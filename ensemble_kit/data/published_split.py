"""Columns that say who trained and who was tested: a split published with a data set."""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from ensemble_kit.core.errors import count, some
from ensemble_kit.core.records import ImageTable, Strings
from ensemble_kit.data.columns import plain

SIDES = {
    "train": "train", "training": "train", "trn": "train", "tr": "train",
    "val": "validation", "valid": "validation", "validation": "validation", "dev": "validation",
    "tune": "validation", "tuning": "validation",
    "test": "test", "testing": "test", "tst": "test", "holdout": "test", "held_out": "test",
    "eval": "test", "evaluation": "test",
}  # fmt: skip
"""What the sides of a split are called, and which side each is."""
NAMES = ("split", "subset", "partition", "set", "data_split", "dataset_split", "split_name",
         "train_test", "phase", "usage", "fold", "folds")  # fmt: skip
"""Columns that may hold them."""


def split_columns(columns: Mapping[str, Strings]) -> list[str]:
    """Columns whose every cell names the side of a split (or is empty), by usual names."""
    return [
        name
        for name, cells in columns.items()
        if plain(name) in NAMES and len({s for s in sides_of(cells) if s}) > 1
    ]


def sides_of(cells: Iterable[object]) -> list[str]:
    """``train``, ``validation`` or ``test`` for every cell; all ``""`` where one cell is neither
    empty nor a side."""
    codes, values = pd.factorize(np.asarray([str(c) for c in cells], dtype=object))
    named = [SIDES.get(plain(value), "" if not value.strip() else "?") for value in values]
    return [""] * len(codes) if "?" in named else [named[code] for code in codes]


def split_notes(table: ImageTable) -> tuple[list[str], list[str]]:
    """Notes and warnings about the published splits among a table's metadata columns."""
    notes, warnings = [], []
    for name in split_columns(table.slices):
        sides = np.array(sides_of(table.slices[name]))
        tally = pd.Series(sides[sides != ""]).value_counts(sort=False)
        said = some(f"{side} {number:,}" for side, number in tally.items())
        notes.append(f"{name}: {said}; kept as a column, folds are drawn over all of them")
        frame = pd.DataFrame({"group": table.groups, "side": sides})[sides != ""]
        several = frame.groupby("group")["side"].nunique()
        torn = [str(group) for group in several.index[several > 1]]
        if torn:
            images = int(frame["group"].isin(torn).sum())
            are = "is" if len(torn) == 1 else "are"
            warnings.append(
                f"the published split (column {name}) leaks: {count(len(torn), 'group')} with "
                f"{count(images, 'image')} {are} on more than one side: {some(torn, 3)}; figures "
                "made with it flatter, the folds drawn here keep groups whole"
            )
    return notes, warnings

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
         "train_test", "phase", "usage", "cv_split", "group_split", "fold", "folds")  # fmt: skip
"""Columns that may hold them."""
FLAGS = {"is_train": "train", "is_training": "train", "is_training_image": "train",
         "is_test": "test", "is_val": "validation", "is_validation": "validation"}  # fmt: skip
"""Columns of yes and no that name one side; the rest is another."""
YES = {"1": True, "1.0": True, "true": True, "yes": True,
       "0": False, "0.0": False, "false": False, "no": False}  # fmt: skip


def split_columns(columns: Mapping[str, Strings]) -> list[str]:
    """Columns, by usual names, whose cells name the sides of a split."""
    return [
        name
        for name, cells in columns.items()
        if (plain(name) in NAMES or plain(name) in FLAGS)
        and len({s for s in sides_of(cells, name) if s}) > 1
    ]


def sides_of(cells: Iterable[object], name: str = "") -> list[str]:
    """``train``, ``validation`` or ``test`` for every cell, ``""`` for an empty one.

    Where two of these are there, any other word is a side of its own (``external``); else the
    column names no sides, and all are ``""``. name : of the column; ``is_test`` and the like hold
    yes and no.
    """
    codes, values = pd.factorize(np.asarray([str(c) for c in cells], dtype=object))
    words = [plain(value) for value in values]
    flag = FLAGS.get(plain(name), "")
    if flag:
        named = [_flagged(word, flag) for word in words]
        return [""] * len(codes) if "?" in named else [named[code] for code in codes]
    usual = {SIDES[word] for word in words if word in SIDES}
    named = [SIDES.get(word, word) for word in words]
    return [named[code] for code in codes] if len(usual) > 1 else [""] * len(codes)


def _flagged(word: str, side: str) -> str:
    if word not in YES:
        return "" if not word else "?"
    return side if YES[word] else "test" if side == "train" else "train"


def split_notes(table: ImageTable) -> tuple[list[str], list[str]]:
    """Notes and warnings about the published splits among a table's metadata columns."""
    notes, warnings = [], []
    for name in split_columns(table.slices):
        sides = np.array(sides_of(table.slices[name], name))
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

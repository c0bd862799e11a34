"""Folds made elsewhere."""

from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd

from ensemble_kit.core.errors import DataError, SplitError, some
from ensemble_kit.core.records import Folds, ImageTable, Strings
from ensemble_kit.data.csvfiles import read_rows
from ensemble_kit.data.images import strip_extension
from ensemble_kit.splits.checking import check_folds


def read_folds_file(path: Path, table: ImageTable) -> Folds:
    """Folds of a CSV with an image column (the first) and a column ``fold``, numbered from 0 or 1.

    Every image of the table has one row; image names may carry their extension. The folds are
    checked for leakage against the table's groups. Raises SplitError.
    """
    frame = _rows(path)
    if "fold" not in frame.columns:
        raise SplitError(f"{path}: no column 'fold'; it has {some(frame.columns)}")
    names = [strip_extension(name) for name in frame[frame.columns[0]]]
    twice = sorted(name for name, times in Counter(names).items() if times > 1)
    if twice:
        raise SplitError(f"{path}: {some(twice)} listed more than once; one row an image")
    given = dict(zip(names, frame["fold"], strict=True))
    ids = [str(name) for name in table.image_ids]
    missing = [name for name in ids if name not in given]
    extra = sorted(set(given) - set(ids))
    if missing or extra:
        what = f"lacks {some(missing)}" if missing else f"lists {some(extra)}, not in the data set"
        raise SplitError(f"{path}: {what}: folds and data set must have the same images")
    most = len(ids)
    wrong = [f"{v!r} ({name})" for name, v in given.items() if not _is_fold(v, most)]
    if wrong:
        raise SplitError(
            f"{path}: fold {some(wrong)} is not a number from 0, or 1, to the number of images: "
            "number the folds one after the other"
        )
    fold = np.array([int(given[name]) for name in ids], dtype=np.int64)
    fold = fold - fold.min()
    folds = Folds(table.image_ids, table.groups, fold, int(fold.max()) + 1)
    check_folds(table, folds)
    return folds


def read_image_list(path: Path) -> Strings:
    """(m,) str image ids of the first column of a CSV, extensions removed."""
    frame = _rows(path)
    names = [strip_extension(name) for name in frame[frame.columns[0]]]
    return np.asarray(names, dtype=np.str_)


def _is_fold(value: str, most: int) -> bool:
    return value.isdecimal() and len(value) < 19 and int(value) <= most


def _rows(path: Path) -> pd.DataFrame:
    try:
        return read_rows(path)
    except DataError as error:
        raise SplitError(str(error)) from None

"""Folds and lists of images made elsewhere."""

from collections import Counter
from pathlib import Path

import numpy as np

from ensemble_kit.core.errors import DataError, SplitError, some
from ensemble_kit.core.records import Folds, ImageTable, Strings
from ensemble_kit.data.columns import ALIASES, FOLD_NAMES, is_fold, plain
from ensemble_kit.data.images import id_of
from ensemble_kit.data.tables import TableRead, read_table
from ensemble_kit.splits.checking import check_folds


def read_folds_file(path: Path, table: ImageTable) -> Folds:
    """Folds of a table with an image column and a column ``fold``, numbered from 0 or 1.

    The image column is called image, image_id … (else it is the first); names may carry folder and
    extension. Every image of the table has one row. The folds are checked for leakage against the
    table's groups. Raises SplitError.
    """
    read = _read(path, table)
    column = fold_column(read, path)
    names = [id_of(name) for name in read.frame[image_column(read, path)]]
    twice = sorted(name for name, times in Counter(names).items() if times > 1)
    if twice:
        raise SplitError(f"{path}: {some(twice)} listed more than once; one row an image")
    given = dict(zip(names, read.frame[column], strict=True))
    ids = [str(name) for name in table.image_ids]
    missing = [name for name in ids if name not in given]
    extra = sorted(set(given) - set(ids))
    if missing or extra:
        what = f"lacks {some(missing)}" if missing else f"lists {some(extra)}, not in the data set"
        raise SplitError(f"{path}: {what}: folds and data set must have the same images")
    most = len(ids)
    wrong = [f"{v!r} ({name})" for name, v in given.items() if not is_fold(v, most)]
    if wrong:
        raise SplitError(
            f"{path}: fold {some(wrong)} is not a number from 0, or 1, to the number of images: "
            "number the folds one after the other"
        )
    fold = np.array([int(float(given[name])) for name in ids], dtype=np.int64)
    fold = fold - fold.min()
    folds = Folds(table.image_ids, table.groups, fold, int(fold.max()) + 1)
    check_folds(table, folds)
    return folds


def read_image_list(path: Path, table: ImageTable | None = None) -> Strings:
    """(m,) str image ids of a table's image column (else its first), without folder and extension.

    A first line that names an image of ``table`` is data and no header.
    """
    read = _read(path, table)
    names = [id_of(name) for name in read.frame[image_column(read, path)]]
    return np.asarray(names, dtype=np.str_)


def image_column(read: TableRead, path: Path) -> str:
    """The column of image ids: by its name, else the first that is not the folds'."""
    lower = {plain(name): str(name) for name in read.frame.columns}
    for name in ALIASES["image_id"]:
        if name in lower:
            return lower[name]
    return next((str(n) for n in read.frame.columns if plain(n) not in FOLD_NAMES),
                str(read.frame.columns[0]))  # fmt: skip


def fold_column(read: TableRead, path: Path) -> str:
    """The column ``fold``, in any case of letters; the second of two without a header line."""
    if not read.headed and read.frame.shape[1] == 2:
        return str(read.frame.columns[1])
    lower = {plain(name): str(name) for name in read.frame.columns}
    for name in FOLD_NAMES:
        if name in lower:
            return lower[name]
    raise SplitError(f"{path}: no column 'fold'; it has {some(read.frame.columns)}")


def _read(path: Path, table: ImageTable | None) -> TableRead:
    known = set() if table is None else {str(name).lower() for name in table.image_ids}
    try:
        return read_table(path, known)
    except DataError as error:
        raise SplitError(str(error)) from None

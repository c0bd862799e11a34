"""Folds and lists of images made elsewhere."""

from collections import Counter
from pathlib import Path

import numpy as np

from ensemble_kit.core.alignment import spelled_as
from ensemble_kit.core.errors import DataError, SplitError, some
from ensemble_kit.core.listening import Tell, say_nothing
from ensemble_kit.core.records import Folds, ImageTable, Strings
from ensemble_kit.data.columns import ALIASES, FOLD_NAMES, is_fold, plain
from ensemble_kit.data.images import case_note, id_of
from ensemble_kit.data.published_split import sides_of, split_columns
from ensemble_kit.data.tables import TableRead, read_table
from ensemble_kit.splits.checking import check_folds


def read_folds_file(path: Path, table: ImageTable, tell: Tell = say_nothing) -> Folds:
    """Folds of a table with an image column and a column ``fold``, numbered from 0 or 1.

    The image column is called image, image_id … (else it is the first); names may carry folder and
    extension, and differ from the table's ids in case. Every image of the table has one row. The
    folds are checked for leakage against the table's groups. tell : hears "read" (told, notes,
    warnings). Raises SplitError.
    """
    read = _read(path, table)
    column, images = fold_column(read, path), image_column(read, path)
    names, notes = _names(read, images, path, table)
    told = f"{path.name}: image = {images}, fold = {column}" if read.headed else ""
    tell("read", told=told, notes=notes, warnings=[])
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


def read_image_list(
    path: Path, table: ImageTable | None = None, tell: Tell = say_nothing
) -> Strings:
    """(m,) str image ids of a table's image column (else its first), without folder and extension.

    A first line that names an image of ``table`` is data and no header. tell : hears "read".
    """
    read = _read(path, table)
    names, notes = _names(read, image_column(read, path), path, table)
    tell("read", told="", notes=notes, warnings=[])
    return np.asarray(names, dtype=np.str_)


def read_sides(
    path: Path, table: ImageTable, tell: Tell = say_nothing
) -> dict[str, Strings] | None:
    """Image ids of each side of a split, from a table with a column ``split`` (subset, partition
    …) of train, val and test; None where it has no such column. tell : hears "read".
    """
    read = _read(path, table)
    cells = {str(c): read.frame[c].to_numpy(dtype=np.str_) for c in read.frame.columns}
    columns = split_columns(cells) if read.headed else []
    if not columns:
        return None
    images = image_column(read, path)
    names, notes = _names(read, images, path, table)
    sides = np.array(sides_of(cells[columns[0]], columns[0]))
    told = f"{path.name}: image = {images}, side = {columns[0]}"
    if columns[1:]:
        notes.append(f"{path.name}: {columns[0]} is audited, not {some(columns[1:])}")
    tell("read", told=told, notes=notes, warnings=[])
    ids = np.asarray(names, dtype=np.str_)
    rest = sorted(set(sides.tolist()) - {"", "train", "validation", "test"})
    return {side: ids[sides == side] for side in ("train", "validation", "test", *rest)}


def _names(
    read: TableRead, column: str, path: Path, table: ImageTable | None
) -> tuple[list[str], list[str]]:
    """Ids of a list, spelled as the table spells them, and a note where that changed any."""
    names = [id_of(name) for name in read.frame[column]]
    if table is None:
        return names, []
    names, changed = spelled_as(names, table.image_ids)
    return names, [case_note(path.name, "the data set's", changed)] if changed else []


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
    raise SplitError(
        f"{path}: no column 'fold' of fold numbers, nor 'split' of train and test; it has "
        f"{some(read.frame.columns)}"
    )


def _read(path: Path, table: ImageTable | None) -> TableRead:
    known = set() if table is None else {str(name).lower() for name in table.image_ids}
    try:
        return read_table(path, known)
    except DataError as error:
        raise SplitError(str(error)) from None

"""The tables of a run folder: ``folds.csv``, ``images.csv``, ``oof.csv``."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from ensemble_kit.core.atomic import write_text
from ensemble_kit.core.errors import RunError, naming, reason, some
from ensemble_kit.core.records import Folds, ImageTable, Ints, Predictions, Strings
from ensemble_kit.data.predictions import predictions_csv, read_predictions
from ensemble_kit.runs.paths import FOLDS, IMAGES, OOF, fold_column, oof_of_repeat

FOLD_COLUMNS = ("image", "lesion", "patient", "group", "label", "fold")
IMAGE_COLUMNS = ("image", "path")


def write_folds(folder: Path, table: ImageTable, folds: Sequence[Folds]) -> tuple[str, ...]:
    """Write ``folds.csv`` (a column ``fold``, then ``fold_1`` … for repeats) and ``images.csv``;
    their names."""
    frame = pd.DataFrame(
        {
            "image": table.image_ids,
            "lesion": table.lesions,
            "patient": table.patients,
            "group": table.groups,
            "label": np.array(table.class_names)[table.labels],
        }
    )
    for repeat, draw in enumerate(folds):
        frame[fold_column(repeat)] = draw.fold
    write_text(folder / FOLDS, frame.to_csv(index=False))
    return FOLDS, write_images(folder, table)


def write_images(folder: Path, table: ImageTable) -> str:
    """Write ``images.csv``: path and metadata of every image; its name."""
    images = pd.DataFrame({"image": table.image_ids, "path": table.paths} | dict(table.slices))
    write_text(folder / IMAGES, images.to_csv(index=False))
    return IMAGES


def read_folds(
    folder: Path, class_names: tuple[str, ...], root: str = ""
) -> tuple[ImageTable, list[Folds]]:
    """The images and every draw of folds of a run folder."""
    frame = _read_table(folder / FOLDS, FOLD_COLUMNS)
    images = _read_table(folder / IMAGES, IMAGE_COLUMNS)
    if list(images["image"]) != list(frame["image"]):
        raise RunError(f"{folder}: {IMAGES} and {FOLDS} list other images; the run is damaged")
    unknown = sorted(set(frame["label"]) - set(class_names))
    if unknown:
        raise RunError(f"{folder / FOLDS}: unknown labels {some(unknown)}; the run is damaged")
    index = {name: code for code, name in enumerate(class_names)}
    slices = {str(c): _column(images, str(c)) for c in images.columns if c not in IMAGE_COLUMNS}
    with naming(f"{folder / FOLDS}, {IMAGES}"):
        table = ImageTable(
            image_ids=_column(frame, "image"),
            groups=_column(frame, "group"),
            labels=np.array([index[name] for name in frame["label"]], dtype=np.int64),
            class_names=class_names,
            lesions=_column(frame, "lesion"),
            patients=_column(frame, "patient"),
            paths=_column(images, "path"),
            slices=slices,
            root=root,
        )
    folds: list[Folds] = []
    while (column := fold_column(len(folds))) in frame.columns:
        fold = _numbers(frame, column, folder / FOLDS)
        folds.append(Folds(table.image_ids, table.groups, fold, int(fold.max()) + 1))
    return table, folds


def write_oof(folder: Path, predictions: Predictions) -> str:
    """Write ``oof.csv``; its name."""
    write_text(folder / OOF, predictions_csv(predictions))
    return OOF


def write_oof_of_repeat(folder: Path, repeat: int, predictions: Predictions) -> str:
    """Write ``oof_0.csv`` … of one draw of folds; its name."""
    name = oof_of_repeat(repeat)
    write_text(folder / name, predictions_csv(predictions))
    return name


def read_oof(folder: Path, name: str = OOF) -> Predictions:
    """Out-of-fold rows of a run, or of one fold's folder; ``name`` PROBE: the linear probe's."""
    return read_predictions(folder / name)


def find_oof(folder: Path) -> Predictions | None:
    """As :func:`read_oof`; None where there is no such file."""
    return read_oof(folder) if (folder / OOF).is_file() else None


def find_oof_of_repeat(folder: Path, repeat: int) -> Predictions | None:
    """The out-of-fold rows of one draw of folds; None where they are not stored apart."""
    path = folder / oof_of_repeat(repeat)
    return read_predictions(path) if path.is_file() else None


def _column(frame: pd.DataFrame, name: str) -> Strings:
    return np.asarray(frame[name].to_numpy(), dtype=np.str_)


def _read_table(path: Path, needed: tuple[str, ...]) -> pd.DataFrame:
    try:
        frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise RunError(f"{path}: cannot be read ({reason(error)}); the run is damaged") from None
    missing = [name for name in needed if name not in frame.columns]
    if missing:
        raise RunError(f"{path}: lacks column {some(missing)}; the run is damaged")
    return frame


def _numbers(frame: pd.DataFrame, column: str, path: Path) -> Ints:
    try:
        return np.asarray(frame[column].to_numpy(dtype=np.str_).astype(np.int64))
    except ValueError as error:
        raise RunError(f"{path}: column {column}: {error}; the run is damaged") from None

"""Predictions made anywhere: one row an image, one column a class, and what else the file knows."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from ensemble_kit.core.errors import DataError, PredictionsError, count, some
from ensemble_kit.core.records import Floats, Ints, Predictions, Strings
from ensemble_kit.data.missing import without_missing
from ensemble_kit.data.tables import read_rows
from ensemble_kit.data.images import strip_extension
from ensemble_kit.data.columns import ALIASES
from ensemble_kit.data.layouts.reading import slice_names

IDS = (*ALIASES["image_id"], "id", "filename", "file", "name")
LABELS = ("dx", "label", "diagnosis", "truth", "target", "y_true", "class")
PREFIXES = ("prob_", "p_", "pred_", "score_")
NOT_CLASSES = frozenset({"fold", "group", "score_weight", "validation_weight", "predicted"})
ROUNDING = 0.01
"""Largest distance of a row's sum from 1 that is taken for rounding."""
MOST_FOLDS = 100
"""Highest fold number of a file with fewer images than that (one fold's alone, say)."""


@dataclass(frozen=True, eq=False)
class PredictionTable:
    """A table of probabilities and whatever else its file says of the images, in its row order.

    labels : (n,) str class names, ``""`` where unknown, or None. fold : (n,) int, or None.
    lesions, patients : (n,) str, ``""`` where unknown. slices : further columns -> (n,) str.
    notes : what was done to the table, in sentences.
    """

    source: str
    predictions: Predictions
    labels: Strings | None = None
    fold: Ints | None = None
    lesions: Strings | None = None
    patients: Strings | None = None
    slices: dict[str, Strings] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def read_prediction_table(path: Path) -> PredictionTable:
    """Read ISIC's submission format, a CSV with a label column, or parquet.

    The image column is called image, image_id, image_name, isic_id, id, filename … or comes
    first. Known columns (label, lesion_id, patient_id, fold, age, sex, site …) are told from class
    columns by their names; the rest are class columns if they hold numbers. Sums off by rounding
    (up to 0.01) are renormalised with a note; anything worse raises PredictionsError.
    """
    frame = _frame(path)
    key = _image_column(frame, path)
    known = _known_columns(frame, key)
    classes = _class_columns(frame, key, known, path)
    ids = np.array([strip_extension(name) for name in frame[key]], dtype=np.str_)
    if "image" in [name.lower() for name in _bare(classes)]:
        raise PredictionsError(
            f"{path}: 'image' cannot name a class: tables of probabilities call their first column "
            "so; rename the class"
        )
    values, notes = _normalised(_numbers(frame, classes, ids, path), ids, path)
    try:
        predictions = Predictions(ids, tuple(_bare(classes)), values)
    except PredictionsError as error:
        raise PredictionsError(f"{path}: {error}") from None
    text = {name: _text(frame, column) for name, column in known.items()}
    labels = text.pop("dx", None)
    fold = text.pop("fold", None)
    numbers = None if fold is None else _folds(fold, ids, path)
    if numbers is not None and (first := int(numbers.min())):
        notes = [*notes, _renumbered(path, first, int(numbers.max()))]
        numbers = np.asarray(numbers - first, dtype=np.int64)
    lesions, patients = text.pop("lesion_id", None), text.pop("patient_id", None)
    return PredictionTable(
        source=str(path),
        predictions=predictions,
        labels=None if labels is None else _as_classes(labels, predictions, path),
        fold=numbers,
        lesions=lesions,
        patients=patients,
        slices={name: text[column] for column, name in slice_names(text).items()},
        notes=tuple(notes),
    )


def _frame(path: Path) -> pd.DataFrame:
    if path.suffix.lower() not in (".parquet", ".pq"):
        try:
            return read_rows(path)
        except DataError as error:
            raise PredictionsError(str(error)) from None
    try:
        frame = pd.read_parquet(path)
    except ImportError:
        raise PredictionsError(
            f"{path}: reading parquet needs pyarrow: install it or give a CSV"
        ) from None
    except (OSError, ValueError) as error:
        raise PredictionsError(f"{path}: cannot be read as parquet ({error})") from None
    if frame.empty:
        raise PredictionsError(f"{path}: no rows; give one row an image")
    frame.columns = pd.Index([str(name) for name in frame.columns])
    for name in frame.columns:
        if frame[name].dtype.kind not in "fiu":
            frame[name] = frame[name].astype(str).str.strip()
    return frame


def _image_column(frame: pd.DataFrame, path: Path) -> str:
    lower = {str(name).lower(): str(name) for name in frame.columns}
    for name in IDS:
        if name in lower:
            return lower[name]
    first = str(frame.columns[0])
    if pd.to_numeric(frame[first], errors="coerce").notna().all():
        raise PredictionsError(
            f"{path}: no column of image ids: call it 'image' (the columns are "
            f"{some(frame.columns)})"
        )
    return first


def _known_columns(frame: pd.DataFrame, key: str) -> dict[str, str]:
    """Canonical name -> column, for every column that is no class and no image id."""
    lower = {str(name).lower(): str(name) for name in frame.columns if name != key}
    known = {}
    aliases = {name: names for name, names in ALIASES.items() if name not in ("image_id", "dx")}
    for name, names in {**aliases, "dx": LABELS, "fold": ("fold",)}.items():
        present = [lower[alias] for alias in names if alias in lower]
        if present and not (name == "dx" and _numeric(frame, present[0])):
            known[name] = present[0]
    for column in frame.columns:
        plain = str(column).lower() not in NOT_CLASSES and column != key
        if plain and column not in known.values() and not _numeric(frame, str(column)):
            known[str(column)] = str(column)
    return known


def _class_columns(frame: pd.DataFrame, key: str, known: dict[str, str], path: Path) -> list[str]:
    taken = {key, *known.values()}
    classes = [
        str(column)
        for column in frame.columns
        if column not in taken and str(column).lower() not in NOT_CLASSES and str(column)
    ]
    if len(classes) < 2:
        raise PredictionsError(
            f"{path}: needs a column of probabilities for each of at least two classes; it has "
            f"{some(frame.columns)}"
        )
    return classes


def _numeric(frame: pd.DataFrame, column: str) -> bool:
    """Whether at least half of the cells are numbers (the others are mistakes to report)."""
    values = pd.to_numeric(frame[column].replace("", "nan"), errors="coerce")
    share = float(values.notna().mean())
    return share >= 0.5 or bool((frame[column].astype(str).str.lower() == "nan").all())


def _numbers(frame: pd.DataFrame, classes: list[str], ids: Strings, path: Path) -> Floats:
    values = np.empty((len(frame), len(classes)))
    for place, name in enumerate(classes):
        try:
            values[:, place] = frame[name].to_numpy(dtype=np.float64)
        except ValueError:
            wrong = pd.to_numeric(frame[name], errors="coerce").isna().to_numpy()
            raise PredictionsError(
                f"{path}: column {name!r} is not a number for {some(ids[wrong])}: every class "
                "column holds probabilities; mend or drop these rows"
            ) from None
    return values


def _normalised(values: Floats, ids: Strings, path: Path) -> tuple[Floats, list[str]]:
    bad = ~np.isfinite(values).all(axis=1) | (values < 0).any(axis=1)
    if bad.any():
        raise PredictionsError(
            f"{path}: {some(ids[bad])} have probabilities that are negative or not finite: each "
            "lies in [0, 1]; mend or drop these rows"
        )
    sums = values.sum(axis=1)
    far = np.abs(sums - 1) > ROUNDING
    if far.any():
        rows = [f"{name} ({total:.4g})" for name, total in zip(ids[far], sums[far], strict=True)]
        raise PredictionsError(
            f"{path}: the probabilities of {some(rows)} do not sum to 1 (within {ROUNDING}): give "
            "one probability a class (softmax, not independent scores), and only class columns"
        )
    off = int((np.abs(sums - 1) > 1e-9).sum())
    if off == 0:
        return values, []
    note = (
        f"{path.name}: the sums of {count(off, 'row')} lie in {sums.min():.6f}–{sums.max():.6f} "
        "through rounding; they were renormalised"
    )
    return values / sums[:, None], [note]


def _bare(classes: list[str]) -> list[str]:
    """Class names without a prefix that all share (``prob_mel`` → ``mel``)."""
    for prefix in PREFIXES:
        if all(name.lower().startswith(prefix) and len(name) > len(prefix) for name in classes):
            return [name[len(prefix) :] for name in classes]
    return classes


def _text(frame: pd.DataFrame, column: str) -> Strings:
    values = without_missing(frame[column].astype(str))
    return np.asarray(values.to_numpy(), dtype=np.str_)


def _as_classes(labels: Strings, predictions: Predictions, path: Path) -> Strings:
    """The labels spelled like the class columns (case aside)."""
    spelled = {name.lower(): name for name in predictions.class_names}
    unknown = sorted({str(name) for name in labels if name and name.lower() not in spelled})
    if unknown:
        raise PredictionsError(
            f"{path}: label {some(unknown)} has no column of probabilities: there are "
            f"{some(predictions.class_names)}; add the column or mend the labels"
        )
    return np.array([spelled.get(name.lower(), "") for name in labels], dtype=np.str_)


def _folds(text: Strings, ids: Strings, path: Path) -> Ints:
    most = max(len(ids), MOST_FOLDS)
    wrong = np.array([not _whole(value, most) for value in text])
    if wrong.any():
        rows = [f"'{v}' ({name})" for v, name in zip(text[wrong], ids[wrong], strict=True)]
        raise PredictionsError(f"{path}: fold {some(rows)} is not a whole number from 0 to {most}")
    return np.array([int(float(value)) for value in text], dtype=np.int64)


def _renumbered(path: Path, first: int, last: int) -> str:
    return (
        f"{path.name}: its folds {first} to {last} are numbered 0 to {last - first} here, like the "
        "folders fold_0, fold_1 …"
    )


def _whole(value: str, most: int) -> bool:
    try:
        number = float(value)
    except ValueError:
        return False
    return 0 <= number <= most and number == int(number)

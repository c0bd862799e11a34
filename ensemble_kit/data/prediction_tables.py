"""Predictions made anywhere: one row an image, one column a class, and what else the file knows."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from ensemble_kit.core.alignment import spelled_as
from ensemble_kit.core.errors import DataError, PredictionsError, count, some
from ensemble_kit.core.records import Floats, Ints, Predictions, Strings
from ensemble_kit.data.columns import ALIASES, CORE, FOLD_NAMES, ROLES, is_fold, passed_over, plain
from ensemble_kit.data.images import case_note, id_of, strip_extension
from ensemble_kit.data.layouts.reading import slice_names
from ensemble_kit.data.missing import said, without_blanks, without_missing
from ensemble_kit.data.prediction_columns import class_scores, negative_first
from ensemble_kit.data.prediction_refusals import (
    LABELS,
    check_header,
    check_ids,
    names_of,
    numeric,
    refuse_odd_labels,
    refuse_other_words,
    refuse_scores,
    refuse_words,
)
from ensemble_kit.data.prediction_rows import Asked, averaged, probabilities_of
from ensemble_kit.data.tables import read_table

IDS = (*ALIASES["image_id"], "name", "ids", "image_ids")
MOST_FOLDS = 100
"""Highest fold number of a file with fewer images than that (one fold's alone, say)."""


@dataclass(frozen=True, eq=False)
class PredictionTable:
    """A table of probabilities and whatever else its file says of the images, in its row order.

    labels : (n,) str class names, ``""`` where unknown, or None. fold : (n,) int, or None.
    lesions, patients : (n,) str, ``""`` where unknown. slices : further columns -> (n,) str.
    raw : (n, C) scores as they stood before --normalise divided them, else None.
    notes : what was done to the table, in sentences. warnings : what a reader must see first.
    """

    source: str
    predictions: Predictions
    labels: Strings | None = None
    fold: Ints | None = None
    lesions: Strings | None = None
    patients: Strings | None = None
    slices: dict[str, Strings] = field(default_factory=dict)
    raw: Floats | None = None
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def read_prediction_table(
    path: Path,
    asked: Asked | None = None,
    *,
    classes: Sequence[str] = (),
    ids: Sequence[str] = (),
) -> PredictionTable:
    """Read ISIC's submission format, a table with a label column, parquet or npz.

    classes : names of the truth's labels, if they come from elsewhere. ids : images of the truth in
    the order of its file; a table without ids is matched with them row by row. Known columns
    (label, lesion_id, patient_id, fold, age, sex, site …) are told from class columns by their
    names; the rest are class columns if they hold numbers and no label says otherwise. Sums off by
    rounding are renormalised with a note; anything worse raises PredictionsError.
    """
    asked = asked or Asked()
    try:
        table = read_table(path)
    except DataError as error:
        raise PredictionsError(str(error)) from None
    frame, notes = table.frame, list(table.notes)
    check_header(frame, path)
    key = _image_column(frame, asked, path, bool(ids))
    if key:
        check_ids(frame, key, path)
    names, more = _ids(frame, key, ids, path)
    notes += more
    if key and ids:
        names, changed = spelled_as(names, ids)
        if changed:
            notes.append(case_note(path.name, "the truth's", changed))
    known, more = _known_columns(frame, key, asked, path.name)
    notes += more
    labels = _labels_text(frame, known)
    refuse_scores(labels, known, path)
    truth = list(classes) or names_of(labels)
    refuse_words(frame, key, known, truth, path)
    if labels is None:
        refuse_odd_labels(frame, key, path)
    known |= {name: name for name in asked.slices if name in frame.columns and name != key
              and name not in (*known, *known.values(), *truth)}  # fmt: skip
    taken = {key, *known.values()}
    candidates = [str(c) for c in frame.columns if c not in taken and str(c)]
    refuse_other_words(candidates, truth, asked.columns.get("label", ""), path)
    if any(_plainly_image(c) for c in candidates):
        raise PredictionsError(
            f"{path}: 'image' cannot name a class: tables of probabilities call their first column "
            "so; rename the class"
        )
    by_number = bool(truth) and all(t.isdecimal() for t in truth)
    wanted = (
        [] if by_number and not set(truth) <= set(candidates) and len(candidates) > 1 else truth
    )
    scores = class_scores(frame, candidates, wanted, names, str(path), asked.scale == "logits")
    notes += [f"{path.name}: {note}" for note in scores.notes]
    values, more, warnings = probabilities_of(scores, names, asked, path)
    notes += more
    first = np.arange(len(names))
    raw = scores.values if asked.normalise and asked.scale == "probabilities" else None
    if asked.several == "mean" and len(set(names)) < len(names):
        raw = None if raw is None else averaged(raw, names, labels, path)[0]
        values, first, note = averaged(values, names, labels, path)
        notes.append(note)
    image_ids = np.array(names, dtype=np.str_)[first]
    try:
        predictions = Predictions(image_ids, scores.names, values)
    except PredictionsError as error:
        again = "; --rows-per-image mean averages them" if "more than once" in str(error) else ""
        raise PredictionsError(f"{path}: {error}{again}") from None
    text = {
        name: _text(frame, column, name)[first] for name, column in known.items() if name != "dx"
    }
    for name in ("lesion_id", "patient_id"):
        if name in known:
            check_ids(frame, known[name], path)
            notes += said(known[name], frame[known[name]], True)
    fold = text.pop("fold", None)
    numbers = None if fold is None else _folds(fold, image_ids, path)
    if numbers is not None and (least := int(numbers.min())):
        notes = [*notes, _renumbered(path, least, int(numbers.max()))]
        numbers = np.asarray(numbers - least, dtype=np.int64)
    lesions, patients = text.pop("lesion_id", None), text.pop("patient_id", None)
    found = None
    if labels is not None:
        found, more = as_classes(labels.to_numpy(dtype=np.str_)[first], predictions, str(path))
        notes += more
    return PredictionTable(
        source=str(path),
        predictions=predictions,
        labels=found,
        fold=numbers,
        lesions=lesions,
        patients=patients,
        slices={name: text[column] for column, name in slice_names(text).items()},
        raw=raw,
        notes=tuple(notes),
        warnings=tuple(warnings),
    )


def as_classes(labels: Strings, predictions: Predictions, source: str) -> tuple[Strings, list[str]]:
    """The labels spelled like the class columns (case aside); whole numbers count the columns."""
    names = predictions.class_names
    spelled = {name.lower(): name for name in names}
    unknown = sorted({str(name) for name in labels if name and name.lower() not in spelled})
    if not unknown:
        return np.array([spelled.get(name.lower(), "") for name in labels], dtype=np.str_), []
    whole = [number for name in unknown if (number := _whole(name)) is not None]
    base = int(bool(whole) and min(whole) > 0 and max(whole) == len(names))
    if len(whole) == len(unknown) and all(0 <= n - base < len(names) for n in whole):
        if (two := negative_first(names)) and set(whole) <= {0, 1}:
            by_number = {str(v): two[n] for v in np.unique(labels)
                         if (n := _whole(str(v))) is not None}  # fmt: skip
            note = f"labels are numbers: 0 = {two[0]}, 1 = {two[1]}, by what these words mean"
            return np.array([by_number.get(str(v), "") for v in labels], dtype=np.str_), [note]
        by_number = {
            str(v): names[n - base] for v in np.unique(labels) if (n := _whole(str(v))) is not None
        }
        said_pairs = some((f"{v} = {name}" for v, name in sorted(by_number.items())), 20)
        note = f"labels are numbers, taken for the class columns in their order: {said_pairs}"
        return np.array([by_number.get(str(v), "") for v in labels], dtype=np.str_), [note]
    raise PredictionsError(
        f"{source}: label {some(unknown)} has no column of probabilities: there are "
        f"{some(names)}; add the column or mend the labels"
    )


def _whole(text: str) -> int | None:
    return int(float(text)) if is_fold(text, 10_000) else None


def _plainly_image(column: str) -> bool:
    name = column.lower()
    return name == "image" or name in ("prob_image", "p_image", "pred_image", "score_image")


def _image_column(frame: pd.DataFrame, asked: Asked, path: Path, ordered: bool) -> str:
    """The column of ids; "" where there is none and the rows are matched by their order."""
    given = asked.columns.get("image")
    if given:
        if given not in frame.columns:
            raise PredictionsError(f"{path}: no column {given!r}; it has {some(frame.columns)}")
        return given
    lower = {plain(name): str(name) for name in frame.columns}
    for name in IDS:
        if name in lower and (name != "index" or len(lower) > 2):
            return lower[name]
    first = str(frame.columns[0])
    if not numeric(frame, first):
        return first
    if ordered:
        return ""
    raise PredictionsError(
        f"{path}: no column of image ids: call it 'image' (the columns are {some(frame.columns)}), "
        "or give --truth with as many rows in the same order"
    )


def _ids(
    frame: pd.DataFrame, key: str, ids: Sequence[str], path: Path
) -> tuple[list[str], list[str]]:
    if not key:
        if len(ids) != len(frame):
            raise PredictionsError(
                f"{path}: no column of image ids, and its {count(len(frame), 'row')} cannot "
                "be matched "
                f"by order with the {count(len(ids), 'image')} of the truth"
            )
        return list(ids), [f"{path.name}: no ids: its rows are taken in the order of the truth's"]
    cells = frame[key].tolist()
    if frame[key].str.fullmatch(r"\d+\.0").all():  # as pandas writes whole numbers beside gaps
        cells = [cell[:-2] for cell in cells]
    names = [strip_extension(cell) for cell in cells]
    if not any("/" in name or "\\" in name for name in names):
        return names, []
    bare = [id_of(cell) for cell in cells]
    if len(set(bare)) < len(set(cells)):
        return [name.replace("\\", "/").replace("/", "-") for name in names], [
            f"{path.name}: {key}: names repeat in several folders, so the folders are part of "
            "the ids"
        ]
    return bare, [f"{path.name}: {key}: its cells are paths; the file's name is the id"]


def _known_columns(
    frame: pd.DataFrame, key: str, asked: Asked, source: str
) -> tuple[dict[str, str], list[str]]:
    """Canonical name -> column, for every column that is no class and no image id; and a note of
    each label, lesion or patient column that was passed over for another."""
    lower = {plain(name): str(name) for name in frame.columns if name != key}
    known: dict[str, str] = {}
    notes: list[str] = []
    for role, column in asked.columns.items():
        if role != "image":
            found = _given_column(frame, role, column, source)
            known["patient_id" if role == "group" else ROLES[role]] = found
    if "group" in asked.columns:
        idle: list[str] = [lower[a] for name in ("lesion_id", "patient_id") for a in ALIASES[name]
                           if a in lower and lower[a] not in known.values()]  # fmt: skip
        known |= {f"{column}_column": column for column in idle}
        notes += [f"{source}: {column} has no part in the groups" for column in idle]
        known.setdefault("lesion_id", "")
    aliases = {name: names for name, names in ALIASES.items() if name not in ("image_id", "dx")}
    for name, names in {**aliases, "dx": LABELS, "fold": FOLD_NAMES}.items():
        present = [lower[alias] for alias in names if alias in lower and name not in known]
        if name == "dx":
            present = [c for c in present if _is_label(frame, c)]
        if present:
            known[name] = present[0]
        if len(present) > 1 and name in CORE:
            notes.append(f"{source}: {passed_over(name, present)}")
    for column in frame.columns:
        if column != key and column not in known.values() and not numeric(frame, str(column)):
            known[f"{column}_column" if column in known else str(column)] = str(column)
    return {name: column for name, column in known.items() if column}, notes


def _given_column(frame: pd.DataFrame, role: str, wanted: str, source: str) -> str:
    """The column that ``--columns`` gives a role; those joined with + become one of the table.
    PredictionsError where one is not there."""
    if wanted in frame.columns:
        return wanted
    spelled = {plain(name): str(name) for name in frame.columns}
    given = [part.strip() for part in wanted.split("+")]
    parts = [part if part in frame.columns else spelled.get(plain(part), "") for part in given]
    if missing := [part for part, there in zip(given, parts, strict=True) if not there]:
        raise PredictionsError(
            f"{source}: --columns {role}={wanted}: no column {some(map(repr, missing))}; it has "
            f"{some(frame.columns, 30)}"
        )
    if len(parts) == 1:
        return parts[0]
    joined = frame[parts[0]]
    for part in parts[1:]:
        joined = joined.str.cat(frame[part], sep="/")
    frame[wanted] = joined
    return wanted


def _is_label(frame: pd.DataFrame, column: str) -> bool:
    """Words, or whole numbers (a score has a point)."""
    if not numeric(frame, column):
        return True
    values = frame[column][frame[column] != ""]
    return bool(values.str.fullmatch(r"\d{1,4}(\.0)?").all())


def _labels_text(frame: pd.DataFrame, known: dict[str, str]) -> "pd.Series[str] | None":
    if "dx" not in known:
        return None
    column = without_blanks(frame[known["dx"]])
    return column.str.replace(r"^(\d+)\.0$", r"\1", regex=True)


def _text(frame: pd.DataFrame, column: str, role: str) -> Strings:
    values = frame[column]
    if role in ("lesion_id", "patient_id"):
        values = values.str.replace(r"^(-?\d+)\.0+$", r"\1", regex=True)
    if role != "fold":
        values = without_missing(values, role in ("lesion_id", "patient_id", "age"))
    return np.asarray(values.to_numpy(dtype=object), dtype=np.str_)


def _folds(text: Strings, ids: Strings, path: Path) -> Ints:
    most = max(len(ids), MOST_FOLDS)
    wrong = np.array([not is_fold(value, most) for value in text])
    if wrong.any():
        rows = [f"'{v}' ({name})" for v, name in zip(text[wrong], ids[wrong], strict=True)]
        raise PredictionsError(
            f"{path}: fold {some(rows, 3)} is not a whole number from 0 to {most}: number the "
            "folds, or rename the column"
        )
    return np.array([int(float(value)) for value in text], dtype=np.int64)


def _renumbered(path: Path, first: int, last: int) -> str:
    return (
        f"{path.name}: its folds {first} to {last} are numbered 0 to {last - first} here, like the "
        "folders fold_0, fold_1 …"
    )

"""The truth of predictions: of a data set, or of the columns that their own files have."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from ensemble_kit.core.alignment import align_rows
from ensemble_kit.core.errors import PredictionsError, count, naming, some
from ensemble_kit.core.formulas import check_table
from ensemble_kit.core.records import ImageTable, Ints, Predictions, Strings
from ensemble_kit.data.groups import independence, union_groups
from ensemble_kit.data.metadata import (
    check_lesions,
    lesions_within_patients,
    spelling_warnings,
)
from ensemble_kit.data.prediction_tables import PredictionTable, as_classes


def from_truth(
    path: Path, truth: ImageTable, predictions: Predictions
) -> tuple[ImageTable, list[str]]:
    row_of = {str(name): row for row, name in enumerate(truth.image_ids)}
    ids = [str(name) for name in predictions.image_ids]
    missing = [name for name in ids if name not in row_of]
    if missing:
        raise PredictionsError(
            f"{path}: no truth for {some(missing)}: every image predicted needs a row; add the "
            "rows, drop the predictions, or give --align to keep the images that both have"
        )
    part = truth.take(np.array([row_of[name] for name in ids], dtype=np.int64))
    labels, notes = as_classes(
        np.array(truth.class_names)[part.labels].astype(np.str_), predictions, str(path)
    )
    codes = _codes(labels, predictions, str(path))
    left = len(truth) - len(part)
    if left:
        notes.append(
            f"{path.name}: {count(left, 'image')} of the truth without predictions left out"
        )
    with naming(path):
        table = _table(predictions, codes, part.groups, part.lesions, part.patients, part.slices)
    return table, notes


def from_columns(given: Sequence[PredictionTable]) -> tuple[ImageTable, list[str]]:
    """Truth from the files' own columns: the first file that has each, the others must agree."""
    first = given[0].predictions
    empty = np.full(len(first), "", dtype=np.str_)
    labels = _agreed(given, "labels")
    if labels is None:
        raise PredictionsError(
            f"{given[0].source}: no truth: it has no label column (dx, label, diagnosis …); give "
            "the labels with --truth"
        )
    blank = labels == ""
    if blank.any():
        raise PredictionsError(
            f"{given[0].source}: no label for {some(first.image_ids[blank])}: every image needs one"
        )
    lesions, patients = _agreed(given, "lesions"), _agreed(given, "patients")
    lesions = empty if lesions is None else lesions
    patients = empty if patients is None else patients
    lesions, within = _within_patients(lesions, patients)
    seen = pd.DataFrame({"lesion_id": lesions, "patient_id": patients, "dx": labels}, dtype="str")
    check_lesions(seen, some(table.source for table in given))
    groups = union_groups(first.image_ids, lesions, patients)
    warnings = [line for line in independence(lesions, patients, groups) if line]
    warnings += [*within, *spelling_warnings(patients, lesions)]
    codes = _codes(labels, first, given[0].source)
    slices: dict[str, Strings] = {}
    for other in given:
        rows = rows_in(other, first.image_ids)
        for name, column in other.slices.items():
            slices.setdefault(name, column[rows])
    with naming(some(table.source for table in given)):
        return _table(first, codes, groups, lesions, patients, slices), warnings


def _within_patients(lesions: Strings, patients: Strings) -> tuple[Strings, list[str]]:
    """Lesion numbers that stand in several patients are (patient, lesion), with a note of it."""
    frame = pd.DataFrame({"lesion_id": lesions, "patient_id": patients}, dtype="str")
    found, notes = lesions_within_patients(frame)
    return np.asarray(found["lesion_id"].to_numpy(dtype=object), dtype=np.str_), notes


def rows_in(other: PredictionTable, image_ids: Strings) -> Ints:
    return align_rows(other.predictions.image_ids, image_ids)


def _agreed(given: Sequence[PredictionTable], column: str) -> Strings | None:
    """A column in the first file's order; files that differ are an error."""
    ids = given[0].predictions.image_ids
    found: Strings | None = None
    source = ""
    for other in given:
        values = getattr(other, column)
        if values is None:
            continue
        values = values[rows_in(other, ids)]
        if found is not None and column == "labels":
            values = _spelled(values, found)
        if found is None:
            found, source = values, other.source
        elif (values != found).any():
            differ = np.flatnonzero(values != found)
            named = some(f"{ids[k]} ({found[k] or '-'} and {values[k] or '-'})" for k in differ)
            raise PredictionsError(
                f"{source} and {other.source} disagree about the {column} of {named}: give "
                "predictions of the same truth, or --truth with one table of it"
            )
    return found


def _spelled(values: Strings, like: Strings) -> Strings:
    spelling = {str(name).lower(): str(name) for name in np.unique(like)}
    return np.array([spelling.get(str(v).lower(), str(v)) for v in values], dtype=np.str_)


def _codes(labels: Strings, predictions: Predictions, source: str) -> Ints:
    column = {name.lower(): code for code, name in enumerate(predictions.class_names)}
    unknown = sorted({str(name) for name in labels if str(name).lower() not in column})
    if unknown:
        raise PredictionsError(
            f"{source}: {some(unknown)} has no column of probabilities: there are "
            f"{some(predictions.class_names)}; add the column or mend the labels"
        )
    return np.array([column[str(name).lower()] for name in labels], dtype=np.int64)


def _table(
    predictions: Predictions, labels: Ints, groups: Strings,
    lesions: Strings, patients: Strings, slices: Mapping[str, Strings],
) -> ImageTable:  # fmt: skip
    table = ImageTable(
        image_ids=predictions.image_ids,
        groups=groups,
        labels=labels,
        class_names=predictions.class_names,
        lesions=lesions,
        patients=patients,
        paths=np.full(len(predictions), "", dtype=np.str_),
        slices=dict(slices),
    )
    check_table(table)
    return table

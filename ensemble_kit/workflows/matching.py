"""Predictions made elsewhere, matched with their truth, groups and folds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ensemble_kit.core.alignment import align_rows
from ensemble_kit.core.errors import PredictionsError, SplitError, count, some
from ensemble_kit.core.records import Folds, ImageTable, Ints, Predictions, Strings
from ensemble_kit.data.dataset import load_table
from ensemble_kit.data.groups import union_groups
from ensemble_kit.data.prediction_tables import PredictionTable, read_prediction_table
from ensemble_kit.runs.manifest import is_run, read_manifest
from ensemble_kit.splits import check_folds, read_folds_file


@dataclass(frozen=True, eq=False)
class Matched:
    """One truth and every set of predictions, all with the same images in the same order.

    folds : ``n_folds`` is 1 where none are known. notes : what was done, in sentences.
    warnings : sentences a reader must see first.
    """

    table: ImageTable
    folds: Folds
    members: tuple[tuple[str, Predictions], ...]
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def read_matched(
    paths: Sequence[Path], truth: Path | None = None, folds_file: Path | None = None
) -> Matched:
    """Read predictions of the same images and classes with their truth.

    The truth (labels, groups, metadata) comes from ``truth``, anything ``check --data`` can read,
    else from the label, lesion, patient and metadata columns of the prediction files; folds from
    ``folds_file``, else from a column ``fold``. Raises PredictionsError, SplitError or DataError.
    """
    given = [read_prediction_table(path) for path in paths]
    first = given[0]
    names = _names(paths)
    members = tuple((name, _like(first, other)) for name, other in zip(names, given, strict=True))
    notes = [note for table in given for note in table.notes]
    if truth is not None:
        table, more = _from_truth(truth, first.predictions)
        notes += more
    else:
        table = _from_columns(given)
    folds, warnings = _folds(given, table, folds_file)
    warnings = [text for path in paths for text in warnings_of_file(path)] + warnings
    return Matched(table, folds, members, tuple(notes), tuple(warnings))


def warnings_of_file(path: Path) -> tuple[str, ...]:
    """Warnings of the run that a table of predictions lies in, each said of it by name.

    A table copied out of its run folder has lost them.
    """
    if not is_run(path.parent):
        return ()
    manifest = read_manifest(path.parent)
    if path.name not in manifest.files:
        return ()
    return tuple(inherited_warning(manifest.name, text) for text in manifest.warnings)


def inherited_warning(name: str, text: str) -> str:
    """The warning of a run, said of it by name; one that names a run already stays as it is."""
    return text if text.startswith("Of run ") else f"Of run {name!r}: {text}"


def _names(paths: Sequence[Path]) -> list[str]:
    stems = [path.stem for path in paths]
    if len(set(stems)) == len(stems):
        return stems
    longer = [f"{path.resolve().parent.name}-{path.stem}" for path in paths]
    if len(set(longer)) == len(longer):
        return longer
    return [f"{stem}-{place}" for place, stem in enumerate(stems, start=1)]


def _like(first: PredictionTable, other: PredictionTable) -> Predictions:
    """``other`` with the images and classes in the first file's order."""
    theirs, ours = other.predictions, first.predictions
    place = {name.lower(): column for column, name in enumerate(theirs.class_names)}
    wanted = [name.lower() for name in ours.class_names]
    differing = set(wanted) ^ set(place)
    if differing:
        raise PredictionsError(
            f"{first.source} and {other.source} have different classes: {some(sorted(differing))} "
            "in only one of them; give predictions of the same classes"
        )
    apart = set(ours.image_ids.tolist()) ^ set(theirs.image_ids.tolist())
    if apart:
        raise PredictionsError(
            f"{first.source} and {other.source} have different images: {some(sorted(apart))} in "
            "only one of them; give predictions of the same images"
        )
    columns = [place[name] for name in wanted]
    probabilities = theirs.probabilities[:, columns]
    return Predictions(theirs.image_ids, ours.class_names, probabilities).in_order_of(
        ours.image_ids
    )


def _from_truth(path: Path, predictions: Predictions) -> tuple[ImageTable, list[str]]:
    truth = load_table(path, require_images=False)

    def refuse(missing: list[str]) -> PredictionsError:
        return PredictionsError(
            f"{path}: no truth for {some(missing)}: every image predicted needs a row; add the "
            "rows or drop the predictions"
        )

    part = truth.take(align_rows(truth.image_ids, predictions.image_ids, refuse))
    labels = _codes(np.array(truth.class_names)[part.labels], predictions, str(path))
    left = len(truth) - len(part)
    notes = [f"{path.name}: {count(left, 'image')} of the truth without predictions left out"]
    return _table(predictions, labels, part.groups, part.lesions, part.patients, part.slices), (
        notes if left else []
    )


def _from_columns(given: Sequence[PredictionTable]) -> ImageTable:
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
    groups = union_groups(first.image_ids, lesions, patients)
    codes = _codes(labels, first, given[0].source)
    slices: dict[str, Strings] = {}
    for other in given:
        rows = _rows(other, first.image_ids)
        for name, column in other.slices.items():
            slices.setdefault(name, column[rows])
    return _table(first, codes, groups, lesions, patients, slices)


def _rows(other: PredictionTable, image_ids: Strings) -> Ints:
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
        values = values[_rows(other, ids)]
        if found is not None and column == "labels":
            values = _spelled(values, found)
        if found is None:
            found, source = values, other.source
        elif (values != found).any():
            raise PredictionsError(
                f"{source} and {other.source} disagree about the {column} of "
                f"{some(ids[values != found])}: give predictions of the same truth, or --truth"
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
    return ImageTable(
        image_ids=predictions.image_ids,
        groups=groups,
        labels=labels,
        class_names=predictions.class_names,
        lesions=lesions,
        patients=patients,
        paths=np.full(len(predictions), "", dtype=np.str_),
        slices=dict(slices),
    )


def _folds(
    given: Sequence[PredictionTable], table: ImageTable, folds_file: Path | None
) -> tuple[Folds, list[str]]:
    if folds_file is not None:
        return read_folds_file(folds_file, table), []
    warnings = []
    fold = None
    for other in given:
        if other.fold is None:
            continue
        theirs = other.fold[_rows(other, table.image_ids)]
        if fold is None:
            fold = theirs
        elif (fold != theirs).any():
            warnings.append(f"{other.source} was made with other folds than {given[0].source}")
    if fold is None:
        none = np.zeros(len(table), dtype=np.int64)
        return Folds(table.image_ids, table.groups, none, 1), warnings
    folds = Folds(table.image_ids, table.groups, fold, int(fold.max()) + 1)
    if folds.n_folds > 1:
        try:
            check_folds(table, folds)
        except SplitError as error:
            warnings.insert(0, f"the folds of {given[0].source} leak: {error}")
    return folds, warnings

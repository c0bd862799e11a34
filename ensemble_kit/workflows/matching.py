"""Predictions made elsewhere, matched with their truth, groups and folds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from ensemble_kit.core.alignment import align_rows, spelled_as
from ensemble_kit.core.errors import PredictionsError, SplitError, count, some
from ensemble_kit.core.records import Floats, Folds, ImageTable, Ints, Predictions, Strings
from ensemble_kit.data.dataset import DataSet, load_data
from ensemble_kit.data.groups import independence, union_groups
from ensemble_kit.data.images import case_note
from ensemble_kit.data.metadata import lesions_within_patients, spelling_warnings
from ensemble_kit.data.prediction_rows import Asked
from ensemble_kit.data.prediction_tables import PredictionTable, as_classes, read_prediction_table
from ensemble_kit.runs.manifest import is_run, read_manifest
from ensemble_kit.splits import check_folds, read_folds_file
from ensemble_kit.study import DataSpec
from ensemble_kit.workflows.joining import aligned, expand, join_folds, without_idle


@dataclass(frozen=True, eq=False)
class Matched:
    """One truth and every set of predictions, all with the same images in the same order.

    folds : ``n_folds`` is 1 where none are known. raw : (n, C) scores of each member as they stood
    before --normalise divided them, else None. notes : what was done, in sentences.
    warnings : sentences a reader must see first.
    """

    table: ImageTable
    folds: Folds
    members: tuple[tuple[str, Predictions], ...]
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    raw: tuple[Floats | None, ...] = ()


@dataclass(frozen=True, eq=False)
class Given:
    """Tables of predictions as read, with their names, and the data set that is their truth.

    tables : files that are the folds of one model are one table. truth : where ``known`` came from.
    """

    tables: tuple[PredictionTable, ...]
    names: tuple[str, ...]
    known: DataSet | None = None
    truth: Path | None = None
    notes: tuple[str, ...] = ()


def read_matched(
    paths: Sequence[Path],
    truth: Path | None = None,
    folds_file: Path | None = None,
    asked: Asked | None = None,
    *,
    align: bool = False,
    data: DataSpec | None = None,
) -> Matched:
    """:func:`read_given` and :func:`match`: predictions of the same images with their truth."""
    return match(read_given(paths, truth, asked, data), folds_file, align=align)


def read_given(
    paths: Sequence[Path],
    truth: Path | None = None,
    asked: Asked | None = None,
    data: DataSpec | None = None,
) -> Given:
    """Read tables of predictions and, if it is given, their truth.

    The truth is anything ``check --data`` can read, read as ``data`` says. A folder stands for its
    tables; files without an image in common are the folds of one model. Raises PredictionsError or
    DataError.
    """
    asked, data = asked or Asked(), data or DataSpec()
    if truth is None:
        asked = replace(asked, columns=asked.columns or data.columns)
    paths = expand(paths)
    known = load_data(truth, data, require_images=False, contents=False) if truth else None
    classes = known.table.class_names if known else ()
    ids = known.table.image_ids[known.file_order].tolist() if known else ()
    tables = [read_prediction_table(path, asked, classes=classes, ids=ids) for path in paths]
    names = _names(paths)
    tables, notes = _spelled_alike(tables)
    joined = join_folds(tables, names)
    if joined:
        read = [note for table in tables for note in table.notes]
        return Given((joined[0],), (joined[1],), known, truth, (*read, *notes, joined[2]))
    return Given(tuple(tables), tuple(names), known, truth, tuple(notes))


def match(given: Given, folds_file: Path | None = None, *, align: bool = False) -> Matched:
    """The tables with one truth: the data set given, else their own label, lesion, patient and
    metadata columns; folds from ``folds_file``, else from a column ``fold``.

    align : keep the images that all have. Raises PredictionsError or SplitError.
    """
    tables, known = list(given.tables), given.known
    notes = [*(note for table in tables for note in table.notes), *given.notes]
    warnings = [line for table in tables for line in table.warnings]
    if align:
        tables, more = aligned(tables, known.table.image_ids if known else None)
        notes += more
    first = tables[0]
    members = tuple(
        (name, _like(first, other)) for name, other in zip(given.names, tables, strict=True)
    )
    if known is not None and given.truth is not None:
        table, more = _from_truth(given.truth, known.table, first.predictions)
        notes += [known.told, *known.notes, *more]
        warnings += known.warnings
    else:
        table, more = _from_columns(tables)
        warnings += [*more, *spelling_warnings(table.patients, table.lesions)]
    members, table, more, never = without_idle(members, table)
    notes += more
    folds, more = _folds(tables, table, folds_file)
    inherited = [text for one in tables for text in warnings_of_file(Path(one.source))]
    return Matched(
        table,
        folds,
        members,
        tuple(dict.fromkeys(notes)),
        tuple(dict.fromkeys([*inherited, *more, *never, *warnings])),
        tuple(_raw(one, table) for one in tables),
    )


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


def _spelled_alike(
    tables: Sequence[PredictionTable],
) -> tuple[list[PredictionTable], list[str]]:
    """The tables with ids as the first spells them, where only the case of letters differs."""
    first = tables[0].predictions.image_ids
    alike, notes = [tables[0]], []
    for other in tables[1:]:
        theirs = other.predictions
        names, changed = spelled_as([str(name) for name in theirs.image_ids], first)
        if changed:
            ids = np.array(names, dtype=np.str_)
            renamed = Predictions(ids, theirs.class_names, theirs.probabilities)
            other = replace(other, predictions=renamed)
            whose = f"those of {Path(tables[0].source).name}"
            notes.append(case_note(Path(other.source).name, whose, changed))
        alike.append(other)
    return alike, notes


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


def _raw(given: PredictionTable, table: ImageTable) -> Floats | None:
    """The scores before they were divided, rows and columns as the table has them."""
    if given.raw is None:
        return None
    place = {name.lower(): k for k, name in enumerate(given.predictions.class_names)}
    rows = align_rows(given.predictions.image_ids, table.image_ids)
    return given.raw[rows][:, [place[name.lower()] for name in table.class_names]]


def _from_truth(
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
    return _table(predictions, codes, part.groups, part.lesions, part.patients, part.slices), notes


def _from_columns(given: Sequence[PredictionTable]) -> tuple[ImageTable, list[str]]:
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
    lesions = _within_patients(lesions, patients)
    groups = union_groups(first.image_ids, lesions, patients)
    warnings = [line for line in independence(lesions, patients, groups) if line]
    codes = _codes(labels, first, given[0].source)
    slices: dict[str, Strings] = {}
    for other in given:
        rows = _rows(other, first.image_ids)
        for name, column in other.slices.items():
            slices.setdefault(name, column[rows])
    return _table(first, codes, groups, lesions, patients, slices), warnings


def _within_patients(lesions: Strings, patients: Strings) -> Strings:
    """Lesion numbers that stand in several patients are (patient, lesion)."""
    frame = pd.DataFrame({"lesion_id": lesions, "patient_id": patients}, dtype="str")
    found = lesions_within_patients(frame)[0]["lesion_id"]
    return np.asarray(found.to_numpy(dtype=object), dtype=np.str_)


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

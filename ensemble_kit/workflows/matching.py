"""Predictions made elsewhere, matched with their truth, groups and folds."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ensemble_kit.core.alignment import align_rows, spelled_as
from ensemble_kit.core.errors import PredictionsError, SplitError, some
from ensemble_kit.core.records import Floats, Folds, ImageTable, Predictions
from ensemble_kit.data.dataset import DataSet, load_data
from ensemble_kit.data.images import case_note
from ensemble_kit.data.metadata import spelling_warnings
from ensemble_kit.data.prediction_rows import Asked
from ensemble_kit.data.prediction_tables import PredictionTable, read_prediction_table
from ensemble_kit.runs.manifest import is_run, read_manifest
from ensemble_kit.splits import check_folds, read_folds_file
from ensemble_kit.study import DataSpec
from ensemble_kit.workflows.joining import aligned, expand, join_folds, without_idle
from ensemble_kit.workflows.truth import from_columns, from_truth, rows_in


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


def check_reading(data: DataSpec, truth: Path | None) -> None:
    """PredictionsError where labels are to be read in a way that only a truth allows."""
    asked = [("--map-labels", data.map_labels), ("--label-level", data.label_level)]
    given = [option for option, value in asked if value]
    if truth is None and given:
        raise PredictionsError(
            f"{some(given)}: says how labels are read from --truth, which is not given; give the "
            "table of labels there, or rename the labels in the file of predictions"
        )


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
    check_reading(data, truth)
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
        table, more = from_truth(given.truth, known.table, first.predictions)
        notes += [known.told, *known.notes, *more]
        warnings += known.warnings
    else:
        table, more = from_columns(tables)
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
        theirs = other.fold[rows_in(other, table.image_ids)]
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

"""Several tables of predictions: folds joined, images aligned, classes nobody has left out."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ensemble_kit.core.errors import PredictionsError, count, some
from ensemble_kit.core.records import Floats, ImageTable, Ints, Predictions, Strings
from ensemble_kit.data.prediction_tables import PredictionTable

TABLES = (".csv", ".tsv", ".tab", ".parquet", ".pq", ".npz")


def expand(paths: Sequence[Path]) -> list[Path]:
    """A folder stands for the tables in it, in the order of their names. Raises PredictionsError
    for one without tables, and for a file that is given twice."""
    found: list[Path] = []
    for path in paths:
        if not path.is_dir():
            found.append(path)
            continue
        tables = sorted(p for p in path.iterdir() if p.suffix.lower() in TABLES)
        if not tables:
            raise PredictionsError(f"{path} has no table of predictions ({some(TABLES)})")
        found += tables
    check_once(found, "file")
    return found


def check_once(paths: Sequence[Path], what: str) -> None:
    """PredictionsError where one place is named twice, however its path is spelled. what : file or
    run."""
    seen = set[Path]()
    for path in paths:
        place = path.resolve()
        if place in seen:
            raise PredictionsError(f"{path} is given twice; name every {what} once")
        seen.add(place)


def join_folds(
    given: Sequence[PredictionTable], names: Sequence[str]
) -> tuple[PredictionTable, str, str] | None:
    """Files without an image in common, taken for the folds of one model: the whole table, a name
    and a note; None where the files are of one set of images."""
    if len(given) < 2:
        return None
    total = sum(len(table.predictions) for table in given)
    ids = np.concatenate([table.predictions.image_ids for table in given])
    if len(np.unique(ids)) < total:
        return None
    first = given[0].predictions.class_names
    lower = sorted(name.lower() for name in first)
    for other in given[1:]:
        if sorted(name.lower() for name in other.predictions.class_names) != lower:
            raise PredictionsError(
                f"{given[0].source} and {other.source} have no image in common (folds of one "
                "model?) "
                f"but other classes: {some(first)} and {some(other.predictions.class_names)}; give "
                "files of the same classes"
            )
    p = Predictions(ids, first, np.concatenate([_ordered(t, first) for t in given]))
    told = [t.fold for t in given]
    by_file = any(fold is None or len(np.unique(fold)) > 1 for fold in told) or (
        len({int(fold[0]) for fold in told if fold is not None}) < len(given)
    )
    apart = all(fold is not None and len(np.unique(fold)) > 1 for fold in told)
    parts = told if apart or not by_file else [
        np.full(len(t.predictions), k, np.int64) for k, t in enumerate(given)
    ]  # fmt: skip
    fold = np.concatenate([part for part in parts if part is not None])
    slices = {
        name: np.concatenate([t.slices[name] for t in given])
        for name in given[0].slices
        if all(name in t.slices for t in given)
    }
    whole = PredictionTable(
        source=given[0].source,
        predictions=p,
        labels=_all(given, "labels"),
        fold=fold.astype(np.int64),
        lesions=_all(given, "lesions"),
        patients=_all(given, "patients"),
        slices=slices,
        raw=_raw(given, first),
    )
    note = f"{some(names)} have no image in common: joined as {len(given)} folds of one model"
    return whole, _shared_start(names), note


def aligned(
    given: Sequence[PredictionTable], truth: Strings | None
) -> tuple[list[PredictionTable], list[str]]:
    """The tables on the images that all of them (and the truth) have."""
    sets = [set(table.predictions.image_ids.tolist()) for table in given]
    if truth is not None:
        sets.append(set(truth.tolist()))
    common = set.intersection(*sets)
    if all(len(ids) == len(common) for ids in sets[: len(given)]):
        return list(given), []
    if not common:
        raise PredictionsError(
            "no image is in all of the files and the truth: are they of one set?"
        )
    kept = sorted(common)
    tables = [_take(t, np.flatnonzero(np.isin(t.predictions.image_ids, kept))) for t in given]
    most = max(len(ids) for ids in sets[: len(given)])
    return tables, [f"aligned: {count(len(common), 'image')} that all have, of up to {most:,}"]


def without_idle(
    members: tuple[tuple[str, Predictions], ...], table: ImageTable
) -> tuple[tuple[tuple[str, Predictions], ...], ImageTable, list[str], list[str]]:
    """Classes that no image has and no member gives any probability: left out, with a note; of
    those with some probability a warning."""
    counts = table.class_counts()
    idle = [
        c
        for c in range(table.n_classes)
        if not counts[c] and all(not p.probabilities[:, c].any() for _, p in members)
    ]
    never = [
        table.class_names[c] for c in range(table.n_classes) if not counts[c] and c not in idle
    ]
    notes: list[str] = []
    warnings = []
    if never:
        warnings.append(
            f"no image is {some(never)}: means over classes are not estimable; to leave the "
            "class out, "
            "drop its column and give --normalise"
        )
    if not idle or table.n_classes - len(idle) < 2:
        return members, table, notes, warnings
    keep = [c for c in range(table.n_classes) if c not in idle]
    names = tuple(table.class_names[c] for c in keep)
    gone = some(table.class_names[c] for c in idle)
    notes.append(f"{gone}: no image is one and no probability is given to it: left out")
    place = np.full(table.n_classes, -1, np.int64)
    place[keep] = np.arange(len(keep))
    fewer = tuple(
        (name, Predictions(p.image_ids, names, p.probabilities[:, keep])) for name, p in members
    )
    return fewer, replace(table, labels=place[table.labels], class_names=names), notes, warnings


def _shared_start(names: Sequence[str]) -> str:
    """``model`` for ``model_fold0`` and ``model_fold1``."""
    same = 0
    for letters in zip(*names, strict=False):
        if len(set(letters)) > 1:
            break
        same += 1
    start = names[0][:same].rstrip("_-. ")
    return start.removesuffix("fold").rstrip("_-. ") or names[0]


def _ordered(table: PredictionTable, names: tuple[str, ...]) -> np.ndarray:
    return table.predictions.probabilities[:, _places(table, names)]


def _places(table: PredictionTable, names: tuple[str, ...]) -> list[int]:
    place = {name.lower(): k for k, name in enumerate(table.predictions.class_names)}
    return [place[name.lower()] for name in names]


def _raw(given: Sequence[PredictionTable], names: tuple[str, ...]) -> Floats | None:
    parts = [t.raw[:, _places(t, names)] for t in given if t.raw is not None]
    return np.concatenate(parts) if len(parts) == len(given) else None


def _all(given: Sequence[PredictionTable], what: str) -> Strings | None:
    parts = [getattr(table, what) for table in given]
    return None if any(part is None for part in parts) else np.concatenate(parts)


def _take(table: PredictionTable, rows: Ints) -> PredictionTable:
    p = table.predictions

    def part(values: np.ndarray | None) -> np.ndarray | None:
        return None if values is None else values[rows]

    return replace(
        table,
        predictions=Predictions(p.image_ids[rows], p.class_names, p.probabilities[rows]),
        labels=part(table.labels),
        fold=part(table.fold),
        lesions=part(table.lesions),
        patients=part(table.patients),
        slices={name: column[rows] for name, column in table.slices.items()},
        raw=part(table.raw),
    )

"""Features of a run's images that every fold shares: from the activation store, else the folds'."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ensemble_kit.core.errors import DataError, RunError, StoreError
from ensemble_kit.core.records import Ints
from ensemble_kit.runs.features import read_features, unit_rows
from ensemble_kit.runs.folder import Run, read_run_study
from ensemble_kit.runs.folds import fold_predictions
from ensemble_kit.runs.paths import FEATURES, fold_folders
from ensemble_kit.runs.verification import check_files
from ensemble_kit.stores.activations import ActivationKey, ActivationStore, key_in, stores_in
from ensemble_kit.stores.pixels import plan_pixels

VIEWS_UP_TO = 5_000
"""Images up to which turned and mirrored views are compared too (eight times the work)."""
Features = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class FeatureSet:
    """Features that can be compared with one another. rows : (m,) of the run's table. views : one
    or more (m, F) arrays of unit rows, the first as the images are."""

    rows: Ints
    views: tuple[Features, ...]


@dataclass(frozen=True, eq=False)
class RunFeatures:
    """sets : one where all images can be compared, else one a fold; none where the run has no
    features. source : in words."""

    sets: tuple[FeatureSet, ...]
    source: str


def features_of(run: Run, store_dir: Path) -> RunFeatures:
    """Pooled features of the frozen base, where the store has them; else what the folds kept.

    Features that folds kept come from networks trained differently: only images of one fold are
    compared then, unless the base stayed frozen.
    """
    stored = _stored(run, store_dir)
    if stored is not None:
        rows = np.arange(len(run.table), dtype=np.int64)
        return RunFeatures((FeatureSet(rows, stored),), "pooled features of the store")
    kept = _kept(run)
    if not kept:
        why = "neither the store nor the run's folds hold features of its images"
        return RunFeatures((), why)
    model, training = (study := read_run_study(run.folder)).model, study.training
    if not (model.unfreeze_depth and training.fine_tune_epochs):
        rows = np.concatenate([part.rows for part in kept])
        whole = np.concatenate([part.views[0] for part in kept])
        return RunFeatures((FeatureSet(rows, (whole,)),), "features kept by the folds")
    return RunFeatures(
        kept,
        "features kept by the folds, whose networks differ: images of one fold alone were compared "
        "(with the store of pooled features, --store, all are)",
    )


def _stored(run: Run, store_dir: Path) -> tuple[Features, ...] | None:
    study = read_run_study(run.folder)
    if not store_dir.is_dir() or not (run.table.paths != "").all():
        return None
    try:
        plan = plan_pixels(
            run.table, study.model.image_size, study.model.aspect, store_dir, remember=False
        )
    except (DataError, OSError):
        return None
    if not plan.digest:
        return None
    fitting = []
    for folder in stores_in(store_dir):
        try:
            key = key_in(folder)
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if key.depth == 0 and key.pixels == plan.digest and key.rows == len(run.table):
            fitting.append((key.backbone != study.model.backbone, str(folder), key))
    for _, place, key in sorted(fitting, key=lambda item: item[:2]):
        found = _read_views(ActivationStore(Path(place), key), key)
        if found:
            return found
    return None


def _read_views(store: ActivationStore, key: ActivationKey) -> tuple[Features, ...]:
    rows = np.arange(key.rows, dtype=np.int64)
    views = []
    try:
        for view in range(8 if key.rows <= VIEWS_UP_TO else 1):
            if not store.ready(view):
                break
            views.append(unit_rows(store.read(rows, np.full(key.rows, view, np.int64))))
    except StoreError:
        return ()
    finally:
        store.close()
    return tuple(views)


def _kept(run: Run) -> tuple[FeatureSet, ...]:
    place = {str(name): row for row, name in enumerate(run.table.image_ids)}
    found = []
    for _, folder in fold_folders(run.folder):
        if not (folder / FEATURES).is_file():
            continue
        name = (folder / FEATURES).relative_to(run.folder).as_posix()
        check_files(run.folder, run.manifest, [name])
        ids = fold_predictions(folder).image_ids
        unknown = [str(name) for name in ids if str(name) not in place]
        if unknown:
            raise RunError(f"{folder}: it predicted images the run does not have; damaged")
        rows = np.array([place[str(name)] for name in ids], dtype=np.int64)
        found.append(FeatureSet(rows, (read_features(folder / FEATURES, len(rows)),)))
    return tuple(found)

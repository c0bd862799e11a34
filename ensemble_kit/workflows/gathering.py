"""The folds of a run brought together: their held-out rows, and the files they left."""

from pathlib import Path
from typing import Any

import numpy as np

from ensemble_kit.core.records import Folds, ImageTable, Predictions
from ensemble_kit.runs.folds import FoldDone, fold_predictions
from ensemble_kit.runs.paths import fold_folder
from ensemble_kit.study import StudySpec
from ensemble_kit.training.preparing import Prepared


def gather_folds(table: ImageTable, folder: Path, repeat: int, folds: Folds) -> Predictions:
    """All held-out rows of one draw of folds, in the table's order."""
    parts = [fold_predictions(fold_folder(folder, repeat, k)) for k in range(folds.n_folds)]
    ids = np.concatenate([part.image_ids for part in parts])
    probabilities = np.concatenate([part.probabilities for part in parts])
    return Predictions(ids, table.class_names, probabilities).in_order_of(table.image_ids)


def fold_files(folder: Path, draws: list[Folds]) -> list[str]:
    """Every file of the folds' folders, relative to the run's."""
    names = []
    for repeat, folds in enumerate(draws):
        for k in range(folds.n_folds):
            place = fold_folder(folder, repeat, k)
            names += [
                str(path.relative_to(folder))
                for path in sorted(place.iterdir())
                if path.is_file() and not path.name.startswith(".")
            ]
    return names


def training_facts(prepared: Prepared, spec: StudySpec, done: list[FoldDone]) -> dict[str, Any]:
    """What the manifest records of an image run's training."""
    return {
        "pixels_digest": prepared.pixels.digest,
        "weights_digest": prepared.weights_digest,
        "views": prepared.plan.views,
        "predict_views": spec.training.averaged_views(prepared.plan.views),
        "fine_tune_from": prepared.plan.fine_tune,
        "store_notes": list(prepared.plan.notes),
        "store_bytes": prepared.plan.total_bytes,
        "folds": fold_facts(done),
    }


def fold_facts(done: list[FoldDone]) -> list[dict[str, Any]]:
    """Time and memory of each fold, for the manifest."""
    return [
        {
            "repeat": fold.repeat,
            "fold": fold.fold,
            "epochs": fold.epochs,
            "seconds": fold.seconds,
            "images_per_second": fold.images_per_second,
            "peak_memory": fold.peak_memory,
            "threads": fold.device["threads"],
            "processor": fold.device.get("processor"),
        }
        for fold in sorted(done, key=lambda fold: (fold.repeat, fold.fold))
    ]

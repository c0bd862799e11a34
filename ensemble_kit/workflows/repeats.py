"""Repeats of a cross-validation: each scored by itself, their spread, their average by its name.

Averaging the R out-of-fold probabilities of an image makes an ensemble of R models, whose figures
are better than any one model's. So a run's own table is the first repeat's, and the average is a
table of its own.
"""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ensemble_kit.core.atomic import write_text
from ensemble_kit.core.records import Folds, ImageTable, Ints, Predictions
from ensemble_kit.data.predictions import predictions_csv
from ensemble_kit.metrics.losses import point_scores
from ensemble_kit.metrics.repeats import repeated_scores
from ensemble_kit.runs.paths import OOF_AVERAGE, REPEATS, repeat_name
from ensemble_kit.runs.tables import write_oof_of_repeat
from ensemble_kit.study import EvaluationSpec


def score_repeats(labels: Ints, repeats: Sequence[Predictions]) -> pd.DataFrame:
    """One figure a row: metric, mean and sd over the repeats, repeat_0 …, and average.

    labels : (n,) in the order of the predictions. sd : between repeats, by R - 1: how much redrawn
    folds and another training move a figure; no interval, for all repeats share their images.
    average : the figure of the mean of the R models' probabilities, an ensemble.
    """
    scores = pd.DataFrame([point_scores(labels, repeat.probabilities) for repeat in repeats])
    table = pd.DataFrame(
        {"metric": scores.columns, "mean": scores.mean().to_numpy(), "sd": scores.std().to_numpy()}
    )
    for r in range(len(repeats)):
        table[repeat_name(r)] = scores.loc[r].to_numpy()
    table["average"] = list(point_scores(labels, average_of(repeats).probabilities).values())
    return table


def average_of(repeats: Sequence[Predictions]) -> Predictions:
    """The mean over R repeats of an image's probabilities: R models as one ensemble."""
    first = repeats[0]
    mean = np.mean([repeat.probabilities for repeat in repeats], axis=0)
    return Predictions(first.image_ids, first.class_names, mean)


def write_repeats(folder: Path, labels: Ints, repeats: Sequence[Predictions]) -> list[str]:
    """Write ``repeats.csv``, ``oof_average.csv`` and ``oof_0.csv`` …; their names."""
    if len(repeats) < 2:
        return []
    names = [write_oof_of_repeat(folder, r, repeat) for r, repeat in enumerate(repeats)]
    write_text(folder / OOF_AVERAGE, predictions_csv(average_of(repeats)))
    write_text(folder / REPEATS, score_repeats(labels, repeats).to_csv(index=False))
    return [*names, OOF_AVERAGE, REPEATS]


def corrected_figures(
    table: ImageTable, draws: Sequence[Folds], repeats: Sequence[Predictions], spec: EvaluationSpec
) -> dict[str, dict[str, Any]]:
    """Log loss and accuracy with the interval that counts training too (Nadeau & Bengio 2003), as
    the manifest's facts keep them; see :func:`ensemble_kit.metrics.repeats.repeated_scores`."""
    probabilities = [repeat.in_order_of(table.image_ids).probabilities for repeat in repeats]
    found = repeated_scores(table.labels, draws, probabilities, spec.level)
    return {metric: asdict(estimate) for metric, estimate in found.items()}


def repeats_note(n_repeats: int) -> str:
    """What a reader of a repeated run must know of its figures."""
    return (
        f"The folds were drawn {n_repeats} times. The figures are the first draw's, one model an "
        f"image; {REPEATS} has every draw's with mean and standard deviation, and those of the "
        f"average of {n_repeats} models an image ({OOF_AVERAGE}), which is an ensemble."
    )

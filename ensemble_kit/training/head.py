"""The head of a fold: features of the frozen base, the probe on them, the shift of its scores."""

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble_kit.core.records import Floats, Ints
from ensemble_kit.runs.folds import EpochRecord
from ensemble_kit.study import TrainingSpec
from ensemble_kit.training.phases import PREDICT_BATCH, FoldRows, stopping_scores
from ensemble_kit.training.probe import Probe, fit_probe
from ensemble_kit.training.sources import Source, StoredSource, prediction_batches

ONLINE_VIEWS = 4
"""Views that a probe is fitted to where none are stored: each is a pass through the network."""


@dataclass(frozen=True, eq=False)
class Features:
    """Pooled features of the frozen base, float32: from the store, or else computed from pixels.

    network : pixels -> pooled features; needed where ``stored`` is None. beside : (n, M) encoded
    metadata of all rows of the table, joined to them; None: there is none.
    """

    stored: StoredSource | None
    pixels: Source
    network: Any = None
    beside: NDArray[np.float32] | None = None

    def read(self, rows: Ints, view: int) -> NDArray[np.float32]:
        """(m, F), or (m, F + M), of rows in one view, without changes of colour."""
        found = self._of_images(rows, view)
        return found if self.beside is None else np.hstack([found, self.beside[rows]])

    def _of_images(self, rows: Ints, view: int) -> NDArray[np.float32]:
        if self.stored is not None:
            return np.asarray(self.stored.seen(rows, view))
        batches = prediction_batches(self.pixels, rows, PREDICT_BATCH, view)
        parts = [
            np.asarray(self.network.predict_on_batch(batch.inputs), np.float32)[: batch.size]
            for batch in batches
        ]
        return np.concatenate(parts)


def solve_head(
    features: Features,
    rows: FoldRows,
    groups: Ints,
    views: int,
    n_classes: int,
    generator: np.random.Generator,
) -> tuple[Probe, EpochRecord]:
    """The linear probe of a fold's training rows, and the one line it makes in the history."""
    began = time.perf_counter()
    if features.stored is None:
        views = min(views, ONLINE_VIEWS)
    probe = fit_probe(
        features.read, rows.train, views, rows.labels, groups, rows.weights, n_classes, generator
    )
    seconds = time.perf_counter() - began
    scores: dict[str, float | None] = {}
    if len(rows.stopping_rows):
        probabilities = probe.probabilities(features.read(rows.stopping_rows, 0))
        scores = stopping_scores(rows.labels[rows.stopping_rows], probabilities)
    return probe, EpochRecord(
        phase="head",
        epoch=0,
        loss=probe.train_loss,
        val_loss=scores.get("log_loss"),
        val_accuracy=scores.get("accuracy"),
        val_auc=scores.get("roc_auc"),
        lr=0.0,
        seconds=seconds,
        images_per_second=len(rows.train) * views / seconds,
    )


def score_shift(labels: Ints, train: Ints, n_classes: int, spec: TrainingSpec) -> Floats:
    """(C,) what ``logit_adjustment`` τ adds to the scores: -τ log frequency among training rows.

    Taking it off after training with the plain loss is training with the adjusted loss (Menon et
    al., "Long-tail learning via logit adjustment", ICLR 2021), whose offset the head's free bias
    absorbs. Classes without a training row keep their score.
    """
    counts = np.bincount(labels[train], minlength=n_classes).astype(np.float64)
    share = np.where(counts > 0, counts, counts.sum()) / counts.sum()
    return np.asarray(-spec.logit_adjustment * np.log(share))

"""What a fold's predictions cost a trial, kept by group so that trials compare in pairs."""

import base64
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from ensemble_kit.core.records import Floats, Ints, read_only
from ensemble_kit.metrics.delong import placements
from ensemble_kit.metrics.losses import log_losses, point_scores
from ensemble_kit.study.space import Metric


@dataclass(frozen=True, eq=False)
class FoldLoss:
    """A fold's loss (less is better) and how each group moves it.

    value : log loss, 1 - macro AUC or 1 - balanced accuracy of the rows held out.
    influence : (g,) its linear part by group, in the order of the groups' names; sums to 0. The
    squares of differences between two trials sum to the sampling variance of the difference
    (log loss: ratio estimator; AUC: DeLong's components, clustered as Obuchowski 1997).
    rows : images held out.
    """

    value: float
    influence: Floats
    rows: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "influence", read_only(self.influence))


def fold_loss(metric: Metric, labels: Ints, probabilities: Floats, groups: Ints) -> FoldLoss:
    """The loss of (n,) labels and (n, C) probabilities; groups : (n,) codes of any range."""
    value, parts = _LOSSES[metric](labels, probabilities)
    codes = np.unique(groups, return_inverse=True)[1]
    return FoldLoss(value, np.bincount(codes, weights=parts).astype(np.float64), len(labels))


def score(metric: Metric, labels: Ints, probabilities: Floats) -> float:
    """The figure a trial is judged by, pooled over its folds."""
    return float(point_scores(labels, probabilities)[metric])


def direction(metric: Metric) -> str:
    return "minimize" if metric == "log_loss" else "maximize"


def pack(loss: FoldLoss) -> str:
    """A fold's loss as short text: 4 bytes a group before compression."""
    numbers = np.concatenate([[loss.value, loss.rows], loss.influence])
    head = numbers[:2].astype("<f8").tobytes()
    body = zlib.compress(numbers[2:].astype("<f4").tobytes(), 6)
    return base64.b64encode(head + body).decode("ascii")


def unpack(text: str) -> FoldLoss:
    raw = base64.b64decode(text)
    value, rows = np.frombuffer(raw[:16], "<f8")
    influence = np.frombuffer(zlib.decompress(raw[16:]), "<f4").astype(np.float64)
    return FoldLoss(float(value), influence, int(rows))


def unpack_mean(text: str) -> tuple[float, float]:
    """Value and rows alone of a loss that :func:`pack` made, of at least its first 24 letters."""
    value, rows = np.frombuffer(base64.b64decode(text[:24])[:16], "<f8")
    return float(value), float(rows)


def _log_loss(labels: Ints, probabilities: Floats) -> tuple[float, Floats]:
    losses = log_losses(labels, probabilities)
    mean = float(losses.mean())
    return mean, (losses - mean) / len(losses)


def _balanced_error(labels: Ints, probabilities: Floats) -> tuple[float, Floats]:
    missed = (probabilities.argmax(axis=1) != labels).astype(np.float64)
    return _by_class_mean(labels, missed, probabilities.shape[1])


def _by_class_mean(labels: Ints, losses: Floats, n_classes: int) -> tuple[float, Floats]:
    counts = np.bincount(labels, minlength=n_classes)
    means = np.bincount(labels, weights=losses, minlength=n_classes) / np.maximum(counts, 1)
    present = counts > 0
    parts = (losses - means[labels]) / counts[labels] / present.sum()
    return float(means[present].mean()), parts


def _auc_loss(labels: Ints, probabilities: Floats) -> tuple[float, Floats]:
    """1 - macro AUC; parts from DeLong's placements, those of a side weighted by its size."""
    n, n_classes = probabilities.shape
    values, parts = [], np.zeros(n)
    for c in range(n_classes):
        own = labels == c
        positives = int(own.sum())
        if not 0 < positives < n:
            continue
        wrong = 1 - placements(probabilities[:, c], own)
        value = float(wrong[own].mean())
        values.append(value)
        parts += (wrong - value) / np.where(own, positives, n - positives)
    return float(np.mean(values)), parts / max(len(values), 1)


_LOSSES: Mapping[Metric, Callable[[Ints, Floats], tuple[float, Floats]]] = {
    "log_loss": _log_loss,
    "roc_auc_ovr": _auc_loss,
    "balanced_accuracy": _balanced_error,
}

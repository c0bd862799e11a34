"""Losses of single rows, and cheap point scores for inner loops (no intervals)."""

from collections.abc import Mapping

import numpy as np

from ensemble_kit.core.records import Bools, Floats, Ints

SMALLEST = float(np.finfo(np.float64).eps)


def log_losses(labels: Ints, probabilities: Floats) -> Floats:
    """(n,) minus the log of the true class's probability, clipped to [2.2e-16, 1 - 2.2e-16]
    as scikit-learn's ``log_loss`` does; nats."""
    own = probabilities[np.arange(len(labels)), labels]
    return np.asarray(-np.log(np.clip(own, SMALLEST, 1 - SMALLEST)), dtype=np.float64)


def brier_losses(labels: Ints, probabilities: Floats) -> Floats:
    """(n,) squared distance of the probabilities from the one-hot truth, in [0, 2] (Brier 1950)."""
    own = probabilities[np.arange(len(labels)), labels]
    return np.asarray((probabilities**2).sum(axis=1) - 2 * own + 1, dtype=np.float64)


def auc(scores: Floats, positive: Bools) -> float:
    """Area under the ROC curve of (n,) scores (Mann–Whitney, ties count half); both sides needed.

    Sorting each side's bare numbers is several times faster than ranking all rows.
    """
    high, low = np.sort(scores[positive]), np.sort(scores[~positive])
    below = np.searchsorted(low, high, "left").sum() + np.searchsorted(low, high, "right").sum()
    return float(below) / (2.0 * len(high) * len(low))


def class_aucs(labels: Ints, probabilities: Floats) -> Floats:
    """(C,) one-vs-rest AUC of each class; NaN where a side is empty."""
    n, n_classes = probabilities.shape
    areas = np.full(n_classes, np.nan)
    for c, own in enumerate(labels == c for c in range(n_classes)):
        if 0 < own.sum() < n:
            areas[c] = auc(probabilities[:, c], own)
    return areas


def point_scores(labels: Ints, probabilities: Floats) -> Mapping[str, float]:
    """The headline scores of (n,) labels and (n, C) probabilities, without intervals.

    Keys are the names of ``metrics.csv``: log_loss, brier_score, accuracy, balanced_accuracy,
    f1_macro, roc_auc_ovr, ece. NaN where a class that the figure needs is absent.
    """
    n, n_classes = probabilities.shape
    predicted = probabilities.argmax(axis=1)
    confusion = np.bincount(labels * n_classes + predicted, minlength=n_classes**2)
    confusion = confusion.reshape(n_classes, n_classes).astype(np.float64)
    hits, truth, chosen = confusion.diagonal(), confusion.sum(axis=1), confusion.sum(axis=0)
    present = truth > 0
    nan = np.full(n_classes, np.nan)
    recall = np.divide(hits, truth, out=nan.copy(), where=present)
    f1 = np.divide(2 * hits, truth + chosen, out=nan.copy(), where=present)
    return {
        "log_loss": float(log_losses(labels, probabilities).mean()),
        "brier_score": float(brier_losses(labels, probabilities).mean()),
        "accuracy": float(hits.sum() / n),
        "balanced_accuracy": float(recall.mean()),
        "f1_macro": float(f1.mean()),
        "roc_auc_ovr": float(class_aucs(labels, probabilities).mean()),
        "ece": top_label_ece(labels, probabilities),
    }


def top_label_ece(labels: Ints, probabilities: Floats, n_bins: int = 15) -> float:
    """Expected calibration error of the top-1 confidence, ``n_bins`` bins ((k-1)/K, k/K] of equal
    width (Guo et al. 2017, eq. 3)."""
    predicted = probabilities.argmax(axis=1)
    confidence = probabilities[np.arange(len(labels)), predicted]
    bins = equal_width_bins(confidence, n_bins)
    gaps = np.bincount(bins, weights=confidence - (predicted == labels), minlength=n_bins)
    return float(np.abs(gaps).sum() / len(labels))


def equal_width_bins(scores: Floats, n_bins: int) -> Ints:
    """(n,) bin of each score; bin k holds ((k)/K, (k+1)/K], the first also 0."""
    edges = np.linspace(0, 1, n_bins + 1)
    return np.clip(np.searchsorted(edges, scores, side="left") - 1, 0, n_bins - 1)

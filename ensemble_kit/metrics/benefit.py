"""Decision curves: net benefit of acting on the malignant score (Vickers & Elkin 2006)."""

import numpy as np

from ensemble_kit.core.records import Floats
from ensemble_kit.metrics.cases import Cases

THRESHOLDS = np.arange(1, 100) / 100


class NetBenefit:
    """Net benefit of "act if the summed malignant probability reaches t" at t = 0.01 … 0.99.

    Called with (n_groups, B) weights: (99, B) of the model and of acting on every image, in true
    positives an image. The view must exist.
    """

    def __init__(self, cases: Cases) -> None:
        score = cases.probabilities[:, cases.malignant].sum(axis=1)
        truth = cases.malignant[cases.labels]
        reached = np.searchsorted(THRESHOLDS, score + 1e-12, side="right")
        cells = len(THRESHOLDS) + 1
        self.positives = cases.sums(np.where(truth, reached, -1), cells)
        self.negatives = cases.sums(np.where(truth, -1, reached), cells)

    def __call__(self, weights: Floats) -> tuple[Floats, Floats]:
        positives, negatives = self.positives @ weights, self.negatives @ weights
        n_positive, n_negative = positives.sum(axis=0), negatives.sum(axis=0)
        total = n_positive + n_negative
        tp = n_positive - np.cumsum(positives, axis=0)[:-1]
        fp = n_negative - np.cumsum(negatives, axis=0)[:-1]
        odds = (THRESHOLDS / (1 - THRESHOLDS))[:, None]
        with np.errstate(invalid="ignore", divide="ignore"):
            return (tp - fp * odds) / total, (n_positive - n_negative * odds) / total

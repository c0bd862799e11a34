"""Labels that out-of-fold probabilities speak against.

Two readings of the same numbers. Confident learning (Northcutt, Jiang & Chuang 2021) counts an
image as class j where its probability of j reaches the mean probability of j among the images
labelled j; images counted as another class than they are labelled lie off the diagonal of the
confident joint. That is a count of doubtful images, and most of them are doubtful to the model
alone. The suspicion is the posterior probability that the label is wrong under a model of label
noise fitted to all images: with probability 1 - e the label is drawn from the tempered
probabilities q, with probability e one of the other classes is written instead, all alike:

    P(given) = (1 - e) q_given + e (1 - q_given) / (C - 1)

e and the temperature have the greatest likelihood, so an over-confident model is not taken for
noise and a clean data set gets suspicions near 0.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from ensemble_kit.core.records import Bools, Floats, Ints

FLOOR = 1e-12
"""Probabilities below are taken for this one: a rounded 0 is no certainty."""
ROUNDING = 1e-6
"""A probability so little below its class's mean reaches it (as in cleanlab)."""
MOST_NOISE = 0.5
BOUNDS, STARTS = ((-20.0, 12.0), (-3.0, 3.0)), ((-3.5, 0.0), (-3.5, -0.7), (-8.0, 0.0))
"""Of the log-odds of the noise (as a share of MOST_NOISE) and the logarithm of 1 / temperature."""


@dataclass(frozen=True, eq=False)
class ConfidentJoint:
    """counts : (C, C) images given i (row) and counted as j (column). counted : (n,) the class each
    image is counted as, -1 for none. thresholds : (C,) NaN for a class without images."""

    counts: Ints
    counted: Ints
    thresholds: Floats

    def off_diagonal(self, labels: Ints) -> Bools:
        """(n,) images counted as another class than they are labelled."""
        return np.asarray((self.counted >= 0) & (self.counted != labels))


@dataclass(frozen=True, eq=False)
class LabelNoise:
    """rate : share of labels taken for wrong (e). inverse_temperature : of the model that was
    fitted with it; below 1 the probabilities are over-confident. suspicion : (n,) probability that
    the label of each image is wrong. suggested : (n,) its likeliest other class."""

    rate: float
    inverse_temperature: float
    suspicion: Floats
    suggested: Ints


def confident_joint(probabilities: Floats, labels: Ints) -> ConfidentJoint:
    """Confident learning's joint counts, not calibrated. probabilities : (n, C); labels : (n,)."""
    n_classes = probabilities.shape[1]
    thresholds = np.full(n_classes, np.nan)
    for code in np.unique(labels):
        thresholds[code] = probabilities[labels == code, code].mean()
    reached = probabilities >= np.where(np.isnan(thresholds), np.inf, thresholds - ROUNDING)
    best = np.where(reached, probabilities, -1.0).argmax(axis=1)
    counted = np.where(reached.any(axis=1), best, -1)
    known = counted >= 0
    counts = np.zeros((n_classes, n_classes), np.int64)
    np.add.at(counts, (labels[known], counted[known]), 1)
    return ConfidentJoint(counts, counted.astype(np.int64), thresholds)


def label_noise(probabilities: Floats, labels: Ints) -> LabelNoise:
    """Fit the noise model; the suspicion of every label.

    probabilities : (n, C) out of fold, C at least 2. labels : (n,) int in [0, C).
    """
    n, n_classes = probabilities.shape
    logs = np.log(np.maximum(probabilities, FLOOR))
    rows = np.arange(n)

    def parts(values: Floats) -> tuple[Floats, Floats]:
        rate = MOST_NOISE / (1 + np.exp(-values[0]))
        tempered = np.exp(values[1]) * logs
        tempered -= tempered.max(axis=1, keepdims=True)
        own = np.exp(tempered[rows, labels]) / np.exp(tempered).sum(axis=1)
        wrong = rate * (1 - own) / (n_classes - 1)
        return wrong, (1 - rate) * own + wrong

    def loss(values: Floats) -> float:
        return float(-np.log(np.maximum(parts(values)[1], FLOOR)).mean())

    found = []
    for start in STARTS:
        simplex = np.array([start, (start[0] + 1.0, start[1]), (start[0], start[1] + 0.5)])
        options = {"xatol": 1e-4, "fatol": 1e-9, "maxiter": 400, "initial_simplex": simplex}
        found.append(minimize(loss, start, method="Nelder-Mead", bounds=BOUNDS, options=options))
    best = min(found, key=lambda result: float(result.fun)).x
    wrong, total = parts(best)
    others = probabilities.copy()
    others[rows, labels] = -1.0
    return LabelNoise(
        rate=float(MOST_NOISE / (1 + np.exp(-best[0]))),
        inverse_temperature=float(np.exp(best[1])),
        suspicion=np.asarray(wrong / np.maximum(total, 1e-300)),
        suggested=others.argmax(axis=1).astype(np.int64),
    )

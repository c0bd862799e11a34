"""Calibrators that are linear in the logarithm of the probabilities, each a convex fit.

All work on ``log max(p, floor)``, which for a softmax output differs from its logits by a constant
a row, and so is the same thing. Every fit has a Gaussian prior of unit variance around "change
nothing", worth one observation, which keeps a class nobody has seen where it was.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ensemble_kit.core.records import Floats, Ints
from ensemble_kit.posthoc.convex.designs import Affine, Biased, Design, Pooled, Vector
from ensemble_kit.posthoc.convex.logistic import Penalty, fit_choosing_penalty, fit_logistic
from ensemble_kit.posthoc.convex.simplex import log_floor, safe_log, softmax

ODIR = (10.0, 1.0, 0.1)
LEAST_SLOPE = 0.02


@dataclass(frozen=True, eq=False)
class Scaling:
    """softmax(slopes · log p + biases).

    slopes : (1,) one for all (temperature 1/slope), or (C,) one a class. biases : (C,).
    """

    kind: ClassVar[str] = "scaling"
    slopes: Floats
    biases: Floats
    floor: float
    n_parameters: int

    def apply(self, probabilities: Floats) -> Floats:
        return softmax(self.slopes * safe_log(probabilities, self.floor) + self.biases)

    def to_json(self) -> dict[str, Any]:
        return {
            "slopes": self.slopes.tolist(),
            "biases": self.biases.tolist(),
            "floor": self.floor,
            "n_parameters": self.n_parameters,
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Scaling":
        slopes, biases = (np.array(values[k], dtype=np.float64) for k in ("slopes", "biases"))
        return cls(slopes, biases, float(values["floor"]), int(values["n_parameters"]))


@dataclass(frozen=True, eq=False)
class Matrix:
    """softmax(W log p + b): weights W (C, C), biases b (C,).

    off_diagonal, intercept : the penalties under which they were fitted.
    """

    kind: ClassVar[str] = "matrix"
    weights: Floats
    biases: Floats
    floor: float
    off_diagonal: float
    intercept: float

    @property
    def n_parameters(self) -> int:
        return int(self.weights.size + self.biases.size)

    def apply(self, probabilities: Floats) -> Floats:
        return softmax(safe_log(probabilities, self.floor) @ self.weights.T + self.biases)

    def to_json(self) -> dict[str, Any]:
        return {
            "weights": self.weights.tolist(),
            "biases": self.biases.tolist(),
            "floor": self.floor,
            "off_diagonal": self.off_diagonal,
            "intercept": self.intercept,
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Matrix":
        weights, biases = (np.array(values[k], dtype=np.float64) for k in ("weights", "biases"))
        penalties = float(values["off_diagonal"]), float(values["intercept"])
        return cls(weights, biases, float(values["floor"]), *penalties)


def fit_temperature(probabilities: Floats, labels: Ints, fold: Ints) -> Scaling:
    """One slope (1 / temperature) for all classes: Guo et al. 2017. No prior: one number."""
    floor = log_floor(probabilities)
    logs = safe_log(probabilities, floor)
    penalty = Penalty(np.array([1e-9]), np.ones(1))
    slope = fit_logistic(Pooled(logs[None]), labels, penalty, lower=np.array([LEAST_SLOPE]))
    return Scaling(slope, np.zeros(probabilities.shape[1]), floor, 1)


def fit_bias(probabilities: Floats, labels: Ints, fold: Ints) -> Scaling:
    """One slope and a bias a class: "bias-corrected temperature scaling", Alexandari et al. 2020.

    Corrects over-confidence and wrong class frequencies (as from class weights or focal loss).
    """
    n_classes = probabilities.shape[1]
    floor = log_floor(probabilities)
    centre = np.r_[1.0, np.zeros(n_classes)]
    lower = np.r_[LEAST_SLOPE, np.full(n_classes, -np.inf)]
    theta = _fit(Biased(safe_log(probabilities, floor)), labels, centre, lower)
    return Scaling(theta[:1], theta[1:], floor, n_classes)


def fit_vector(probabilities: Floats, labels: Ints, fold: Ints) -> Scaling:
    """A slope and a bias for each class: Guo et al. 2017, "vector scaling"."""
    n_classes = probabilities.shape[1]
    floor = log_floor(probabilities)
    centre = np.r_[np.ones(n_classes), np.zeros(n_classes)]
    theta = _fit(Vector(safe_log(probabilities, floor)), labels, centre, None)
    return Scaling(theta[:n_classes], theta[n_classes:], floor, 2 * n_classes)


def fit_dirichlet(probabilities: Floats, labels: Ints, fold: Ints) -> Matrix:
    """Dirichlet calibration with off-diagonal and intercept regularisation: Kull et al. 2019.

    The off-diagonal penalty is chosen on inner folds from 10, 1 and 0.1, the intercept's
    from the same value and none.
    """
    pairs = [(off, mu) for off in ODIR for mu in (off, 0.0)]
    return _fit_matrix(probabilities, labels, fold, pairs)


def fit_matrix(probabilities: Floats, labels: Ints, fold: Ints) -> Matrix:
    """Matrix scaling (Guo et al. 2017): the same map under the weak prior alone."""
    return _fit_matrix(probabilities, labels, fold, [(0.0, 0.0)])


def _fit_matrix(
    probabilities: Floats, labels: Ints, fold: Ints, penalties: list[tuple[float, float]]
) -> Matrix:
    n, c = probabilities.shape
    floor = log_floor(probabilities)
    features = np.hstack([safe_log(probabilities, floor), np.ones((n, 1))])
    centre = np.hstack([np.eye(c), np.zeros((c, 1))])
    off_diagonal = np.hstack([1.0 - np.eye(c), np.zeros((c, 1))])
    intercept = np.hstack([np.zeros((c, c)), np.ones((c, 1))])
    choices = [
        Penalty((off * off_diagonal + mu * intercept + 1.0 / n).ravel(), centre.ravel())
        for off, mu in penalties
    ]
    design = Affine(features, c)
    if len(choices) == 1:
        theta, chosen = fit_logistic(design, labels, choices[0]), 0
    else:
        fit = fit_choosing_penalty(design, labels, fold, choices)
        theta, chosen = fit.theta, fit.chosen
    theta = theta.reshape(c, c + 1)
    return Matrix(
        theta[:, :c].copy(), theta[:, c].copy(), floor, penalties[chosen][0], penalties[chosen][1]
    )


def _fit(design: Design, labels: Ints, centre: Floats, lower: Floats | None) -> Floats:
    penalty = Penalty(np.full_like(centre, 1.0 / len(labels)), centre)
    return fit_logistic(design, labels, penalty, lower=lower)

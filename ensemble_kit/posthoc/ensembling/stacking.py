"""Stacking: ridge-penalised multinomial logistic regression on the members' log-odds."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ensemble_kit.core.records import Floats
from ensemble_kit.posthoc.convex.designs import Affine
from ensemble_kit.posthoc.convex.logistic import Penalty, fit_choosing_penalty
from ensemble_kit.posthoc.convex.simplex import softmax
from ensemble_kit.posthoc.crossfit import Rows
from ensemble_kit.posthoc.ensembling.weighting import fit_log_weights

RIDGES = (10.0, 1.0, 0.1, 0.01)


@dataclass(frozen=True, eq=False)
class Stack:
    """softmax(W x + b); x (n, M·C) the centred log probabilities of all members.

    weights W (C, M·C), biases (C,), floors (M,), ridge: the penalty that was chosen.
    """

    kind: ClassVar[str] = "stack"
    weights: Floats
    biases: Floats
    floors: Floats
    ridge: float

    @property
    def n_parameters(self) -> int:
        return int(self.weights.size + self.biases.size)

    def apply(self, members: Floats) -> Floats:
        return softmax(log_odds(members, self.floors) @ self.weights.T + self.biases)

    def to_json(self) -> dict[str, Any]:
        return {
            "weights": self.weights.tolist(),
            "biases": self.biases.tolist(),
            "floors": self.floors.tolist(),
            "ridge": self.ridge,
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Stack":
        weights, biases, floors = (
            np.array(values[k], dtype=np.float64) for k in ("weights", "biases", "floors")
        )
        return cls(weights, biases, floors, float(values["ridge"]))


def log_odds(members: Floats, floors: Floats) -> Floats:
    """(n, M·C) log probabilities of each member less their mean over classes."""
    logs = np.log(np.maximum(members, floors[:, None, None]))
    logs -= logs.mean(axis=2, keepdims=True)
    m, n, c = logs.shape
    return np.ascontiguousarray(logs.transpose(1, 0, 2)).reshape(n, m * c)


def fit_stack(rows: Rows) -> Stack:
    """Shrunk towards the fitted logarithmic pool, by a ridge chosen on inner folds of groups.

    Under the largest ridge it is that pool with class biases, so the stacker is free to add
    nothing where there is nothing to learn.
    """
    inner = rows.with_inner_folds()
    pool = fit_log_weights(inner)
    floors = pool.floors
    x = log_odds(inner.members, floors)
    c = rows.n_classes
    centre = np.hstack([np.kron(pool.weights, np.eye(c)), np.zeros((c, 1))])
    bias = np.zeros_like(centre)
    bias[:, -1] = 1.0 / len(rows)
    features = np.hstack([x, np.ones((len(x), 1))])
    slopes = np.ones_like(centre)
    slopes[:, -1] = 0.0
    penalties = [Penalty((ridge * slopes + bias).ravel(), centre.ravel()) for ridge in RIDGES]
    fit = fit_choosing_penalty(Affine(features, c), inner.labels, inner.fold, penalties)
    theta = fit.theta.reshape(c, -1)
    return Stack(theta[:, :-1].copy(), theta[:, -1].copy(), floors, RIDGES[fit.chosen])

"""Fits of the pools: equal weights, the best member, and convex weights by log loss."""

import numpy as np

from ensemble_kit.core.records import Floats
from ensemble_kit.posthoc.convex.designs import Biased, Pooled
from ensemble_kit.posthoc.convex.logistic import Penalty, fit_logistic
from ensemble_kit.posthoc.convex.mixture import mixture_weights
from ensemble_kit.posthoc.convex.simplex import log_floor, mean_log_loss, safe_log, true_class
from ensemble_kit.posthoc.crossfit import Rows
from ensemble_kit.posthoc.ensembling.pools import CalibratedPool, ClassPool, LinearPool, LogPool


def fit_mean(rows: Rows) -> LinearPool:
    """The arithmetic mean; nothing is fitted."""
    return LinearPool(_equal(rows))


def fit_geometric(rows: Rows) -> LogPool:
    """The normalised geometric mean; only the floors for zeros come from the rows."""
    return LogPool(_equal(rows), member_floors(rows.members))


def fit_best(rows: Rows) -> LinearPool:
    """The single member with the least log loss."""
    losses = [mean_log_loss(p, rows.labels) for p in rows.members]
    weights = np.zeros(len(losses))
    weights[int(np.argmin(losses))] = 1.0
    return LinearPool(weights, n_parameters=1)


def fit_weights(rows: Rows) -> LinearPool:
    """Weights on the simplex with the least log loss of Σ_m w_m p_m, a convex problem."""
    weights = mixture_weights(true_class(rows.members, rows.labels).T)
    return LinearPool(weights, n_parameters=len(weights) - 1)


def fit_class_weights(rows: Rows) -> ClassPool:
    """Weights on the simplex class by class, each by its one-vs-rest log loss (also convex)."""
    columns = []
    for c in range(rows.n_classes):
        p = rows.members[:, :, c]
        columns.append(mixture_weights(np.where(rows.labels == c, p, 1.0 - p).T))
    return ClassPool(np.stack(columns, axis=1))


def fit_log_weights(rows: Rows) -> LogPool:
    """Exponents w_m ≥ 0 with the least log loss of p ∝ Π p_m^{w_m}, a convex problem.

    Their sum is free, so the pool is calibrated by temperature as it is weighted. A Gaussian prior
    of unit variance around equal weights keeps near-copies from taking opposite weights.
    """
    floors = member_floors(rows.members)
    logs = np.log(np.maximum(rows.members, floors[:, None, None]))
    equal = _equal(rows)
    penalty = Penalty(np.full_like(equal, 1.0 / len(rows)), equal)
    weights = fit_logistic(Pooled(logs), rows.labels, penalty, lower=np.zeros_like(equal))
    return LogPool(weights, floors, n_parameters=len(weights))


def fit_calibrated_mean(rows: Rows) -> CalibratedPool:
    """The mean of members that are first calibrated one by one (temperature and class biases)."""
    floors = member_floors(rows.members)
    centre = np.r_[1.0, np.zeros(rows.n_classes)]
    penalty = Penalty(np.full_like(centre, 1.0 / len(rows)), centre)
    lower = np.r_[0.05, np.full(rows.n_classes, -np.inf)]
    fits = np.stack(
        [
            fit_logistic(Biased(safe_log(p, floor)), rows.labels, penalty, lower=lower)
            for p, floor in zip(rows.members, floors, strict=True)
        ]
    )
    return CalibratedPool(fits[:, 0], fits[:, 1:], floors)


def member_floors(members: Floats) -> Floats:
    """(M,) what each member's zeros are taken for in a logarithm."""
    return np.array([log_floor(p) for p in members])


def _equal(rows: Rows) -> Floats:
    return np.full(len(rows.members), 1.0 / len(rows.members))

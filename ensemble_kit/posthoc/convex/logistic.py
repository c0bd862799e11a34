"""Multinomial logistic fits over a design, with a quadratic penalty towards a centre."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve

from ensemble_kit.core.records import Floats, Ints
from ensemble_kit.posthoc.convex.designs import Design
from ensemble_kit.posthoc.convex.newton import MAX_NEWTON_PARAMETERS, Slope, minimise
from ensemble_kit.posthoc.convex.simplex import mean_log_loss, softmax, true_class


@dataclass(frozen=True, eq=False)
class Penalty:
    """½ Σ_j ridge_j (θ_j - centre_j)², added to the mean log loss. Both arrays are (P,)."""

    ridge: Floats
    centre: Floats


@dataclass(frozen=True, eq=False)
class LogLoss:
    """Mean log loss of softmax(design(θ)) plus the penalty; an objective for ``minimise``."""

    design: Design
    labels: Ints
    penalty: Penalty

    def slope(self, theta: Floats) -> Slope:
        p = softmax(self.design.scores(theta))
        n = len(self.labels)
        loss = -np.log(np.maximum(true_class(p, self.labels), 1e-300)).mean()
        p[np.arange(n), self.labels] -= 1.0
        away = theta - self.penalty.centre
        gradient = self.design.adjoint(p) / n + self.penalty.ridge * away
        return Slope(float(loss + 0.5 * (self.penalty.ridge * away * away).sum()), gradient)

    def hessian(self, theta: Floats) -> Floats:
        h = self.design.curvature(softmax(self.design.scores(theta))) / len(self.labels)
        h[np.diag_indices_from(h)] += self.penalty.ridge
        return h


def fit_logistic(
    design: Design,
    labels: NDArray[Any],
    penalty: Penalty,
    lower: Floats | None = None,
    start: Floats | None = None,
) -> Floats:
    """The penalised maximum-likelihood parameters (P,), started at the penalty's centre."""
    objective = LogLoss(design, np.asarray(labels, dtype=np.int64), penalty)
    return minimise(objective, penalty.centre if start is None else start, lower)


@dataclass(frozen=True, eq=False)
class Regularised:
    """The fit under the penalty that predicted left-out folds best, and which one that was."""

    theta: Floats
    chosen: int
    losses: tuple[float, ...]


def fit_choosing_penalty(
    design: Design, labels: NDArray[Any], fold: NDArray[Any], penalties: Sequence[Penalty]
) -> Regularised:
    """Fit under each penalty, keep the one with the least log loss on left-out folds.

    Each left-out fit is one Newton step away from the fit to all rows (the infinitesimal jackknife
    with an exact Hessian: Beirami et al., "On optimal generalizability in parametric learning",
    2017), which costs no more than one step in all; problems too large for a Hessian refit.
    """
    labels = np.asarray(labels, dtype=np.int64)
    fits: list[Floats] = []
    losses: list[float] = []
    start: Floats | None = None
    for penalty in penalties:
        start = fit_logistic(design, labels, penalty, start=start)
        fits.append(start)
        losses.append(_left_out_loss(LogLoss(design, labels, penalty), start, fold))
    best = int(np.argmin(losses))
    return Regularised(fits[best], best, tuple(losses))


def _left_out_loss(objective: LogLoss, theta: Floats, fold: NDArray[Any]) -> float:
    labels, n = objective.labels, len(objective.labels)
    parts = [np.flatnonzero(fold == k) for k in np.unique(fold)]
    total = 0.0
    if len(theta) > MAX_NEWTON_PARAMETERS:
        for rows in parts:
            rest = np.setdiff1d(np.arange(n), rows)
            kept = fit_logistic(
                objective.design.take(rest), labels[rest], objective.penalty, start=theta
            )
            held = objective.design.take(rows)
            total += len(rows) * mean_log_loss(softmax(held.scores(kept)), labels[rows])
        return total / n
    p = softmax(objective.design.scores(theta))
    held_designs = [objective.design.take(rows) for rows in parts]
    curvatures = [d.curvature(p[rows]) for d, rows in zip(held_designs, parts, strict=True)]
    whole = np.sum(curvatures, axis=0)
    whole[np.diag_indices_from(whole)] += n * objective.penalty.ridge + 1e-9
    for rows, held, curvature in zip(parts, held_designs, curvatures, strict=True):
        residuals = p[rows].copy()
        residuals[np.arange(len(rows)), labels[rows]] -= 1.0
        away = solve(whole - curvature, held.adjoint(residuals), assume_a="sym")
        total += len(rows) * mean_log_loss(softmax(held.scores(theta + away)), labels[rows])
    return total / n

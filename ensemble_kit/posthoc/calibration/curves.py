"""Calibrators that treat every class against the rest and normalise: one curve a class."""

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from scipy.optimize import isotonic_regression

from ensemble_kit.core.records import Floats, Ints
from ensemble_kit.posthoc.convex.designs import Pooled
from ensemble_kit.posthoc.convex.logistic import Penalty, fit_logistic
from ensemble_kit.posthoc.convex.simplex import log_floor, normalised

BINS = 15
VENN_POINTS = 512


@dataclass(frozen=True, eq=False)
class Curves:
    """p'_c = curve_c(p_c), rows normalised. A curve is linear between its knots.

    knots, values : per class (K_c,) arrays; below the first knot and above the last, constant.
    """

    kind: ClassVar[str] = "curves"
    knots: tuple[Floats, ...]
    values: tuple[Floats, ...]

    @property
    def n_parameters(self) -> int:
        return int(sum(len(np.unique(v)) for v in self.values))

    def apply(self, probabilities: Floats) -> Floats:
        columns = [
            np.interp(probabilities[:, c], self.knots[c], self.values[c])
            for c in range(len(self.knots))
        ]
        return normalised(np.stack(columns, axis=1))

    def to_json(self) -> dict[str, Any]:
        return {name: [v.tolist() for v in getattr(self, name)] for name in ("knots", "values")}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Curves":
        knots, curve = (
            tuple(np.array(v, dtype=np.float64) for v in values[name])
            for name in ("knots", "values")
        )
        return cls(knots, curve)


@dataclass(frozen=True, eq=False)
class Beta:
    """p'_c = 1 / (1 + exp(-(a_c ln p_c - b_c ln(1 - p_c) + m_c))), normalised; (3, C) numbers."""

    kind: ClassVar[str] = "beta"
    parameters: Floats
    floor: float

    @property
    def n_parameters(self) -> int:
        return self.parameters.size

    def apply(self, probabilities: Floats) -> Floats:
        a, b, m = self.parameters
        low, high = _both_logs(probabilities, self.floor)
        return normalised(1.0 / (1.0 + np.exp(-(a * low - b * high + m))))

    def to_json(self) -> dict[str, Any]:
        return {"parameters": self.parameters.tolist(), "floor": self.floor}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Beta":
        return cls(np.array(values["parameters"], dtype=np.float64), float(values["floor"]))


class Pooling(NamedTuple):
    """Rows with the same score as one: scores (K,) ascending, weights (K,), hit rates (K,)."""

    scores: Floats
    weights: Floats
    rates: Floats


def fit_beta(probabilities: Floats, labels: Ints, fold: Ints) -> Beta:
    """Beta calibration, one class against the rest: Kull, Silva Filho and Flach 2017 (a, b ≥ 0)."""
    floor = log_floor(probabilities)
    low, high = _both_logs(probabilities, floor)
    centre = np.array([1.0, 1.0, 0.0])
    penalty = Penalty(np.full(3, 1.0 / len(labels)), centre)
    lower = np.array([0.0, 0.0, -np.inf])
    columns = []
    for c in range(probabilities.shape[1]):
        features = np.stack([low[:, c], -high[:, c], np.ones(len(labels))])
        logs = np.stack([np.zeros_like(features), features], axis=2)
        hit = (labels == c).astype(np.int64)
        columns.append(fit_logistic(Pooled(logs), hit, penalty, lower=lower))
    return Beta(np.stack(columns, axis=1), floor)


def fit_isotonic(probabilities: Floats, labels: Ints, fold: Ints) -> Curves:
    """Isotonic regression, one class against the rest: Zadrozny and Elkan 2002.

    Values are kept within [1/(n+2), 1-1/(n+2)] so that no outcome is called impossible.
    """
    least = 1.0 / (len(labels) + 2)
    knots, values = [], []
    for c in range(probabilities.shape[1]):
        pooled = pool_ties(probabilities[:, c], labels == c)
        fit = np.clip(_isotonic(pooled.rates, pooled.weights), least, 1.0 - least)
        corner = np.r_[True, np.diff(fit) != 0] | np.r_[np.diff(fit) != 0, True]
        knots.append(pooled.scores[corner])
        values.append(fit[corner])
    return Curves(tuple(knots), tuple(values))


def fit_histogram(probabilities: Floats, labels: Ints, fold: Ints) -> Curves:
    """Histogram binning, one class against the rest: Zadrozny and Elkan 2001.

    Fifteen bins of equal mass; a bin's value is its hit rate drawn to the class's overall rate by
    one pseudo-observation.
    """
    knots, values = [], []
    for c in range(probabilities.shape[1]):
        hit = labels == c
        scores = probabilities[:, c]
        edges = np.unique(np.quantile(scores, np.linspace(0, 1, BINS + 1)[1:-1]))
        bins = np.searchsorted(edges, scores, side="right")
        n = np.bincount(bins, minlength=len(edges) + 1)
        hits = np.bincount(bins, weights=hit, minlength=len(edges) + 1)
        base = (hit.sum() + 0.5) / (len(hit) + 1)
        rates = (hits + base) / (n + 1)
        knots.append(np.repeat(edges, 2) if len(edges) else np.array([0.5]))
        knots[-1][0::2] = np.nextafter(knots[-1][0::2], -1) if len(edges) else knots[-1]
        values.append(np.r_[rates[0], np.repeat(rates[1:-1], 2), rates[-1]][: len(knots[-1])])
    return Curves(tuple(knots), tuple(values))


def fit_venn_abers(probabilities: Floats, labels: Ints, fold: Ints) -> Curves:
    """Venn–Abers (inductive), one class against the rest: Vovk, Petej and Fedorova 2015.

    p0 and p1 are isotonic fits with the new point added as a miss and as a hit, exact at every
    distinct score (up to 512 of them; more are first merged into 512 of equal mass); the value
    that minimises log-loss regret is p1 / (1 - p0 + p1).
    """
    knots, values = [], []
    for c in range(probabilities.shape[1]):
        pooled = _merge(pool_ties(probabilities[:, c], labels == c), VENN_POINTS)
        p0, p1 = venn_abers(pooled)
        knots.append(pooled.scores)
        values.append(p1 / (1.0 - p0 + p1))
    return Curves(tuple(knots), tuple(values))


def venn_abers(pooled: Pooling) -> tuple[Floats, Floats]:
    """p0, p1 (K,) for a new score equal to each of the pooled ones."""
    k = len(pooled.scores)
    p0, p1 = np.empty(k), np.empty(k)
    weights = pooled.weights.copy()
    for i in range(k):
        old_weight, old_rate = pooled.weights[i], pooled.rates[i]
        weights[i] = old_weight + 1.0
        for out, outcome in ((p0, 0.0), (p1, 1.0)):
            rates = pooled.rates.copy()
            rates[i] = (old_rate * old_weight + outcome) / weights[i]
            out[i] = _isotonic(rates, weights)[i]
        weights[i] = old_weight
    return p0, p1


def pool_ties(scores: Floats, hit: Ints) -> Pooling:
    """Rows of equal score as one weighted point each."""
    distinct, place = np.unique(scores, return_inverse=True)
    weights = np.bincount(place, minlength=len(distinct)).astype(np.float64)
    return Pooling(distinct, weights, np.bincount(place, hit, len(distinct)) / weights)


def _merge(pooled: Pooling, limit: int) -> Pooling:
    if len(pooled.scores) <= limit:
        return pooled
    mass = np.cumsum(pooled.weights) - pooled.weights / 2
    part = np.minimum((mass / pooled.weights.sum() * limit).astype(np.int64), limit - 1)
    part = np.unique(part, return_inverse=True)[1]
    weights = np.bincount(part, pooled.weights).astype(np.float64)
    scores = np.bincount(part, pooled.weights * pooled.scores) / weights
    return Pooling(scores, weights, np.bincount(part, pooled.weights * pooled.rates) / weights)


def _isotonic(rates: Floats, weights: Floats) -> Floats:
    return np.asarray(isotonic_regression(rates, weights=weights).x, dtype=np.float64)


def _both_logs(probabilities: Floats, floor: float) -> tuple[Floats, Floats]:
    return np.log(np.maximum(probabilities, floor)), np.log(np.maximum(1 - probabilities, floor))

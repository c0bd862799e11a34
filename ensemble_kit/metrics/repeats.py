"""Intervals that count what training adds: for repeated cross-validation.

The usual intervals hold the trained models fixed: they say how the figure of these models would
move with other test images, not how it would move had the models been trained on other images.
With repeats two others can be given:

* the corrected variance of Nadeau & Bengio 2003 over the J = R·K fold scores of R repeats,
  (1/J + test/train)·s², Student's t with J − 1 degrees of freedom;
* the nested cross-validation interval of Bates, Hastie & Tibshirani 2024 (JASA, algorithm 1) from
  the losses of models trained without two folds, for losses that are means over images.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import norm
from scipy.stats import t as student

from ensemble_kit.core.records import Estimate, Floats, Folds, Ints
from ensemble_kit.metrics.jackknife import NO_WIDTH
from ensemble_kit.metrics.losses import point_scores

CORRECTED = "corrected resampled t, repeats (Nadeau & Bengio)"
NESTED = "nested cross-validation (Bates, Hastie & Tibshirani)"
ALL_ALIKE = "no interval: all folds score the same, so the spread of the scores is unknown"


def corrected_interval(scores: Floats, level: float = 0.95, n_groups: int = 0) -> Estimate:
    """The mean of (R, K) fold scores of R repeats of K folds, with the corrected interval.

    NaN scores (a class absent in a fold) leave the figure without an interval, as do fewer than
    two scores. A level of noise that the repeats share is covered by the factor 1/(K − 1), the
    share of test to training images.
    """
    values = scores.ravel()
    folds = scores.shape[1]
    if len(values) < 2 or folds < 2 or not np.isfinite(values).all():
        why = "no interval: it needs a score of every fold, and two folds or more"
        value = float(values.mean()) if len(values) and np.isfinite(values).all() else None
        return Estimate(value, None, None, level, CORRECTED, "fold", n_groups, why)
    mean = float(values.mean())
    error = float(np.sqrt((1 / len(values) + 1 / (folds - 1)) * values.var(ddof=1)))
    half = float(student.ppf((1 + level) / 2, len(values) - 1)) * error
    return Estimate(mean, mean - half, mean + half, level, CORRECTED, "fold", n_groups)


def repeated_scores(
    labels: Ints, draws: Sequence[Folds], repeats: Sequence[Floats], level: float = 0.95
) -> dict[str, Estimate]:
    """Log loss and accuracy over R repeats: the mean of the folds' scores, corrected interval.

    labels : (n,). draws : the folds of each repeat. repeats : (n, C) out-of-fold probabilities of
    each.
    """
    scores: dict[str, list[list[float]]] = {"log_loss": [], "accuracy": []}
    for draw, probabilities in zip(draws, repeats, strict=True):
        held = [draw.held_out(k) for k in range(draw.n_folds)]
        found = [point_scores(labels[rows], probabilities[rows]) for rows in held]
        for metric, rows in scores.items():
            rows.append([score[metric] for score in found])
    n_groups = len(np.unique(draws[0].groups))
    most = {"log_loss": np.inf, "accuracy": 1.0}
    return {
        metric: _within(corrected_interval(np.array(rows), level, n_groups), most[metric])
        for metric, rows in scores.items()
    }


def _within(found: Estimate, most: float) -> Estimate:
    """An interval cut to the values its figure can have, 0 to ``most``; none where it has no
    width."""
    if found.low is None or found.high is None:
        return found
    if found.high - found.low < NO_WIDTH:
        return replace(found, low=None, high=None, note=ALL_ALIKE)
    return replace(found, low=max(0.0, found.low), high=float(min(most, found.high)))


@dataclass(frozen=True, eq=False)
class NestedSplit:
    """One held-out fold of one repeat of nested cross-validation.

    inner : (n_in,) losses of the other folds' images, each by a model that saw neither its own
    fold nor the held-out one. outer : (n_out,) losses of the held-out fold by the model trained on
    all the others. groups : (n_out,) group of each held-out image; None: each its own.
    """

    inner: Floats
    outer: Floats
    groups: Ints | None = None


def nested_interval(
    splits: list[NestedSplit], plain: Floats, groups: Ints, folds: int, level: float = 0.95
) -> Estimate:
    """The mean loss with the nested cross-validation interval.

    splits : every held-out fold of every repeat. plain : (n,) out-of-fold losses of the ordinary
    cross-validation. groups : (n,) group of each image, by which the naive error is reckoned.
    folds : K.
    The mean squared error of the inner estimate is a − b, a the mean of (inner mean − outer mean)²
    and b the mean variance of the outer mean; the standard error √((K−1)/K · MSE) is kept between
    the naive one and √K times it, and the estimate is moved by the bias (1 + (K−2)/K) · (inner −
    plain), as the paper has it.
    """
    if len(splits) < 2 or folds < 3:
        raise ValueError("the nested interval needs at least two splits of three folds or more")
    gaps = np.array([(s.inner.mean() - s.outer.mean()) ** 2 for s in splits])
    noise = np.array([_mean_variance(s.outer, s.groups) for s in splits])
    squared = max(0.0, float(gaps.mean() - noise.mean()))
    whole = float(plain.mean())
    naive = _mean_variance(plain, groups) ** 0.5
    error = float(np.clip(np.sqrt((folds - 1) / folds * squared), naive, naive * folds**0.5))
    inner = float(np.mean([s.inner.mean() for s in splits]))
    bias = (1 + (folds - 2) / folds) * (inner - whole)
    half = float(norm.ppf((1 + level) / 2)) * error
    value = inner - bias
    found = Estimate(
        value, value - half, value + half, level, NESTED, "group", len(np.unique(groups))
    )
    return _within(found, np.inf)


def _mean_variance(losses: Floats, groups: Ints | None) -> float:
    """Variance of a mean loss, by groups (ratio estimator)."""
    codes = np.arange(len(losses))
    if groups is not None:
        codes = np.unique(groups, return_inverse=True)[1]
    residuals = np.bincount(codes, weights=losses - losses.mean())
    m = len(residuals)
    return float(m / (m - 1) * (residuals**2).sum() / len(losses) ** 2) if m > 1 else 0.0

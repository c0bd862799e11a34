"""Calibration measures without bins: smooth calibration error; calibration slope and intercept.

Smooth ECE: Błasiok & Nakkiran 2023 (reflected Gaussian kernel, the bandwidth that equals the
error). Slope and intercept: Cox 1958; Van Calster et al. 2019 (intercept with the slope at 1).
"""

import numpy as np
import scipy.sparse as sparse
from scipy.special import expit, logit

from ensemble_kit.core.records import Bools, Floats, Ints
from ensemble_kit.metrics.cases import Cases, Figures, cell_sums

NODES = 256
FREQUENCIES = 128
KNOTS = 24
CLIP = 1e-6
ROUNDS = 10
NEWTON_STEPS = 4
SETTLED = 1e-3
CONVERGED = 1e-11


class SmoothError:
    """Smooth ECE of the top-1 confidence under any (n_groups, B) weights; residuals (accuracy
    minus confidence) are spread on 256 nodes."""

    def __init__(self, cases: Cases) -> None:
        top = cases.probabilities.max(axis=1, initial=0.0)
        self.residuals = _on_nodes(top, (cases.predicted == cases.labels) - top, cases)
        self.frequencies = np.arange(FREQUENCIES)
        middles = (np.arange(NODES) + 0.5) / NODES
        self.cosines = np.cos(np.pi * self.frequencies[:, None] * middles[None, :])
        self.images = cases.sums(np.zeros(len(cases), dtype=np.int64), 1)
        self.bandwidth = self(np.ones((cases.n_groups, 1)))

    def __call__(self, weights: Floats) -> Floats:
        """(B,) smooth ECE."""
        return self._smooth_error(self._shares(weights))

    def gaps(self, weights: Floats) -> Figures:
        """(256, B) smoothed residuals at the bandwidth of the rows as they are; the absolute sum
        of those of the rows is the smooth ECE."""
        waves = self.cosines @ self._shares(weights)
        waves[1:] *= 2.0
        damping = np.exp(-0.5 * (np.pi * self.frequencies * self.bandwidth[0]) ** 2)
        return {("smooth_ece", ""): self.cosines.T @ (waves * damping[:, None]) / NODES}

    def _shares(self, weights: Floats) -> Floats:
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(self.residuals @ weights / (self.images @ weights)[0])

    def _smooth_error(self, residuals: Floats) -> Floats:
        """(B,) the fixed point sigma = ∫ |K_sigma * residuals|; (NODES, B) in.

        In the cosine basis the reflected Gaussian kernel multiplies frequency k by
        exp(-(pi k sigma)² / 2). The error falls as sigma grows, so error(0) is above the fixed
        point, error(error(0)) below it, and false position (Illinois) closes in between.
        """
        waves = self.cosines @ residuals
        waves[1:] *= 2.0
        high = self._smoothed(waves, np.zeros(residuals.shape[1]))
        low = self._smoothed(waves, high)
        over, under = self._smoothed(waves, low) - low, low - high
        for _ in range(ROUNDS):
            spread = over - under
            share = np.divide(over, spread, out=np.full_like(over, 0.5), where=spread > 0)
            sigma = low + share * (high - low)
            excess = self._smoothed(waves, sigma) - sigma
            above = excess > 0
            low, high = np.where(above, sigma, low), np.where(above, high, sigma)
            over = np.where(above, excess, over / 2)
            under = np.where(above, under / 2, excess)
        return np.where(np.isfinite(residuals).all(axis=0), sigma, np.nan)

    def _smoothed(self, waves: Floats, sigma: Floats) -> Floats:
        """(B,) mean absolute smoothed residual at the bandwidths (B,)."""
        damping = np.exp(np.outer(-0.5 * (np.pi * self.frequencies) ** 2, sigma**2))
        return np.asarray(np.abs(self.cosines.T @ (waves * damping)).mean(axis=0))


class SmoothCalibration:
    """Smooth ECE of the top-1 confidence, slope and intercept of every class, under any weights.

    Residuals are spread on 256 nodes. Replicates of slope and intercept pool the logits into cells
    (an even grid and quantiles of both sides) and are moved by what pooling changes in the point
    value, which is exact.
    """

    def __init__(self, cases: Cases) -> None:
        p, labels = cases.probabilities, cases.labels
        self.error = SmoothError(cases)
        self.names = list(cases.class_names)
        scores = [p[:, code] for code in range(cases.n_classes)]
        truths = [labels == code for code in range(cases.n_classes)]
        if cases.has_malignant_view:
            self.names.append(cases.view_name)
            scores.append(p[:, cases.malignant].sum(axis=1))
            truths.append(cases.malignant[labels])
        cells, self.logits, n_cells = _logit_cells(scores, truths)
        groups = np.tile(cases.groups, len(scores))
        self.counts = cell_sums(cells, n_cells, groups, cases.n_groups)
        outcomes = np.concatenate(truths).astype(np.float64)
        self.outcomes = cell_sums(cells, n_cells, groups, cases.n_groups, outcomes)
        with np.errstate(all="ignore"):
            self._fit_points(scores, truths, cases.n_groups)

    def _fit_points(self, scores: list[Floats], truths: list[Bools], n_groups: int) -> None:
        """Exact and pooled fits of the rows as they are: where Newton starts, and the shift."""
        each = np.ones((n_groups, 1))
        shape = (*self.logits.shape, 1)
        count, hits = ((sums @ each).reshape(shape) for sums in (self.counts, self.outcomes))
        x = logit(np.clip(np.stack(scores), CLIP, 1 - CLIP))
        outcome = np.stack(truths).astype(np.float64)[:, :, None]
        ones = np.ones_like(outcome)
        self.line = _fitted_line(self.logits, count, hits, None, 50)
        self.level = _fitted_level(self.logits, count, hits, None, 50)
        self.line_shift = _fitted_line(x, ones, outcome, None, 50) - self.line
        self.level_shift = _fitted_level(x, ones, outcome, None, 50) - self.level

    def __call__(self, weights: Floats) -> Figures:
        figures: Figures = {("smooth_ece", ""): self.error(weights)}
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            shape = (*self.logits.shape, weights.shape[1])
            count = (self.counts @ weights).reshape(shape)
            outcome = (self.outcomes @ weights).reshape(shape)
            slopes = _fitted_line(self.logits, count, outcome, self.line, NEWTON_STEPS)
            slopes = (slopes + self.line_shift)[1]
            intercepts = _fitted_level(self.logits, count, outcome, self.level, NEWTON_STEPS)
            intercepts = intercepts + self.level_shift
        for place, name in enumerate(self.names):
            figures["calibration_slope", name] = slopes[place]
            figures["calibration_intercept", name] = intercepts[place]
        return figures


def _on_nodes(scores: Floats, residuals: Floats, cases: Cases) -> sparse.csr_array:
    """(NODES, G) residuals, each shared by the two nodes beside its score."""
    place = np.clip(scores * NODES - 0.5, 0, NODES - 1)
    left = np.minimum(place.astype(np.int64), NODES - 2)
    share = place - left
    return cell_sums(
        np.concatenate([left, left + 1]),
        NODES,
        np.tile(cases.groups, 2),
        cases.n_groups,
        np.concatenate([residuals * (1 - share), residuals * share]),
    )


def _logit_cells(scores: list[Floats], truths: list[Bools]) -> tuple[Ints, Floats, int]:
    """(S·n,) cell of each row, (S, K) mean logit of each cell, S·K."""
    cells, means = [], []
    even = np.linspace(logit(CLIP), -logit(CLIP), 2 * KNOTS)
    n_cells = 4 * KNOTS + 1
    for place, (score, truth) in enumerate(zip(scores, truths, strict=True)):
        x = logit(np.clip(score, CLIP, 1 - CLIP))
        sides = [side if len(side) else even for side in (x[truth], x[~truth])]
        quantiles = [np.quantile(side, np.linspace(0, 1, KNOTS)) for side in sides]
        knots = np.sort(np.concatenate([even, *quantiles]))
        cell = np.searchsorted(knots, x, side="left")
        count = np.bincount(cell, minlength=n_cells)
        total = np.bincount(cell, weights=x, minlength=n_cells)
        means.append(np.divide(total, count, out=np.zeros(n_cells), where=count > 0))
        cells.append(place * n_cells + cell)
    return np.concatenate(cells), np.stack(means), len(scores) * n_cells


def _fitted_line(
    x: Floats, count: Floats, outcome: Floats, start: Floats | None, steps: int
) -> Floats:
    """(2, S, B) intercept and slope of the logistic regression of outcomes on (S, K) logits, by
    Newton's method from ``start`` ((2, S, 1), default 0 and 1); NaN where it has not settled."""
    powers = np.stack([np.ones_like(x), x, x**2], axis=1)
    ones = np.ones((len(x), count.shape[2]))
    intercept, slope = (0 * ones, ones) if start is None else (start[0] * ones, start[1] * ones)
    for _ in range(steps):
        fitted = expit(intercept[:, None] + slope[:, None] * x[:, :, None])
        expected = count * fitted
        g = powers[:, :2] @ (outcome - expected)
        h = powers @ (expected * (1 - fitted))
        determinant = h[:, 0] * h[:, 2] - h[:, 1] ** 2
        step = (h[:, 0] * g[:, 1] - h[:, 1] * g[:, 0]) / determinant
        intercept += np.clip((h[:, 2] * g[:, 0] - h[:, 1] * g[:, 1]) / determinant, -2, 2)
        slope += np.clip(step, -1, 1)
        if np.nanmax(np.abs(step), initial=0.0) < CONVERGED:
            break
    settled = np.abs(step) < SETTLED
    return np.where(settled, np.stack([intercept, slope]), np.nan)


def _fitted_level(
    x: Floats, count: Floats, outcome: Floats, start: Floats | None, steps: int
) -> Floats:
    """(S, B) intercept with the slope at 1; NaN where all outcomes are the same."""
    level = np.zeros((len(x), count.shape[2])) if start is None else start + 0 * count[:, 0]
    for _ in range(steps):
        fitted = expit(level[:, None] + x[:, :, None])
        expected = count * fitted
        gap = (outcome - expected).sum(axis=1)
        step = np.clip(gap / (expected * (1 - fitted)).sum(axis=1), -2, 2)
        level = level + step
        if np.nanmax(np.abs(step), initial=0.0) < CONVERGED:
            break
    return np.where(np.abs(step) < SETTLED, level, np.nan)

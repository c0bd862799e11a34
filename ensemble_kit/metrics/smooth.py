"""Calibration measures without bins: smooth calibration error; calibration slope and intercept.

Smooth ECE: Błasiok & Nakkiran 2023 (reflected Gaussian kernel, the bandwidth that equals the
error). Slope and intercept: Cox 1958; Van Calster et al. 2019 (intercept with the slope at 1).
"""

import numpy as np
from scipy.special import expit, logit

from ensemble_kit.metrics.cases import MALIGNANT, Cases, Figures, cell_sums
from ensemble_kit.records import Floats, Ints

NODES = 256
KNOTS = 64
CLIP = 1e-6
STEPS = 20
NEWTON_STEPS = 12


class SmoothCalibration:
    """Smooth ECE of the top-1 confidence, slope and intercept of every class, under any weights.

    Residuals are spread on 256 nodes and logits pooled into at most 128 cells a class (knots at
    quantiles of positives and of negatives): the point value is computed the same way.
    """

    def __init__(self, cases: Cases) -> None:
        p, labels = cases.probabilities, cases.labels
        top = p.max(axis=1, initial=0.0)
        self.residuals = _on_nodes(top, (cases.predicted == labels) - top, cases)
        frequencies = np.arange(NODES)
        middles = (np.arange(NODES) + 0.5) / NODES
        self.cosines = np.cos(np.pi * frequencies[:, None] * middles[None, :])
        self.frequencies = frequencies
        self.names = list(cases.class_names)
        scores = [p[:, code] for code in range(cases.n_classes)]
        truths = [labels == code for code in range(cases.n_classes)]
        if cases.has_malignant_view:
            self.names.append(MALIGNANT)
            scores.append(p[:, cases.malignant].sum(axis=1))
            truths.append(cases.malignant[labels])
        cells, self.logits, n_cells = _logit_cells(scores, truths)
        groups = np.tile(cases.groups, len(scores))
        self.counts = cell_sums(cells, n_cells, groups, cases.n_groups)
        outcomes = np.concatenate(truths).astype(np.float64)
        self.outcomes = cell_sums(cells, n_cells, groups, cases.n_groups, outcomes)
        self.images = cases.sums(np.zeros(len(cases), dtype=np.int64), 1)

    def __call__(self, weights: Floats) -> Figures:
        total = (self.images @ weights)[0]
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            figures: Figures = {
                ("smooth_ece", ""): self._smooth_error(self.residuals @ weights / total)
            }
            shape = (*self.logits.shape, weights.shape[1])
            count = (self.counts @ weights).reshape(shape)
            outcome = (self.outcomes @ weights).reshape(shape)
            slopes = _slopes(self.logits, count, outcome)
            intercepts = _intercepts(self.logits, count, outcome)
        for place, name in enumerate(self.names):
            figures["calibration_slope", name] = slopes[place]
            figures["calibration_intercept", name] = intercepts[place]
        return figures

    def _smooth_error(self, residuals: Floats) -> Floats:
        """(B,) the fixed point sigma = ∫ |K_sigma * residuals|, by bisection; (NODES, B) in.

        In the cosine basis the reflected Gaussian kernel multiplies frequency k by
        exp(-(pi k sigma)² / 2).
        """
        waves = self.cosines @ residuals
        waves[1:] *= 2.0
        low, high = np.zeros(residuals.shape[1]), np.ones(residuals.shape[1])
        for _ in range(STEPS):
            sigma = (low + high) / 2
            damping = np.exp(-0.5 * (np.pi * self.frequencies[:, None] * sigma[None, :]) ** 2)
            error = np.abs(self.cosines.T @ (waves * damping)).mean(axis=0)
            low, high = np.where(error > sigma, sigma, low), np.where(error > sigma, high, sigma)
        middle = (low + high) / 2
        return np.where(np.isfinite(residuals).all(axis=0), middle, np.nan)


def _on_nodes(scores: Floats, residuals: Floats, cases: Cases):  # type: ignore[no-untyped-def]
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


def _logit_cells(scores: list[Floats], truths: list[Floats]) -> tuple[Ints, Floats, int]:
    """(S·n,) cell of each row, (S, K) mean logit of each cell, S·K."""
    n_cells = 2 * KNOTS + 1
    cells, means = [], []
    for place, (score, truth) in enumerate(zip(scores, truths, strict=True)):
        x = logit(np.clip(score, CLIP, 1 - CLIP))
        quantiles = np.linspace(0, 1, KNOTS)
        sides = [np.quantile(side, quantiles) for side in (x[truth], x[~truth]) if len(side)]
        knots = np.sort(np.concatenate(sides)) if sides else np.zeros(0)
        cell = np.searchsorted(knots, x, side="left")
        count = np.bincount(cell, minlength=n_cells)
        total = np.bincount(cell, weights=x, minlength=n_cells)
        means.append(np.divide(total, count, out=np.zeros(n_cells), where=count > 0))
        cells.append(place * n_cells + cell)
    return np.concatenate(cells), np.stack(means), len(scores) * n_cells


def _slopes(x: Floats, count: Floats, outcome: Floats) -> Floats:
    """(S, B) slope of the logistic regression of outcomes on logits; NaN where it diverges."""
    x = x[:, :, None]
    intercept, slope = np.zeros((2, len(x), count.shape[2]))
    slope = slope + 1.0
    for _ in range(NEWTON_STEPS):
        fitted = expit(intercept[:, None] + slope[:, None] * x)
        residual = outcome - count * fitted
        curvature = count * fitted * (1 - fitted)
        h0, h1, h2 = (np.sum(curvature * x**power, axis=1) for power in (0, 1, 2))
        g0, g1 = residual.sum(axis=1), (residual * x).sum(axis=1)
        determinant = h0 * h2 - h1**2
        step = (h0 * g1 - h1 * g0) / determinant
        intercept = intercept + np.clip((h2 * g0 - h1 * g1) / determinant, -2, 2)
        slope = slope + np.clip(step, -1, 1)
        if not np.nanmax(np.abs(step), initial=0.0) > 1e-9:
            break
    return np.where(np.abs(step) < 1e-3, slope, np.nan)


def _intercepts(x: Floats, count: Floats, outcome: Floats) -> Floats:
    """(S, B) intercept with the slope at 1; NaN where all outcomes are the same."""
    x = x[:, :, None]
    intercept = np.zeros((len(x), count.shape[2]))
    step = intercept
    for _ in range(NEWTON_STEPS):
        fitted = expit(intercept[:, None] + x)
        curvature = (count * fitted * (1 - fitted)).sum(axis=1)
        step = np.clip((outcome - count * fitted).sum(axis=1) / curvature, -2, 2)
        intercept = intercept + step
        if not np.nanmax(np.abs(step), initial=0.0) > 1e-9:
            break
    return np.where(np.abs(step) < 1e-3, intercept, np.nan)

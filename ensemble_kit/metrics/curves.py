"""Curves as frozen values: explicit grids, pointwise bands, and simultaneous ones of ROC curves."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm as normal
from scipy.stats import t as student

from ensemble_kit.core.records import Floats, Ints, read_only
from ensemble_kit.metrics.benefit import THRESHOLDS
from ensemble_kit.metrics.cases import Cases, Figures
from ensemble_kit.metrics.ranking import GRID
from ensemble_kit.metrics.reliability import N_BINS, TOP
from ensemble_kit.metrics.selective import COVERAGES
from ensemble_kit.metrics.support import Support, support_of


@dataclass(frozen=True, eq=False)
class Curve:
    """One curve on a grid.

    kind : "roc" (x: false positive rate, y: sensitivity), "pr" (x: recall, y: precision),
        "reliability" (x: mean predicted probability of a bin, y: observed share; NaN in an empty
        bin), "decision" and "decision_all" (x: threshold, y: net benefit of the model and of
        acting on every image, in true positives an image), "risk" (x: share of images kept, the
        most certain first, y: share of them that is wrong), "roc_simultaneous" (the ROC curve
        with a band that aims to hold the whole curve at once).
    class_name : a class, "malignant", "micro", "macro", or "top-1" (reliability).
    scope : "pooled" or "fold k". x, y : (m,). low, high : (m,) pointwise band, or None.
    support : (m,) images in each bin of a reliability curve, else None. edges : (m + 1,) its bin
        edges, else None.
    """

    kind: str
    class_name: str
    scope: str
    x: Floats
    y: Floats
    low: Floats | None = None
    high: Floats | None = None
    support: Ints | None = None
    edges: Floats | None = None

    def __post_init__(self) -> None:
        for name in ("x", "y", "low", "high", "support", "edges"):
            array = getattr(self, name)
            if array is not None:
                object.__setattr__(self, name, read_only(array))


def make_curves(
    scope: str, cases: Cases, point: Figures, replicates: Figures, level: float
) -> list[Curve]:
    """The curves of a scope from their (m, 1) values and (m, R) replicates (none: no bands)."""
    curves = []
    for (kind, name), values in point.items():
        if kind == "predicted":
            continue
        support = _support(kind, name, cases)
        if not support.estimable:
            continue
        band = replicates.get((kind, name)) if support.has_interval else None
        low, high = (None, None) if band is None else pointwise_band(band, level)
        x, counts, edges = _grid(kind, name, cases, point)
        if low is not None and high is not None and not kind.startswith("decision"):
            n = np.full(len(x), float(support.n_groups))
            if kind == "risk":
                n *= x
            elif counts is not None:
                n = counts * (cases.n_groups_here / len(cases))
            low, high = _apart(values[:, 0], low, high, level, n)
            low[-1] = 1.0 if kind == "roc" else low[-1]  # every curve ends at (1, 1)
        shown = "reliability" if kind == "observed" else kind
        curves.append(Curve(shown, name, scope, x, values[:, 0], low, high, counts, edges))
        if kind == "roc" and band is not None and np.isfinite(band).all():
            low, high = simultaneous_band(values[:, 0], band, level, support.n_groups)
            curves.append(Curve("roc_simultaneous", name, scope, x, values[:, 0], low, high))
    return curves


def simultaneous_band(
    value: Floats, replicates: Floats, level: float, n_groups: int
) -> tuple[Floats, Floats]:
    """Bounds that aim to hold a whole ROC curve at once.

    value : (m,) the curve. replicates : (m, R). n_groups : groups of the rarer side. The half-width
    is a multiple of √(sd² + 1/n²), the same at every point, so large that it holds ``level`` of the
    replicates within it, times the ratio of Student's quantile to the normal one. 1/n stands for
    what resamples cannot show where all of them agree: from n groups without a miss follows no
    sensitivity of 1. Sensitivity at a false positive rate of exactly 0 is bounded below by 0
    alone, and the bounds rise as every ROC curve does.
    """
    inside = slice(1, -1)
    spread = np.sqrt(replicates.std(axis=1) ** 2 + n_groups**-2.0)
    off = np.abs(replicates - value[:, None])[inside] / spread[inside, None]
    tail = (1 + level) / 2
    wider = student.ppf(tail, n_groups - 1) / normal.ppf(tail)
    half = float(np.quantile(off.max(axis=0), level) * wider) * spread
    low, high = np.clip(value - half, 0, 1), np.clip(value + half, 0, 1)
    low[0], low[-1] = 0.0, 1.0
    return np.maximum.accumulate(low), np.minimum.accumulate(high[::-1])[::-1]


def _apart(
    value: Floats, low: Floats, high: Floats, level: float, n_groups: Floats
) -> tuple[Floats, Floats]:
    """Bounds of shares at least t/n from the value: where all resamples agree they know no error.
    n_groups : (m,) groups that each share rests on."""
    n = np.maximum(n_groups, 2.0)
    least = student.ppf((1 + level) / 2, n - 1) / n
    low = np.minimum(low, np.maximum(value - least, 0.0))
    return low, np.maximum(high, np.minimum(value + least, 1.0))


def pointwise_band(replicates: Floats, level: float) -> tuple[Floats, Floats]:
    """Percentile bounds of (m, R) replicates at each point, over those that are defined; NaN
    where fewer than half are."""
    defined = np.isfinite(replicates).mean(axis=1) >= 0.5
    low, high = np.full((2, len(replicates)), np.nan)
    tail = (1 - level) / 2
    whole = np.isfinite(replicates).all(axis=1)
    low[whole], high[whole] = np.quantile(replicates[whole], [tail, 1 - tail], axis=1)
    partly = defined & ~whole
    if partly.any():
        low[partly], high[partly] = np.nanquantile(replicates[partly], [tail, 1 - tail], axis=1)
    return low, high


def _grid(
    kind: str, name: str, cases: Cases, point: Figures
) -> tuple[Floats, Ints | None, Floats | None]:
    if kind == "observed":
        edges = np.linspace(0.0, 1.0, N_BINS + 1)
        scores = _scores(name, cases)
        bins = np.clip(np.searchsorted(edges, scores, side="left") - 1, 0, N_BINS - 1)
        return point["predicted", name][:, 0], np.bincount(bins, minlength=N_BINS), edges
    if kind == "risk":
        return COVERAGES, None, None
    return (THRESHOLDS if kind.startswith("decision") else GRID), None, None


def _scores(name: str, cases: Cases) -> Floats:
    if name == TOP:
        return np.asarray(cases.probabilities.max(axis=1, initial=0.0))
    if name in cases.class_names:
        return np.asarray(cases.probabilities[:, cases.class_names.index(name)])
    return np.asarray(np.minimum(cases.probabilities[:, cases.malignant].sum(axis=1), 1.0))


def _support(kind: str, name: str, cases: Cases) -> Support:
    if name == "macro":
        return support_of(("roc_auc_ovr", ""), cases)
    return support_of(("roc_auc" if kind in ("roc", "pr") else "ece", name), cases)

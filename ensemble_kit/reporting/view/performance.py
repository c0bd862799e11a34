"""Scores, curves and confusion of the pooled out-of-fold predictions."""

from ensemble_kit.reporting.view.base import Number, Value


class Scores(Value):
    """Figures of one thing (a class, a fold, the whole), by metric name."""

    name: str
    support: int
    groups: int = 0
    figures: dict[str, Number]


class RankingCurve(Value):
    """y over x with a group-bootstrap band and the folds' own curves on the same grid.

    A y of None is not defined there. ``whole_low``, ``whole_high``: the band that aims to hold the
    whole curve at once. ``area``: what the curve sums up to (AUC, AP).
    """

    name: str
    area: Number
    x: tuple[float, ...]
    y: tuple[float | None, ...]
    low: tuple[float | None, ...] = ()
    high: tuple[float | None, ...] = ()
    whole_low: tuple[float | None, ...] = ()
    whole_high: tuple[float | None, ...] = ()
    folds: tuple[tuple[float | None, ...], ...] = ()
    chance: float | None = None


class NetBenefit(Value):
    """Decision curve of the malignant view: net benefit at each threshold probability."""

    thresholds: tuple[float, ...]
    model: tuple[float | None, ...]
    low: tuple[float | None, ...] = ()
    high: tuple[float | None, ...] = ()
    treat_all: tuple[float | None, ...] = ()


class Risk(Value):
    """Risk–coverage curve: share of wrong images among the share kept, the most certain first."""

    coverages: tuple[float, ...]
    risk: tuple[float | None, ...]
    low: tuple[float | None, ...] = ()
    high: tuple[float | None, ...] = ()


class Performance(Value):
    """``confusion[i][j]``: images of true class i predicted as j, in the order of ``classes``."""

    overall: Scores
    classes: tuple[Scores, ...]
    folds: tuple[Scores, ...] = ()
    malignant: Scores | None = None
    malignant_classes: tuple[str, ...] = ()
    roc: tuple[RankingCurve, ...] = ()
    pr: tuple[RankingCurve, ...] = ()
    net_benefit: NetBenefit | None = None
    risk: Risk | None = None
    confusion: tuple[tuple[int, ...], ...]

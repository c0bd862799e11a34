"""All figures of some cases, under any weights of groups, from one call."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from threadpoolctl import threadpool_limits

from ensemble_kit.core.records import Floats
from ensemble_kit.metrics.benefit import NetBenefit
from ensemble_kit.metrics.cases import Cases, Figures
from ensemble_kit.metrics.decisions import DecisionFigures
from ensemble_kit.metrics.ranking import RankingFigures
from ensemble_kit.metrics.reliability import TOP, ReliabilityFigures
from ensemble_kit.metrics.selective import RiskCoverage
from ensemble_kit.metrics.smooth import SmoothCalibration
from ensemble_kit.metrics.staircase import Singles

THREADS = 2
CELLS_AT_ONCE = 4_000_000


class Draws(Protocol):
    """Weights of groups in chunks: a bootstrap or a jackknife."""

    @property
    def n_chunks(self) -> int: ...

    def chunk(self, number: int) -> Floats: ...


@dataclass(frozen=True, eq=False)
class Scores:
    """Figures (B,) by (metric, class), curves (m, B) by (kind, class), and the signed gaps (K, B)
    that calibration errors are made of, by (metric, class)."""

    figures: Figures
    curves: Figures
    gaps: Figures = field(default_factory=dict)


class Scorer:
    """Every score of some cases; with ``curves`` also ROC, PR, reliability, risk, decision curves;
    ``lean`` leaves out what is dear or has no difference: one-vs-one AUC, smooth ECE, calibration
    slope and intercept, gaps."""

    def __init__(self, cases: Cases, *, curves: bool = False, lean: bool = False) -> None:
        self.cases = cases
        self.curves = curves
        self.ranking = RankingFigures(cases, pairs=not lean, micro=curves)
        self.decisions = DecisionFigures(cases)
        self.reliability = ReliabilityFigures(cases)
        self.smooth = None if lean else SmoothCalibration(cases)
        self.benefit = NetBenefit(cases) if curves and cases.has_malignant_view else None
        self.risk = RiskCoverage(cases) if curves else None

    def __call__(self, weights: Floats, light: Singles | None = None) -> Scores:
        """Scores under (n_groups, B) weights; ``light`` are the same in float32, if at hand."""
        figures, curves = self.ranking(weights if light is None else light, self.curves)
        more, bins = self.reliability(weights, self.curves)
        figures = figures | self.decisions(weights) | more
        if self.smooth is not None:
            figures |= self.smooth(weights)
        curves = curves | bins
        if self.benefit is not None:
            name = self.cases.view_name
            curves["decision", name], curves["decision_all", name] = self.benefit(weights)
        if self.risk is not None:
            curves["risk", TOP] = self.risk(weights)
        gaps: Figures = {}
        if self.smooth is not None:
            gaps = self.reliability.gaps(weights) | self.smooth.error.gaps(weights)
            gaps = {key: values.astype(np.float32) for key, values in gaps.items()}
        return Scores(figures, curves, gaps)

    def point(self) -> Scores:
        """The scores themselves: every group with weight 1; (1,) and (m, 1) arrays."""
        return self(np.ones((self.cases.n_groups, 1)))

    @property
    def width(self) -> int:
        """Replicates at once that keep the largest array in bounds."""
        return max(1, CELLS_AT_ONCE // max(1, self.ranking.n_cells))


def replicate(
    scorers: Sequence[Callable[[Floats, Singles], Scores]], draws: Draws, width: int = 50
) -> list[Scores]:
    """Every scorer under the same draws: figures (R,) and curves (m, R).

    Chunks run on two threads with one BLAS thread each; ``width`` bounds the replicates at once.
    """

    def one(number: int) -> list[list[Scores]]:
        weights = draws.chunk(number)
        parts = [
            np.ascontiguousarray(weights[:, first : first + width])
            for first in range(0, weights.shape[1], width)
        ]
        both = [(part, part.astype(np.float32)) for part in parts]
        return [[scorer(*pair) for pair in both] for scorer in scorers]

    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(THREADS) as threads:
        chunks = list(threads.map(one, range(draws.n_chunks)))
    return [
        _joined([part for chunk in chunks for part in chunk[place]])
        for place in range(len(scorers))
    ]


def _joined(parts: list[Scores]) -> Scores:
    if not parts:
        return Scores({}, {})
    return Scores(
        {key: np.concatenate([p.figures[key] for p in parts]) for key in parts[0].figures},
        {key: np.concatenate([p.curves[key] for p in parts], axis=1) for key in parts[0].curves},
        {key: np.concatenate([p.gaps[key] for p in parts], axis=1) for key in parts[0].gaps},
    )

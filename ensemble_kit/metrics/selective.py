"""Risk–coverage: errors among the images that are kept when the least certain are referred.

El-Yaniv & Wiener 2010; Geifman & El-Yaniv 2017. Certainty is the probability of the likeliest
class.
"""

import numpy as np

from ensemble_kit.core.records import Floats
from ensemble_kit.metrics.cases import Cases

COVERAGES = np.arange(1, 101) / 100
CELLS = 400


class RiskCoverage:
    """Share of wrong images among the most certain 1 % … 100 %, under any weights of groups.

    Called with (n_groups, B) weights: (100, B). Certainties are sorted into at most 400 cells of
    about as many images; within a cell, and among ties, which images are kept is left to chance.
    """

    def __init__(self, cases: Cases) -> None:
        certainty = cases.probabilities.max(axis=1, initial=0.0)
        inner = np.arange(1, CELLS) / CELLS if len(cases) else np.empty(0)
        edges = np.unique(np.quantile(certainty, inner)) if len(cases) else inner
        cells = len(edges) - np.searchsorted(edges, certainty, side="right")
        self.n_cells = len(edges) + 1
        wrong = (cases.predicted != cases.labels).astype(np.float64)
        self.images = cases.sums(cells.astype(np.int64), self.n_cells)
        self.wrong = cases.sums(cells.astype(np.int64), self.n_cells, wrong)

    def __call__(self, weights: Floats) -> Floats:
        images = np.cumsum(self.images @ weights, axis=0)
        wrong = np.cumsum(self.wrong @ weights, axis=0)
        risk = np.full((len(COVERAGES), weights.shape[1]), np.nan)
        for column in range(weights.shape[1]):
            total = images[-1, column]
            if total <= 0:
                continue
            kept = COVERAGES * total
            errors = np.interp(kept, np.r_[0.0, images[:, column]], np.r_[0.0, wrong[:, column]])
            risk[:, column] = errors / kept
        return risk

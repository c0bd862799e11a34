"""Rank averaging: members agree on order, not on scale; made for areas under curves."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ensemble_kit.core.records import Floats
from ensemble_kit.posthoc.convex.simplex import normalised
from ensemble_kit.posthoc.crossfit import Rows

KNOTS = 257


@dataclass(frozen=True, eq=False)
class RankPool:
    """Each member's column c is replaced by its rank among the rows fitted on; ranks are averaged
    and mapped back to the probabilities that the mean of the members has at these ranks.

    knots : (M, C, K) quantiles of each member's column. pooled : (C, K) quantiles of the mean.
    """

    kind: ClassVar[str] = "mean of ranks"
    knots: Floats
    pooled: Floats
    n_parameters: int = 0

    def apply(self, members: Floats) -> Floats:
        m, n, c = members.shape
        grid = np.linspace(0.0, 1.0, self.pooled.shape[1])
        out = np.empty((n, c))
        for j in range(c):
            rank = np.zeros(n)
            for i in range(m):
                rank += _mid_rank(members[i, :, j], self.knots[i, j], grid)
            out[:, j] = np.interp(rank / m, grid, self.pooled[j])
        return normalised(out)

    def to_json(self) -> dict[str, Any]:
        return {"knots": self.knots.tolist(), "pooled": self.pooled.tolist()}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "RankPool":
        return cls(np.array(values["knots"]), np.array(values["pooled"]))


def fit_ranks(rows: Rows) -> RankPool:
    """Quantiles of every member's columns and of their mean; labels are not used."""
    grid = np.linspace(0.0, 1.0, min(KNOTS, len(rows)))
    knots = np.moveaxis(np.quantile(rows.members, grid, axis=1), 0, -1)
    pooled = np.moveaxis(np.quantile(rows.members.mean(axis=0), grid, axis=0), 0, -1)
    return RankPool(np.ascontiguousarray(knots), np.ascontiguousarray(pooled))


def _mid_rank(values: Floats, knots: Floats, grid: Floats) -> Floats:
    """Rank in [0, 1] by interpolation; a value that fills several knots gets their middle."""
    distinct, start, repeats = np.unique(knots, return_index=True, return_counts=True)
    middle = grid[start] + (grid[start + repeats - 1] - grid[start]) / 2
    return np.asarray(np.interp(values, distinct, middle))

"""The trimmed mean: robust to a member that errs alone."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ensemble_kit.core.records import Floats
from ensemble_kit.posthoc.convex.simplex import normalised
from ensemble_kit.posthoc.crossfit import Rows

SHARE = 0.25


@dataclass(frozen=True)
class TrimmedMean:
    """For each image and class the mean of the members without the ``share`` of them that is
    highest and the same share that is lowest, normalised over classes. A share that is no whole
    number of members counts the last one in part, so members given twice change nothing.

    Of one member it is that member, of two their mean; 0.25 is the interquartile mean.
    """

    kind: ClassVar[str] = "trimmed mean"
    share: float
    n_parameters: int = 0

    def apply(self, members: Floats) -> Floats:
        """(M, n, C) probabilities -> (n, C)."""
        edges = np.linspace(0.0, 1.0, len(members) + 1)
        weights = np.diff(np.clip(edges, self.share, 1.0 - self.share))
        return normalised(np.tensordot(weights, np.sort(members, axis=0), axes=1))

    def to_json(self) -> dict[str, Any]:
        return {"share": self.share}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "TrimmedMean":
        return cls(float(values["share"]))


def fit_trimmed(rows: Rows) -> TrimmedMean:
    """A quarter is cut at either end; nothing is fitted."""
    return TrimmedMean(SHARE)

"""How far a new image lies from the images of a run, as a percentile.

Distance: to the fifth nearest image in pooled features of length 1 (Sun et al. 2022, "Out-of-
distribution detection with deep nearest neighbors"). The images compared with are those a fold
held out, so its model has trained on neither side; their own distances, to images of other
groups, say how far an ordinary new image lies.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble_kit.core.records import Floats, Ints

NEIGHBOURS = 5
ROWS_AT_ONCE = 1024


@dataclass(frozen=True, eq=False)
class Novelty:
    """features : (m, F) unit rows of one fold's held-out images. ordinary : (m,) their own
    distances, ascending."""

    features: NDArray[np.float32]
    ordinary: Floats

    def percentile(self, features: NDArray[np.float32]) -> Floats:
        """(n,) share of the held-out images, in percent, that lie no farther than each new one.

        features : (n, F) unit rows.
        """
        far = _kth(_distances(features, self.features), NEIGHBOURS)
        below = np.searchsorted(self.ordinary, far, side="right")
        return np.asarray(100.0 * below / max(len(self.ordinary), 1))

    def nearest(self, features: NDArray[np.float32]) -> tuple[Ints, Floats]:
        """Row of the nearest held-out image of each new one and its distance, both (n,)."""
        gaps = _distances(features, self.features)
        rows = gaps.argmin(axis=1)
        return rows.astype(np.int64), gaps[np.arange(len(rows)), rows]


def fit_novelty(features: NDArray[np.float32], groups: NDArray[Any]) -> Novelty:
    """features : (m, F) unit rows. groups : (m,) names or codes; an image is not compared with
    its own group."""
    codes = np.unique(groups, return_inverse=True)[1]
    own = np.empty(len(features))
    for start in range(0, len(features), ROWS_AT_ONCE):
        piece = slice(start, start + ROWS_AT_ONCE)
        gaps = _distances(features[piece], features)
        gaps[codes[piece][:, None] == codes] = np.inf
        own[piece] = _kth(gaps, NEIGHBOURS)
    return Novelty(features, np.sort(own[np.isfinite(own)]))


def _distances(new: NDArray[np.float32], known: NDArray[np.float32]) -> Floats:
    """(n, m) Euclidean distances of unit rows."""
    return np.sqrt(np.maximum(2.0 - 2.0 * (new @ known.T).astype(np.float64), 0.0))


def _kth(gaps: Floats, k: int) -> Floats:
    place = min(k, gaps.shape[1]) - 1
    return np.asarray(np.partition(gaps, place, axis=1)[:, place])

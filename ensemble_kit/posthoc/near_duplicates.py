"""Pairs of images that look the same and are in different groups.

Features are pooled features of a frozen base, rows of length 1; the likeness of two images is their
cosine less what each has with its nearest strangers on average (cross-domain similarity local
scaling, Conneau et al. 2018), so that a crowd of plain images, all alike, does not fill the list.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble_kit.core.records import Floats, Ints

STRANGERS = 10
ROWS_AT_ONCE = 512

Features = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Pairs:
    """rows : (m, 2) int, the first below the second. cosine, likeness : (m,), by falling
    likeness (of :func:`candidates` by rows)."""

    rows: Ints
    cosine: Floats
    likeness: Floats


def evened(features: Features) -> Features:
    """Features in which likeness tells twins from strangers better: square roots, each column at
    mean 0 and deviation 1, rows of length 1."""
    values = np.sign(features) * np.sqrt(np.abs(features))
    values = values - values.mean(axis=0)
    spread = values.std(axis=0)
    values = values / np.where(spread > 1e-6 * max(float(spread.max()), 1e-12), spread, 1.0)
    length = np.sqrt((values**2).sum(axis=1, keepdims=True))
    return np.asarray(values / np.where(length > 0, length, 1.0), np.float32)


def candidates(features: Features, groups: NDArray[Any], each: int) -> Pairs:
    """Every image with its ``each`` likest of other groups, as pairs, each once."""
    return near_duplicates(features, groups, len(features) * each, each=each)


def near_duplicates(
    features: Features,
    groups: NDArray[Any],
    most: int,
    *,
    each: int = 20,
    turned: tuple[Features, ...] = (),
    tell: Callable[[int], None] = lambda n: None,
) -> Pairs:
    """The ``most`` likeliest pairs across groups.

    features : (n, F) unit rows. groups : (n,) names or codes. turned : the same images turned and
    mirrored, each (n, F); a pair counts with its best view. each : neighbours of an image that are
    looked at. tell : hears of rows done.
    """
    n = len(features)
    codes = np.unique(groups, return_inverse=True)[1]
    strangers = min(STRANGERS, max(1, n - 1))
    nearest = np.zeros(n)
    best: list[tuple[Ints, Ints, Floats]] = []
    keep = max(1, min(n - 1, max(strangers, each)))
    for start in range(0, n, ROWS_AT_ONCE):
        piece = slice(start, min(start + ROWS_AT_ONCE, n))
        cosine = features[piece] @ features.T
        for view in turned:
            np.maximum(cosine, features[piece] @ view.T, out=cosine)
        cosine[codes[piece][:, None] == codes] = -np.inf
        columns = np.argpartition(-cosine, keep - 1, axis=1)[:, :keep]
        values = np.take_along_axis(cosine, columns, axis=1).astype(np.float64)
        ordered = -np.sort(-values, axis=1)[:, :strangers]
        finite = np.isfinite(ordered)
        sums = np.where(finite, ordered, 0.0).sum(axis=1)
        nearest[piece] = sums / np.maximum(finite.sum(axis=1), 1)
        if each < keep:
            first = np.argsort(-values, axis=1, kind="stable")[:, :each]
            columns = np.take_along_axis(columns, first, axis=1)
            values = np.take_along_axis(values, first, axis=1)
        rows = np.repeat(np.arange(piece.start, piece.stop), columns.shape[1])
        best.append((rows.astype(np.int64), columns.ravel().astype(np.int64), values.ravel()))
        tell(piece.stop - piece.start)
    left, right, cosines = (np.concatenate(part) for part in zip(*best, strict=True))
    kept = np.isfinite(cosines)
    return _best_pairs(left[kept], right[kept], cosines[kept], nearest, n, most)


def _best_pairs(
    left: Ints, right: Ints, cosine: Floats, nearest: Floats, n: int, most: int
) -> Pairs:
    """A pair found from both of its sides counts once, with its greater cosine."""
    low, high = np.minimum(left, right), np.maximum(left, right)
    order = np.lexsort((-cosine, low * n + high))
    low, high, cosine = low[order], high[order], cosine[order]
    first = np.r_[True, np.diff(low * n + high) != 0] if len(low) else np.zeros(0, bool)
    low, high, cosine = low[first], high[first], cosine[first]
    likeness = 2 * cosine - nearest[low] - nearest[high]
    order = np.lexsort((high, low, -likeness))[:most]
    rows = np.column_stack([low[order], high[order]]).astype(np.int64)
    return Pairs(rows, cosine[order], likeness[order])

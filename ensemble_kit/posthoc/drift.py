"""Whether two sets of images differ: in their features, and in their metadata, by group.

A classifier that tells the sets apart better than chance is the test (Lopez-Paz and Oquab 2017).
What is permuted is the side of whole groups, so photos of one lesion count once.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble_kit.core.records import Bools, Floats, Ints, Strings

COMPONENTS = 32
PARTS = 5
PERMUTATIONS = 199
RIDGE = 1e-2


@dataclass(frozen=True)
class TwoSample:
    """auc : of telling the sets apart out of fold, 0.5 where they are alike. p_value : share of
    permutations of the groups that reach it. n_here, n_there : images of each side."""

    auc: float
    p_value: float
    n_here: int
    n_there: int


@dataclass(frozen=True)
class MetadataDrift:
    """distance : Kolmogorov–Smirnov's for numbers, total variation for words, 0 to 1."""

    column: str
    measure: str
    distance: float
    p_value: float
    n_here: int
    n_there: int


def classifier_two_sample(
    here: NDArray[Any], there: NDArray[Any],
    groups_here: NDArray[Any], groups_there: NDArray[Any], seed: int = 0,
) -> TwoSample:  # fmt: skip
    """Tell features (n, F) of two sets apart by a ridge discriminant on 32 components.

    The discriminant is cross-fitted over five parts of groups; under each permutation of the
    groups' sides it is fitted anew.
    """
    x = np.concatenate([here, there]).astype(np.float64)
    side = np.r_[np.zeros(len(here)), np.ones(len(there))]
    codes = _codes(groups_here, groups_there)
    x = _components(x)
    random = np.random.default_rng(seed)
    part = random.permutation(np.arange(codes.max() + 1) % PARTS)[codes]
    observed = _auc(_scores(x, side, part), side)
    sides = _group_sides(codes, side)
    reached = 0
    for _ in range(PERMUTATIONS):
        permuted = random.permutation(sides)[codes]
        reached += _auc(_scores(x, permuted, part), permuted) >= observed
    p = (1 + reached) / (1 + PERMUTATIONS)
    return TwoSample(observed, p, len(here), len(there))


def metadata_drift(
    here: Mapping[str, Strings], there: Mapping[str, Strings],
    groups_here: NDArray[Any], groups_there: NDArray[Any], seed: int = 0,
) -> tuple[MetadataDrift, ...]:  # fmt: skip
    """Every column that both sets have: how far their values lie apart. "" is left out."""
    found = []
    codes = _codes(groups_here, groups_there)
    random = np.random.default_rng(seed)
    for column in here:
        if column not in there:
            continue
        values = np.concatenate([here[column], there[column]])
        side = np.r_[np.zeros(len(here[column])), np.ones(len(there[column]))]
        known = values != ""
        if not (known & (side == 0)).any() or not (known & (side == 1)).any():
            continue
        kept, v, s = np.unique(codes[known], return_inverse=True)[1], values[known], side[known]
        numbers = _numbers(v)
        if numbers is None and len(np.unique(v)) > 50:
            continue
        rank = np.unique(v if numbers is None else numbers, return_inverse=True)[1]
        measure = "total variation" if numbers is None else "Kolmogorov–Smirnov"
        observed = _distance(rank, s, numbers is not None)
        sides = _group_sides(kept, s)
        reached = sum(
            _distance(rank, random.permutation(sides)[kept], numbers is not None) >= observed
            for _ in range(PERMUTATIONS)
        )
        p = (1 + reached) / (1 + PERMUTATIONS)
        counts = int((s == 0).sum()), int((s == 1).sum())
        found.append(MetadataDrift(column, measure, observed, p, *counts))
    return tuple(found)


def _codes(here: NDArray[Any], there: NDArray[Any]) -> Ints:
    """Codes of all groups; a name that both sides have is two groups."""
    first = np.unique(here, return_inverse=True)[1]
    second = np.unique(there, return_inverse=True)[1]
    return np.concatenate([first, second + first.max() + 1]).astype(np.int64)


def _group_sides(codes: Ints, side: Floats) -> Floats:
    sides = np.zeros(int(codes.max()) + 1)
    sides[codes] = side
    return sides


def _components(x: Floats) -> Floats:
    """The leading principal components, each of unit variance."""
    centred = x - x.mean(axis=0)
    k = min(COMPONENTS, *centred.shape)
    values, vectors = np.linalg.eigh(
        centred.T @ centred if x.shape[1] <= len(x) else centred @ centred.T
    )
    leading = vectors[:, ::-1][:, :k]
    scores = (
        centred @ leading
        if x.shape[1] <= len(x)
        else leading * np.sqrt(np.maximum(values[::-1][:k], 0))
    )
    spread = scores.std(axis=0)
    return np.asarray(scores / np.where(spread > 1e-12, spread, 1.0))


def _scores(x: Floats, side: Floats, part: Ints) -> Floats:
    """Out-of-fold scores of a ridge discriminant; both sides weigh the same."""
    out = np.zeros(len(x))
    ones = np.hstack([x, np.ones((len(x), 1))])
    for k in range(PARTS):
        fit, held = part != k, part == k
        y = side[fit]
        weight = np.where(y == 1, 0.5 / max(y.sum(), 1), 0.5 / max((1 - y).sum(), 1))
        design = ones[fit]
        gram = (design * weight[:, None]).T @ design + RIDGE * np.eye(design.shape[1])
        out[held] = ones[held] @ np.linalg.solve(gram, design.T @ (weight * (2 * y - 1)))
    return out


def _auc(scores: Floats, side: Floats) -> float:
    from scipy.stats import rankdata

    ranks = rankdata(scores)
    n_there = float(side.sum())
    n_here = len(side) - n_there
    if n_there == 0 or n_here == 0:
        return 0.5
    return float((ranks[side == 1].sum() - n_there * (n_there + 1) / 2) / (n_here * n_there))


def _numbers(values: Strings) -> Floats | None:
    try:
        return values.astype(np.float64)
    except ValueError:
        return None


def _distance(rank: Ints, side: Floats, ordered: bool) -> float:
    there: Bools = side == 1
    size = int(rank.max()) + 1
    a = np.bincount(rank[~there], minlength=size) / max((~there).sum(), 1)
    b = np.bincount(rank[there], minlength=size) / max(there.sum(), 1)
    if ordered:
        return float(np.abs(np.cumsum(a) - np.cumsum(b)).max())
    return float(np.abs(a - b).sum() / 2)

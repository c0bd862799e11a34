"""A cross-check of AUC intervals: DeLong with clustered variance.

DeLong, DeLong & Clarke-Pearson 1988 (structural components); Sun & Xu 2014 (by ranks, O(n log n));
Obuchowski 1997 (clusters).
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit
from scipy.stats import norm, rankdata

from ensemble_kit.core.records import Bools, Estimate, Floats, Ints
from ensemble_kit.metrics.jackknife import UNMOVED


@dataclass(frozen=True)
class AucVariance:
    """AUC, its variance, and the number of groups with a positive and with a negative."""

    auc: float
    variance: float
    positive_groups: int
    negative_groups: int


def placements(scores: Floats, positive: Bools) -> Floats:
    """(n,) share of the other side that each row is ranked rightly against, ties half (DeLong et
    al. 1988, V10 and V01; by ranks as Sun & Xu 2014); the mean of either side is the AUC.

    scores : (n,). positive : (n,), with at least one row on each side.
    """
    n_positive, n_negative = int(positive.sum()), int((~positive).sum())
    ranks = rankdata(scores)
    shares = np.empty(len(scores))
    shares[positive] = (ranks[positive] - rankdata(scores[positive])) / n_negative
    shares[~positive] = 1 - (ranks[~positive] - rankdata(scores[~positive])) / n_positive
    return shares


def clustered_auc(scores: Floats, positive: Bools, groups: Ints) -> AucVariance:
    """AUC of (n,) scores with Obuchowski's variance; with one row a group it is DeLong's.

    Both sides must have at least two groups.
    """
    n_positive, n_negative = int(positive.sum()), int((~positive).sum())
    shares = placements(scores, positive)
    v10, v01 = shares[positive], shares[~positive]
    auc = float(v10.mean())
    _, codes = np.unique(groups, return_inverse=True)
    n_groups = int(codes.max()) + 1
    up = np.bincount(codes[positive], minlength=n_groups)
    down = np.bincount(codes[~positive], minlength=n_groups)
    d10 = np.bincount(codes[positive], weights=v10, minlength=n_groups) - up * auc
    d01 = np.bincount(codes[~positive], weights=v01, minlength=n_groups) - down * auc
    i10, i01 = int((up > 0).sum()), int((down > 0).sum())
    s10 = i10 / ((i10 - 1) * n_positive) * float((d10**2).sum())
    s01 = i01 / ((i01 - 1) * n_negative) * float((d01**2).sum())
    s11 = n_groups / (n_groups - 1) * float((d10 * d01).sum())
    variance = s10 / n_positive + s01 / n_negative + 2 * s11 / (n_positive * n_negative)
    return AucVariance(auc, max(variance, 0.0), i10, i01)


def delong_interval(scores: Floats, positive: Bools, groups: Ints, level: float = 0.95) -> Estimate:
    """AUC with a clustered interval, Wald on the logit scale; none where the AUC is 0 or 1 or a
    side has fewer than two groups."""
    sides = [len(np.unique(groups[side])) for side in (positive, ~positive)]
    name = "DeLong, clustered (Obuchowski), logit scale"
    if min(sides) < 2:
        why = f"not estimable: {sides[0]} groups with the class and {sides[1]} without"
        return Estimate(None, None, None, level, name, "group", min(sides), why)
    result = clustered_auc(scores, positive, groups)
    if result.variance == 0 and 0 < result.auc < 1:
        return Estimate(result.auc, None, None, level, name, "group", min(sides), UNMOVED)
    if not 0 < result.auc < 1:
        why = "no interval: the classes are separated perfectly, so the variance estimate is 0"
        return Estimate(result.auc, None, None, level, name, "group", min(sides), why)
    centre = float(logit(result.auc))
    half = float(norm.ppf((1 + level) / 2)) * result.variance**0.5
    half /= result.auc * (1 - result.auc)
    low, high = float(expit(centre - half)), float(expit(centre + half))
    return Estimate(result.auc, low, high, level, name, "group", min(sides))

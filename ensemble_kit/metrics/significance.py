"""Tests of a difference: McNemar (also clustered), corrected resampled t, Holm."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest, chi2
from scipy.stats import t as student

from ensemble_kit.core.records import Bools, Floats, Ints


@dataclass(frozen=True)
class McNemar:
    """first_only, second_only : images that only one of the two got right. p_value : exact
    binomial, images taken for independent. clustered_p_value : Durkalski et al. 2003, by groups;
    None without groups or without a discordant group."""

    first_only: int
    second_only: int
    p_value: float
    clustered_p_value: float | None = None


@dataclass(frozen=True)
class CorrectedT:
    """Mean difference over folds, t statistic (None: without bound, since every fold shows the same
    difference), two-sided p-value and interval bounds."""

    mean: float
    statistic: float | None
    p_value: float
    low: float
    high: float


def mcnemar(first_right: Bools, second_right: Bools, groups: Ints | None = None) -> McNemar:
    """Compare two (n,) columns of right and wrong decisions (McNemar 1947).

    With (n,) groups also the clustered test: (sum d)² / sum d² over groups, where d is the
    group's difference of discordant images; one image a group gives McNemar's chi-square.
    """
    b = int((first_right & ~second_right).sum())
    c = int((~first_right & second_right).sum())
    p = float(binomtest(b, b + c).pvalue) if b + c else 1.0
    if groups is None:
        return McNemar(b, c, p)
    codes = np.unique(groups, return_inverse=True)[1]
    gain = first_right.astype(np.float64) - second_right
    differences = np.bincount(codes, weights=gain)
    spread = float((differences**2).sum())
    clustered = None
    if spread > 0:
        clustered = float(chi2.sf(float(differences.sum()) ** 2 / spread, df=1))
    return McNemar(b, c, p, clustered)


def corrected_resampled_t(
    differences: Floats, test_share: float | None = None, level: float = 0.95
) -> CorrectedT:
    """Nadeau & Bengio 2003 on the (k,) differences of fold scores.

    ``test_share`` is test images over training images, 1/(k - 1) for k-fold (the default).
    """
    k = len(differences)
    if k < 2:
        raise ValueError("the corrected t-test needs at least two folds")
    ratio = 1 / (k - 1) if test_share is None else test_share
    mean = float(np.mean(differences))
    error = float(np.sqrt((1 / k + ratio) * np.var(differences, ddof=1)))
    half = float(student.ppf((1 + level) / 2, k - 1)) * error
    if error == 0:
        same = mean == 0
        return CorrectedT(mean, 0.0 if same else None, 1.0 if same else 0.0, mean, mean)
    statistic = mean / error
    p = float(2 * student.sf(abs(statistic), k - 1))
    return CorrectedT(mean, statistic, p, mean - half, mean + half)


def holm(p_values: Floats) -> Floats:
    """(m,) adjusted p-values (Holm 1979): step-down, never decreasing, at most 1."""
    order = np.argsort(p_values, kind="stable")
    factors = np.arange(len(p_values), 0, -1)
    stepped = np.minimum(np.maximum.accumulate(p_values[order] * factors), 1.0)
    adjusted = np.empty(len(p_values))
    adjusted[order] = stepped
    return adjusted

"""Student-t intervals with a jackknife over groups.

The percentile bootstrap falls short where few groups limit a figure (its spread is too small by
about (m − 1)/m and it knows no t quantile). Here the variance comes from leaving out each group
(Efron & Stein 1981; clusters: Cameron & Miller 2015), is carried to the scale on which the
interval is symmetric by the delta method, and the quantile is Student's with as many degrees of
freedom as groups of the limiting side, less one.
"""

from dataclasses import replace

import numpy as np
from scipy.special import expit, logit
from scipy.stats import binomtest
from scipy.stats import t as student

from ensemble_kit.core.records import Estimate, Floats, Ints
from ensemble_kit.metrics.cases import Cases

BLOCKS = 200
NAME = "jackknife over groups, t"
NO_WIDTH = 1e-9
UNMOVED = "no interval: no group left out or resampled changes it, so its spread is unknown"


def rare_first(cases: Cases) -> Ints:
    """(n_groups,) groups in the order in which they are dealt to blocks: those with the rarest
    class first, so that no two of them are left out together while there are blocks enough."""
    rarity = np.full(cases.n_groups, cases.n_groups + 1)
    for code in range(cases.n_classes):
        own = np.unique(cases.groups[cases.labels == code])
        rarity[own] = np.minimum(rarity[own], len(own))
    return np.lexsort((np.random.default_rng(0).random(cases.n_groups), rarity))


def t_interval(
    value: float, left_out: Floats, n_groups: int, level: float = 0.95, scale: str = "logit"
) -> Estimate:
    """The interval of a figure from its values with groups left out.

    left_out : (J,) values without each group (or block of groups); NaN where undefined.
    n_groups : groups of the side that limits the figure, at least 2. scale : "logit" for figures
    in [0, 1] that are 0 or 1 only by chance, "log" for losses, "plain".
    A figure at an end of its range has no variance; see :func:`at_an_end`.
    """
    valid = left_out[np.isfinite(left_out)]
    if not np.isfinite(value) or len(valid) < max(2, 0.95 * len(left_out)) or n_groups < 2:
        why = "no interval: undefined without some groups (too few groups)"
        shown = float(value) if np.isfinite(value) else None
        return Estimate(shown, None, None, level, NAME, "group", n_groups, why)
    if scale == "logit" and (value <= 0 or value >= 1):
        return at_an_end(value, n_groups, level)
    n = min(n_groups, len(valid))
    variance = (n - 1) / n * float(((valid - valid.mean()) ** 2).sum())
    half = float(student.ppf((1 + level) / 2, n - 1)) * variance**0.5
    if scale == "logit":
        centre, half = float(logit(value)), half / (value * (1 - value))
        low, high = float(expit(centre - half)), float(expit(centre + half))
    elif scale == "log" and value > 0:
        low, high = value * float(np.exp(-half / value)), value * float(np.exp(half / value))
    else:
        low, high = value - half, value + half
    return Estimate(float(value), low, high, level, NAME, "group", n_groups)


def no_width_no_interval(found: Estimate) -> Estimate:
    """The estimate; an interval without any width is taken away, since it would claim to know."""
    if found.low is None or found.high is None or found.high - found.low >= NO_WIDTH:
        return found
    return replace(found, low=None, high=None, note=UNMOVED)


def at_an_end(value: float, n_groups: int, level: float = 0.95) -> Estimate:
    """A share of 0 or 1, of which no resample knows the spread: the exact binomial bound of so many
    groups (Clopper & Pearson 1934)."""
    exact = binomtest(n_groups if value >= 1 else 0, n_groups).proportion_ci(level, "exact")
    low, high = float(exact.low), float(exact.high)
    return Estimate(float(value), low, high, level, "exact binomial, groups", "group", n_groups)


def p_of_zero(found: Estimate) -> float:
    """Two-sided p-value of no difference, from a symmetric interval of :func:`t_interval`."""
    if found.value is None or found.low is None or found.high is None:
        raise ValueError("no interval, so no p-value")
    degrees = max(1, min(found.n_groups, BLOCKS) - 1)
    error = (found.high - found.low) / 2 / float(student.ppf((1 + found.level) / 2, degrees))
    if error == 0:
        return 1.0 if found.value == 0 else 0.0
    return float(2 * student.sf(abs(found.value) / error, degrees))

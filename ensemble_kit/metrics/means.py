"""The mean of a value of each image, with an interval by groups."""

from dataclasses import replace

import numpy as np

from ensemble_kit.core.records import Estimate, Floats, Ints
from ensemble_kit.metrics.jackknife import no_width_no_interval, t_interval
from ensemble_kit.metrics.support import MIN_GROUPS_INTERVAL


def mean_by_groups(
    values: Floats, groups: Ints, level: float = 0.95, scale: str = "plain",
    bounds: tuple[float, float] = (-np.inf, np.inf),
) -> Estimate:  # fmt: skip
    """Mean of (n,) values of images, jackknife-t over their groups. scale : "logit" for shares.
    bounds : least and greatest value there can be; the interval is cut at them.

    No images: no value; fewer than five groups: no interval.
    """
    if not len(values):
        return Estimate(None, None, None, level, "", "group", 0, "not estimable: no images")
    codes = np.unique(groups, return_inverse=True)[1]
    sums, sizes = np.bincount(codes, weights=values), np.bincount(codes)
    mean, n_groups = float(values.mean()), len(sizes)
    if n_groups < MIN_GROUPS_INTERVAL:
        why = f"no interval: {n_groups} groups, at least {MIN_GROUPS_INTERVAL} are needed"
        return Estimate(mean, None, None, level, "", "group", n_groups, why)
    without = (sums.sum() - sums) / (sizes.sum() - sizes)
    found = no_width_no_interval(t_interval(mean, without, n_groups, level, scale))
    if found.low is None or found.high is None:
        return found
    return replace(found, low=max(found.low, bounds[0]), high=min(found.high, bounds[1]))

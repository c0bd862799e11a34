"""The group bootstrap: replicates are integer weights of groups, never copies of rows.

Efron & Tibshirani 1993 (percentile, basic); Efron 1987 (BCa); resampling whole clusters:
Davison & Hinkley 1997, section 3.8; Field & Welsh 2007.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.stats import norm

from ensemble_kit.core.records import Estimate, Floats, Ints
from ensemble_kit.core.wording import level_text

Method = Literal["auto", "percentile", "basic", "bca"]

CHUNK = 50
VALID_SHARE = 0.95
NOT_DRAWN = "no replicates drawn"


@dataclass(frozen=True)
class GroupBootstrap:
    """Draws of groups with replacement.

    The weights depend on (n_groups, seed) and the replicate's number alone: two runs on the same
    images get the same draws, so their differences are paired.
    """

    n_groups: int
    n_replicates: int = 2000
    seed: int = 0

    def chunk(self, number: int) -> Floats:
        """(n_groups, b) weights of the replicates 50·number …: how often each group was drawn."""
        first = number * CHUNK
        width = min(CHUNK, self.n_replicates - first)
        random = np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(number,)))
        weights = np.empty((CHUNK, self.n_groups))
        for row in weights:
            row[:] = np.bincount(
                random.integers(self.n_groups, size=self.n_groups), minlength=self.n_groups
            )
        return np.ascontiguousarray(weights[:width].T)

    @property
    def n_chunks(self) -> int:
        return -(-self.n_replicates // CHUNK)

    def blocks(self) -> Iterator[Floats]:
        """All the weights, 50 replicates at a time."""
        return (self.chunk(number) for number in range(self.n_chunks))


@dataclass(frozen=True)
class GroupJackknife:
    """Weights that leave one group out at a time, in blocks like :class:`GroupBootstrap`.

    With more than ``limit`` groups, blocks of groups are left out instead; ``order`` (n_groups,)
    deals them out, so that groups next to each other in it are in different blocks (default: at
    random).
    """

    n_groups: int
    limit: int = 2000
    order: Ints | None = None

    @property
    def n_replicates(self) -> int:
        return min(self.n_groups, self.limit)

    @property
    def n_chunks(self) -> int:
        return -(-self.n_replicates // CHUNK)

    def chunk(self, number: int) -> Floats:
        first = number * CHUNK
        last = min(first + CHUNK, self.n_replicates)
        place = np.random.default_rng(0).permutation(self.n_groups)
        if self.order is not None:
            place[self.order] = np.arange(self.n_groups)
        block = place % self.n_replicates
        return np.asarray(block[:, None] != np.arange(first, last), dtype=np.float64)


def fewest_replicates(level: float) -> int:
    """Replicates below which a tail of the interval holds less than one of them: the interval
    would end at the extremes drawn and cover less than its level (Davison & Hinkley 1997, 2.4)."""
    return math.ceil(2 / (1 - level) - 1 - 1e-6)


def too_few_replicates(given: int, level: float, fewest: int) -> str:
    """Why there is no interval."""
    return (
        f"no interval: {given:,} replicates are too few for {level_text(level)}, which takes "
        f"{fewest:,} or more"
    )


def interval(
    value: float,
    replicates: Floats,
    level: float = 0.95,
    method: Method = "percentile",
    *,
    n_groups: int = 0,
    unit: str = "group",
    jackknife: Floats | None = None,
) -> Estimate:
    """The interval of a figure from its replicates.

    replicates : (R,) NaN where the draw left the figure undefined; these are left out, and with
    more than 5 % of them no interval is given. method "basic" reflects the quantiles about the
    value and so removes the bias of the estimator to first order. "bca" needs ``jackknife``, the
    (J,) values with groups left out.
    """
    name = f"{unit} bootstrap, {'BCa' if method == 'bca' else method}"
    if not np.isfinite(value):
        return Estimate(None, None, None, level, name, unit, n_groups, "not estimable: undefined")
    if len(replicates) == 0:
        return Estimate(float(value), None, None, level, "", unit, n_groups, NOT_DRAWN)
    valid = replicates[np.isfinite(replicates)]
    if len(valid) < max(2, VALID_SHARE * len(replicates)):
        lost = 1 - len(valid) / len(replicates)
        why = f"no interval: undefined in {lost:.0%} of the resamples (too few groups)"
        return Estimate(float(value), None, None, level, name, unit, n_groups, why)
    if len(replicates) < (fewest := fewest_replicates(level)):
        why = too_few_replicates(len(replicates), level, fewest)
        return Estimate(float(value), None, None, level, name, unit, n_groups, why)
    tail = (1 - level) / 2
    probabilities = np.array([tail, 1 - tail])
    if method == "bca":
        if jackknife is None:
            raise ValueError("BCa needs the jackknife values")
        probabilities = _bca_levels(value, valid, jackknife, probabilities)
    low, high = np.quantile(valid, probabilities)
    if method == "basic":
        low, high = 2 * value - high, 2 * value - low
    return Estimate(float(value), float(low), float(high), level, name, unit, n_groups)


def _bca_levels(value: float, valid: Floats, jackknife: Floats, levels: Floats) -> Floats:
    """Efron 1987, eq. 2.3 with the acceleration of eq. 6.6 from the jackknife."""
    below = (np.mean(valid < value) + np.mean(valid <= value)) / 2
    shift = norm.ppf(np.clip(below, 1 / (len(valid) + 1), len(valid) / (len(valid) + 1)))
    left = jackknife[np.isfinite(jackknife)]
    deviations = left.mean() - left
    spread = float((deviations**2).sum()) ** 1.5
    acceleration = 0.0 if spread == 0 else float((deviations**3).sum()) / (6 * spread)
    z = shift + norm.ppf(levels)
    return np.asarray(norm.cdf(shift + z / (1 - acceleration * z)), dtype=np.float64)

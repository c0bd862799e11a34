"""When a trial is stopped: it is worse than the best beyond doubt, or has little chance to beat it.

Both rules compare a trial with the best complete one in pairs, group by group, fold by fold. The
first is a test with a bounded error. The second stops for futility: early stopping of
cross-validation as in Bergman, Purucker and Hutter 2024, but by the chance of a gain that matters.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import t as student

from ensemble_kit.core.records import Floats
from ensemble_kit.tuning.losses import FoldLoss

ERROR = 0.08
"""What the union bound spends; the best of 20 trials is then stopped in 0-4 % of simulated searches
(benchmarks/pruning.py)."""
FUTILE = 0.04
"""A trial is stopped where its chance of beating the best by the least gain is below this."""
MIN_GAIN = 0.1
"""The least gain that matters, in standard errors of the best trial's own figure."""
PRIOR_SPREAD = 0.05
PRIOR_FOLDS = 4.0


@dataclass(frozen=True)
class Verdict:
    """A look at a trial after some folds.

    excess : its loss minus the best trial's on the same folds. p_value : one-sided, of an excess
    this large if the trial were as good. level : what the p-value must fall below. chance : that
    its loss lies below the best trial's by more than ``gain``. after_last : nothing is left to
    save.
    """

    folds: int
    excess: float
    p_value: float
    level: float
    chance: float = 1.0
    gain: float = 0.0
    after_last: bool = False

    @property
    def prune(self) -> bool:
        return self.p_value < self.level or (self.chance < FUTILE and not self.after_last)


@dataclass(frozen=True)
class Rival:
    """The best complete trial and what its complete fellows say about chance between folds.

    losses : its fold losses. compared : how many complete trials it may be the luckiest of: each
    counts by how well it could be the better one (twice its p-value against the best), 1 or more.
    spread : standard deviation of a difference between two trials from one fold to another beyond
    what sampling groups explains (training is a random process). spread_freedom : its degrees of
    freedom.
    """

    losses: tuple[FoldLoss, ...]
    compared: float
    spread: float
    spread_freedom: float


def make_rival(best: Sequence[FoldLoss], others: Sequence[Sequence[FoldLoss]]) -> Rival:
    """The rival that the best of the complete trials makes.

    The spread starts from 5 % of the best loss, as if seen over 4 folds, and is pulled to what the
    pairs of complete trials show (a moment estimate of the variance between folds).
    """
    prior = (PRIOR_SPREAD * float(np.mean([fold.value for fold in best]))) ** 2
    weight, total = PRIOR_FOLDS, PRIOR_FOLDS * prior
    for other in others:
        gaps = np.array([a.value - b.value for a, b in zip(other, best, strict=True)])
        sampling = np.mean([_variance(a, b) for a, b in zip(other, best, strict=True)])
        if len(gaps) > 1:
            weight += len(gaps) - 1
            total += (len(gaps) - 1) * max(0.0, float(gaps.var(ddof=1) - sampling))
    alone = Rival(tuple(best), 1.0, float(np.sqrt(total / weight)), weight)
    doubles = [min(1.0, 2 * judge(other, alone).p_value) for other in others]
    return replace(alone, compared=1.0 + sum(doubles))


def judge(
    losses: Sequence[FoldLoss], rival: Rival, error: float = ERROR, min_gain: float = MIN_GAIN
) -> Verdict:
    """Compare a trial's folds so far with the rival's same folds.

    The level: ``error`` bounds the chance that the best of all trials is stopped wrongly. It is
    spent over the looks in proportion to the folds a stop would save, and divided by the number
    of trials the rival may be the luckiest of (Bonferroni: the best trial would have to lose
    against one of them). The standard error joins the sampling of groups with the spread between
    folds, with Satterthwaite's degrees of freedom. After the last fold the level is 0.

    The chance of a gain: with a flat prior, the true excess is distributed about the observed one
    with the same standard error, as Student's t. min_gain : the gain that matters, in standard
    errors of the rival's own figure (over groups); negative: trials are not stopped for futility.
    """
    folds, total = len(losses), len(rival.losses)
    known = rival.losses[:folds]
    rows = np.array([loss.rows for loss in losses], dtype=np.float64)
    share = rows / rows.sum()
    gaps = np.array([a.value - b.value for a, b in zip(losses, known, strict=True)])
    variances = np.array([_variance(a, b) for a, b in zip(losses, known, strict=True)])
    excess = float(share @ gaps)
    sampling = float(share**2 @ variances)
    between = float((share**2).sum()) * rival.spread**2
    freedom = _freedom(sampling, _n_groups(losses), between, rival.spread_freedom)
    error_of_excess = np.sqrt(sampling + between)
    p_value = float(student.sf(excess / error_of_excess, freedom)) if error_of_excess > 0 else 1.0
    level = float(spend(error, total)[folds - 1]) if folds < total else 0.0
    gain, chance = max(min_gain, 0.0) * figure_error(rival.losses), 1.0
    if min_gain >= 0 and error_of_excess > 0:
        chance = float(student.cdf((-gain - excess) / error_of_excess, freedom))
    return Verdict(folds, excess, p_value, level / rival.compared, chance, gain, folds >= total)


def figure_error(losses: Sequence[FoldLoss]) -> float:
    """Standard error, over groups, of a trial's loss pooled over these folds."""
    rows = np.array([loss.rows for loss in losses], dtype=np.float64)
    share = rows / rows.sum()
    variances = np.array([_group_variance(loss.influence) for loss in losses])
    return float(np.sqrt(share**2 @ variances))


def spend(error: float, n_folds: int) -> Floats:
    """(K-1,) level of each look: in proportion to the folds left after it. Sums to ``error``."""
    left = np.arange(n_folds - 1, 0, -1, dtype=np.float64)
    return np.asarray(error * left / left.sum())


def _variance(first: FoldLoss, second: FoldLoss) -> float:
    """Sampling variance of a difference of two losses on the same groups."""
    return _group_variance(first.influence - second.influence)


def _group_variance(influence: Floats) -> float:
    groups = len(influence)
    return float(influence @ influence) * groups / max(groups - 1, 1)


def _n_groups(losses: Sequence[FoldLoss]) -> int:
    return sum(len(loss.influence) for loss in losses)


def _freedom(sampling: float, groups: int, between: float, spread_freedom: float) -> float:
    parts = sampling**2 / max(groups - 1, 1) + between**2 / spread_freedom
    return (sampling + between) ** 2 / parts if parts > 0 else float(groups)

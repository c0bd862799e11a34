"""When a trial is worse than the best one beyond doubt: a paired test over groups, fold by fold."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import t as student

from ensemble_kit.core.records import Floats
from ensemble_kit.tuning.losses import FoldLoss

ERROR = 0.08
"""What the union bound spends; the best of 20 trials is then stopped in 0-4 % of simulated searches
(benchmarks/pruning.py)."""
PRIOR_SPREAD = 0.05
PRIOR_FOLDS = 4.0


@dataclass(frozen=True)
class Verdict:
    """A look at a trial after some folds.

    excess : its loss minus the best trial's on the same folds. p_value : one-sided, of an excess
    this large if the trial were as good. level : what the p-value must fall below.
    """

    folds: int
    excess: float
    p_value: float
    level: float

    @property
    def prune(self) -> bool:
        return self.p_value < self.level


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


def judge(losses: Sequence[FoldLoss], rival: Rival, error: float = ERROR) -> Verdict:
    """Compare a trial's folds so far with the rival's same folds.

    The level: ``error`` bounds the chance that the best of all trials is stopped wrongly. It is
    spent over the looks in proportion to the folds a stop would save, and divided by the number
    of trials the rival may be the luckiest of (Bonferroni: the best trial would have to lose
    against one of them). The standard error joins the sampling of groups with the spread between
    folds, with Satterthwaite's degrees of freedom. After the last fold the level is 0.
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
    return Verdict(folds, excess, p_value, level / rival.compared)


def spend(error: float, n_folds: int) -> Floats:
    """(K-1,) level of each look: in proportion to the folds left after it. Sums to ``error``."""
    left = np.arange(n_folds - 1, 0, -1, dtype=np.float64)
    return np.asarray(error * left / left.sum())


def _variance(first: FoldLoss, second: FoldLoss) -> float:
    """Sampling variance of a difference of two losses on the same groups."""
    groups = len(first.influence)
    difference = first.influence - second.influence
    return float(difference @ difference) * groups / max(groups - 1, 1)


def _n_groups(losses: Sequence[FoldLoss]) -> int:
    return sum(len(loss.influence) for loss in losses)


def _freedom(sampling: float, groups: int, between: float, spread_freedom: float) -> float:
    parts = sampling**2 / max(groups - 1, 1) + between**2 / spread_freedom
    return (sampling + between) ** 2 / parts if parts > 0 else float(groups)

"""Comparisons of sets of predictions on the same images: paired differences and tests of pairs.

Calibration errors are left out: they are absolute values, so their differences are moved by noise
and no paired interval covers (docs/metrics.md); log loss and Brier score speak of calibration too.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from ensemble_kit.core.errors import PredictionsError
from ensemble_kit.core.records import (
    Estimate,
    Floats,
    Folds,
    ImageTable,
    Ints,
    Predictions,
    Strings,
)
from ensemble_kit.metrics.bootstrap import GroupBootstrap, interval
from ensemble_kit.metrics.cases import Cases, Key, make_cases
from ensemble_kit.metrics.jackknife import no_width_no_interval
from ensemble_kit.metrics.losses import point_scores
from ensemble_kit.metrics.registry import shown_in
from ensemble_kit.metrics.scorer import Scorer, replicate
from ensemble_kit.metrics.significance import (
    CorrectedT,
    McNemar,
    corrected_resampled_t,
    holm,
    mcnemar,
)
from ensemble_kit.metrics.support import support_of
from ensemble_kit.study import EvaluationSpec


def compared_figures(cases: Cases) -> tuple[Key, ...]:
    """What every comparison shows: the figures of all classes, then the AUC of each class and of
    the malignant view where there is one."""
    names = [*cases.class_names, *([cases.view_name] if cases.has_malignant_view else [])]
    by_class = [(metric, name) for metric in shown_in("compared by class") for name in names]
    return (*((metric, "") for metric in shown_in("compared")), *by_class)


@dataclass(frozen=True)
class Difference:
    """First named minus second named: the figure, its estimate, and p-values.

    p_value : two-sided, from the share of paired replicates on the other side of 0 (never below
    2/(R + 1)); None where not estimable. adjusted : after Holm's correction over the family.
    """

    first: str
    second: str
    metric: str
    class_name: str
    estimate: Estimate
    p_value: float | None = None
    adjusted: float | None = None


def paired_differences(
    table: ImageTable,
    named: Sequence[tuple[str, Predictions]],
    spec: EvaluationSpec | None = None,
    seed: int = 0,
    figures: Sequence[Key] | None = None,
) -> tuple[Difference, ...]:
    """Every pair of the named predictions (in the order given), for each of the figures
    (:func:`compared_figures` unless given).

    Both members of a pair are scored under the same draws of groups. Holm's correction is over
    all comparisons returned.
    """
    spec = spec or EvaluationSpec()
    if len(named) < 2:
        raise PredictionsError("a comparison needs two sets of predictions: name a second one")
    cases = [make_cases(table, predictions, spec.malignant) for _, predictions in named]
    scorers = [Scorer(part) for part in cases]
    points = [scorer.point().figures for scorer in scorers]
    draws = GroupBootstrap(table.n_groups, spec.replicates, seed)
    drawn = [scores.figures for scores in replicate(scorers, draws, scorers[0].width)]
    found = []
    for left in range(len(named)):
        for right in range(left + 1, len(named)):
            for key in figures or compared_figures(cases[0]):
                value = float(points[left][key][0] - points[right][key][0])
                replicates = drawn[left][key] - drawn[right][key] if drawn[left] else np.empty(0)
                support = support_of(key, cases[left])
                estimate = _estimate(value, replicates, spec.level, support.n_groups)
                if not support.has_interval:
                    estimate = replace(
                        estimate, low=None, high=None, note=support.reason,
                        value=estimate.value if support.estimable else None,
                    )  # fmt: skip
                p = _p_value(replicates) if estimate.low is not None else None
                names = named[left][0], named[right][0]
                estimate, p = _known(estimate, p)
                found.append(Difference(*names, key[0], key[1], estimate, p))
    return _adjusted(found)


def paired_difference(
    table: ImageTable,
    first: Predictions,
    second: Predictions,
    metric: str,
    class_name: str = "",
    spec: EvaluationSpec | None = None,
    seed: int = 0,
) -> Difference:
    """First minus second for one figure; see :func:`paired_differences`."""
    named = (("first", first), ("second", second))
    return paired_differences(table, named, spec, seed, ((metric, class_name),))[0]


def paired_mean_difference(
    first: Floats,
    second: Floats,
    groups: Strings | Ints,
    spec: EvaluationSpec,
    seed: int = 0,
) -> Difference:
    """Mean of (n,) losses of the first minus those of the second, groups resampled: for any loss
    that is a mean over rows, at a fraction of the cost."""
    codes = np.unique(groups, return_inverse=True)[1]
    n_groups = int(codes.max()) + 1
    sums = np.bincount(codes, weights=first - second, minlength=n_groups)
    sizes = np.bincount(codes, minlength=n_groups).astype(np.float64)
    draws = GroupBootstrap(n_groups, spec.replicates, seed)
    columns = np.stack([sums, sizes])
    parts = [columns @ weights for weights in draws.blocks()]
    replicates = np.concatenate([part[0] / part[1] for part in parts]) if parts else np.empty(0)
    value = float((first - second).mean())
    estimate = _estimate(value, replicates, spec.level, n_groups)
    p = _p_value(replicates) if estimate.low is not None else None
    estimate, p = _known(estimate, p)
    return Difference("first", "second", "mean_loss", "", estimate, p, p)


@dataclass(frozen=True)
class PairTests:
    """Tests of one pair: McNemar on the decisions; per figure the corrected resampled t-test over
    the folds' differences (empty without at least two folds)."""

    first: str
    second: str
    mcnemar: McNemar
    over_folds: dict[str, CorrectedT]


@dataclass(frozen=True)
class Comparison:
    """Paired differences (first minus second, Holm over all of them) and tests of every pair."""

    differences: tuple[Difference, ...]
    tests: tuple[PairTests, ...]

    @property
    def family(self) -> int:
        """How many tests Holm's correction is over: figures × pairs, where estimable."""
        return sum(d.p_value is not None for d in self.differences)


def compare(
    table: ImageTable,
    folds: Folds,
    named: Sequence[tuple[str, Predictions]],
    spec: EvaluationSpec | None = None,
    seed: int = 0,
) -> Comparison:
    """Compare every pair of the named predictions."""
    spec = spec or EvaluationSpec()
    cases = [(name, make_cases(table, predictions, spec.malignant)) for name, predictions in named]
    tests = [
        _tests(first, second, one, two, folds, spec.level)
        for (first, one), (second, two) in combinations(cases, 2)
    ]
    return Comparison(paired_differences(table, named, spec, seed), tuple(tests))


def _estimate(value: float, replicates: Floats, level: float, n_groups: int) -> Estimate:
    found = interval(value, replicates, level, n_groups=n_groups)
    return replace(found, method="paired group bootstrap, percentile")


def _known(estimate: Estimate, p: float | None) -> tuple[Estimate, float | None]:
    """A difference that no resample moves: its spread is unknown, so it has no interval and, unless
    it is 0, no p-value."""
    found = no_width_no_interval(estimate)
    return found, p if found.low is not None or not found.value else None


def _p_value(replicates: Floats) -> float:
    valid = replicates[np.isfinite(replicates)]
    above, below = int((valid >= 0).sum()), int((valid <= 0).sum())
    return float(min(1.0, 2 * (min(above, below) + 1) / (len(valid) + 1)))


def _adjusted(differences: list[Difference]) -> tuple[Difference, ...]:
    tested = [d.p_value for d in differences if d.p_value is not None]
    corrected = iter(holm(np.array(tested, dtype=np.float64)))
    return tuple(
        d if d.p_value is None else replace(d, adjusted=float(next(corrected))) for d in differences
    )


def _tests(
    first: str, second: str, one: Cases, two: Cases, folds: Folds, level: float
) -> PairTests:
    right = [np.asarray(cases.predicted == cases.labels) for cases in (one, two)]
    tested = shown_in("fold tests")
    by_fold: dict[str, list[float]] = {figure: [] for figure in tested}
    for k in range(folds.n_folds if folds.n_folds > 1 else 0):
        rows = folds.held_out(k)
        scores = [point_scores(c.labels[rows], c.probabilities[rows]) for c in (one, two)]
        for figure in tested:
            by_fold[figure].append(scores[0][figure] - scores[1][figure])
    over_folds = {
        figure: corrected_resampled_t(np.array(values), level=level)
        for figure, values in by_fold.items()
        if len(values) > 1 and bool(np.isfinite(values).all())
    }
    return PairTests(first, second, mcnemar(right[0], right[1], one.groups), over_folds)

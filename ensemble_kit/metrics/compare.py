"""Comparisons of two sets of predictions on the same images."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ensemble_kit.core.errors import PredictionsError
from ensemble_kit.core.records import Estimate, Floats, ImageTable, Ints, Predictions, Strings
from ensemble_kit.metrics.bootstrap import GroupBootstrap, interval
from ensemble_kit.metrics.cases import Cases, Key, make_cases
from ensemble_kit.metrics.scorer import Scorer, replicate
from ensemble_kit.metrics.significance import holm
from ensemble_kit.metrics.support import support_of
from ensemble_kit.study import EvaluationSpec

HEADLINE: tuple[Key, ...] = (
    ("accuracy", ""),
    ("balanced_accuracy", ""),
    ("f1_macro", ""),
    ("roc_auc_ovr", ""),
    ("average_precision_macro", ""),
    ("log_loss", ""),
    ("brier_score", ""),
    ("ece", ""),
)


def compared_figures(cases: Cases) -> tuple[Key, ...]:
    """What every comparison shows: the headline figures, then the AUC of each class and of the
    malignant view where there is one."""
    names = [*cases.class_names, *([cases.view_name] if cases.has_malignant_view else [])]
    return (*HEADLINE, *(("roc_auc", name) for name in names))


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
    return Difference("first", "second", "mean_loss", "", estimate, p, p)


def _estimate(value: float, replicates: Floats, level: float, n_groups: int) -> Estimate:
    found = interval(value, replicates, level, n_groups=n_groups)
    return replace(found, method="paired group bootstrap, percentile")


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

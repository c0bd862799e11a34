"""All comparisons of several sets of predictions on the same images."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from ensemble_kit.core.records import Folds, ImageTable, Predictions
from ensemble_kit.metrics.cases import Cases, make_cases
from ensemble_kit.metrics.compare import Difference, paired_differences
from ensemble_kit.metrics.losses import point_scores
from ensemble_kit.metrics.significance import CorrectedT, McNemar, corrected_resampled_t, mcnemar
from ensemble_kit.study import EvaluationSpec

FOLD_FIGURES = ("accuracy", "balanced_accuracy", "roc_auc_ovr", "log_loss")


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


def _tests(
    first: str, second: str, one: Cases, two: Cases, folds: Folds, level: float
) -> PairTests:
    right = [np.asarray(cases.predicted == cases.labels) for cases in (one, two)]
    by_fold: dict[str, list[float]] = {figure: [] for figure in FOLD_FIGURES}
    for k in range(folds.n_folds if folds.n_folds > 1 else 0):
        rows = folds.held_out(k)
        scores = [point_scores(c.labels[rows], c.probabilities[rows]) for c in (one, two)]
        for figure in FOLD_FIGURES:
            by_fold[figure].append(scores[0][figure] - scores[1][figure])
    over_folds = {
        figure: corrected_resampled_t(np.array(values), level=level)
        for figure, values in by_fold.items()
        if len(values) > 1 and bool(np.isfinite(values).all())
    }
    return PairTests(first, second, mcnemar(right[0], right[1], one.groups), over_folds)

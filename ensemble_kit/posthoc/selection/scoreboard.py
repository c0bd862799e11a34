"""Several sets of predictions on one board: headline figures, and paired gaps to the first."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ensemble_kit.core.records import Estimate, Floats, ImageTable, Predictions
from ensemble_kit.metrics.bootstrap import GroupBootstrap, Method, interval
from ensemble_kit.metrics.cases import make_cases
from ensemble_kit.metrics.scorer import Scorer, replicate
from ensemble_kit.metrics.support import support_of
from ensemble_kit.study import EvaluationSpec

FIGURES = ("accuracy", "balanced_accuracy", "f1_macro", "roc_auc_ovr", "log_loss", "ece")


@dataclass(frozen=True)
class Line:
    """One set of predictions: its figures, and itself minus the board's first, under the same
    draws of groups. Both by metric name."""

    name: str
    figures: dict[str, Estimate]
    minus_first: dict[str, Estimate]


def scoreboard(
    table: ImageTable,
    named: Sequence[tuple[str, Predictions]],
    spec: EvaluationSpec,
    seed: int = 0,
) -> tuple[Line, ...]:
    """A line for each of the named predictions, in their order; intervals resample groups."""
    cases = [make_cases(table, predictions, spec.malignant) for _, predictions in named]
    scorers = [Scorer(part) for part in cases]
    points = [scorer.point().figures for scorer in scorers]
    draws = GroupBootstrap(table.n_groups, spec.replicates, seed)
    drawn = [scores.figures for scores in replicate(scorers, draws, scorers[0].width)]
    lines = []
    for place, (name, _) in enumerate(named):
        figures, gaps = {}, {}
        for metric in FIGURES:
            key = (metric, "")
            support = support_of(key, cases[place])
            method: Method = "basic" if metric == "ece" else "percentile"
            value, first = float(points[place][key][0]), float(points[0][key][0])
            mine, theirs = (d.get(key, np.empty(0)) for d in (drawn[place], drawn[0]))
            usable = support.has_interval
            n = support.n_groups
            figures[metric] = _not_below_zero(_estimate(value, mine, spec.level, method, n, usable))
            gaps[metric] = _estimate(
                value - first, mine - theirs, spec.level, "percentile", n, usable
            )
        lines.append(Line(name, figures, gaps))
    return tuple(lines)


def _not_below_zero(found: Estimate) -> Estimate:
    """Scores and losses cannot be negative; reflecting an ECE's quantiles can make them so."""
    return found if found.low is None else replace(found, low=max(found.low, 0.0))


def _estimate(
    value: float, drawn: Floats, level: float, method: Method, n_groups: int, usable: bool
) -> Estimate:
    return interval(value, drawn if usable else np.empty(0), level, method, n_groups=n_groups)

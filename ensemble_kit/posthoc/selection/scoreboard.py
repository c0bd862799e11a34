"""Several sets of predictions on one board: headline figures, and paired gaps to the first."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ensemble_kit.core.records import Estimate, ImageTable, Predictions
from ensemble_kit.metrics.bootstrap import GroupBootstrap, interval
from ensemble_kit.metrics.cases import Cases, make_cases
from ensemble_kit.metrics.estimates import Resampled, estimates_of, resample
from ensemble_kit.metrics.jackknife import no_width_no_interval
from ensemble_kit.metrics.registry import NO_DIFFERENCE, bias_of, shown_in
from ensemble_kit.metrics.scorer import Scorer
from ensemble_kit.metrics.support import support_of
from ensemble_kit.study import EvaluationSpec


@dataclass(frozen=True)
class Line:
    """One set of predictions: its figures, and itself minus the board's first, under the same
    draws of groups (calibration errors: the value alone). Both by metric name."""

    name: str
    figures: dict[str, Estimate]
    minus_first: dict[str, Estimate]


def scoreboard(
    table: ImageTable,
    named: Sequence[tuple[str, Predictions]],
    spec: EvaluationSpec,
    seed: int = 0,
) -> tuple[Line, ...]:
    """A line for each of the named predictions, in their order. The figures and intervals are
    those of ``evaluate`` for the same images, seed and replicates."""
    cases = [make_cases(table, predictions, spec.malignant) for _, predictions in named]
    draws = GroupBootstrap(table.n_groups, spec.replicates, seed)
    scorers = [Scorer(part) for part in cases]
    found = resample(scorers, cases[0], draws, "auto", scorers[0].width)
    lines = []
    for (name, _), part, own in zip(named, cases, found, strict=True):
        estimates = estimates_of(part, own, spec.level, "auto")
        shown = shown_in("headline")
        figures = {metric: estimates[metric, ""] for metric in shown}
        gaps = {metric: _gap(metric, part, own, found[0], spec.level) for metric in shown}
        lines.append(Line(name, figures, gaps))
    return tuple(lines)


def _gap(metric: str, cases: Cases, own: Resampled, first: Resampled, level: float) -> Estimate:
    key = (metric, "")
    value = float(own.point.figures[key][0] - first.point.figures[key][0])
    support = support_of(key, cases)
    if bias_of(metric) == "folded":
        return Estimate(value, None, None, level, "", "group", support.n_groups, NO_DIFFERENCE)
    drawn = np.empty(0)
    if support.has_interval and key in own.drawn.figures:
        drawn = own.drawn.figures[key] - first.drawn.figures[key]
    return no_width_no_interval(interval(value, drawn, level, n_groups=support.n_groups))

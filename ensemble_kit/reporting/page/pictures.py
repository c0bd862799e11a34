"""The figures as the templates call them: colours by class, one scale a table."""

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from ensemble_kit.reporting.figures import curves, folds, intervals, reliability, training
from ensemble_kit.reporting.view.base import Number
from ensemble_kit.reporting.view.calibration import Reliability
from ensemble_kit.reporting.view.comparison import Compared, External
from ensemble_kit.reporting.view.data import ClassInfo, FlowStep
from ensemble_kit.reporting.view.ensemble import Conformal, SetRow
from ensemble_kit.reporting.view.performance import NetBenefit, Performance, RankingCurve, Risk
from ensemble_kit.reporting.view.slices import SliceColumn, SliceRow
from ensemble_kit.reporting.view.training import FoldHistory, Tuning

N_COLOURS = 10
NARROW = 104.0
NONE = Number(value=None)


def class_colours(classes: Sequence[ClassInfo]) -> dict[str, str]:
    """Class name -> the CSS class of its colour, the same throughout the page."""
    return {info.name: f"k{place % N_COLOURS}" for place, info in enumerate(classes)}


class Pictures:
    """Every figure of a page as safe markup."""

    def __init__(self, colours: Mapping[str, str], overall: Mapping[str, Number]) -> None:
        self._colours = colours
        self._overall = overall

    def roc(self, curve: RankingCurve) -> Markup:
        return Markup(curves.roc_panel(curve, self._colour(curve.name)))

    def pr(self, curve: RankingCurve) -> Markup:
        return Markup(curves.pr_panel(curve, self._colour(curve.name)))

    def risk(self, view: Risk) -> Markup:
        return Markup(curves.risk_curve(view))

    def decision(self, view: NetBenefit) -> Markup:
        return Markup(curves.decision_curve(view))

    def reliability(self, before: Reliability, after: Reliability | None) -> Markup:
        return Markup(reliability.reliability_panel(before, after, self._colour(before.name)))

    def fold_strip(self, view: Performance, metric: str) -> Markup:
        pooled = view.overall.figures.get(metric)
        if pooled is None:
            return Markup()
        single = [f.figures[metric].value for f in view.folds if metric in f.figures]
        around = [Number(value=v) for v in single]
        scale = intervals.common_scale([pooled, *around])
        return Markup(intervals.strip(single, pooled, scale))

    def unit_bar(self, number: Number | None, name: str) -> Markup:
        scale = intervals.Scale(0.0, 1.0)
        return Markup(intervals.interval_bar(number or NONE, scale, colour=self._colour(name)))

    def unit_axis(self) -> Markup:
        return Markup(intervals.scale_axis(intervals.Scale(0.0, 1.0)))

    def share(self, share: float, colour: str = "ink") -> Markup:
        return Markup(intervals.share_bar(share, colour))

    def shift(self, first: Number, second: Number) -> Markup:
        scale = intervals.common_scale([first, second])
        return Markup(intervals.dumbbell(first, second, scale))

    def coverage(self, sets: Conformal, row: SetRow) -> Markup:
        return Markup(intervals.interval_bar(_aimed(row), _coverage_scale(sets), sets.level))

    def coverage_axis(self, sets: Conformal) -> Markup:
        return Markup(intervals.scale_axis(_coverage_scale(sets)))

    def slice(self, column: SliceColumn, row: SliceRow, metric: str) -> Markup:
        number = row.figures.get(metric)
        if number is None:
            return Markup()
        bar = intervals.interval_bar(number, self._slice_scale(column, metric), self._all(metric))
        return Markup(bar)

    def slice_axis(self, column: SliceColumn, metric: str) -> Markup:
        return Markup(intervals.scale_axis(self._slice_scale(column, metric)))

    def difference(self, other: Compared | External, number: Number) -> Markup:
        return Markup(intervals.interval_bar(number, _difference_scale(other), 0.0))

    def difference_axis(self, other: Compared | External) -> Markup:
        return Markup(intervals.scale_axis(_difference_scale(other)))

    def training(self, histories: Sequence[FoldHistory], key: str, label: str) -> Markup:
        return Markup(training.training_panel(histories, key, label))

    def tuning_history(self, study: Tuning) -> Markup:
        return Markup(training.tuning_history(study))

    def tuning_slice(self, study: Tuning, parameter: str) -> Markup:
        return Markup(training.tuning_slice(study, parameter))

    def importance(self, study: Tuning) -> Markup:
        return Markup(training.importance_bars(study))

    def flow(self, steps: Sequence[FlowStep]) -> Markup:
        return Markup(folds.flow_diagram(steps))

    def balance(self, classes: Sequence[ClassInfo]) -> Markup:
        return Markup(folds.class_balance(classes, dict(self._colours)))

    def _colour(self, name: str) -> str:
        return self._colours.get(name, "ink")

    def _all(self, metric: str) -> float | None:
        number = self._overall.get(metric)
        return number.value if number else None

    def _slice_scale(self, column: SliceColumn, metric: str) -> intervals.Scale:
        numbers = [row.figures[metric] for row in column.rows if metric in row.figures]
        middle = self._all(metric)
        return intervals.common_scale(numbers, [] if middle is None else [middle], NARROW)


def _coverage_scale(sets: Conformal) -> intervals.Scale:
    return intervals.common_scale([_aimed(row) for row in sets.rows], [sets.level, 1.0])


def _aimed(row: SetRow) -> Number:
    """The coverage that the sets aim at; by image in runs of earlier versions."""
    return row.coverage if row.by_group.value is None else row.by_group


def _difference_scale(other: Compared | External) -> intervals.Scale:
    return intervals.common_scale([d.difference for d in other.differences], [0.0])

"""Every number of a set of predictions, each with an interval that resamples groups."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ensemble_kit.core.errors import PredictionsError, count
from ensemble_kit.core.records import Estimate, Floats, Folds, ImageTable, Predictions
from ensemble_kit.metrics.bootstrap import GroupBootstrap, GroupJackknife, Method, interval
from ensemble_kit.metrics.cases import Cases, Figures, Key, make_cases
from ensemble_kit.metrics.crosschecks import checks
from ensemble_kit.metrics.curves import Curve, make_curves
from ensemble_kit.metrics.scorer import Scorer, Scores, replicate
from ensemble_kit.metrics.slices import Slice, make_slices
from ensemble_kit.metrics.support import Support, support_of
from ensemble_kit.study import EvaluationSpec

if TYPE_CHECKING:
    import pandas as pd

POOLED, FOLD_MEAN, SLICE, GAP = "pooled", "fold mean", "slice", "slice gap"
MIN_SLICE_GROUPS = 10
SLICE_REPLICATES = 500
BIASED = ("ece", "mce", "smooth_ece", "brier_reliability", "brier_resolution")


@dataclass(frozen=True)
class Row:
    """One number. scope : "pooled", "fold k", "fold mean", "slice" or "slice gap" (slice minus
    the rest). slice : "column=value" or "". class_name : a class, "malignant", or "" for all."""

    scope: str
    slice: str
    class_name: str
    metric: str
    estimate: Estimate


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Rows (one number each) and curves; ``class_names`` in column order."""

    class_names: tuple[str, ...]
    rows: tuple[Row, ...]
    curves: tuple[Curve, ...] = ()

    def figure(
        self, metric: str, class_name: str = "", scope: str = POOLED, slice: str = ""
    ) -> Estimate:
        """Look a number up (cross-checks by other methods come after it in ``rows``); an unknown
        one is a KeyError."""
        return self._index[scope, slice, class_name, metric]

    def curve(self, kind: str, class_name: str, scope: str = POOLED) -> Curve | None:
        """Look a curve up; None where it could not be estimated."""
        for curve in self.curves:
            if (curve.kind, curve.class_name, curve.scope) == (kind, class_name, scope):
                return curve
        return None

    def to_frame(self) -> "pd.DataFrame":
        """One figure a row, with the columns of ``metrics.csv`` (docs/metrics.md)."""
        import pandas as pd

        return pd.DataFrame(
            [
                {"scope": row.scope, "slice": row.slice, "class": row.class_name,
                 "metric": row.metric} | asdict(row.estimate)
                for row in self.rows
            ]
        )  # fmt: skip

    @cached_property
    def _index(self) -> Mapping[tuple[str, str, str, str], Estimate]:
        index: dict[tuple[str, str, str, str], Estimate] = {}
        for row in self.rows:
            index.setdefault((row.scope, row.slice, row.class_name, row.metric), row.estimate)
        return index


def evaluate(
    table: ImageTable,
    folds: Folds,
    predictions: Predictions,
    spec: EvaluationSpec | None = None,
    seed: int = 0,
    *,
    method: Method = "percentile",
) -> Evaluation:
    """Evaluate predictions: pooled, by fold, by slice (at most 500 replicates); with curves.

    ``method`` is the interval of figures whose estimator has no bias to speak of; ECE and its
    relatives always get the basic interval (docs/metrics.md). The draws depend on the seed and the
    number of groups alone, so two evaluations of the same images are paired.
    """
    spec = spec or EvaluationSpec()
    columns = _by_column(make_slices(table, spec.slices))
    cases = make_cases(table, predictions, spec.malignant)
    if len(cases) == 0:
        raise PredictionsError("there is no image to evaluate: give at least one row")
    if not np.array_equal(folds.image_ids, table.image_ids):
        raise PredictionsError(
            f"the folds list {count(len(folds), 'image')} and the truth {len(table):,}, or another "
            "order: give folds of the same images in the same order"
        )
    draws = GroupBootstrap(cases.n_groups, spec.replicates, seed)
    work = _Work(cases, draws, spec.level, method)
    rows, curves = work.pooled_and_folds(folds)
    for slices in columns:
        rows += work.slices(slices)
    return Evaluation(table.class_names, tuple(rows), tuple(curves))


@dataclass(frozen=True)
class _Work:
    """What the scopes of one evaluation share."""

    cases: Cases
    draws: GroupBootstrap
    level: float
    method: Method

    def pooled_and_folds(self, folds: Folds) -> tuple[list[Row], list[Curve]]:
        names, parts = [POOLED], [self.cases]
        if folds.n_folds > 1:
            held_out = [folds.held_out(k) for k in range(folds.n_folds)]
            names += [f"fold {k}" for k in range(folds.n_folds) if held_out[k].any()]
            parts += [self.cases.take(rows) for rows in held_out if rows.any()]
        scorers = [Scorer(part, curves=place == 0) for place, part in enumerate(parts)]
        width = min(scorer.width for scorer in scorers)
        replicates = replicate(scorers, self.draws, width)
        points = [scorers[0].point()] + [Scorer(part, curves=True).point() for part in parts[1:]]
        knives = self._jackknife(scorers, width)
        rows: list[Row] = []
        curves: list[Curve] = []
        for name, part, point, drawn, knife in zip(
            names, parts, points, replicates, knives, strict=True
        ):
            rows += self._rows(name, "", part, point.figures, drawn.figures, knife)
            curves += make_curves(name, part, point.curves, drawn.curves, self.level)
            if name == POOLED:
                second = checks(part, self.level)
                rows += [Row(POOLED, "", key[1], key[0], found) for key, found in second.items()]
        if len(parts) > 2:
            rows += self._fold_mean(parts[1:], points[1:], replicates[1:])
        return rows, curves

    def slices(self, slices: list[Slice]) -> list[Row]:
        """Rows of the slices of one column, and of their gaps to the rest."""
        parts = [self.cases.take(piece.rows) for piece in slices]
        rests = [self.cases.take(~piece.rows) for piece in slices]
        large = [part.n_groups_here >= MIN_SLICE_GROUPS for part in parts]
        scorers = []
        for part, rest, big in zip(parts, rests, large, strict=True):
            scorers += [Scorer(part), Scorer(rest, lean=True)] if big else []
        draws = replace(self.draws, n_replicates=min(SLICE_REPLICATES, self.draws.n_replicates))
        drawn = iter(replicate(scorers, draws, min([s.width for s in scorers], default=50)))
        points = iter([scorer.point() for scorer in scorers])
        rows: list[Row] = []
        for piece, part, rest, big in zip(slices, parts, rests, large, strict=True):
            if not big:
                rows.append(_too_small(piece, part, self.level))
                continue
            own, own_drawn, other, other_drawn = (
                next(points),
                next(drawn),
                next(points),
                next(drawn),
            )
            rows += self._rows(SLICE, piece.name, part, own.figures, own_drawn.figures, {})
            rows += self._gaps(piece, part, rest, own, own_drawn, other, other_drawn)
        return rows

    def _jackknife(self, scorers: list[Scorer], width: int) -> list[Figures]:
        if self.method != "bca":
            return [{} for _ in scorers]
        knife = GroupJackknife(self.cases.n_groups)
        return [scores.figures for scores in replicate(scorers, knife, width)]

    def _rows(
        self, scope: str, slice: str, cases: Cases, point: Figures, drawn: Figures, knife: Figures
    ) -> list[Row]:
        rows = count_rows(scope, slice, cases, self.level)
        for key, value in point.items():
            support = support_of(key, cases)
            estimate = self._estimate(key, float(value[0]), drawn.get(key), knife, support)
            rows.append(Row(scope, slice, key[1], key[0], estimate))
        return rows

    def _estimate(
        self, key: Key, value: float, drawn: Floats | None, knife: Figures, support: Support
    ) -> Estimate:
        biased = key[0].startswith(BIASED)
        method: Method = "basic" if biased else self.method
        if key not in knife and method == "bca":
            method = "percentile"
        name = f"group bootstrap, {method}"
        if not support.estimable:
            reason = support.reason
            return Estimate(None, None, None, self.level, name, "group", support.n_groups, reason)
        if not support.has_interval:
            found = interval(value, np.empty(0), self.level, n_groups=support.n_groups)
            note = support.reason if found.estimable else found.note
            return Estimate(
                found.value, None, None, self.level, name, "group", support.n_groups, note
            )
        found = interval(
            value,
            drawn if drawn is not None else np.empty(0),
            self.level,
            method,
            n_groups=support.n_groups,
            jackknife=knife.get(key),
        )
        return _bias_noted(found, drawn) if biased else found

    def _fold_mean(
        self, parts: list[Cases], points: list[Scores], drawn: list[Scores]
    ) -> list[Row]:
        """Means of the folds' figures; not estimable unless every fold's is."""
        rows = []
        for key in points[0].figures:
            supports = [support_of(key, part) for part in parts]
            weakest = min(supports, key=lambda support: support.n_groups)
            value = float(np.mean([point.figures[key][0] for point in points]))
            stack = [fold.figures[key] for fold in drawn if key in fold.figures]
            replicates = np.mean(stack, axis=0) if stack else None
            fold_support = Support(weakest.n_groups, f"{weakest.side} in the smallest fold")
            estimate = self._estimate(key, value, replicates, {}, fold_support)
            rows.append(Row(FOLD_MEAN, "", key[1], key[0], estimate))
        return rows

    def _gaps(
        self, piece: Slice, part: Cases, rest: Cases,
        own: Scores, own_drawn: Scores, other: Scores, other_drawn: Scores,
    ) -> list[Row]:  # fmt: skip
        """Slice minus rest, under the same draws."""
        rows = []
        for key in other.figures:
            supports = (support_of(key, part), support_of(key, rest))
            weakest = min(supports, key=lambda support: support.n_groups)
            value = float(own.figures[key][0] - other.figures[key][0])
            drawn = None
            if key in other_drawn.figures:
                drawn = own_drawn.figures[key] - other_drawn.figures[key]
            estimate = self._estimate(key, value, drawn, {}, weakest)
            rows.append(Row(GAP, piece.name, key[1], key[0], estimate))
        return rows


def count_rows(scope: str, slice: str, cases: Cases, level: float) -> list[Row]:
    """Images, groups and images of each class: counts, without intervals."""

    def counted(number: int) -> Estimate:
        return Estimate(float(number), None, None, level, "count", "image", cases.n_groups_here)

    rows = [
        Row(scope, slice, "", "n_images", counted(len(cases))),
        Row(scope, slice, "", "n_groups", counted(cases.n_groups_here)),
    ]
    images = np.bincount(cases.labels, minlength=cases.n_classes)
    for code, name in enumerate(cases.class_names):
        rows.append(Row(scope, slice, name, "support", counted(int(images[code]))))
    return rows


def _too_small(piece: Slice, part: Cases, level: float) -> Row:
    groups = part.n_groups_here
    needed = f"at least {MIN_SLICE_GROUPS} are needed"
    note = f"not estimable: {count(groups, 'group')} in the slice, {needed}"
    none = Estimate(None, None, None, level, "group bootstrap, percentile", "group", groups, note)
    return Row(SLICE, piece.name, "", "accuracy", none)


def _bias_noted(found: Estimate, drawn: Floats | None) -> Estimate:
    """Say the bootstrap's estimate of the estimator's bias.

    An error is never below 0, and the interval is widened to hold the value that it stands beside.
    """
    if found.value is None or found.low is None or found.high is None or drawn is None:
        return found
    bias = float(np.nanmean(drawn)) - found.value
    note = f"bias of this estimator, by the bootstrap: {bias:+.4f} (the interval allows for it)"
    return Estimate(
        found.value, max(0.0, min(found.low, found.value)), max(found.high, found.value),
        found.level, found.method, found.unit, found.n_groups, note,
    )  # fmt: skip


def _by_column(slices: list[Slice]) -> list[list[Slice]]:
    columns: dict[str, list[Slice]] = {}
    for piece in slices:
        columns.setdefault(piece.column, []).append(piece)
    return list(columns.values())

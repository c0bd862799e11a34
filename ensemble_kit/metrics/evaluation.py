"""Every number of a set of predictions, each with an interval that resamples groups."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ensemble_kit.core.errors import PredictionsError, count
from ensemble_kit.core.records import Estimate, Floats, Folds, ImageTable, Predictions
from ensemble_kit.metrics.bootstrap import GroupBootstrap, Method
from ensemble_kit.metrics.cases import Cases, Figures, Key, make_cases
from ensemble_kit.metrics.crosschecks import checks
from ensemble_kit.metrics.curves import Curve, make_curves
from ensemble_kit.metrics.estimates import (
    Resampled,
    estimate,
    estimates_of,
    folded_estimates,
    resample,
)
from ensemble_kit.metrics.jackknife import NAME as JACKKNIFE
from ensemble_kit.metrics.jackknife import p_of_zero
from ensemble_kit.metrics.registry import bias_of
from ensemble_kit.metrics.reliability import TOP
from ensemble_kit.metrics.scorer import Scorer
from ensemble_kit.metrics.significance import holm
from ensemble_kit.metrics.slices import Slice, make_slices
from ensemble_kit.metrics.support import Support, support_of
from ensemble_kit.study import EvaluationSpec

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

POOLED, FOLD_MEAN, SLICE, GAP = "pooled", "fold mean", "slice", "slice gap"
MIN_SLICE_GROUPS = 10
SLICE_REPLICATES = 500


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

    def find(self, metric: str, class_name: str = "", scope: str = POOLED) -> Estimate | None:
        """As ``figure``; None for an unknown one."""
        return self._index.get((scope, "", class_name, metric))

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

    def plot_roc(self, classes: Sequence[str] | str | None = None, *, ax: Any = None) -> "Axes":
        """ROC curves of these classes against the rest (default: all), drawn into matplotlib axes
        (None: new ones), which are returned."""
        from ensemble_kit.metrics.plots import plot_roc

        return plot_roc(self, classes, ax=ax)

    def plot_reliability(self, class_name: str = TOP, *, ax: Any = None) -> "Axes":
        """Reliability diagram of a class, "malignant" or "top-1" (the likeliest class), drawn into
        matplotlib axes (None: new ones), which are returned."""
        from ensemble_kit.metrics.plots import plot_reliability

        return plot_reliability(self, class_name, ax=ax)

    def _repr_html_(self) -> str:
        from ensemble_kit.metrics.html import headline_table

        return headline_table(self)

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
    method: Method = "auto",
) -> Evaluation:
    """Evaluate predictions: pooled, by fold, by slice (at most 500 replicates); with curves.

    ``method`` is the interval of figures that are no calibration errors: "auto" is the jackknife-t
    (percentile where a figure jumps as groups are left out); errors get the inverted test
    (docs/metrics.md). The draws depend on the seed and the number of groups alone,
    so two evaluations of the same images are paired. The trained models are held fixed.
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
    gaps: list[Row] = []
    for slices in columns:
        found = work.slices(slices)
        rows += [row for row in found if row.scope != GAP]
        gaps += [row for row in found if row.scope == GAP]
    rows += with_holm(gaps)
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
        found = resample(scorers, self.cases, self.draws, self.method, width)
        rows: list[Row] = []
        curves: list[Curve] = []
        for place, (name, part, scores) in enumerate(zip(names, parts, found, strict=True)):
            rows += self._rows(name, "", part, scores)
            whole = scores.point if place == 0 else Scorer(part, curves=True).point()
            curves += make_curves(name, part, whole.curves, scores.drawn.curves, self.level)
            if name == POOLED:
                second = checks(part, self.level)
                rows += [Row(POOLED, "", key[1], key[0], found) for key, found in second.items()]
        if len(parts) > 2:
            rows += self._fold_mean(parts[1:], found[1:])
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
        width = min([s.width for s in scorers], default=50)
        found = iter(resample(scorers, self.cases, draws, self.method, width))
        rows: list[Row] = []
        for piece, part, rest, big in zip(slices, parts, rests, large, strict=True):
            if not big:
                rows.append(_too_small(piece, part, self.level))
                continue
            own, other = next(found), next(found)
            rows += self._rows(SLICE, piece.name, part, own)
            rows += self._gaps(piece, part, rest, own, other)
        return rows

    def _rows(self, scope: str, slice: str, cases: Cases, found: Resampled) -> list[Row]:
        rows = count_rows(scope, slice, cases, self.level)
        estimates = estimates_of(cases, found, self.level, self.method)
        return rows + [Row(scope, slice, key[1], key[0], e) for key, e in estimates.items()]

    def _fold_mean(self, parts: list[Cases], found: list[Resampled]) -> list[Row]:
        """Means of the folds' figures; not estimable unless every fold's is."""
        rows = []
        for key in found[0].point.figures:
            supports = [support_of(key, part) for part in parts]
            weakest = min(supports, key=lambda support: support.n_groups)
            support = Support(weakest.n_groups, f"{weakest.side} in the smallest fold")
            value = float(np.mean([fold.point.figures[key][0] for fold in found]))
            if bias_of(key[0]) == "folded":
                folds = [fold.part(key) for fold in found] if found[0].drawn.gaps else []
                estimates = folded_estimates(key, value, folds, support, self.level)
            else:
                drawn = _combined([fold.drawn.figures for fold in found], key)
                left = _combined([fold.left_out for fold in found], key)
                whole = estimate(key, value, drawn, left, support, self.level, self.method)
                estimates = {key: whole}
            rows += [Row(FOLD_MEAN, "", k[1], k[0], e) for k, e in estimates.items()]
        return rows

    def _gaps(
        self, piece: Slice, part: Cases, rest: Cases, own: Resampled, other: Resampled
    ) -> list[Row]:
        """Slice minus rest, under the same draws; calibration errors have no such differences."""
        rows = []
        for key in other.point.figures:
            if bias_of(key[0]) == "folded":
                continue
            supports = (support_of(key, part), support_of(key, rest))
            weakest = min(supports, key=lambda support: support.n_groups)
            value = float(own.point.figures[key][0] - other.point.figures[key][0])
            drawn = None
            if key in other.drawn.figures:
                drawn = own.drawn.figures[key] - other.drawn.figures[key]
            left = None
            if key in own.left_out:
                left = own.left_out[key] - other.left_out[key]
            found = estimate(key, value, drawn, left, weakest, self.level, self.method, gap=True)
            rows.append(Row(GAP, piece.name, key[1], key[0], found))
        return rows


def _combined(figures: list[Figures], key: Key) -> Floats | None:
    """The mean over the folds' resamples; None where there are none."""
    stack = [fold[key] for fold in figures if key in fold]
    return np.mean(stack, axis=0) if stack else None


def with_holm(gaps: list[Row]) -> list[Row]:
    """Gaps with p-values in their notes, Holm's correction over all slices for each figure."""
    families: dict[tuple[str, str], list[int]] = {}
    p_values: dict[int, float] = {}
    for place, row in enumerate(gaps):
        if row.estimate.method == JACKKNIFE and row.estimate.low is not None:
            p_values[place] = p_of_zero(row.estimate)
            families.setdefault((row.metric, row.class_name), []).append(place)
    noted = list(gaps)
    for places in families.values():
        adjusted = holm(np.array([p_values[place] for place in places]))
        for place, corrected in zip(places, adjusted, strict=True):
            note = (
                f"p = {p_values[place]:.3f}; {corrected:.3f} by Holm's correction over "
                f"{count(len(places), 'slice')}"
            )
            estimate = replace(gaps[place].estimate, note=note)
            noted[place] = replace(gaps[place], estimate=estimate)
    return noted


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


def _by_column(slices: list[Slice]) -> list[list[Slice]]:
    columns: dict[str, list[Slice]] = {}
    for piece in slices:
        columns.setdefault(piece.column, []).append(piece)
    return list(columns.values())

"""Estimates as the view's numbers, and the rows of ``metrics.csv`` by what they measure."""

import math
from collections.abc import Iterable, Sequence

from ensemble_kit.core.records import Estimate
from ensemble_kit.metrics.evaluation import POOLED, Row
from ensemble_kit.reporting.view.base import MetricsTable, Number

DIGITS, COARSE = 6, 5
UNKNOWN = Number(value=None, note="not recorded")


def rounded(value: float | None, digits: int = DIGITS) -> float | None:
    """To significant digits; None for what is not a finite number."""
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.{digits}g}")


def curve_values(values: Iterable[float], digits: int = 4) -> tuple[float | None, ...]:
    """A curve to ``digits`` decimals, None where it is not defined."""
    return tuple(round(float(v), digits) if math.isfinite(v) else None for v in values)


def number_of(estimate: Estimate) -> Number:
    return Number(
        value=rounded(estimate.value),
        low=rounded(estimate.low),
        high=rounded(estimate.high),
        level=estimate.level,
        method=estimate.method,
        unit=estimate.unit,
        n_groups=estimate.n_groups,
        note=estimate.note,
    )


class MetricRows:
    """Rows by (scope, slice, class, metric); the first of several methods is the figure."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.all = rows
        self._figures: dict[tuple[str, str, str], dict[str, Number]] = {}
        for row in rows:
            place = self._figures.setdefault((row.scope, row.slice, row.class_name), {})
            if row.metric not in place:
                place[row.metric] = number_of(row.estimate)

    def figures(
        self, class_name: str = "", scope: str = POOLED, part: str = ""
    ) -> dict[str, Number]:
        """metric -> number of one class ("" for the whole) in one scope."""
        return self._figures.get((scope, part, class_name), {})

    def number(self, metric: str, class_name: str = "", scope: str = POOLED) -> Number:
        return self.figures(class_name, scope).get(metric, UNKNOWN)

    def parts(self, scope: str) -> list[str]:
        """The slices of a scope, in order."""
        return list(dict.fromkeys(row.slice for row in self.all if row.scope == scope))


def metrics_table(rows: Sequence[Row]) -> MetricsTable:
    """All rows, their words listed once."""
    places: dict[tuple[str, str], int] = {}
    figures: dict[tuple[str, str], int] = {}
    methods: dict[tuple[float, str, str, str], int] = {}
    coded = []
    for row in rows:
        e = row.estimate
        coded.append(
            (
                places.setdefault((row.scope, row.slice), len(places)),
                figures.setdefault((row.class_name, row.metric), len(figures)),
                methods.setdefault((e.level, e.method, e.unit, e.note), len(methods)),
                rounded(e.value, COARSE),
                rounded(e.low, COARSE),
                rounded(e.high, COARSE),
                e.n_groups,
            )
        )
    return MetricsTable(
        places=tuple(places), figures=tuple(figures), methods=tuple(methods), rows=tuple(coded)
    )

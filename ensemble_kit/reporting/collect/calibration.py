"""Reliability diagrams and calibration measures, before and after."""

import numpy as np

from ensemble_kit.metrics.bootstrap import GroupBootstrap
from ensemble_kit.metrics.cases import Cases
from ensemble_kit.metrics.curves import Curve, make_curves
from ensemble_kit.metrics.evaluation import POOLED
from ensemble_kit.metrics.registry import shown_in
from ensemble_kit.metrics.reliability import TOP, ReliabilityFigures
from ensemble_kit.reporting.collect.numbers import MetricRows, curve_values, rounded
from ensemble_kit.reporting.collect.source import ReportedRun
from ensemble_kit.reporting.view.base import Number
from ensemble_kit.reporting.view.calibration import Calibration, Measure, Reliability


def build_calibration(source: ReportedRun) -> Calibration:
    """Of the run's own probabilities; an ensemble adds what came before its calibrator."""
    names = _names(source.cases)
    return Calibration(
        before=tuple(
            _reliability(curve, source.rows)
            for name in names
            if (curve := source.curve("reliability", name))
        ),
        measures=_measures(source, names),
    )


def reliability_of(cases: Cases, draws: GroupBootstrap, level: float) -> list[Curve]:
    """Reliability curves with bands of other probabilities of the same images."""
    figures = ReliabilityFigures(cases)
    parts = [figures(weights, True)[1] for weights in draws.blocks()]
    drawn = (
        {key: np.concatenate([p[key] for p in parts], axis=1) for key in parts[0]} if parts else {}
    )
    point = figures(np.ones((cases.n_groups, 1)), True)[1]
    return make_curves(POOLED, cases, point, drawn, level)


def reliability_view(curve: Curve, rows: MetricRows) -> Reliability:
    return _reliability(curve, rows)


def _names(cases: Cases) -> list[str]:
    extra = [cases.view_name] if cases.has_malignant_view else []
    return [TOP, *extra, *cases.class_names]


def _reliability(curve: Curve, rows: MetricRows) -> Reliability:
    counts = [0] * len(curve.y) if curve.support is None else [int(n) for n in curve.support]
    edges = np.linspace(0, 1, len(curve.y) + 1) if curve.edges is None else curve.edges
    low = curve.low if curve.low is not None else np.full(len(curve.y), np.nan)
    high = curve.high if curve.high is not None else np.full(len(curve.y), np.nan)
    observed = tuple(
        Number(
            value=rounded(float(y), 4), low=rounded(float(a), 4), high=rounded(float(b), 4),
            note="" if n else "no image in this bin",
        )
        for y, a, b, n in zip(curve.y, low, high, counts, strict=True)
    )  # fmt: skip
    return Reliability(
        name=curve.class_name,
        edges=tuple(round(float(e), 4) for e in edges),
        count=tuple(counts),
        predicted=curve_values(curve.x),
        observed=observed,
        error=rows.number("ece", "" if curve.class_name == TOP else curve.class_name),
    )


def _measures(source: ReportedRun, names: list[str]) -> tuple[Measure, ...]:
    whole, by_class = source.rows.figures(), shown_in("calibration by class")
    shown = shown_in("calibration")
    found = [Measure(metric=m, before=whole[m]) for m in shown if m in whole]
    for name in names[1:]:
        own = source.rows.figures(name)
        found += [Measure(metric=m, class_name=name, before=own[m]) for m in by_class if m in own]
    return tuple(found)

"""Scores, curves and confusion."""

import numpy as np

from ensemble_kit.core.records import Floats
from ensemble_kit.metrics.ranking import MACRO, MICRO
from ensemble_kit.metrics.registry import shown_in
from ensemble_kit.metrics.reliability import TOP
from ensemble_kit.reporting.collect.numbers import curve_values
from ensemble_kit.reporting.collect.source import ReportedRun
from ensemble_kit.reporting.view.base import Number
from ensemble_kit.reporting.view.performance import (
    NetBenefit,
    Performance,
    RankingCurve,
    Risk,
    Scores,
)

AREAS = {"roc": "roc_auc", "pr": "average_precision"}


def build_performance(source: ReportedRun) -> Performance:
    cases, names = source.cases, source.class_names
    cells = cases.labels * cases.n_classes + cases.predicted
    confusion = np.bincount(cells, minlength=cases.n_classes**2).reshape(-1, cases.n_classes)
    by_class = np.bincount(cases.labels, minlength=cases.n_classes)
    return Performance(
        overall=Scores(
            name="pooled",
            support=len(cases),
            groups=cases.n_groups_here,
            figures=source.rows.figures(),
        ),
        classes=tuple(
            Scores(
                name=name,
                support=int(by_class[code]),
                groups=cases.groups_with[name][0],
                figures=source.rows.figures(name),
            )
            for code, name in enumerate(names)
        ),
        folds=_folds(source),
        malignant=_malignant(source),
        malignant_classes=tuple(n for n, bad in zip(names, cases.malignant, strict=True) if bad),
        roc=_curves(source, "roc"),
        pr=_curves(source, "pr"),
        net_benefit=_net_benefit(source),
        risk=_risk(source),
        confusion=tuple(tuple(int(n) for n in row) for row in confusion),
    )


def _folds(source: ReportedRun) -> tuple[Scores, ...]:
    run = source.run
    if run.folds.n_folds < 2:
        return ()
    return tuple(
        Scores(
            name=f"fold {k}",
            support=int(run.folds.held_out(k).sum()),
            figures=source.rows.figures(scope=f"fold {k}"),
        )
        for k in range(run.folds.n_folds)
    )


def _malignant(source: ReportedRun) -> Scores | None:
    if not source.cases.has_malignant_view:
        return None
    figures = source.rows.figures(source.cases.view_name)
    return Scores(
        name=source.cases.view_name,
        support=int(source.cases.malignant[source.cases.labels].sum()),
        groups=source.cases.groups_with[source.cases.view_name][0],
        figures={name: figures[name] for name in shown_in("malignant") if name in figures},
    )


def _curves(source: ReportedRun, kind: str) -> tuple[RankingCurve, ...]:
    """Each class, then the malignant view, the macro and the micro average."""
    extra = [source.cases.view_name] if source.cases.has_malignant_view else []
    found = []
    for name in [*source.class_names, *extra, MACRO, MICRO]:
        curve = source.curve(kind, name)
        if curve is None:
            continue
        folds = [
            other
            for k in range(source.run.folds.n_folds)
            if (other := source.curve(kind, name, f"fold {k}"))
        ]
        whole = source.curve("roc_simultaneous", name) if kind == "roc" else None
        found.append(
            RankingCurve(
                name=name,
                area=_area(source, kind, name),
                x=tuple(round(float(x), 4) for x in curve.x),
                y=curve_values(curve.y),
                low=_band_end(curve.low),
                high=_band_end(curve.high),
                whole_low=_band_end(None if whole is None else whole.low),
                whole_high=_band_end(None if whole is None else whole.high),
                folds=tuple(curve_values(other.y) for other in folds),
                chance=_prevalence(source, name) if kind == "pr" else None,
            )
        )
    return tuple(found)


def _band_end(values: Floats | None) -> tuple[float | None, ...]:
    return () if values is None else curve_values(values)


def _area(source: ReportedRun, kind: str, name: str) -> Number:
    metric = AREAS[kind]
    if name in (MACRO, MICRO):
        suffix = "ovr" if kind == "roc" and name == MACRO else name
        return source.rows.number(f"{metric}_{suffix}")
    return source.rows.number(metric, name)


def _prevalence(source: ReportedRun, name: str) -> float | None:
    cases = source.cases
    if name == cases.view_name:
        return round(float(cases.malignant[cases.labels].mean()), 6)
    if name in source.class_names:
        return round(float((cases.labels == source.class_names.index(name)).mean()), 6)
    return None


def _net_benefit(source: ReportedRun) -> NetBenefit | None:
    curve = source.curve("decision", source.cases.view_name)
    everyone = source.curve("decision_all", source.cases.view_name)
    if curve is None or everyone is None:
        return None
    return NetBenefit(
        thresholds=tuple(round(float(x), 4) for x in curve.x),
        model=curve_values(curve.y, 5),
        low=() if curve.low is None else curve_values(curve.low, 5),
        high=() if curve.high is None else curve_values(curve.high, 5),
        treat_all=curve_values(everyone.y, 5),
    )


def _risk(source: ReportedRun) -> Risk | None:
    curve = source.curve("risk", TOP)
    if curve is None:
        return None
    return Risk(
        coverages=tuple(round(float(x), 4) for x in curve.x),
        risk=curve_values(curve.y, 5),
        low=() if curve.low is None else curve_values(curve.low, 5),
        high=() if curve.high is None else curve_values(curve.high, 5),
    )

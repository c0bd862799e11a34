"""Members, weights, optimism and prediction sets, from the files `ensemble` left in its run."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ensemble_kit.core.errors import EnsembleKitError
from ensemble_kit.core.records import Floats, Predictions
from ensemble_kit.data.prediction_tables import read_prediction_table
from ensemble_kit.metrics.cases import make_cases
from ensemble_kit.metrics.scorer import Scorer
from ensemble_kit.reporting.collect.member_table import how_made
from ensemble_kit.reporting.collect.numbers import number_of, rounded
from ensemble_kit.reporting.collect.source import ReportedRun
from ensemble_kit.reporting.view.base import Cell, Number, Table
from ensemble_kit.reporting.view.calibration import Calibration, Measure, Reliability
from ensemble_kit.reporting.view.ensemble import Conformal, Ensemble, Member, Optimism, SetRow
from ensemble_kit.runs.ensembles import (
    CalibrationRecord,
    CandidateMethod,
    ConformalRecord,
    CoverageLine,
    EnsembleRecord,
    FewGroups,
    Matrix,
    MemberRecord,
    ReliabilityRecord,
)
from ensemble_kit.runs.tables import find_oof

SCORES = {"lac": "LAC", "aps": "APS", "raps": "RAPS"}


def build_ensemble(source: ReportedRun) -> Ensemble | None:
    found = EnsembleRecord.find(source.run.folder)
    if found is None:
        return None
    return Ensemble(
        method=found.method,
        description=found.description,
        objective=found.objective,
        members=tuple(_member(member) for member in found.members),
        candidates=_candidates(found.candidates),
        error_correlation=_matrix(found.error_correlation),
        double_fault=_matrix(found.double_fault),
        optimism=tuple(
            Optimism(
                metric=line.metric,
                in_sample=number_of(line.in_sample),
                crossfitted=number_of(line.cross_fitted),
                difference=number_of(line.difference),
            )
            for line in found.optimism
        ),
    )


def add_calibrator(source: ReportedRun, view: Calibration) -> Calibration:
    """The view of the run's own probabilities, set beside those before its calibrator."""
    found = CalibrationRecord.find(source.run.folder)
    if found is None or found.method == "none":
        return view
    before = _before(found.before)
    earlier = _figures_of_mean(source)
    measures = tuple(
        Measure(
            metric=m.metric,
            class_name=m.class_name,
            before=before.error
            if (m.metric, m.class_name) == ("ece", "")
            else earlier.get((m.metric, m.class_name)),
            after=m.before,
        )
        for m in view.measures
    )
    parameters = tuple((k, _short(v)) for k, v in found.final.items() if k != "kind")
    return Calibration(
        method=found.method,
        before=(before,),
        after=view.before,
        measures=measures,
        parameters=Table(columns=("parameter", "value"), rows=parameters),
    )


def _figures_of_mean(source: ReportedRun) -> dict[tuple[str, str], Number]:
    """Figures of the plain mean of the members, what the calibrator started from; none where a
    member is no longer where it was."""
    members = member_probabilities(source)
    if not members:
        return {}
    mean = Predictions(source.run.predictions.image_ids, source.class_names,
                       np.mean(members, axis=0))  # fmt: skip
    cases = make_cases(source.run.table, mean, source.spec.malignant)
    figures = Scorer(cases).point().figures
    return {
        key: Number(value=rounded(float(value[0])))
        for key, value in figures.items()
        if np.isfinite(value[0])
    }


def build_conformal(source: ReportedRun) -> Conformal | None:
    found = ConformalRecord.find(source.run.folder)
    if found is None:
        return None
    few = {item.class_name: item for item in found.without_guarantee}
    return Conformal(
        method=SCORES.get(found.final.score, found.method),
        level=found.level,
        description=_promise(found),
        rows=tuple(_set_row(line, few) for line in found.coverage),
        sizes=found.sizes,
    )


def member_probabilities(source: ReportedRun) -> list[Floats]:
    """(n, C) of each member, a run, a repeat or a file, that is still where it was.

    Classes are taken by name, in the run's order. A list that would lack a member is empty: who
    ranks by "the members" must not rank by some of them.
    """
    record = EnsembleRecord.find(source.run.folder)
    found = []
    for member in record.members if record else ():
        try:
            theirs = _of_origin(Path(member.origin))
            if theirs is None or set(theirs.class_names) != set(source.class_names):
                return []
            columns = [theirs.class_names.index(name) for name in source.class_names]
            rows = theirs.in_order_of(source.run.table.image_ids)
        except EnsembleKitError:
            return []
        found.append(rows.probabilities[:, columns])
    return found


def _of_origin(path: Path) -> Predictions | None:
    """Of a run's folder, or of a file that any program may have made."""
    return read_prediction_table(path).predictions if path.is_file() else find_oof(path)


def _member(member: MemberRecord) -> Member:
    return Member(
        name=member.name,
        weight=rounded(member.weight),
        figures={metric: number_of(e) for metric, e in member.figures.items()},
        without=None if member.without is None else number_of(member.without),
        minus={metric: number_of(e) for metric, e in member.minus_ensemble.items()},
        made=how_made(member.name, member.origin),
    )


def _candidates(judged: tuple[CandidateMethod, ...]) -> Table:
    rows = [
        (j.candidate, rounded(j.weight), j.parameters, rounded(j.loss), rounded(j.behind),
         rounded(j.error))
        for j in judged
    ]  # fmt: skip
    names = (
        "candidate", "weight", "fitted numbers", "inner loss", "behind the best", "standard error",
    )  # fmt: skip
    return Table(columns=names, rows=tuple(sorted(rows, key=lambda row: row[4] or 0.0)))


def _matrix(values: Matrix) -> tuple[tuple[float | None, ...], ...]:
    return tuple(tuple(rounded(v) for v in row) for row in values)


def _before(found: ReliabilityRecord) -> Reliability:
    return Reliability(
        name="top-1",
        edges=(*(round(b.low, 4) for b in found.bins), 1.0),
        count=tuple(b.n for b in found.bins),
        predicted=tuple(rounded(b.confidence, 4) for b in found.bins),
        observed=tuple(Number(value=rounded(b.accuracy, 4)) for b in found.bins),
        error=Number(value=rounded(found.ece)),
    )


THRESHOLD = (
    "Thresholds were fitted on the other folds, with one vote a group, from cross-validated "
    "scores: the coverage is approximate, without a finite-sample guarantee (Barber et al. 2021)."
)
CROSS = (
    "A label's score is compared with those of each fold by the chain fitted without that fold, "
    "and the p-values are pooled, with one vote a group (cross-conformal, Vovk 2015). Were no "
    "model fitted with images of its fold, the coverage would be at least one minus twice the "
    "error asked for, less a small-sample term (Barber et al. 2021); the networks behind the "
    "members have met them, so it is approximate."
)


def _promise(found: ConformalRecord) -> str:
    scope = "each class by itself" if found.final.by_class else "all images together"
    text = (
        f"The sets aim at holding the true class this often for {scope}, for a random image of a "
        "random group (“by group”); over all images the share may differ where groups are of "
        "unequal size. "
    )
    text += CROSS if found.final.method == "cross" else THRESHOLD
    if few := found.without_guarantee:
        needed = few[0].groups_needed
        text += f" A class needs {needed} groups for a threshold; without one it is in every set."
    return text


def _set_row(line: CoverageLine, few: Mapping[str, FewGroups]) -> SetRow:
    name = line.name or "all images"
    note = ""
    shown = name if line.scope in ("all", "class") else f"{line.scope}: {name}"
    if name in few:
        item = few[name]
        note = f"no threshold: {item.n_groups} groups, {item.groups_needed} needed"
    return SetRow(
        name=shown,
        kind=line.scope,
        coverage=number_of(line.coverage),
        by_group=Number(value=None) if line.by_group is None else number_of(line.by_group),
        size=number_of(line.size),
        note=note,
    )


def _short(value: Any) -> Cell:
    if isinstance(value, float):
        return rounded(value)
    if isinstance(value, (str, int, bool)) or value is None:
        return value
    return json.dumps(value, default=str)[:400]

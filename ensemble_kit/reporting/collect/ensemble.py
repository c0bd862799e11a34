"""Members, weights, optimism and prediction sets, from the files `ensemble` left in its run."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ensemble_kit.core.errors import EnsembleKitError, RunError
from ensemble_kit.core.records import Floats
from ensemble_kit.data.predictions import read_predictions
from ensemble_kit.reporting.collect.numbers import UNKNOWN, rounded
from ensemble_kit.reporting.collect.source import Source
from ensemble_kit.reporting.view.base import Cell, Number, Table
from ensemble_kit.reporting.view.calibration import Calibration, Measure, Reliability
from ensemble_kit.reporting.view.ensemble import Conformal, Ensemble, Member, Optimism, SetRow
from ensemble_kit.runs.folder import OOF

ENSEMBLE, CALIBRATION, CONFORMAL = "ensemble.json", "calibration.json", "conformal.json"
SCORES = {"lac": "LAC", "aps": "APS", "raps": "RAPS"}
Json = Mapping[str, Any]


def build_ensemble(source: Source) -> Ensemble | None:
    values = _read(source.run.folder / ENSEMBLE)
    if values is None:
        return None
    try:
        return Ensemble(
            method=str(values["method"]),
            description=str(values["description"]),
            objective=str(values["objective"]),
            members=tuple(_member(m) for m in values["members"]),
            candidates=_candidates(values["candidates"]),
            error_correlation=_matrix(values["error_correlation"]),
            double_fault=_matrix(values["double_fault"]),
            optimism=tuple(
                Optimism(
                    metric=str(o["metric"]),
                    in_sample=number_from(o["in_sample"]),
                    crossfitted=number_from(o["cross_fitted"]),
                    difference=number_from(o["difference"]),
                )
                for o in values["optimism"]
            ),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _damaged(source.run.folder / ENSEMBLE, error) from None


def add_calibrator(source: Source, view: Calibration) -> Calibration:
    """The view of the run's own probabilities, set beside those before its calibrator."""
    path = source.run.folder / CALIBRATION
    values = _read(path)
    if values is None or values.get("method") in (None, "none"):
        return view
    try:
        before = _before(values["before"])
        parameters = tuple((str(k), _short(v)) for k, v in values["final"].items() if k != "kind")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _damaged(path, error) from None
    measures = tuple(
        Measure(
            metric=m.metric,
            class_name=m.class_name,
            before=before.error if (m.metric, m.class_name) == ("ece", "") else None,
            after=m.before,
        )
        for m in view.measures
    )
    return Calibration(
        method=str(values["method"]),
        before=(before,),
        after=view.before,
        measures=measures,
        parameters=Table(columns=("parameter", "value"), rows=parameters),
    )


def build_conformal(source: Source) -> Conformal | None:
    path = source.run.folder / CONFORMAL
    values = _read(path)
    if values is None:
        return None
    try:
        few = {str(item["class"]): item for item in values["without_guarantee"]}
        return Conformal(
            method=SCORES.get(str(values["method"]).split(",")[0], "") or str(values["method"]),
            level=float(values["level"]),
            description=_promise(values),
            rows=tuple(_set_row(line, few) for line in values["coverage"]),
            sizes=tuple((int(size), int(n)) for size, n in values["sizes"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _damaged(path, error) from None


def member_probabilities(source: Source) -> list[Floats]:
    """(n, C) of each member whose run is still where it was; none where that is unknown."""
    values = _read(source.run.folder / ENSEMBLE)
    found = []
    for member in (values or {}).get("members", []):
        path = Path(str(member.get("origin", ""))) / OOF
        try:
            if path.is_file():
                theirs = read_predictions(path).in_order_of(source.run.table.image_ids)
                if theirs.class_names == source.class_names:
                    found.append(theirs.probabilities)
        except EnsembleKitError:
            continue
    return found


def number_from(values: Json | None) -> Number:
    """An estimate as these files write it."""
    if values is None:
        return UNKNOWN
    return Number(
        value=rounded(values["value"]),
        low=rounded(values.get("low")),
        high=rounded(values.get("high")),
        level=float(values.get("level", 0.95)),
        method=str(values.get("method", "")),
        unit=str(values.get("unit", "group")),
        n_groups=int(values.get("n_groups", 0)),
        note=str(values.get("note", "")),
    )


def _member(values: Json) -> Member:
    weight, without = values.get("weight"), values.get("without")
    return Member(
        name=str(values["name"]),
        weight=None if weight is None else rounded(float(weight)),
        figures={str(k): number_from(v) for k, v in values["figures"].items()},
        without=None if without is None else number_from(without),
    )


def _candidates(judged: list[Json]) -> Table:
    rows = [
        (
            str(item["candidate"]),
            int(item["parameters"]),
            rounded(float(item["loss"])),
            rounded(float(item["behind"])),
            rounded(float(item["error"])),
        )
        for item in judged
    ]
    names = ("candidate", "fitted numbers", "inner loss", "behind the best", "standard error")
    return Table(columns=names, rows=tuple(sorted(rows, key=lambda row: row[3] or 0.0)))


def _matrix(values: list[list[float | None]]) -> tuple[tuple[float | None, ...], ...]:
    return tuple(tuple(rounded(v) for v in row) for row in values)


def _before(values: Json) -> Reliability:
    bins = values["bins"]
    return Reliability(
        name="top-1",
        edges=(*(round(float(b["low"]), 4) for b in bins), 1.0),
        count=tuple(int(b["n"]) for b in bins),
        predicted=tuple(rounded(b["confidence"], 4) for b in bins),
        observed=tuple(Number(value=rounded(b["accuracy"], 4)) for b in bins),
        error=Number(value=rounded(float(values["ece"]))),
    )


def _promise(values: Json) -> str:
    by_class = bool(values["final"]["by_class"])
    scope = "each class by itself" if by_class else "all images together"
    text = (
        f"The sets are meant to hold the true class this often for {scope}. Quantiles were fitted "
        "on the other folds, with one vote a group."
    )
    if values["without_guarantee"]:
        needed = values["without_guarantee"][0]["groups_needed"]
        text += f" A class needs {needed} groups for the guarantee."
    return text


def _set_row(line: Json, few: Mapping[str, Json]) -> SetRow:
    name = str(line["name"]) or "all images"
    note = ""
    if name in few:
        item = few[name]
        note = f"no guarantee: {item['n_groups']} groups, {item['groups_needed']} needed"
    return SetRow(
        name=name,
        kind=str(line["scope"]),
        coverage=number_from(line["coverage"]),
        size=number_from(line["size"]),
        note=note,
    )


def _short(value: Any) -> Cell:
    if isinstance(value, float):
        return rounded(value)
    if isinstance(value, (str, int, bool)) or value is None:
        return value
    return json.dumps(value, default=str)[:400]


def _read(path: Path) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _damaged(path, error) from None
    if not isinstance(values, dict):
        raise _damaged(path, ValueError("not an object"))
    return values


def _damaged(path: Path, error: Exception) -> RunError:
    return RunError(f"{path}: cannot be read ({error!r}); give `ensemble` again")

"""What `validate` found abroad, from ``external.json``, as tables of the page."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ensemble_kit.core.errors import RunError
from ensemble_kit.core.numbers import number_text
from ensemble_kit.reporting.view.base import Table
from ensemble_kit.reporting.view.comparison import ExternalPart
from ensemble_kit.runs.external import ExternalRecord

FIGURES = (("log_loss", "log loss"), ("ece", "ECE"), ("roc_auc_ovr", "macro AUC"),
           ("balanced_accuracy", "balanced accuracy"))  # fmt: skip

Json = Mapping[str, Any]


def build_external_parts(folder: Path) -> tuple[ExternalPart, ...]:
    """Recalibration, prevalence, sets, drift; nothing for a run that `validate` did not make."""
    found = ExternalRecord.find(folder)
    if found is None:
        return ()
    try:
        parts = [_recalibration(found), _prevalence(found), _coverage(found), _drift(found)]
    except (KeyError, TypeError) as error:
        raise RunError(f"{folder}: damaged ({error!r}); {ExternalRecord.REMEDY}") from None
    return tuple(part for part in parts if part.table.rows)


def _recalibration(found: ExternalRecord) -> ExternalPart:
    rows = tuple(
        (line["name"], *(_words(line["figures"].get(name)) for name, _ in FIGURES),
         _words(line["minus_shipped"].get("log_loss")) if place else "–")
        for place, line in enumerate(found.recalibration)
    )  # fmt: skip
    columns = ("probabilities", *(words for _, words in FIGURES), "log loss minus as shipped")
    return ExternalPart(
        title="Calibration before and after a recalibration abroad",
        text="Each recalibration is fitted on four parts of the external groups and judged on the "
        "fifth, so none is judged on images that fitted it. Where it lowers the log loss, the "
        "shipped probabilities do not hold there as they are.",
        table=Table(columns=columns, rows=rows),
    )


def _prevalence(found: ExternalRecord) -> ExternalPart:
    rows = tuple(
        (row["name"], _share(row["internal"]), _share(row["estimated"]), _share(row["external"]),
         _share(row["ppv_expected"]), _share(row["ppv_found"]), _share(row["npv_expected"]),
         _share(row["npv_found"]))
        for row in found.prevalence
    )  # fmt: skip
    columns = ("class", "internal, %", "estimated abroad, %", "abroad by labels, %",
               "PPV expected, %", "PPV found, %", "NPV expected, %", "NPV found, %")  # fmt: skip
    return ExternalPart(
        title="Shift of the classes’ shares",
        text="The share abroad is estimated from the probabilities alone by expectation–"
        "maximisation (Saerens, Latinne and Decaestecker 2002). PPV and NPV are expected from the "
        "internal sensitivity and specificity at that share, and found by the labels.",
        table=Table(columns=columns, rows=rows),
    )


def _coverage(found: ExternalRecord) -> ExternalPart:
    rows = tuple(
        (row["name"] or "all images", row["n_images"], _words(row["coverage"]), _words(row["size"]))
        for row in found.coverage
        if row["n_images"]
    )
    level = f"{100 * found.coverage_level:g}"
    return ExternalPart(
        title="Prediction sets abroad",
        text=f"The sets aim at about {level} % for groups like the run’s own; here is how often "
        "they hold the truth abroad, and how many classes they name.",
        table=Table(columns=("class", "images", "coverage", "mean size"), rows=rows),
    )


def _drift(found: ExternalRecord) -> ExternalPart:
    rows = []
    if found.drift:
        d = found.drift
        figures = (number_text(d["auc"]), _p(d["p_value"]), d["n_here"], d["n_there"])
        rows.append(("images (pooled features)", "AUC of telling the sets apart", *figures))
    rows += [
        (row["column"], row["measure"], number_text(row["distance"]), _p(row["p_value"]),
         row["n_here"], row["n_there"])
        for row in found.metadata
    ]  # fmt: skip
    return ExternalPart(
        title="Drift of images and metadata",
        text="A classifier that tells internal from external images (0.5: it cannot), and the "
        "distance between the values of each column (0: none, 1: complete). The p-values permute "
        "whole groups (199 permutations).",
        table=Table(
            columns=("what", "measure", "value", "p", "internal", "external"), rows=tuple(rows)
        ),
    )


def _words(estimate: Json | None) -> str:
    if estimate is None or estimate["value"] is None:
        return "not estimable"
    text = number_text(estimate["value"])
    if estimate["low"] is None or estimate["high"] is None:
        return text.replace("-", "−")
    low, high = (number_text(estimate[bound]) for bound in ("low", "high"))
    return f"{text} ({low} to {high})".replace("-", "−")


def _share(value: float | None) -> str:
    return "–" if value is None else number_text(100 * value, 1)


def _p(value: float) -> str:
    return number_text(value)

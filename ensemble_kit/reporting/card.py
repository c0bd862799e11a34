"""The model card: a README with Hugging Face metadata, filled from a run's report alone."""

from collections.abc import Sequence
from typing import Any

import yaml

from ensemble_kit.reporting.view.base import Number
from ensemble_kit.reporting.view.performance import Scores
from ensemble_kit.reporting.view.report import Report

OVERALL = (
    ("roc_auc_ovr", "macro AUC"), ("balanced_accuracy", "balanced accuracy"),
    ("accuracy", "accuracy"), ("f1_macro", "macro F1"), ("log_loss", "log loss"), ("ece", "ECE"),
)  # fmt: skip
BY_CLASS = (
    ("recall", "recall"), ("specificity", "specificity"), ("precision", "precision"),
    ("roc_auc", "AUC"),
)  # fmt: skip
SLICED = (("accuracy", "accuracy"), ("roc_auc_ovr", "macro AUC"))
SKIN = frozenset({"akiec", "bcc", "bkl", "df", "mel", "nv", "vasc"})


def card_text(
    report: Report, *, library: str, file: str, input_size: int, licence: str, quantized: str = ""
) -> str:
    """The card as Markdown. quantized : what eight bits cost, in words.

    Every other number is one of ``report.json``, written out in full there and here to four
    significant digits at most.
    """
    metadata = yaml.safe_dump(_metadata(report, library), sort_keys=False, allow_unicode=True)
    parts = [
        f"---\n{metadata}---",
        f"# {report.name}",
        _opening(report, file, input_size),
        "## Intended use",
        _use(report),
        "## Data and folds",
        _data(report),
        "## Figures",
        "Every figure is out of fold: each image is judged by the model that never saw it"
        + (" or its group, and intervals resample groups" if report.data.groups_known else "")
        + ". The exported file averages all fold models, which no image here can judge.",
        _table(
            ("figure", "value"), [(words, _number(figure)) for words, figure in _overall(report)]
        ),
        _table(
            ("class", "images", *(words for _, words in BY_CLASS)),
            [(s.name, f"{s.support:,}", *_cells(s, BY_CLASS)) for s in report.performance.classes],
        ),
        *_slices(report),
        "## Calibration",
        _calibration(report),
        *(("## Eight bits", f"{quantized[0].upper()}{quantized[1:]}.") if quantized else ()),
        "## Limits",
        _limits(report),
        "## Licence of the data",
        licence,
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _metadata(report: Report, library: str) -> dict[str, Any]:
    metrics = [
        {"type": name, "name": words, "value": figure.value}
        for name, words in OVERALL
        if (figure := report.headline.get(name)) and figure.value is not None
    ]
    data = report.data.source or "images of the run"
    return {
        "library_name": library,
        "pipeline_tag": "image-classification",
        "license": "other",
        "tags": ["image-classification", "ensemble", "calibration", "cross-validation"],
        "model-index": [
            {
                "name": report.name,
                "results": [
                    {
                        "task": {"type": "image-classification"},
                        "dataset": {"name": data, "type": "image-folder"},
                        "metrics": metrics,
                    }
                ],
            }
        ],
    }


def _opening(report: Report, file: str, size: int) -> str:
    words = report.description or "An ensemble of fold models of one cross-validation."
    classes = ", ".join(info.name for info in report.data.classes)
    return (
        f"{words}\n\n`{file}` takes RGB pixels 0..255 of {size}×{size} px and gives the "
        f"probabilities of {classes}, in this order. `predict.py` shows how; `bundle.json` has the "
        "thresholds, the prediction sets and the digest of every file."
    )


def _use(report: Report) -> str:
    kind = (
        "research on dermoscopic images of single skin lesions"
        if {info.name for info in report.data.classes} <= SKIN
        else "research on images like those it was trained on"
    )
    return (
        f"For {kind}. **Not a medical device**: it must not decide on the diagnosis or treatment "
        "of anybody. Use on other cameras, populations or classes needs a validation of its own "
        "(`validate`)."
    )


def _data(report: Report) -> str:
    data = report.data
    lines = [
        (
            f"{data.images:,} images in {data.groups:,} groups (by {data.group_rule}), "
            f"{data.n_folds} folds; groups in more than one fold: {data.crossing_groups}."
            if data.groups_known
            else f"{data.images:,} images, {data.n_folds} folds; no groups are known, so every "
            "image counted as independent."
        ),
        _table(
            ("class", "images", "groups"),
            [(info.name, f"{info.images:,}", f"{info.groups:,}") for info in data.classes],
        ),
    ]
    return "\n\n".join(lines)


def _overall(report: Report) -> list[tuple[str, Number]]:
    figures = report.performance.overall.figures
    return [(words, figures[name]) for name, words in OVERALL if name in figures]


def _slices(report: Report) -> list[str]:
    rows = [
        (
            column.column,
            row.level,
            f"{row.images:,}",
            *(_number(row.figures.get(m)) for m, _ in SLICED),
        )
        for column in report.slices.columns
        for row in column.rows
        if any(_estimable(row.figures.get(m)) for m, _ in SLICED)
    ]
    few = [
        f"{row.level} ({column.column})"
        for column in report.slices.columns
        for row in column.rows
        if not any(_estimable(row.figures.get(m)) for m, _ in SLICED)
    ]
    found = []
    if rows:
        found.append(_table(("slice", "level", "images", *(w for _, w in SLICED)), rows))
    if few:
        found.append(f"Too few images or groups for a figure: {', '.join(few)}.")
    return found


def _calibration(report: Report) -> str:
    figures = report.performance.overall.figures
    said = [
        f"{words} {_number(figures[name])}"
        for name, words in (
            ("ece", "ECE"),
            ("calibration_slope", "slope"),
            ("brier_score", "Brier"),
        )
        if name in figures
    ]
    method = report.calibration.method
    how = f"Calibrated by {method}, cross-fitted." if method else "No calibrator was fitted."
    return f"{how} {'; '.join(said)}."


def _limits(report: Report) -> str:
    lines = [f"- {alert.title}: {alert.text}" for alert in report.alerts]
    lines.append(
        "- Nothing is known of images from elsewhere until they are measured; `novelty` and "
        "`spread` of `predict` tell images that are unlike those of the run."
    )
    return "\n".join(lines)


def _cells(scores: Scores, wanted: Sequence[tuple[str, str]]) -> list[str]:
    return [_number(scores.figures.get(name)) for name, _ in wanted]


def _estimable(number: Number | None) -> bool:
    return number is not None and number.value is not None


def _number(number: Number | None) -> str:
    """``0.912 (0.901 to 0.922)``; four significant digits."""
    if number is None or number.value is None:
        return "not estimable"
    text = f"{number.value:.4g}"
    if number.low is None or number.high is None:
        return text
    return f"{text} ({number.low:.4g} to {number.high:.4g})"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(c) for c in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")

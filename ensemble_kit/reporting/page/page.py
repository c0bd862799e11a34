"""The view rendered as one self-contained HTML file."""

import base64
import hashlib
from collections import Counter
from collections.abc import Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ensemble_kit.core.numbers import number_text
from ensemble_kit.core.program import program
from ensemble_kit.metrics.registry import shown_in
from ensemble_kit.reporting.figures.svg import clean, short
from ensemble_kit.reporting.page import tables, words
from ensemble_kit.reporting.page.definitions import all_definitions, digits_of
from ensemble_kit.reporting.page.methods import cite
from ensemble_kit.reporting.page.pictures import Pictures, class_colours
from ensemble_kit.reporting.page.prose import KINDS, write_prose
from ensemble_kit.reporting.page.references import REFERENCES
from ensemble_kit.reporting.view.base import Number, Table
from ensemble_kit.reporting.view.calibration import Reliability
from ensemble_kit.reporting.view.comparison import FOLD_METRIC, Compared
from ensemble_kit.reporting.view.ensemble import Ensemble
from ensemble_kit.reporting.view.images import Picture
from ensemble_kit.reporting.view.report import Report

SECTIONS = (
    ("summary", "Summary"),
    ("performance", "Performance"),
    ("explorer", "Operating points"),
    ("calibration", "Calibration"),
    ("ensemble", "Ensemble and sets"),
    ("slices", "Slices"),
    ("images", "Images"),
    ("training", "Training and tuning"),
    ("comparison", "Comparison"),
    ("provenance", "How this was made"),
)
KIND_LABELS = {
    "error": "confident error",
    "uncertain": "least certain",
    "label": "label check",
    "correct": "correct example",
}


def render_page(report: Report) -> str:
    """The whole page. The same view gives the same bytes, but
    for the name its hints call these commands by; nothing in it is fetched or executed
    but its own style and script, whose digests the page's policy names."""
    environment = Environment(
        loader=PackageLoader("ensemble_kit.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = environment.get_template("page.css").render()
    script = environment.loader.get_source(environment, "page.js")[0]  # type: ignore[union-attr]
    return environment.get_template("page.html.j2").render(
        **_words(report),
        **_tables(report),
        style=Markup(style),
        style_hash=_digest(style),
        script=Markup(script),
        script_hash=_digest(script),
        data=Markup(_embedded(report)),
    )


def _words(report: Report) -> dict[str, Any]:
    """Sentences, names and numbers."""
    colours = class_colours(report.data.classes)
    guidelines = list(dict.fromkeys(item.guideline for item in report.provenance.checklist))
    filled = Counter(i.guideline for i in report.provenance.checklist if i.filled != "open")
    asked = Counter(i.guideline for i in report.provenance.checklist)
    return {
        "r": report,
        "program": program(),
        "sections": SECTIONS,
        "titles": dict(SECTIONS),
        "kind_words": KINDS.get(report.provenance.kind, report.provenance.kind),
        "prose": write_prose(report),
        "fig": Pictures(colours, _overall(report)),
        "name": words.name,
        "cls": lambda name: words.name(name, colours.get(name, "")),
        "fixed": words.fixed,
        "estimate": words.estimate,
        "cell": words.cell,
        "span": words.span,
        "outside": words.outside,
        "plain": words.plain,
        "term": words.term,
        "listed": words.listed,
        "marked": words.marked,
        "sentence": words.sentence,
        "shorter": lambda text: short(clean(text), 40),
        "digits": digits_of,
        "p_words": _p_words,
        "heatmaps": any(picture.heatmap for picture in report.images.pictures),
        "kind_label": lambda kind: KIND_LABELS.get(kind, kind),
        "kinds": [k for k in KIND_LABELS if any(k in x.kinds for x in report.images.pictures)],
        "definitions": all_definitions(),
        "references": REFERENCES,
        "cite": cite,
        "guidelines": guidelines,
        "checklist_counts": [(g, filled[g], asked[g]) for g in guidelines],
    }


def _overall(report: Report) -> dict[str, Number]:
    """The figures of all images that slices are set against."""
    whole = dict(report.performance.overall.figures)
    malignant = report.performance.malignant
    if malignant and "roc_auc" in malignant.figures:
        whole["malignant_roc_auc"] = malignant.figures["roc_auc"]
    return whole


def _tables(report: Report) -> dict[str, Any]:
    """What the templates list."""
    names = [info.name for info in report.data.classes]
    colours = class_colours(report.data.classes)
    overall = report.performance.overall.figures
    return {
        "class_metrics": _present(
            shown_in("page by class"), (c.figures for c in report.performance.classes)
        ),
        "overall_metrics": [m for m in shown_in("page") if m in overall],
        "member_metrics": _member_metrics,
        "fold_mean": tables.fold_mean,
        "value_of": tables.value_of,
        "curve_rows": tables.curve_rows,
        "confusion": lambda kind: tables.confusion_rows(report.performance.confusion, kind),
        "heat": tables.heat,
        "net_benefit_table": tables.net_benefit_table,
        "risk_table": tables.risk_table,
        "history_table": tables.history_table,
        "cost_table": tables.cost_table,
        "tuning_parameters": tables.tuning_parameters,
        "trial_states": tables.trial_states,
        "trial_table": tables.trial_table,
        "provenance_rows": tables.provenance_rows(report),
        "files_table": Table(
            columns=("file", "sha256"), rows=tuple(report.provenance.files.items())
        ),
        "pair_of": lambda view: _pair(report, view),
        "calibration_by_class": shown_in("calibration by class"),
        "by_class": lambda: tables.measures_by_class(report.calibration.measures),
        "has_gaps": lambda column, metric: any(metric in row.gaps for row in column.rows),
        "has_p": lambda other: any(d.p_value is not None for d in other.differences),
        "family_size": _family_size,
        "fold_metric": FOLD_METRIC,
        "top": lambda picture: _top(picture, names, colours),
    }


def _pair(report: Report, view: Reliability) -> tuple[Reliability, Reliability | None]:
    """What was before the calibrator (if kept), and what is after it."""
    if not report.calibration.after:
        return view, None
    earlier = tables.named(report.calibration.before, view.name)
    return (earlier, view) if earlier else (view, None)


def _present(wanted: tuple[str, ...], figures: Any) -> list[str]:
    known = {metric for some in figures for metric in some}
    return [metric for metric in wanted if metric in known]


def _member_metrics(ensemble: Ensemble) -> list[str]:
    return _present(shown_in("members"), (member.figures for member in ensemble.members))


def _family_size(compared: Sequence[Compared]) -> int:
    """How many tests Holm's correction is over."""
    return sum(d.p_value is not None for other in compared for d in other.differences)


def _top(picture: Picture, names: list[str], colours: dict[str, str]) -> list[tuple[Any, ...]]:
    """The three most probable classes, and the true one if it is not among them."""
    ranked = sorted(range(len(names)), key=lambda i: (-picture.probabilities[i], i))
    shown = ranked[:3] + [i for i in ranked[3:] if names[i] == picture.truth]
    return [(colours[names[i]], names[i], picture.probabilities[i]) for i in shown]


def _p_words(p: float | None) -> str:
    if p is None:
        return "–"
    return "<\u00a00.001" if p < 0.001 else number_text(p)


def _embedded(report: Report) -> str:
    """The view without its pictures as JSON that cannot end the element it stands in."""
    bare = [
        picture.model_copy(update={"thumbnail": "", "heatmap": ""})
        for picture in report.images.pictures
    ]
    images = report.images.model_copy(update={"pictures": tuple(bare)})
    text = report.model_copy(update={"images": images}).model_dump_json(exclude_defaults=True)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _digest(text: str) -> str:
    sha = base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
    return f"sha256-{sha}"

"""The report in sentences: what was evaluated, what came out, how it was done."""

from dataclasses import dataclass

from ensemble_kit.core.errors import count
from ensemble_kit.core.numbers import number_text
from ensemble_kit.reporting.page.words import fixed, listed
from ensemble_kit.reporting.view.base import Number
from ensemble_kit.reporting.view.performance import Scores
from ensemble_kit.reporting.view.report import Report

KINDS = {
    "cv": "Cross-validation",
    "evaluate": "Evaluation of given predictions",
    "ensemble": "Ensemble",
    "external": "Validation on other data",
}


@dataclass(frozen=True)
class Prose:
    """Plain sentences, not markup. ``plain`` and ``methods`` are paragraphs."""

    what: str
    plain: tuple[str, ...]
    certificate: str
    methods: tuple[str, ...]


def write_prose(report: Report) -> Prose:
    from ensemble_kit.reporting.page.methods import methods_text

    return Prose(_what(report), _plain(report), _certificate(report), methods_text(report))


def _what(report: Report) -> str:
    d = report.data
    patients = f" of {count(d.patients, 'patient')}" if d.patients else ""
    whole = " that keep every group whole" if d.groups_known else ""
    folds = f", {d.n_folds} folds{whole}" if d.n_folds > 1 else ""
    groups = f"in {count(d.groups, 'group')}" if d.groups_known else "without known groups"
    source = f"{d.source}: " if d.source else ""
    return (
        f"{source}{count(d.images, 'image')} {groups}{patients}, "
        f"{count(len(d.classes), 'class', 'classes')}{folds}."
    )


def _plain(report: Report) -> tuple[str, ...]:
    p = report.performance
    paragraphs = []
    accuracy, balanced = p.overall.figures.get("accuracy"), p.overall.figures.get(
        "balanced_accuracy"
    )  # fmt: skip
    if accuracy and accuracy.value is not None:
        text = f"Of 100 images, the most probable class is the right one for {_of_100(accuracy)}."
        if balanced and balanced.value is not None:
            text += (
                " If every class were equally common, it would be right for "
                f"{_of_100(balanced)} of 100."
            )
        paragraphs.append(text)
    if p.malignant:
        paragraphs.append(_malignant_words(p.malignant, p.malignant_classes))
    ranked = sorted(
        (c for c in p.classes if (n := c.figures.get("recall")) and n.value is not None),
        key=lambda c: c.figures["recall"].value or 0.0,
    )
    if len(ranked) > 1:
        worst, best = ranked[0], ranked[-1]
        paragraphs.append(
            f"It finds {listed([best.name])} most reliably ({_of_100(best.figures['recall'])} of "
            f"100) and {listed([worst.name])} least ({_of_100(worst.figures['recall'])} of 100)."
            f"{_commonest_error(report)}"
        )
    error = report.headline.get("ece")
    if error and error.value is not None:
        text = (
            f"Its stated confidence is off by {fixed(100 * error.value, 1)} percentage points on "
            "average"
        )
        chance = p.overall.figures.get("ece_if_calibrated")
        if chance and chance.value is not None:
            text += (
                f"; a perfectly calibrated model would show {fixed(100 * chance.value, 1)} on "
                "these images by chance"
            )
        paragraphs.append(f"{text}.")
    return tuple(paragraphs)


def _malignant_words(view: Scores, classes: tuple[str, ...]) -> str:
    recall, specificity = view.figures.get("recall"), view.figures.get("specificity")
    if not (recall and specificity) or recall.value is None or specificity.value is None:
        return "There are too few groups to say how well malignant images are found."
    return (
        f"Calling an image malignant when the malignant classes ({listed(list(classes))}) together "
        "reach one half, it finds "
        f"{_of_100(recall)} of 100 malignant images and wrongly alarms on "
        f"{_of_100(specificity, complement=True)} of 100 benign ones. Other thresholds are in the "
        "operating-point explorer."
    )


def _commonest_error(report: Report) -> str:
    names = [c.name for c in report.data.classes]
    errors = [
        (n, names[i], names[j])
        for i, row in enumerate(report.performance.confusion)
        for j, n in enumerate(row)
        if i != j and n
    ]
    if not errors:
        return " It makes no error on these images."
    n, truth, said = max(errors, key=lambda item: item[0])
    return (
        f" The commonest error is to take {listed([truth])} for {listed([said])} "
        f"({count(n, 'image')})."
    )


def _certificate(report: Report) -> str:
    d = report.data
    if d.n_folds < 2:
        return (
            "No folds were given with these predictions, so whether a model saw "
            + ("other images of the groups" if d.groups_known else "the images")
            + " it was judged on cannot be checked here."
        )
    if d.crossing_groups:
        return (
            f"{count(d.crossing_groups, 'group')} of {d.groups:,} have images in more than one "
            "fold: the figures of this report are too good and should not be used."
        )
    digest = f" (digest {d.folds_digest[:16]})" if d.folds_digest else ""
    if not d.groups_known:
        return (
            f"No lesion or patient is named, so whether images of one are in more than one of the "
            f"{d.n_folds} folds{digest} cannot be checked: each of the {count(d.images, 'image')} "
            "counts as independent."
        )
    return (
        f"All {count(d.groups, 'group')} were checked: none has images in more than one of the "
        f"{d.n_folds} folds{digest}. Groups are made from {d.group_rule}."
    )


def _of_100(number: Number, complement: bool = False) -> str:
    """``83 (81 to 85)``: a share as whole images of a hundred."""
    if number.value is None:
        return "an unknown number"
    values = [number.value, number.low, number.high]
    shares = [None if v is None else 100 * (1 - v if complement else v) for v in values]
    if complement:
        shares = [shares[0], shares[2], shares[1]]
    value, low, high = ("" if s is None else number_text(s, 0) for s in shares)
    return f"{value} ({low} to {high})" if low and high and low != high else value

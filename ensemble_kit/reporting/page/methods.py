"""Methods text for a paper, from recorded facts; what authors must add stands in brackets."""

from ensemble_kit.core.errors import count
from ensemble_kit.models.lines import paper_of
from ensemble_kit.reporting.page.references import REFERENCES
from ensemble_kit.reporting.page.words import listed
from ensemble_kit.reporting.view.report import Report


def cite(key: str) -> str:
    """``Guo 2017``: first author and year of a reference."""
    author = REFERENCES[key].split(" ")[0]
    if REFERENCES[key].startswith("Van Calster"):
        author = "Van Calster"
    return f"{author} {key[-4:]}"


def methods_text(report: Report) -> tuple[str, ...]:
    """Paragraphs: data, models, post-processing, statistics, reproducibility."""
    parts = (_data(report), _models(report), _steps(report), _statistics(report), _making(report))
    return tuple(part for part in parts if part)


def _data(report: Report) -> str:
    d = report.data
    classes = listed([f"{c.name} ({c.images:,})" for c in d.classes], 12)
    groups = f"in {count(d.groups, 'group')}" if d.groups_known else "without known groups"
    text = (
        f"The study used {count(d.images, 'image')} {groups} "
        f"[source, dates, eligibility, reference standard]; images by class: {classes}. "
    )
    if d.n_folds > 1:
        whole = (
            f" such that all images of a group ({d.group_rule}) are in the same fold"
            if d.groups_known
            else "; no lesion or patient was known, and every image counted as independent"
        )
        text += (
            f"Images were parted into {d.n_folds} stratified folds{whole}. Every image was "
            "evaluated once, by the model whose training held out its fold (out-of-fold "
            "predictions)."
        )
    return text


def _models(report: Report) -> str:
    facts = {str(row[0]): row[1] for row in report.provenance.facts.rows}
    if report.provenance.kind != "cv":
        return "[Architecture and training of the models whose predictions were evaluated.]"
    if (seen := facts.get("model.inputs")) in ("features", "metadata"):
        what = "features made elsewhere [how]" if seen == "features" else "metadata"
        return f"The models saw {what}, not images. {' '.join(report.provenance.notes)}"
    pieces = []
    if backbone := facts.get("model.backbone"):
        known = paper_of(str(backbone))
        paper = f" ({cite(known)})" if known else ""
        size = facts.get("model.image_size")
        pieces.append(
            f"The network was {backbone}{paper} with weights ‘{facts.get('model.weights')}’, input "
            f"{size} × {size} pixels, global average pooling, dropout "
            f"{facts.get('model.dropout')} and a softmax layer."
        )
    if head := facts.get("training.head_epochs"):
        solved = facts.get("training.head") == "probe"
        pieces.append(
            (
                "The head was solved as penalised multinomial logistic regression on the frozen "
                "base’s features, its penalty chosen by inner folds of whole groups"
                if solved
                else f"The head was trained for up to {head} epochs on the frozen base (learning "
                f"rate {facts.get('training.head_lr')})"
            )
            + ", then the last "
            f"{count(int(facts.get('model.unfreeze_depth') or 0), 'block')} for up to "
            f"{facts.get('training.fine_tune_epochs')} epochs (learning rate "
            f"{facts.get('training.fine_tune_lr')}), batch size "
            f"{facts.get('training.batch_size')}, augmentation ‘{facts.get('training.augment')}’, "
            f"early stopping on ‘{facts.get('training.early_stopping')}’ rows."
        )
    return " ".join(pieces)


def _steps(report: Report) -> str:
    pieces = []
    if report.ensemble:
        names = listed([m.name for m in report.ensemble.members])
        pieces.append(
            f"{count(len(report.ensemble.members), 'member')} ({names}) were combined by "
            f"‘{report.ensemble.method}’."
        )
    if report.calibration.method:
        pieces.append(f"Probabilities were calibrated by ‘{report.calibration.method}’.")
    if report.conformal:
        pieces.append(
            f"Prediction sets were made by ‘{report.conformal.method}’ at "
            f"{100 * report.conformal.level:g} % coverage, approximately and for a random "
            f"image of a random group ({cite('vovk2005')})."
        )
    if pieces:
        pieces.append(
            "All of these steps were cross-fitted: for each fold they were fitted on the other "
            "folds only."
        )
        if any(alert.title == "Optimistic figures" for alert in report.alerts):
            pieces.append(
                "The predictions they were fitted to are themselves optimistic, by the warning of "
                "their run."
            )
    return " ".join(pieces)


def _statistics(report: Report) -> str:
    numbers = list(report.headline.values())
    level = f"{100 * numbers[0].level:g} %" if numbers else "95 %"
    method = next((n.method for n in numbers if n.method), "none given")
    unit = "group" if report.data.groups_known else "image"
    text = (
        f"Discrimination was measured by one-versus-rest AUC ({cite('hanley1982')}), balanced "
        f"accuracy ({cite('brodersen2010')}) and F1; calibration by expected calibration error in "
        f"15 bins ({cite('guo2017')}), the Brier score ({cite('brier1950')}) and log loss. "
        f"Intervals are {level} intervals ({method}) with the {unit} as unit "
        f"({cite('field2007')}); those of calibration errors come from an inverted group-bootstrap "
        "test. All intervals hold the trained models fixed: they speak of other test images, not "
        "of other training images."
    )
    if report.performance.net_benefit:
        text += f" Clinical utility was summarised by net benefit ({cite('vickers2006')})."
    if report.compared:
        text += (
            " Runs were compared by paired group-bootstrap differences, with Holm’s correction "
            f"({cite('holm1979')})."
        )
    return text


def _making(report: Report) -> str:
    v = report.provenance
    named = [f"{key} {text}" for key, text in v.versions.items() if key != "ensemble_kit"]
    device = v.device.get("processor", "") or "[hardware]"
    return (
        f"Analyses were made with ensemble_kit {v.versions.get('ensemble_kit', '')} "
        f"({listed(named, 12)}) on {device}, seed {v.seed}. [Ethics approval, funding, data and "
        "code availability.]"
    )

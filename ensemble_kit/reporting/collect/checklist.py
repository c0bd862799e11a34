"""The checklists, filled from what the run recorded; the rest marked open."""

from collections.abc import Callable, Mapping

from ensemble_kit.core.errors import count
from ensemble_kit.core.program import program
from ensemble_kit.reporting.collect.guidelines import GUIDELINES
from ensemble_kit.reporting.view.base import Cell
from ensemble_kit.reporting.view.provenance import ChecklistItem
from ensemble_kit.reporting.view.report import Report

RECORDED, PARTLY, OPEN = "recorded", "partly", "open"
TO_ADD = "for the authors"
Answer = tuple[str, str]


def fill_checklist(report: Report) -> tuple[ChecklistItem, ...]:
    """Every item of both guidelines with its answer."""
    facts = {str(row[0]): row[1] for row in report.provenance.facts.rows}
    answers = _answers(report, facts)
    found = []
    for guideline, items in GUIDELINES:
        for item, topic, asks, key in items:
            filled, answer = answers[key]() if key else (OPEN, TO_ADD)
            found.append(
                ChecklistItem(
                    guideline=guideline, item=item, topic=topic, asks=asks,
                    filled=filled, answer=answer,
                )
            )  # fmt: skip
    return tuple(found)


def _answers(r: Report, facts: Mapping[str, Cell]) -> dict[str, Callable[[], Answer]]:
    return _data_answers(r, facts) | _model_answers(r, facts) | _result_answers(r)


def _data_answers(r: Report, facts: Mapping[str, Cell]) -> dict[str, Callable[[], Answer]]:
    d = r.data
    people = f", {count(d.patients, 'patient')}" if d.patients else ""
    by_group = " by group" if d.groups_known else ""
    groups = count(d.groups, "group") if d.groups_known else "no groups known"
    sizes = f"{count(d.images, 'image')}, {groups}{people}"
    columns = sorted({str(row[0]) for row in d.characteristics.rows})
    unknown = sum(int(row[2] or 0) for row in d.characteristics.rows if row[1] == "unknown")
    return {
        "objective": lambda: (PARTLY, f"{r.provenance.kind}: internal evaluation; state the aim"),
        "source": lambda: _partly(d.source, "where the images come from"),
        "exclusions": lambda: _partly(
            "; ".join(line for step in d.flow for line in step.removed), "who was eligible"
        ),
        "outcome": lambda: (
            PARTLY,
            f"one of {len(d.classes)} classes: {', '.join(c.name for c in d.classes)[:300]}; add "
            "how it was established",
        ),
        "reference": lambda: _partly(
            "the column dx_type" if "dx_type" in columns else "", "how labels were established"
        ),
        "predictors": lambda: (RECORDED, "the pixels of the image alone"),
        "sample_size": lambda: (PARTLY, f"{sizes}; add why this number"),
        "missing": lambda: _partly(
            f"{unknown:,} metadata values unknown, kept as a level of their own" if columns else "",
            "missing images or labels",
        ),
        "partitions": lambda: (
            (RECORDED, f"{d.n_folds} stratified folds{by_group}, digest {d.folds_digest[:16]}")
            if d.n_folds > 1
            else (OPEN, "no folds were given with the predictions")
        ),
        "clusters": lambda: (
            (RECORDED, f"folds disjoint by group ({d.group_rule}); intervals resample groups")
            if d.n_folds > 1 and not d.crossing_groups and d.groups_known
            else (OPEN, "disjointness not established")
        ),
        "flow": lambda: (RECORDED if any(s.removed for s in d.flow) else PARTLY, "flow diagram"),
        "characteristics": lambda: _partly(
            f"table by {', '.join(columns)[:200]}" if columns else "", "characteristics"
        ),
        "counts": lambda: (RECORDED, f"{sizes}; by class and fold in the table"),
        "preprocessing": lambda: _partly(
            f"{facts.get('model.image_size')} pixels, {facts.get('model.aspect')}, as "
            f"{facts.get('model.backbone')} expects"
            if "model.backbone" in facts
            else "",
            "resizing, normalisation, quality checks",
        ),
        "external": lambda: (
            (RECORDED, f"external run {r.external.name}: shifts in section Comparison")
            if r.external
            else (OPEN, "no external data: report with --external")
        ),
    }


def _model_answers(r: Report, facts: Mapping[str, Cell]) -> dict[str, Callable[[], Answer]]:
    v = r.provenance
    trained = "model.backbone" in facts
    commit = f"git {v.git_commit[:12]}" if v.git_commit else ""
    weights = f"{facts.get('training.class_weights')}"
    members = (
        f"{count(len(r.ensemble.members), 'member')}: {r.ensemble.method}" if r.ensemble else ""
    )
    return {
        "model": lambda: _known(
            trained,
            f"{facts.get('model.backbone')}, {facts.get('model.unfreeze_depth')} blocks trained, "
            f"dropout {facts.get('model.dropout')}",
            "architecture and training",
        ),
        "initialisation": lambda: _known(
            trained, f"weights: {facts.get('model.weights')}", "initialisation"
        ),
        "training": lambda: _known(trained, "the study as run, in this section", "training"),
        "selection": lambda: (
            (RECORDED, f"{len(r.tuning.trials)} trials on {r.tuning.metric}")
            if r.tuning
            else _known(
                trained,
                f"best epoch by early stopping on ‘{facts.get('training.early_stopping')}’ rows",
                "how settings were chosen",
            )
        ),
        "ensembling": lambda: (
            (RECORDED, f"{members}, cross-fitted") if members else (PARTLY, "one model a fold")
        ),
        "software": lambda: (
            RECORDED,
            ", ".join(f"{key} {text}" for key, text in v.versions.items())[:300],
        ),
        "imbalance": lambda: _known(trained, f"class weights: {weights}", "methods for imbalance"),
        "code": lambda: _partly(commit, "where code, model and data can be had"),
        "files": lambda: _partly(
            "fold models with their sha256" if any("keras" in f for f in v.files) else "",
            "the model or how to run it",
        ),
        "recalibration": lambda: _partly(
            f"{r.calibration.method}, cross-fitted" if r.calibration.method else "",
            "whether the model was updated or recalibrated",
        ),
    }


def _result_answers(r: Report) -> dict[str, Callable[[], Answer]]:
    p = r.performance
    methods = sorted({n.method for n in r.headline.values() if n.method})
    heatmaps = sum(bool(x.heatmap) for x in r.images.pictures)
    sliced = ", ".join(c.column for c in r.slices.columns)
    return {
        "predictions": lambda: (
            (RECORDED, "out of fold: by the model that never saw the group")
            if r.data.n_folds > 1
            else (OPEN, "given from elsewhere without folds")
        ),
        "measures": lambda: (RECORDED, "definitions below, one click from each figure"),
        "uncertainty": lambda: (
            (RECORDED, f"{', '.join(methods)}; unit: group") if methods else (OPEN, "no intervals")
        ),
        "output": lambda: (
            RECORDED,
            "class probabilities; classes by the largest, other thresholds in the explorer",
        ),
        "performance": lambda: (
            (RECORDED, f"{len(p.overall.figures)} figures overall, by class, fold and slice")
            if methods
            else (PARTLY, "figures without intervals")
        ),
        "heterogeneity": lambda: _partly(
            " and ".join(x for x in ("folds" if p.folds else "", sliced) if x),
            "performance in other groups",
        ),
        "fairness": lambda: _partly(
            f"slices with gaps: {sliced}" if sliced else "", "how fairness was addressed"
        ),
        "explain": lambda: _partly(
            f"Grad-CAM of {count(heatmaps, 'image')} by models that never saw them"
            if heatmaps
            else "",
            f"run `{program()} explain`",
        ),
        "failures": lambda: _known(
            bool(r.images.pictures),
            "confident errors and label checks in section Images",
            "failures",
        ),
        "limits": lambda: (
            PARTLY,
            f"{count(len(r.alerts), 'warning')} at the top of this report; add the study’s own",
        ),
    }


def _partly(found: str, otherwise: str) -> Answer:
    return (PARTLY, f"{found}; add what is missing") if found else (OPEN, f"{TO_ADD}: {otherwise}")


def _known(condition: bool, answer: str, otherwise: str) -> Answer:
    return (RECORDED, answer) if condition else (OPEN, f"{TO_ADD}: {otherwise}")

"""Tables that a run may have beside the usual parts: costs, plans, learning curve, leak audit."""

from ensemble_kit.core.numbers import number_text
from ensemble_kit.core.records import Estimate
from ensemble_kit.metrics.planning import plan_by_class
from ensemble_kit.metrics.registry import label_of
from ensemble_kit.reporting.collect.source import ReportedRun
from ensemble_kit.reporting.view.base import Cell, Table
from ensemble_kit.reporting.view.supplement import Supplement
from ensemble_kit.runs.costs import CostsRecord
from ensemble_kit.runs.paths import COSTS, VARIANTS
from ensemble_kit.runs.variants import VariantsRecord

WIDTHS = (0.1, 0.05)


def build_supplements(source: ReportedRun) -> tuple[Supplement, ...]:
    """Those that this run has."""
    found = [_plan(source), _costs(source), *_variants(source), _corrected(source)]
    return tuple(part for part in found if part is not None and part.table.rows)


def _plan(source: ReportedRun) -> Supplement:
    rows: list[tuple[Cell, ...]] = []
    for line in plan_by_class(source.evaluation, WIDTHS):
        rows.append(
            (line.class_name, label_of(line.metric), line.n_groups, _words(line.now), *line.needed)
        )
    heads = tuple(f"groups for a width of {width:g}" for width in WIDTHS)
    return Supplement(
        section="performance",
        title="How many groups a study of a wanted precision needs",
        text="Of the class itself (recall) or of the rarer side (AUC), were the figure to stay as "
        "it is: widths fall as one over the square root of the groups, and none below that of a "
        "figure of 1. With few groups this is a rough guess.",
        table=Table(columns=("class", "figure", "groups here", "interval here", *heads),
                    rows=tuple(rows)),
    )  # fmt: skip


def _costs(source: ReportedRun) -> Supplement | None:
    if COSTS not in source.run.manifest.files:
        return None
    found = CostsRecord.read(source.run.folder)
    rows = tuple(
        (line.name, _words(line.cost), "" if line.minus_decided is None else
         _words(line.minus_decided, "+"), "" if line.referred is None else _words(line.referred))
        for line in found.policies
    )  # fmt: skip
    kept = "" if found.kept is None else (
        f" An image that is not referred costs {_words(found.kept)}."
    )  # fmt: skip
    return Supplement(
        section="performance",
        title="Actions by their expected cost",
        text=f"Mean cost an image, with intervals by group. {found.fitted}{kept}",
        table=Table(columns=("actions", "cost", "more than least expected", "referred"), rows=rows),
    )


def _variants(source: ReportedRun) -> list[Supplement]:
    if VARIANTS not in source.run.manifest.files:
        return []
    found = VariantsRecord.read(source.run.folder)
    lines, leak, parts = found.fractions(), found.leak(), []
    metrics = list(lines[-1].figures)
    if len(lines) > 1:
        rows = tuple(
            (line.share, round(line.n_groups), round(line.n_images),
             *(_words(line.figures[metric]) for metric in metrics))
            for line in lines
        )  # fmt: skip
        heads = ("share", "groups trained on", "images trained on", *map(label_of, metrics))
        parts.append(
            Supplement(
                section="training",
                title="Learning curve",
                text="The study trained on a share of the groups of each training part and judged "
                "on the same held-out images. Intervals hold the trained models fixed.",
                table=Table(columns=heads, rows=rows),
            )
        )
    if leak is not None:
        own = {metric: lines[-1].figures[metric] for metric in metrics}
        rows = tuple(
            (label_of(metric), _words(own[metric]), _words(leak.figures[metric]),
             _words(leak.minus_run[metric], "+"))
            for metric in metrics
        )  # fmt: skip
        parts.append(
            Supplement(
                section="training",
                title="Leak audit",
                text="The same study with folds drawn by image, so that other images of a held-out "
                "image’s group are trained on. The difference is what such a split flatters.",
                table=Table(columns=("figure", "by group", "by image", "difference"), rows=rows),
            )
        )
    return parts


def _corrected(source: ReportedRun) -> Supplement | None:
    facts = source.run.manifest.facts.get("corrected")
    if not facts:
        return None
    rows: list[tuple[Cell, ...]] = [
        (label_of(metric), _words(Estimate(**values)), values["method"])
        for metric, values in facts.items()
    ]
    return Supplement(
        section="training",
        title="Intervals that count training",
        text="From all fold scores of the repeats: how the figure would move had the models been "
        "trained on other images too. The intervals elsewhere hold the trained models fixed.",
        table=Table(columns=("figure", "mean and interval", "method"), rows=tuple(rows)),
    )


def _words(number: Estimate, sign: str = "") -> str:
    if number.value is None:
        return "not estimable"
    words = number_text(number.value, sign=sign)
    if number.low is not None and number.high is not None:
        within = "\N{NO-BREAK SPACE}to\N{NO-BREAK SPACE}"  # a line ends before it, not in it
        low, high = (number_text(bound, sign=sign) for bound in (number.low, number.high))
        words += f" ({low}{within}{high})"
    return words.replace("-", "−")

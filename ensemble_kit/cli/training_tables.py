"""What `cv` prints on stdout: its plan, and the figures it ends with."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from ensemble_kit.cli.console import results, size_text
from ensemble_kit.core.records import Estimate, Folds, ImageTable
from ensemble_kit.metrics.evaluation import Evaluation
from ensemble_kit.metrics.registry import label_of, shown_in
from ensemble_kit.stores.pixels import PixelPlan
from ensemble_kit.study import StudySpec
from ensemble_kit.training.plan import StorePlan


def print_result(folder: Path, table: ImageTable, folds: Folds, evaluation: Evaluation) -> None:
    """Pooled and per-fold figures, then each class."""
    level = f"{evaluation.figure('accuracy').level:.0%}"
    drawn = Table(title=f"{folder.name}: {len(table):,} images in {table.n_groups:,} groups")
    drawn.add_column("figure")
    drawn.add_column(f"pooled, {level} by groups")
    for k in range(folds.n_folds):
        drawn.add_column(f"fold {k}", justify="right")
    for metric in shown_in("headline"):
        by_fold = [evaluation.figure(metric, scope=f"fold {k}") for k in range(folds.n_folds)]
        pooled = _with_interval(evaluation.figure(metric))
        drawn.add_row(label_of(metric), pooled, *(_value(estimate) for estimate in by_fold))
    results.print(drawn)
    classes, by_class = Table(), shown_in("cv by class")
    for name in ("class", "images", *map(label_of, by_class)):
        classes.add_column(name, justify="left" if name == "class" else "right")
    counts = table.class_counts()
    for code, name in enumerate(table.class_names):
        figures = [evaluation.figure(metric, name) for metric in by_class]
        classes.add_row(name, f"{counts[code]:,}", *(_with_interval(f) for f in figures))
    results.print(classes)
    results.print(f"run: {folder}", markup=False)


def print_against_probe(rows: Sequence[Mapping[str, Any]]) -> None:
    """The network beside the linear probe on its own frozen features."""
    if not rows:
        return
    drawn = Table(title="network against its own frozen features")
    for name in ("figure", "network", "linear probe", f"network − probe, {rows[0]['level']:.0%}"):
        drawn.add_column(name, justify="left" if name == "figure" else "right")
    for row in rows:
        ends = "" if row["low"] is None else f" [{row['low']:+.3f}, {row['high']:+.3f}]"
        gap = "–" if row["difference"] is None else f"{row['difference']:+.3f}{ends}"
        label = label_of(row["metric"])
        drawn.add_row(label, f"{row['network']:.3f}", f"{row['probe']:.3f}", Text(gap))
    results.print(drawn)


def print_plan(table: ImageTable, spec: StudySpec, pixels: PixelPlan, plan: StorePlan) -> None:
    """What would be computed, what is there, how large and how long."""
    drawn = Table(title=f"plan: {len(table):,} images at {spec.model.image_size} px")
    for name in ("store", "size", "state"):
        drawn.add_column(name)
    drawn.add_row("pixels", size_text(pixels.n_bytes), "there" if pixels.ready else "to decode")
    for key in plan.keys:
        what = "pooled features" if key.depth == 0 else f"activations before the last {key.depth}"
        drawn.add_row(f"{what} × {plan.views} views", size_text(key.total_bytes(plan.views)), "")
    results.print(drawn)
    for sentence in plan.notes:
        results.print(sentence, markup=False)
    results.print(
        f"frozen layers: {plan.passes:,} images to pass, about {plan.seconds / 60:,.1f} minutes; "
        f"{size_text(plan.missing_bytes)} to write",
        markup=False,
    )
    solved = spec.training.head == "probe"
    head = "the head solved" if solved else f"{spec.training.head_epochs} epochs of the head"
    fine = f", {spec.training.fine_tune_epochs} epochs of the last blocks from {plan.fine_tune}"
    results.print(
        f"then {spec.split.folds} folds × {spec.split.repeats}: {head}"
        + (fine if plan.fine_tune != "none" else ""),
        markup=False,
    )
    print_not_decoded()


def print_not_decoded() -> None:
    """What a dry run cannot know."""
    results.print(
        "a dry run decodes no image and writes nothing: `check` finds damaged files", markup=False
    )


def _value(estimate: Estimate) -> str:
    return "–" if estimate.value is None else f"{estimate.value:.3f}"


def _with_interval(estimate: Estimate) -> str:
    if estimate.value is None:
        return "not estimable"
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.3f}"
    return f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"


def print_repeats(folder: Path, corrected: Mapping[str, Mapping[str, Any]]) -> None:
    """Figures over the repeats of a run, where its folds were drawn several times. corrected : by
    metric, an estimate whose interval counts training."""
    import pandas as pd

    from ensemble_kit.runs.paths import REPEATS

    if not (folder / REPEATS).is_file():
        return
    scores = pd.read_csv(folder / REPEATS)
    n = len(scores.columns) - len(("metric", "mean", "sd", "average"))
    table = Table(title=f"over {n} draws of the folds", title_justify="left", title_style="",
                  box=None, pad_edge=False)  # fmt: skip
    for head in ("", "mean", "standard deviation", f"average of {n} models (an ensemble)"):
        table.add_column(head, justify="left" if not head else "right")
    for row in scores.itertuples(index=False):
        table.add_row(str(row.metric), f"{row.mean:.4f}", f"{row.sd:.4f}", f"{row.average:.4f}")
    results.print(table)
    for metric, values in corrected.items():
        interval = _with_interval(Estimate(**values))
        results.print(f"{label_of(metric)}, training counted: {interval}", markup=False)

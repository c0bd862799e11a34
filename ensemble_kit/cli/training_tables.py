"""What `cv` prints on stdout: its plan, and the figures it ends with."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ensemble_kit.cli.console import say
from ensemble_kit.core.errors import count
from ensemble_kit.core.records import Estimate, Folds, ImageTable
from ensemble_kit.core.wording import in_words, interval_words, level_text, size_text, value_words
from ensemble_kit.data.groups import in_groups
from ensemble_kit.metrics.evaluation import Evaluation
from ensemble_kit.metrics.registry import label_of, shown_in
from ensemble_kit.progress import tables
from ensemble_kit.runs.paths import METRICS
from ensemble_kit.stores.pixels import PixelPlan
from ensemble_kit.study import StudySpec
from ensemble_kit.study.cluster import ClusterSpec
from ensemble_kit.training.plan import StorePlan
from ensemble_kit.training.speeds import Forecast, time_text


def print_result(folder: Path, table: ImageTable, folds: Folds, evaluation: Evaluation) -> None:
    """Pooled and per-fold figures, then each class."""
    level = level_text(evaluation.figure("accuracy").level)
    images, resampled = in_groups(table)
    drawn = tables.table(
        "", "pooled", f"{level} interval", *(f"fold {k}" for k in range(folds.n_folds)),
        title=f"{folder.name}: {images}; intervals resample {resampled}",
        spare=range(3, 3 + folds.n_folds), kept_in=str(folder / METRICS),
    )  # fmt: skip
    for metric in shown_in("headline"):
        by_fold = [evaluation.find(metric, scope=f"fold {k}") for k in range(folds.n_folds)]
        pooled = evaluation.figure(metric)
        drawn.add_row(
            label_of(metric), value_words(pooled), _interval(pooled),
            *(value_words(estimate) for estimate in by_fold),
        )  # fmt: skip
    tables.show(drawn)
    by_class = shown_in("cv by class")
    classes = tables.table("class", "images", *map(label_of, by_class))
    counts = table.class_counts()
    for code, name in enumerate(table.class_names):
        figures = [evaluation.figure(metric, name) for metric in by_class]
        classes.add_row(name, f"{counts[code]:,}", *map(in_words, figures))
    tables.show(classes)
    say(f"run: {folder}")


def print_against_probe(rows: Sequence[Mapping[str, Any]]) -> None:
    """The network beside the linear probe on its frozen features, or on those given."""
    names = {"network": "network", "probe": "linear probe"}
    _print_pairs(rows, names, "network against the linear probe on the same features")


def print_metadata_adds(rows: Sequence[Mapping[str, Any]]) -> None:
    """One linear model with and without its metadata."""
    names = {"with_metadata": "with metadata", "without": "without"}
    _print_pairs(rows, names, "what metadata adds to the linear model, same folds")


def _print_pairs(rows: Sequence[Mapping[str, Any]], names: Mapping[str, str], title: str) -> None:
    if not rows:
        return
    drawn = tables.table(
        "", *names.values(), "difference", f"{rows[0]['level']:.0%} interval", title=title
    )
    for row in rows:
        ends = "" if row["low"] is None else f"[{row['low']:+.3f} {row['high']:+.3f}]"
        gap = "–" if row["difference"] is None else f"{row['difference']:+.3f}"
        points = [f"{row[name]:.3f}" for name in names]
        drawn.add_row(label_of(row["metric"]), *points, gap, ends)
    tables.show(drawn)


def print_plan(
    table: ImageTable, spec: StudySpec, pixels: PixelPlan, plan: StorePlan, times: Forecast
) -> None:
    """What would be computed, what is there, how large and how long."""
    drawn = tables.table(
        "store", "size", "state", title=f"plan: {len(table):,} images at {spec.model.image_size} px"
    )
    drawn.add_row("pixels", size_text(pixels.n_bytes), "there" if pixels.ready else "to decode")
    for key in plan.keys:
        before = f"activations before the last {count(key.depth, 'block')}"
        what = before if key.depth else "pooled features"
        drawn.add_row(f"{what} × {plan.views} views", size_text(key.total_bytes(plan.views)), "")
    tables.show(drawn)
    for sentence in plan.notes:
        say(sentence)
    say(
        f"frozen layers: {plan.passes:,} images to pass, {time_text(plan.seconds)}; "
        f"{size_text(plan.missing_bytes)} to write"
    )
    solved = spec.training.head == "probe"
    head = "the head solved" if solved else f"{spec.training.head_epochs} epochs of the head"
    fine = f", {spec.training.fine_tune_epochs} epochs of the last blocks from {plan.fine_tune}"
    say(
        f"then {spec.split.folds} folds × {spec.split.repeats}: {head}"
        + (fine if plan.fine_tune != "none" else "")
        + f", {time_text(times.train_seconds)}"
    )
    say(times.told)
    if spec.cluster != type(spec.cluster)():
        say(_place(spec.cluster))
    print_not_decoded()


def _place(cluster: ClusterSpec) -> str:
    """Where folds would run, where that is not simply this process's machine."""
    if cluster.devices:
        return f"folds on graphics cards {cluster.devices} of this machine"
    needs = [f"{cluster.gpus:g} GPU{'' if cluster.gpus == 1 else 's'}"] if cluster.gpus else []
    needs += [f"{cluster.memory:g} GB"] if cluster.memory else []
    declared = f"; each fold declares {' and '.join(needs)}" if needs else ""
    where = f"at {cluster.address}" if cluster.address else "on this machine, begun and ended here"
    return f"folds on a {cluster.executor} cluster {where}{declared}; its workers were not asked"


def print_table_plan(
    table: ImageTable, spec: StudySpec, facts: Mapping[str, Any], how: str
) -> None:
    """What a run of features or metadata would be fitted to."""
    seen = [f"{facts['n_features']:,} features"] if facts["n_features"] else []
    if facts["metadata"]:
        seen.append(f"metadata {', '.join(facts['metadata'])}")
    say(
        f"plan: {in_groups(table)[0]}, {table.n_classes} classes, "
        f"{spec.split.folds} folds × {spec.split.repeats}; {' and '.join(seen)}"
    )
    say(how)
    say("a dry run writes nothing")


def print_not_decoded() -> None:
    """What a dry run cannot know."""
    say("a dry run decodes no image and writes nothing: `check` finds damaged files")


def _interval(estimate: Estimate) -> str:
    """``[0.872 0.914]``; empty without one, "not estimable" without a value."""
    return "not estimable" if estimate.value is None else interval_words(estimate)


def print_repeats(folder: Path, corrected: Mapping[str, Mapping[str, Any]]) -> None:
    """Figures over the repeats of a run, where its folds were drawn several times. corrected : by
    metric, an estimate whose interval counts training."""
    import pandas as pd

    from ensemble_kit.runs.paths import REPEATS

    if not (folder / REPEATS).is_file():
        return
    scores = pd.read_csv(folder / REPEATS)
    n = len(scores.columns) - len(("metric", "mean", "sd", "average"))
    table = tables.table(
        "", "mean", "standard deviation", f"average of {n} models (an ensemble)",
        title=f"over {n} draws of the folds",
    )  # fmt: skip
    for row in scores.itertuples(index=False):
        table.add_row(str(row.metric), f"{row.mean:.4f}", f"{row.sd:.4f}", f"{row.average:.4f}")
    tables.show(table)
    for metric, values in corrected.items():
        estimate = Estimate(**values)
        told = f"{value_words(estimate)} {_interval(estimate)}"
        say(f"{label_of(metric)}, training counted: {told}")

"""The network of a run against the linear probe on its own frozen features."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ensemble_kit.core.atomic import write_text
from ensemble_kit.core.records import Folds, ImageTable, Predictions
from ensemble_kit.data.predictions import predictions_csv
from ensemble_kit.metrics.cases import Key, make_cases
from ensemble_kit.metrics.comparison import paired_differences
from ensemble_kit.metrics.scorer import Scorer
from ensemble_kit.runs.folder import read_probe
from ensemble_kit.runs.folds import fold_probe
from ensemble_kit.runs.manifest import read_manifest
from ensemble_kit.runs.paths import PROBE, WITHOUT_METADATA, fold_folder
from ensemble_kit.study import EvaluationSpec, StudySpec

FIGURES: tuple[Key, ...] = (
    ("roc_auc_ovr", ""),
    ("balanced_accuracy", ""),
    ("accuracy", ""),
    ("log_loss", ""),
)
SAME = 1e-5
"""Difference in probability up to which the network is its probe: a solved head alone."""


def gather_probe(
    table: ImageTable, folder: Path, draws: list[Folds], name: str = PROBE
) -> str | None:
    """Write the probe's out-of-fold rows (means over the draws given) to ``name``; that name.

    None, and no file, where a fold has no probe. name : ``probe.csv`` or
    ``without_metadata.csv``, in the folds' folders and the run's.
    """
    means = np.zeros((len(table), table.n_classes))
    for repeat, folds in enumerate(draws):
        parts = [fold_probe(fold_folder(folder, repeat, k), name) for k in range(folds.n_folds)]
        found = [part for part in parts if part is not None]
        if len(found) < len(parts):
            (folder / name).unlink(missing_ok=True)
            return None
        whole = Predictions(
            np.concatenate([part.image_ids for part in found]),
            table.class_names,
            np.concatenate([part.probabilities for part in found]),
        )
        means += whole.in_order_of(table.image_ids).probabilities / len(draws)
    write_text(
        folder / name, predictions_csv(Predictions(table.image_ids, table.class_names, means))
    )
    return name


def floor_facts(
    folder: Path, table: ImageTable, predictions: Predictions, spec: StudySpec
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """What the manifest records of a run beside its linear probe, and what metadata adds to the
    linear model; warnings."""
    facts: dict[str, Any] = {}
    said: tuple[str, ...] = ()
    files, linear = read_manifest(folder).files, predictions
    if PROBE in files:
        linear = read_probe(folder).in_order_of(table.image_ids)
        own = predictions.in_order_of(table.image_ids).probabilities
        if np.abs(own - linear.probabilities).max(initial=0.0) > SAME:
            rows = against_probe(table, predictions, linear, spec.evaluation, spec.split.seed)
            facts["against_probe"] = rows
            said = tuple(filter(None, [floor_warning(rows, spec)]))
    if WITHOUT_METADATA in files:
        without = read_probe(folder, WITHOUT_METADATA).in_order_of(table.image_ids)
        facts["metadata_adds"] = what_metadata_adds(
            table, linear, without, spec.evaluation, spec.split.seed
        )
    return facts, said


def against_probe(
    table: ImageTable,
    network: Predictions,
    probe: Predictions,
    spec: EvaluationSpec,
    seed: int,
) -> list[dict[str, Any]]:
    """For each of ``FIGURES``: network, probe, network minus probe with its paired interval.

    Plain values, as the manifest's facts and the report keep them.
    """
    return _differences(table, {"network": network, "probe": probe}, spec, seed)


def what_metadata_adds(
    table: ImageTable,
    with_metadata: Predictions,
    without: Predictions,
    spec: EvaluationSpec,
    seed: int,
) -> list[dict[str, Any]]:
    """The same of one linear model with and without its metadata, on the same folds."""
    named = {"with_metadata": with_metadata, "without": without}
    return _differences(table, named, spec, seed)


def _differences(
    table: ImageTable, named: Mapping[str, Predictions], spec: EvaluationSpec, seed: int
) -> list[dict[str, Any]]:
    points = {
        name: Scorer(make_cases(table, p, spec.malignant)).point().figures
        for name, p in named.items()
    }
    return [
        {
            "metric": d.metric,
            **{n: float(figures[d.metric, d.class_name][0]) for n, figures in points.items()},
            "difference": d.estimate.value,
            "low": d.estimate.low,
            "high": d.estimate.high,
            "level": d.estimate.level,
        }
        for d in paired_differences(table, tuple(named.items()), spec, seed, FIGURES)
    ]


def floor_warning(rows: list[dict[str, Any]], spec: StudySpec) -> str:
    """What a reader must know where the network does not beat its probe in log loss; else ""."""
    loss = next((row for row in rows if row["metric"] == "log_loss"), None)
    of_images = spec.model.inputs == "images"
    if loss is None or loss["difference"] is None or (of_images and not spec.model.unfreeze_depth):
        return ""
    if loss["high"] is not None and loss["high"] < 0:
        return ""
    interval = "" if loss["low"] is None else f" [{loss['low']:+.3f}, {loss['high']:+.3f}]"
    worse = loss["low"] is not None and loss["low"] > 0
    verdict = "made the predictions worse" if worse else "is not shown to help"
    trained, features, way_out = (
        "Training the last blocks",
        "its frozen",
        "More epochs may help; --unfreeze-depth 0 trains the head alone.",
    )
    if not of_images:
        trained, features = "A hidden layer", "the same"
        way_out = "--head probe fits the linear probe alone."
    return (
        f"{trained} {verdict}: log loss of the network minus that of the linear probe on "
        f"{features} features is {loss['difference']:+.3f}{interval}. {way_out}"
    )

"""The network of a run against the linear probe on its own frozen features."""

from pathlib import Path
from typing import Any

import numpy as np

from ensemble_kit.core.atomic import write_text
from ensemble_kit.core.records import Folds, ImageTable, Predictions
from ensemble_kit.data.predictions import predictions_csv
from ensemble_kit.metrics.cases import Key, make_cases
from ensemble_kit.metrics.compare import paired_differences
from ensemble_kit.metrics.scorer import Scorer
from ensemble_kit.runs.folds import fold_probe
from ensemble_kit.runs.paths import PROBE, fold_folder
from ensemble_kit.study import EvaluationSpec

FIGURES: tuple[Key, ...] = (
    ("roc_auc_ovr", ""),
    ("balanced_accuracy", ""),
    ("accuracy", ""),
    ("log_loss", ""),
)


def gather_probe(table: ImageTable, folder: Path, draws: list[Folds]) -> str | None:
    """Write the probe's out-of-fold rows (means over the draws given) to ``probe.csv``; its name.

    None, and no file, where a fold has no probe.
    """
    means = np.zeros((len(table), table.n_classes))
    for repeat, folds in enumerate(draws):
        parts = [fold_probe(fold_folder(folder, repeat, k)) for k in range(folds.n_folds)]
        found = [part for part in parts if part is not None]
        if len(found) < len(parts):
            (folder / PROBE).unlink(missing_ok=True)
            return None
        whole = Predictions(
            np.concatenate([part.image_ids for part in found]),
            table.class_names,
            np.concatenate([part.probabilities for part in found]),
        )
        means += whole.in_order_of(table.image_ids).probabilities / len(draws)
    write_text(
        folder / PROBE, predictions_csv(Predictions(table.image_ids, table.class_names, means))
    )
    return PROBE


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
    points = [
        Scorer(make_cases(table, p, spec.malignant)).point().figures for p in (network, probe)
    ]
    named = (("network", network), ("probe", probe))
    return [
        {
            "metric": d.metric,
            "network": float(points[0][d.metric, d.class_name][0]),
            "probe": float(points[1][d.metric, d.class_name][0]),
            "difference": d.estimate.value,
            "low": d.estimate.low,
            "high": d.estimate.high,
            "level": d.estimate.level,
        }
        for d in paired_differences(table, named, spec, seed, FIGURES)
    ]


def floor_warning(rows: list[dict[str, Any]], depth: int) -> str:
    """What a reader must know where the network does not beat its probe in log loss; else ""."""
    loss = next((row for row in rows if row["metric"] == "log_loss"), None)
    if loss is None or loss["difference"] is None or depth == 0:
        return ""
    if loss["high"] is not None and loss["high"] < 0:
        return ""
    interval = "" if loss["low"] is None else f" [{loss['low']:+.3f}, {loss['high']:+.3f}]"
    return (
        "Training the last blocks is not shown to help: log loss of the network minus that of the "
        f"linear probe on its frozen features is {loss['difference']:+.3f}{interval}."
    )

"""The numbers of a run folder: ``metrics.csv`` and ``curves.json``."""

from pathlib import Path

from ensemble_kit.core.atomic import write_text
from ensemble_kit.metrics.curvefile import curves_json, read_curves
from ensemble_kit.metrics.evaluation import Evaluation
from ensemble_kit.metrics.tables import metrics_csv, read_metrics_csv
from ensemble_kit.runs.manifest import read_manifest

METRICS, CURVES = "metrics.csv", "curves.json"


def write_evaluation(folder: Path, evaluation: Evaluation) -> tuple[str, ...]:
    """Write both files and return their names, for the manifest (``record_files``)."""
    write_text(folder / METRICS, metrics_csv(evaluation))
    write_text(folder / CURVES, curves_json(evaluation.curves))
    return METRICS, CURVES


def read_evaluation(folder: Path) -> Evaluation:
    """The evaluation that a run folder holds; RunError where a file is missing or damaged."""
    class_names = read_manifest(folder).class_names
    return Evaluation(class_names, read_metrics_csv(folder / METRICS), read_curves(folder / CURVES))

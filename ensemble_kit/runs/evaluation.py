"""The numbers of a run folder: ``metrics.csv`` and ``curves.json``."""

from pathlib import Path

from ensemble_kit.metrics.evaluation import Evaluation
from ensemble_kit.runs.curves import read_curves, write_curves
from ensemble_kit.runs.manifest import read_manifest
from ensemble_kit.runs.metrics_table import read_metrics, write_metrics
from ensemble_kit.runs.paths import CURVES, METRICS


def write_evaluation(folder: Path, evaluation: Evaluation) -> tuple[str, ...]:
    """Write both files and return their names, for the manifest (``record_files``)."""
    return write_metrics(folder, evaluation), write_curves(folder, evaluation.curves)


def has_evaluation(folder: Path) -> bool:
    """Whether a run folder holds its numbers."""
    return all((folder / name).is_file() for name in (METRICS, CURVES))


def read_evaluation(folder: Path) -> Evaluation:
    """The evaluation that a run folder holds; RunError where a file is missing or damaged."""
    class_names = read_manifest(folder).class_names
    return Evaluation(class_names, read_metrics(folder), read_curves(folder))

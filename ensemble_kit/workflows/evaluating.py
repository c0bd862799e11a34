"""Making a run folder from predictions that were made elsewhere."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ensemble_kit.core.digests import digest_of
from ensemble_kit.core.errors import RunError
from ensemble_kit.core.folders import agree
from ensemble_kit.core.places import check_output_folder
from ensemble_kit.core.records import Folds, ImageTable, Predictions
from ensemble_kit.metrics.comparison import Comparison
from ensemble_kit.metrics.evaluation import Evaluation
from ensemble_kit.runs.comparisons import ComparisonRecord
from ensemble_kit.runs.evaluation import write_evaluation
from ensemble_kit.runs.folder import write_study
from ensemble_kit.runs.manifest import (
    Manifest,
    environment,
    is_run,
    read_manifest,
    record_files,
    write_manifest,
)
from ensemble_kit.runs.own_files import check_replaceable
from ensemble_kit.runs.replacing import refuse_trained, whole_folder
from ensemble_kit.runs.tables import write_folds, write_oof
from ensemble_kit.study import StudySpec


@dataclass(frozen=True, eq=False)
class Evaluated:
    """What goes into the run folder of an evaluation."""

    study: StudySpec
    table: ImageTable
    folds: Folds
    predictions: Predictions
    evaluation: Evaluation
    seed: int
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    comparison: Comparison | None = None


def check_name(
    runs_dir: Path, study: StudySpec, table: ImageTable, folds: Folds, predictions: Predictions,
    overwrite: bool,
) -> None:  # fmt: skip
    """Raise RunError where the name is taken by a run of something else (unless overwriting)."""
    folder = runs_dir / study.name
    check_output_folder(folder, "--runs-dir")
    check_replaceable(folder)
    if overwrite:
        refuse_trained(folder, "evaluate")
    if overwrite or not is_run(folder):
        return
    there = read_manifest(folder)
    fresh = _manifest(study, table, folds, predictions, 0)
    differing = [
        what
        for what, theirs, ours in (
            ("kind of run", there.kind, fresh.kind),
            ("data", there.data_digest, fresh.data_digest),
            ("folds", there.folds_digest, fresh.folds_digest),
            ("predictions", there.facts.get("predictions_digest"), _digest(predictions)),
        )
        if theirs != ours
    ]
    if differing:
        raise RunError(
            f"run {study.name!r} is there already and differs in its {' and '.join(differing)}: "
            "choose another --name, or --overwrite it"
        )


def write_evaluated(runs_dir: Path, work: Evaluated, check: Callable[[], None] = agree) -> Path:
    """Write the run folder, whole or not at all; one that is there is replaced, if ``check`` lets
    it."""
    folder = runs_dir / work.study.name
    manifest = _manifest(work.study, work.table, work.folds, work.predictions, work.seed)
    with whole_folder(folder, check) as fresh:
        write_manifest(
            fresh, manifest.with_(notes=work.notes, warnings=work.warnings, **environment())
        )
        names = [
            *write_folds(fresh, work.table, [work.folds]),
            write_oof(fresh, work.predictions),
            write_study(fresh, work.study),
            *write_evaluation(fresh, work.evaluation),
        ]
        if work.comparison is not None:
            names.append(ComparisonRecord.of(work.comparison).write(fresh))
        finished = Manifest(kind="evaluate", name=work.study.name).created
        record_files(fresh, names, status="complete", finished=finished)
    return folder


def _manifest(
    study: StudySpec, table: ImageTable, folds: Folds, predictions: Predictions, seed: int
) -> Manifest:
    return Manifest(
        kind="evaluate",
        name=study.name,
        spec_digest=digest_of(study.evaluation.model_dump(), seed),
        data_digest=table.digest,
        folds_digest=folds.digest,
        class_names=table.class_names,
        seed=seed,
        data_root=table.root,
        facts={"predictions_digest": _digest(predictions)},
    )


def _digest(predictions: Predictions) -> str:
    ids = [str(name) for name in predictions.image_ids]
    return digest_of(ids, predictions.probabilities, predictions.class_names)

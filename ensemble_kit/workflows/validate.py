"""A run proved on data from elsewhere: predicted, evaluated, and set beside its own figures."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble_kit.core.digests import digest_of
from ensemble_kit.core.errors import DataError, RunError, count
from ensemble_kit.core.listening import Tell, say_nothing
from ensemble_kit.core.places import check_output_folder
from ensemble_kit.core.records import Folds, ImageTable, Predictions
from ensemble_kit.data.class_map import read_class_map, with_classes_of
from ensemble_kit.data.dataset import load_table
from ensemble_kit.data.new_images import NewImage
from ensemble_kit.metrics.evaluation import Evaluation, evaluate
from ensemble_kit.posthoc.drift import classifier_two_sample, metadata_drift
from ensemble_kit.runs.evaluation import write_evaluation
from ensemble_kit.runs.features import read_features, unit_rows
from ensemble_kit.runs.folder import read_run_study, write_study
from ensemble_kit.runs.manifest import (
    Manifest,
    environment,
    is_run,
    read_manifest,
    record_files,
    write_manifest,
)
from ensemble_kit.runs.own_files import check_replaceable
from ensemble_kit.runs.replacing import whole_folder
from ensemble_kit.runs.tables import write_folds, write_oof
from ensemble_kit.study import EvaluationSpec, StudySpec, parse_study
from ensemble_kit.workflows.beside import GivenFeatures, beside_of
from ensemble_kit.workflows.external import (
    External,
    coverage_abroad,
    prevalence_shift,
    recalibration,
)
from ensemble_kit.workflows.overlap import Overlap, alike_pairs, named_overlap
from ensemble_kit.workflows.predict_stream import PredictOptions, outputs_of
from ensemble_kit.workflows.shipped import Shipped, open_shipped


@dataclass(frozen=True, eq=False)
class Validated:
    """A finished validation. folder : its run. internal : the run that was validated."""

    folder: Path
    internal: Path
    table: ImageTable
    predictions: Predictions
    evaluation: Evaluation
    external: External
    warnings: tuple[str, ...]


def validate(
    run_folder: Path,
    data: Path,
    runs_dir: Path,
    *,
    name: str,
    labels_map: Path | None = None,
    duplicates: Path | None = None,
    coverage: float | None = None,
    replicates: int | None = None,
    allow_overlap: bool = False,
    overwrite: bool = False,
    features: GivenFeatures = None,
    tell: Tell = say_nothing,
) -> Validated:
    """Predict a labelled data set, judge it, and write a run folder of kind ``external``.

    data : anything ``check --data`` reads; its own columns are the metadata of members that see
    any, and images need be there only where a member sees them. features : of members that see
    features, by image id (docs/members.md). labels_map : CSV from, to of classes called otherwise.
    Raises RunError where images, lesions or patients of ``data`` are ones of the run, unless
    ``allow_overlap``, which puts a warning on the page. Nothing is written before all is known.
    """
    shipped = open_shipped(run_folder, coverage=coverage)
    table, notes = _external_table(shipped, data, labels_map, duplicates)
    study = _study(shipped, name, data, replicates)
    folder = runs_dir / name
    given = beside_of(
        shipped, features, table if any(m.metadata for m in shipped.members) else None,
        table.image_ids.tolist(),
    )  # fmt: skip
    notes += given.notes
    digest = digest_of(
        shipped.run.manifest.files, table.digest, coverage, *([given.digest] if features else [])
    )
    _check_free(folder, digest, overwrite)
    overlap = named_overlap([m.run.table for m in shipped.members], table)
    _refuse(overlap, allow_overlap)
    tell("working", sentence=f"predicting {count(len(table), 'image')}")
    images = [
        NewImage(str(i), Path(table.root) / str(p))
        for i, p in zip(table.image_ids, table.paths, strict=True)
    ]
    tell("begin", total=len(images))
    parts = list(outputs_of(shipped, images, PredictOptions(), tell, given))
    notes += dict.fromkeys(note for piece, _ in parts for note in piece.notes)
    p = np.concatenate([shipped.probabilities(out) for _, out in parts])
    pooled = [
        np.stack([
            np.concatenate([unit_rows(out[m].features[k]) for _, out in parts])
            for k in range(len(member.folds))
        ])
        for m, member in enumerate(shipped.members)
    ]  # fmt: skip
    pairs, unchecked = alike_pairs(shipped.members, pooled, table.image_ids.tolist())
    overlap = Overlap(
        overlap.ids, overlap.lesions, overlap.patients, overlap.files, pairs,
        (*overlap.unchecked, *unchecked),
    )  # fmt: skip
    _refuse(overlap, allow_overlap)
    spec, seed = study.evaluation, study.split.seed
    tell("working", sentence=f"evaluating with {spec.replicates:,} resamples")
    inside = np.concatenate([shipped.inside(out, shipped.probabilities(out)) for _, out in parts])
    predictions = Predictions(table.image_ids, table.class_names, p)
    none = np.zeros(len(table), dtype=np.int64)
    folds = Folds(table.image_ids, table.groups, none, 1)
    evaluation = evaluate(table, folds, predictions, spec, seed)
    tell("working", sentence="recalibration, prevalence, drift and coverage abroad")
    external = _study_external(shipped, table, p, inside, pooled, spec, seed, overlap, tuple(notes))
    warnings = _warnings(overlap)
    _write(
        folder, digest, shipped, study, table, folds, predictions, evaluation, external, warnings,
        partial(_check_free, folder, digest, overwrite),
    )  # fmt: skip
    return Validated(folder, run_folder, table, predictions, evaluation, external, warnings)


def _external_table(
    shipped: Shipped, data: Path, labels_map: Path | None, duplicates: Path | None
) -> tuple[ImageTable, list[str]]:
    mapping = read_class_map(labels_map) if labels_map else None
    needed = any(m.sees_images for m in shipped.members)
    whole = load_table(data, duplicates=duplicates, require_images=needed)
    table, kept = with_classes_of(whole, shipped.class_names, mapping, labels_map)
    notes = list(shipped.notes)
    left = int((~kept).sum())
    if left:
        notes.append(f"{count(left, 'image')} of ignored classes left out")
    if not (table.lesions != "").any() and not (table.patients != "").any():
        notes.append("no lesions or patients are known abroad: every image is its own group")
    return table, notes


def _study(shipped: Shipped, name: str, data: Path, replicates: int | None) -> StudySpec:
    study = read_run_study(shipped.run.folder)
    changes: dict[str, dict[str, Any]] = {
        "evaluation": {"replicates": replicates},
        "data": {"path": str(data)},
    }
    text = study.override(changes).model_copy(update={"name": name}).to_toml()
    return parse_study(text, "the options given")


def _refuse(overlap: Overlap, allowed: bool) -> None:
    if overlap.found and not allowed:
        raise RunError(
            f"the external data are not independent of the run: {overlap.words()}; leave these "
            "images out, or give --allow-overlap to go on with a warning on the page"
        )


def _warnings(overlap: Overlap) -> tuple[str, ...]:
    found = []
    if overlap.found:
        found.append(
            f"The external data overlap with the run's own: {overlap.words()}. The figures are "
            "optimistic."
        )
    return (*found, *(f"{text[0].upper()}{text[1:]}." for text in overlap.unchecked))


def _study_external(
    shipped: Shipped,
    table: ImageTable,
    p: NDArray[np.float64],
    inside: NDArray[np.bool_],
    features: Sequence[NDArray[np.float32]],
    spec: EvaluationSpec,
    seed: int,
    overlap: Overlap,
    notes: tuple[str, ...],
) -> External:
    run = shipped.run
    labels = np.asarray(table.labels, np.int64)
    drift = None
    kept = [k for k, m in enumerate(shipped.members) if m.folds[0].features is not None]
    source = shipped.members[kept[0]].folds[0] if kept else None
    if source is not None and source.features is not None:
        drift = classifier_two_sample(
            read_features(source.features.path, len(source.images)), features[kept[0]][0],
            np.array(source.groups), table.groups, seed,
        )  # fmt: skip
    return External(
        internal=run.name,
        recalibration=recalibration(table, p, spec, seed),
        prevalence=prevalence_shift(
            shipped.class_names,
            (np.asarray(run.table.labels, np.int64), run.predictions.probabilities),
            (labels, p),
        ),
        coverage_level=shipped.sets.spec.level,
        coverage=coverage_abroad(table, inside, spec, seed),
        drift=drift,
        metadata=metadata_drift(
            run.table.slices, table.slices, run.table.groups, table.groups, seed
        ),
        overlap=overlap,
        notes=notes,
    )


def _check_free(folder: Path, digest: str, overwrite: bool) -> None:
    check_output_folder(folder, "--runs-dir")
    check_replaceable(folder)
    if not is_run(folder):
        return
    there = read_manifest(folder)
    if there.kind != "external":
        raise RunError(
            f"run {folder.name!r} is there already, made by `{there.command}`, which no validation "
            "replaces: choose another --name"
        )
    if overwrite:
        return
    if there.spec_digest != digest:
        raise RunError(
            f"run {folder.name!r} is there already, made from something else: choose another "
            "--name, or --overwrite it"
        )


def _write(
    folder: Path, digest: str, shipped: Shipped, study: StudySpec, table: ImageTable, folds: Folds,
    predictions: Predictions, evaluation: Evaluation, external: External, warnings: tuple[str, ...],
    check: Callable[[], None],
) -> None:  # fmt: skip
    if not len(table):
        raise DataError("there is no image to validate on")
    manifest = Manifest(
        kind="external",
        name=study.name,
        spec_digest=digest,
        data_digest=table.digest,
        folds_digest=folds.digest,
        class_names=table.class_names,
        seed=study.split.seed,
        data_root=str(Path(table.root).resolve()) if table.root else "",
        notes=external.notes,
        warnings=warnings,
        facts={"internal": shipped.run.name, "internal_folder": str(shipped.run.folder)},
        **environment(),
    )
    with whole_folder(folder, check) as fresh:
        write_manifest(fresh, manifest)
        names = [*write_folds(fresh, table, [folds]), write_oof(fresh, predictions)]
        names += [
            write_study(fresh, study),
            external.record().write(fresh),
            *write_evaluation(fresh, evaluation),
        ]
        finished = Manifest(kind="external", name=study.name).created
        record_files(fresh, names, status="complete", finished=finished)

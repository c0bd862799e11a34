"""`cv`: group-safe cross-validation of an image classifier, from a data folder to a run folder."""

from pathlib import Path
from typing import Annotated, Any

import typer

from ensemble_kit.cli import options
from ensemble_kit.cli.console import note
from ensemble_kit.core.errors import StudyError
from ensemble_kit.core.program import program


def cv(
    data: options.Data = None,
    study: options.StudyFile = None,
    run: Annotated[
        str | None,
        typer.Option(
            help="Name of the run folder; default: the study's name, or backbone and data.",
            metavar="NAME",
        ),
    ] = None,
    folds: Annotated[int | None, options.setting("split", "folds")] = None,
    repeats: Annotated[int | None, options.setting("split", "repeats")] = None,
    folds_file: Annotated[
        Path | None, typer.Option(metavar="CSV", help="Use given folds: columns image, fold.")
    ] = None,
    seed: Annotated[int | None, options.setting("split", "seed")] = None,
    backbone: Annotated[list[str] | None, options.setting("model", "backbone")] = None,
    image_size: Annotated[int | None, options.setting("model", "image_size")] = None,
    aspect: Annotated[str | None, options.setting("model", "aspect")] = None,
    weights: Annotated[str | None, options.setting("model", "weights")] = None,
    unfreeze_depth: Annotated[int | None, options.setting("model", "unfreeze_depth")] = None,
    head: Annotated[str | None, options.setting("training", "head")] = None,
    head_epochs: Annotated[int | None, options.setting("training", "head_epochs")] = None,
    fine_tune_epochs: Annotated[int | None, options.setting("training", "fine_tune_epochs")] = None,
    batch_size: Annotated[int | None, options.setting("training", "batch_size")] = None,
    dropout: Annotated[float | None, options.setting("model", "dropout")] = None,
    head_lr: Annotated[float | None, options.setting("training", "head_lr")] = None,
    fine_tune_lr: Annotated[float | None, options.setting("training", "fine_tune_lr")] = None,
    class_weights: Annotated[str | None, options.setting("training", "class_weights")] = None,
    augment: Annotated[str | None, options.setting("training", "augment")] = None,
    views: Annotated[int | None, options.setting("training", "views")] = None,
    test_views: Annotated[int | None, options.setting("training", "test_views")] = None,
    predict_views: Annotated[
        int | None, typer.Option(hidden=True, help="Old name of --test-views.")
    ] = None,
    early_stopping: Annotated[str | None, options.setting("training", "early_stopping")] = None,
    precision: Annotated[str | None, options.setting("training", "precision")] = None,
    features: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Features made elsewhere (npz with ids and x, parquet or CSV) in place of images.",
            show_default=False,
        ),
    ] = None,
    metadata: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN,…",
            help="Columns joined to the network's pooled features or to --features, or seen alone "
            "with --metadata-only.",
            show_default=False,
        ),
    ] = None,
    metadata_only: Annotated[
        bool, typer.Option("--metadata-only", help="A member that sees --metadata and no image.")
    ] = False,
    metadata_anyway: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN,…",
            help="Use these of --metadata though they give the label away.",
            show_default=False,
        ),
    ] = None,
    settings: options.Set = None,
    duplicates: options.Duplicates = None,
    columns: options.Columns = None,
    group_pattern: options.GroupPattern = None,
    label_level: options.LabelLevel = None,
    map_labels: options.MapLabels = None,
    min_groups: options.MinGroups = None,
    fractions: Annotated[
        str | None,
        typer.Option(
            metavar="SHARE,…",
            help="Learning curve: train on these shares of the groups too, as in 0.25,0.5,1.",
            show_default=False,
        ),
    ] = None,
    leak_audit: Annotated[
        bool,
        typer.Option(
            "--leak-audit",
            help="Also train with folds by image, to show by how much such folds flatter.",
        ),
    ] = False,
    jobs: options.FoldJobs = 1,
    executor: Annotated[str | None, options.executor_option("cv")] = None,
    address: options.Address = None,
    gpus_per_fold: Annotated[float | None, options.setting("cluster", "gpus")] = None,
    devices: Annotated[str | None, options.setting("cluster", "devices")] = None,
    stage: options.StageFlag = False,
    stage_dir: Annotated[str | None, options.setting("cluster", "stage_dir")] = None,
    runs_dir: options.RunsDir = Path("runs"),
    store: options.StoreDir = Path("store"),
    store_limit: options.StoreLimit = 20.0,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Write TensorBoard logs into each fold's folder.")
    ] = False,
    track: options.Track = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a run of the same name.")
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Print the plan and stop; nothing is written or decoded."),
    ] = False,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
    no_progress: options.NoProgress = False,
) -> None:
    """Train fold models and write their out-of-fold probabilities, numbers and manifest.

    \b
    cv --data DIR --dry-run                   what would be computed, how long
    cv --data DIR --run mine                  5 folds from ImageNet's weights
    cv --data DIR --backbone A --backbone B   a run of each and their ensemble
    """
    from ensemble_kit.cli.training_tables import (
        print_against_probe,
        print_metadata_adds,
        print_repeats,
        print_result,
    )
    from ensemble_kit.cli.variant_tables import print_variants
    from ensemble_kit.core.errors import StudyError
    from ensemble_kit.core.listening import tell_all
    from ensemble_kit.progress.training import TrainingProgress
    from ensemble_kit.splits.fractions import parse_fractions
    from ensemble_kit.tracking.registry import open_tracking
    from ensemble_kit.training.preparing import Resources
    from ensemble_kit.workflows.cross_validation import cross_validate
    from ensemble_kit.workflows.inputs import check_model_of, run_folder

    if metadata_only and features is not None:
        raise StudyError("--metadata-only sees no features; leave one of the two out")
    inputs = "metadata" if metadata_only else None if features is None else "features"
    changes: dict[str, dict[str, Any]] = {
        "data": options.data_changes(data, duplicates, columns, group_pattern, label_level,
                                     map_labels, min_groups) | {"features": _text(features)},
        "split": {"folds": folds, "repeats": repeats, "seed": seed,
                  "folds_file": _text(folds_file)},
        "model": {"backbone": backbone[0] if backbone else None, "image_size": image_size,
                  "aspect": aspect, "weights": weights,
                  "unfreeze_depth": unfreeze_depth, "dropout": dropout,
                  "inputs": inputs, "metadata": _names(metadata),
                  "metadata_anyway": _names(metadata_anyway)},
        "training": {"head": head, "head_epochs": head_epochs, "fine_tune_epochs": fine_tune_epochs,
                     "batch_size": batch_size, "head_lr": head_lr, "fine_tune_lr": fine_tune_lr,
                     "class_weights": _power(class_weights), "augment": augment, "views": views,
                     "test_views": predict_views if test_views is None else test_views,
                     "early_stopping": early_stopping,
                     "precision": precision},
        "cluster": {"executor": executor, "address": address, "gpus": gpus_per_fold,
                    "devices": devices, "stage": stage or None, "stage_dir": stage_dir},
    }  # fmt: skip
    spec = options.study_of(study, changes, settings)
    if tensorboard:
        _check_tensorboard()
    shares = () if fractions is None else parse_fractions(fractions)
    resources = Resources(store, store_limit * 1e9, jobs, tensorboard)
    if inputs and backbone:
        raise StudyError("a run of features or metadata has no backbone; leave --backbone out")
    several = () if backbone is None or len(backbone) < 2 else tuple(backbone)
    if several or spec.members:
        if shares or leak_audit or inputs:
            raise StudyError(
                "--fractions, --leak-audit, --features and --metadata-only are of one model; "
                "leave them out, or give one --backbone and no [[members]]"
            )
        if backbone and spec.members:
            raise StudyError("the study lists its [[members]]; leave --backbone out")
        name = run or (spec.name if study else "members")
        _members(spec, several, name, runs_dir, resources, overwrite=overwrite, dry_run=dry_run,
                 quiet=quiet, bars=not (quiet or no_progress), track=track)  # fmt: skip
        return
    if study and spec.model.inputs == "images":
        check_model_of(study, spec)
    if run is not None:
        run_folder(runs_dir, run, overwrite)
    if dry_run and spec.model.inputs != "images":
        _plan_table(spec, resources, refused=bool(shares) or leak_audit, quiet=quiet)
        return
    if dry_run:
        _plan(spec, resources, quiet=quiet)
        if shares or leak_audit:
            times = (sum(shares) + leak_audit) / spec.split.repeats
            note(
                "then the folds again for --fractions and --leak-audit, from the same stores: "
                f"about {times:.2g} times the training above"
            )
        return
    with (
        open_tracking(track, note) as tracked,
        TrainingProgress(bars=not (quiet or no_progress), quiet=quiet) as shown,
    ):
        done = cross_validate(
            None, spec, name=run, runs_dir=runs_dir, resources=resources, overwrite=overwrite,
            studies_dir=study.parent if study else None, fractions=shares, leak_audit=leak_audit,
            tell=tell_all(shown.tell, tracked.tell),
        )  # fmt: skip
        tracked.finish(done)
    print_result(done.folder, done.record.table, done.record.folds, done.evaluation)
    print_repeats(done.folder, done.manifest.facts.get("corrected", {}))
    if fractions is not None or leak_audit:
        print_variants(done.folder)
    print_against_probe(done.manifest.facts.get("against_probe", []))
    print_metadata_adds(done.manifest.facts.get("metadata_adds", []))
    for warning in done.warnings:
        note(f"warning: {warning}")
    if not quiet:
        note(f"report: {program()} report {done.folder.name}")


def _plan(spec: Any, resources: Any, *, quiet: bool) -> None:
    """What a run would take; nothing is written."""
    from ensemble_kit.cli.training_tables import print_plan
    from ensemble_kit.progress.training import TrainingProgress
    from ensemble_kit.workflows.cv_plan import plan_cross_validation

    plan = plan_cross_validation(
        None, spec, resources=resources, tell=TrainingProgress(bars=False, quiet=quiet).tell
    )
    if not plan.weights_there:
        note("the ImageNet weights are not on this machine yet: `cv` fetches them")
    print_plan(plan.images, plan.study, plan.pixels, plan.stores, plan.forecast)


def _plan_table(spec: Any, resources: Any, *, refused: bool, quiet: bool) -> None:
    """The same for a run of features or metadata, all of which is read and checked."""
    from ensemble_kit.cli.training_tables import print_table_plan
    from ensemble_kit.data.sample.folder import sample_folder
    from ensemble_kit.progress.training import TrainingProgress
    from ensemble_kit.workflows.cv_tables import read_table_run

    tell = TrainingProgress(bars=False, quiet=quiet).tell
    with sample_folder(resources.store_dir, keep=False) as sample:
        found = read_table_run(None, spec, None, None, sample, refused=refused, tell=tell)
    print_table_plan(found.table, found.study, found.facts(), found.note())
    for warning in found.warnings:
        note(f"warning: {warning}")


def _members(
    spec: Any, backbones: tuple[str, ...], name: str, runs_dir: Path, resources: Any, *,
    overwrite: bool, dry_run: bool, quiet: bool, bars: bool, track: str | None,
) -> None:  # fmt: skip
    """Several members: a run each, then their ensemble."""
    from ensemble_kit.cli.ensemble_tables import print_study
    from ensemble_kit.core.listening import tell_all
    from ensemble_kit.progress.training import TrainingProgress
    from ensemble_kit.tracking.registry import open_tracking
    from ensemble_kit.workflows.member_runs import cross_validate_members, member_studies

    studies = member_studies(spec, backbones)
    if dry_run:
        for member, own in studies.items():
            if own.model.inputs == "images":
                of = f"{own.model.backbone}, {own.model.image_size} px, "
                note(f"member {member}: {of}depth {own.model.unfreeze_depth}, run {name}-{member}")
                _plan(own, resources, quiet=quiet)
            else:
                note(f"member {member}: {own.model.inputs}, run {name}-{member}; takes seconds")
        note(f"then their ensemble, run {name}")
        return
    with (
        open_tracking(track, note) as tracked,
        TrainingProgress(bars=bars, quiet=quiet) as shown,
    ):
        done = cross_validate_members(
            spec, backbones, name=name, runs_dir=runs_dir, resources=resources,
            overwrite=overwrite, tell=tell_all(shown.tell, tracked.tell),
        )  # fmt: skip
        for trained in (*done.members, done.ensembled.run):
            tracked.finish(trained)
    print_study(done.ensembled.found, done.ensembled.run.folder)
    if not quiet:
        note(f"members: {', '.join(run.folder.name for run in done.members)}")
        note(f"report: {program()} report {done.ensembled.run.folder.name}")


def _check_tensorboard() -> None:
    from importlib.util import find_spec

    if find_spec("tensorboard") is None:
        raise StudyError(
            "--tensorboard needs the package tensorboard, which is not installed; "
            "pip install 'ensemble-kit[tensorboard]', or leave the option out"
        )


def _names(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else tuple(n.strip() for n in text.split(",") if n.strip())


def _power(text: str | None) -> float | str | None:
    try:
        return float(text) if text is not None else None
    except ValueError:
        return text


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)

"""`cv`: group-safe cross-validation of an image classifier, from a data folder to a run folder."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ensemble_kit.cli import options
from ensemble_kit.cli.console import note
from ensemble_kit.cli.options import STUDY_DEFAULT

if TYPE_CHECKING:
    from ensemble_kit.core.records import Folds, ImageTable
    from ensemble_kit.data.dataset import DataSet
    from ensemble_kit.study import StudySpec
    from ensemble_kit.training.preparing import Resources


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
    folds: Annotated[int | None, typer.Option(help=f"Folds; {STUDY_DEFAULT} 5.")] = None,
    repeats: Annotated[
        int | None, typer.Option(help=f"Times the folds are redrawn; {STUDY_DEFAULT} 1.")
    ] = None,
    folds_file: Annotated[
        Path | None, typer.Option(metavar="CSV", help="Use given folds: columns image, fold.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help=f"Seed of folds and training; {STUDY_DEFAULT} 0.")
    ] = None,
    backbone: Annotated[
        str | None, typer.Option(help=f"xception or compact; {STUDY_DEFAULT} xception.")
    ] = None,
    image_size: Annotated[
        int | None, typer.Option(metavar="PX", help=f"Side of the input; {STUDY_DEFAULT} 299.")
    ] = None,
    aspect: Annotated[
        str | None, typer.Option(help=f"crop, pad or stretch to a square; {STUDY_DEFAULT} crop.")
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(help=f"imagenet, none or a .weights.h5 file; {STUDY_DEFAULT} imagenet."),
    ] = None,
    unfreeze_depth: Annotated[
        int | None,
        typer.Option(metavar="BLOCKS", help=f"Blocks trained, from the end; {STUDY_DEFAULT} 2."),
    ] = None,
    head_epochs: Annotated[
        int | None, typer.Option(help=f"Epochs with a frozen base; {STUDY_DEFAULT} 10.")
    ] = None,
    fine_tune_epochs: Annotated[
        int | None, typer.Option(help=f"Epochs of the last blocks; {STUDY_DEFAULT} 10.")
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(metavar="IMAGES", help=f"Images a step; {STUDY_DEFAULT} 32.")
    ] = None,
    dropout: Annotated[
        float | None,
        typer.Option(metavar="SHARE", help=f"Share of features dropped; {STUDY_DEFAULT} 0.3."),
    ] = None,
    head_lr: Annotated[
        float | None, typer.Option(help=f"Learning rate of the head; {STUDY_DEFAULT} 1e-3.")
    ] = None,
    fine_tune_lr: Annotated[
        float | None, typer.Option(help=f"Learning rate of the blocks; {STUDY_DEFAULT} 1e-4.")
    ] = None,
    class_weights: Annotated[
        str | None,
        typer.Option(help=f"balanced, none, or a power in (0, 1]; {STUDY_DEFAULT} none."),
    ] = None,
    augment: Annotated[
        str | None, typer.Option(help=f"none, dihedral or online; {STUDY_DEFAULT} dihedral.")
    ] = None,
    views: Annotated[
        int | None, typer.Option(help=f"Dihedral views stored an image, 1-8; {STUDY_DEFAULT} 4.")
    ] = None,
    predict_views: Annotated[
        int | None,
        typer.Option(help=f"Views averaged for a held-out image, 1-8; {STUDY_DEFAULT} 1."),
    ] = None,
    early_stopping: Annotated[
        str | None,
        typer.Option(
            help=f"Rows that pick the epoch: inner, validation, none; {STUDY_DEFAULT} inner."
        ),
    ] = None,
    precision: Annotated[
        str | None,
        typer.Option(help=f"auto, float32, or bfloat16 (faster, 3 digits); {STUDY_DEFAULT} auto."),
    ] = None,
    duplicates: options.Duplicates = None,
    columns: options.Columns = None,
    group_pattern: options.GroupPattern = None,
    label_level: options.LabelLevel = None,
    map_labels: options.MapLabels = None,
    min_groups: options.MinGroups = None,
    jobs: Annotated[int, typer.Option(min=1, max=64, help="Folds trained at a time.")] = 1,
    runs_dir: options.RunsDir = Path("runs"),
    store: options.StoreDir = Path("store"),
    store_limit: options.StoreLimit = 20.0,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Write TensorBoard logs into each fold's folder.")
    ] = False,
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
    """Train fold models and write their out-of-fold probabilities, numbers and manifest."""
    from ensemble_kit.cli.sample_folder import sample_folder
    from ensemble_kit.cli.survey_tables import print_reading
    from ensemble_kit.cli.training_progress import TrainingProgress
    from ensemble_kit.cli.training_tables import print_result
    from ensemble_kit.metrics.slices import make_slices
    from ensemble_kit.metrics.view import check_names_of_view
    from ensemble_kit.models import check_model_spec
    from ensemble_kit.training.preparing import Resources, check_inner_holdout
    from ensemble_kit.workflows.cross_validation import complete_run, cross_validate

    changes: dict[str, dict[str, Any]] = {
        "data": options.data_changes(data, duplicates, columns, group_pattern, label_level,
                                     map_labels, min_groups),
        "split": {"folds": folds, "repeats": repeats, "seed": seed,
                  "folds_file": _text(folds_file)},
        "model": {"backbone": backbone, "image_size": image_size, "aspect": aspect,
                  "weights": weights, "unfreeze_depth": unfreeze_depth, "dropout": dropout},
        "training": {"head_epochs": head_epochs, "fine_tune_epochs": fine_tune_epochs,
                     "batch_size": batch_size, "head_lr": head_lr, "fine_tune_lr": fine_tune_lr,
                     "class_weights": _power(class_weights), "augment": augment, "views": views,
                     "predict_views": predict_views, "early_stopping": early_stopping,
                     "precision": precision},
    }  # fmt: skip
    spec = options.study_of(study, changes)
    check_model_spec(spec.model)
    if tensorboard:
        _check_tensorboard()
    machine = Resources(store, store_limit * 1e9, jobs, tensorboard)
    name = run or (spec.name if study else f"{spec.model.backbone}-{_data_name(spec)}")
    folder = _run_folder(runs_dir, name)
    with sample_folder(store, keep=not dry_run) as sample:
        spec, found, draws = _data_and_folds(spec, sample)
        table = found.table
        if not quiet:
            print_reading(found)
        check_names_of_view(spec.evaluation.malignant, table.class_names)
        make_slices(table, spec.evaluation.slices)
        check_inner_holdout(table, draws, spec)
        if dry_run:
            _print_plan(table, spec, machine)
            return
    with TrainingProgress(spec, len(draws), bars=not (quiet or no_progress), quiet=quiet) as shown:
        result = cross_validate(
            table, draws, spec, folder, machine, tell=shown.tell, overwrite=overwrite,
            reading=found.interpretation(),
        )  # fmt: skip
        shown.tell("evaluating")
        evaluation = complete_run(result, table, draws[0], spec)
    if spec.tuned_by:
        _take_search(study, spec, folder)
    print_result(folder, table, draws[0], evaluation)
    if not quiet:
        note(f"report: python cli.py report {folder.name}")


def _data_and_folds(spec: "StudySpec", sample: Path) -> "tuple[StudySpec, DataSet, list[Folds]]":
    from ensemble_kit.core.errors import StudyError
    from ensemble_kit.data.dataset import data_or_default, load_data
    from ensemble_kit.splits import make_folds, read_folds_file

    path = data_or_default(spec.data.path or None)
    found = load_data(path, spec.data, sample_dir=sample)
    table = found.table
    if spec.split.folds_file:
        if spec.split.repeats > 1:
            raise StudyError("a folds file holds one draw of folds; leave --repeats out")
        given = read_folds_file(Path(spec.split.folds_file), table)
        return spec.override({"split": {"folds": given.n_folds}}), found, [given]
    return spec, found, make_folds(table, spec.split.folds, spec.split.seed, spec.split.repeats)


def _take_search(study: Path | None, spec: "StudySpec", folder: Path) -> None:
    """Put the record of the search that made the study beside the run, for the report."""
    from ensemble_kit.runs.manifest import record_files
    from ensemble_kit.tuning.summary import take_record

    if taken := take_record(study, spec, folder):
        record_files(folder, [taken])


def _run_folder(runs_dir: Path, name: str) -> Path:
    """The folder a run goes to; one that is there and holds something else is refused."""
    import re

    from ensemble_kit.core.errors import RunError
    from ensemble_kit.runs.manifest import FILE_NAME

    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", name):
        raise RunError(
            f"run name {name!r}: letters, digits, '.', '_' and '-', the first a letter or digit; "
            "give another --run NAME"
        )
    if runs_dir.exists() and not runs_dir.is_dir():
        raise RunError(f"{runs_dir} is a file, not a folder; give another --runs-dir")
    folder = runs_dir / name
    if folder.exists() and not (folder / FILE_NAME).is_file():
        raise RunError(f"{folder} is there and is no run; give another --run NAME")
    return folder


def _print_plan(table: "ImageTable", spec: "StudySpec", machine: "Resources") -> None:
    from ensemble_kit.cli.training_tables import print_plan
    from ensemble_kit.stores.pixels import plan_pixels
    from ensemble_kit.training.plan import PixelFacts, plan_stores
    from ensemble_kit.training.preparing import find_weights, known_weights

    size, aspect = spec.model.image_size, spec.model.aspect
    pixels = plan_pixels(table, size, aspect, machine.store_dir, remember=False)
    facts = PixelFacts(pixels.digest, len(table))
    weights = find_weights(spec)[1] if known_weights(spec) else ""
    if not weights:
        note("the ImageNet weights are not on this machine yet: `cv` fetches them (84 MB)")
    plan = plan_stores(spec, facts, weights, machine.store_dir, machine.store_limit)
    print_plan(table, spec, pixels, plan)


def _check_tensorboard() -> None:
    from importlib.util import find_spec

    from ensemble_kit.core.errors import StudyError

    if find_spec("tensorboard") is None:
        raise StudyError(
            "--tensorboard needs the package tensorboard, which is not installed; "
            "pip install 'ensemble-kit[tensorboard]', or leave the option out"
        )


def _data_name(spec: "StudySpec") -> str:
    from ensemble_kit.workflows.evaluating import run_name

    return run_name(Path(spec.data.path or "dataset").resolve().stem)


def _power(text: str | None) -> float | str | None:
    try:
        return float(text) if text is not None else None
    except ValueError:
        return text


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)

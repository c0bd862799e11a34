"""`evaluate`: numbers with intervals for predictions from anywhere, as a run folder."""

from pathlib import Path
from typing import Annotated

import typer

from ensemble_kit.cli import options
from ensemble_kit.cli.console import note, results


def evaluate(
    predictions: Annotated[
        list[Path],
        typer.Option(
            metavar="CSV",
            help="Probabilities: an image column and a column a class (CSV or parquet), perhaps "
            "with label, lesion_id, patient_id, fold and metadata. Repeat it to compare models.",
        ),
    ],
    truth: options.Truth = None,
    folds_file: options.PredictionsFolds = None,
    name: Annotated[
        str | None,
        typer.Option(
            help="Name of the run; with several files a prefix. Default: the file's name.",
            show_default=False,
        ),
    ] = None,
    runs_dir: options.RunsDir = Path("runs"),
    malignant: options.Malignant = "usual",
    slice_by: Annotated[
        list[str] | None,
        typer.Option(
            "--slice",
            metavar="COLUMN",
            help="A further metadata column to slice by (sex, age, site, dx_type and source are "
            "always). Repeatable.",
        ),
    ] = None,
    level: options.Level = 0.95,
    replicates: options.Replicates = 2000,
    interval: Annotated[
        str, typer.Option(metavar="percentile|bca", help="Kind of bootstrap interval.")
    ] = "percentile",
    seed: Annotated[int, typer.Option(min=0, help="Seed of the bootstrap.")] = 0,
    isic_conventions: Annotated[
        bool,
        typer.Option(
            "--isic-conventions",
            help="Also give the official ISIC scorer's Task 3 figures by its conventions.",
        ),
    ] = False,
    columns: options.Columns = None,
    label_level: options.LabelLevel = None,
    map_labels: options.MapLabels = None,
    scale: options.From = "probabilities",
    normalise: options.Normalise = False,
    rows_per_image: options.RowsPerImage = "one",
    align: options.Align = False,
    overwrite: options.Overwrite = False,
    as_json: options.Json = False,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
) -> None:
    """Evaluate predictions: every score with an interval that resamples lesions or patients."""
    from ensemble_kit.cli.evaluate_tables import Shown, json_text, print_shown
    from ensemble_kit.core.errors import StudyError
    from ensemble_kit.metrics.bootstrap import Method
    from ensemble_kit.metrics.comparison import compare
    from ensemble_kit.metrics.evaluation import evaluate as evaluated
    from ensemble_kit.metrics.isic import with_isic_rows
    from ensemble_kit.metrics.slices import make_slices
    from ensemble_kit.metrics.view import check_names_of_view
    from ensemble_kit.workflows.evaluating import Evaluated, check_name, write_evaluated
    from ensemble_kit.workflows.matching import read_matched

    if interval not in ("percentile", "bca"):
        raise StudyError(f"--interval {interval!r}: give percentile or bca")
    changes = options.data_changes(None, None, columns, None, label_level, map_labels, None)
    data = options.study_of(None, {"data": changes}).data
    asked = options.asked_of(scale, normalise, rows_per_image, {} if truth else data.columns)
    matched = read_matched(predictions, truth, folds_file, asked, align=align, data=data)
    asked_view = [part.strip() for part in malignant.split(",") if part.strip()]
    check_names_of_view(asked_view, matched.table.class_names)
    make_slices(matched.table, tuple(slice_by or ()))
    for warning in matched.warnings:
        note(f"warning: {warning}")
    if not quiet:
        for line in matched.notes:
            note(line)
    studies = [
        options.study_of_predictions(
            _run_name(member, name, len(predictions)), malignant, level, replicates, seed,
            slice_by or (),
        )
        for member, _ in matched.members
    ]  # fmt: skip
    for study, (_, member) in zip(studies, matched.members, strict=True):
        check_name(runs_dir, study, matched.table, matched.folds, member, overwrite)
    spec = studies[0].evaluation
    table, folds = matched.table, matched.folds
    comparison = None
    if len(matched.members) > 1:
        comparison = compare(table, folds, matched.members, spec, seed)
    shown = []
    for study, (member_name, member) in zip(studies, matched.members, strict=True):
        if not quiet:
            note(f"evaluating {member_name}: {spec.replicates:,} resamples of the groups")
        method: Method = "bca" if interval == "bca" else "percentile"
        evaluation = evaluated(table, folds, member, spec, seed, method=method)
        if isic_conventions:
            evaluation = with_isic_rows(evaluation, table, member)
        work = Evaluated(
            study, table, folds, member, evaluation, seed,
            matched.notes, matched.warnings, comparison,
        )  # fmt: skip
        folder = write_evaluated(runs_dir, work)
        shown.append(Shown(member_name, folder, evaluation, spec.malignant))
    if as_json:
        results.out(json_text(matched, shown, comparison))
    else:
        print_shown(matched, shown, comparison)


def _run_name(member: str, name: str | None, members: int) -> str:
    """The run of one member: by the name given, a prefix where there are several, or its own."""
    from ensemble_kit.workflows.evaluating import run_name

    if name is None:
        return run_name(member)
    return name if members == 1 else f"{name}-{member}"

"""`ensemble`: runs and prediction files into one calibrated, cross-fitted table."""

from pathlib import Path
from typing import Annotated

import typer

from ensemble_kit.cli import options
from ensemble_kit.cli.console import note, print_json
from ensemble_kit.cli.options import names_of

CATALOGUE = "ensemble_kit.posthoc.selection.catalogue"


def ensemble(
    runs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RUN[:probe]]…",
            help="Runs whose predictions to use; RUN:probe is the linear probe of a run of `cv`.",
        ),
    ] = None,
    predictions: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="CSV",
            help="Out-of-fold probabilities made elsewhere (an image column, a column a class, "
            "label, lesion_id, fold …), as `evaluate` takes them. Repeatable.",
            show_default=False,
        ),
    ] = None,
    truth: options.Truth = None,
    folds_file: options.PredictionsFolds = None,
    columns: options.Columns = None,
    label_level: options.LabelLevel = None,
    map_labels: options.MapLabels = None,
    scale: options.From = "probabilities",
    normalise: options.Normalise = False,
    rows_per_image: options.RowsPerImage = "one",
    align: options.Align = False,
    method: Annotated[
        str,
        typer.Option(
            metavar=names_of("ensemble", f"{CATALOGUE}:METHODS", "auto", "select"),
            help="How members are combined. auto: a weighted mean of calibrated candidates; "
            "select: one of them, the simplest within a standard error.",
        ),
    ] = "auto",
    calibrate: Annotated[
        str,
        typer.Option(
            metavar=names_of("ensemble", f"{CATALOGUE}:CALIBRATORS", "auto"),
            help="How the result is calibrated.",
        ),
    ] = "auto",
    objective: Annotated[
        str,
        typer.Option(
            metavar="log_loss|balanced_accuracy|roc_auc_ovr",
            help="What auto and greedy look at; balanced_accuracy also fits a class-weighted "
            "decision.",
        ),
    ] = "log_loss",
    prevalence: Annotated[
        str,
        typer.Option(
            metavar="CLASS=SHARE,…",
            help="Correct to these class frequencies (Saerens 2002); classes not named share the "
            "rest as they do in the data.",
            show_default=False,
        ),
    ] = "",
    set_level: Annotated[
        float, typer.Option(help="Coverage of the prediction sets, 0.5 to 1.")
    ] = 0.9,
    set_score: Annotated[
        str, typer.Option(metavar="lac|aps|raps", help="Score of the prediction sets.")
    ] = "lac",
    set_scope: Annotated[
        str,
        typer.Option(metavar="class|marginal", help="Thresholds for each class, or one over all."),
    ] = "class",
    set_unit: Annotated[
        str,
        typer.Option(
            metavar="weighted|drawn", help="Rows of a group share one vote, or one is drawn."
        ),
    ] = "weighted",
    set_method: Annotated[
        str,
        typer.Option(
            metavar="threshold|cross",
            help="One threshold a class, or p-values pooled over the folds (cross-conformal).",
        ),
    ] = "threshold",
    nested_members: Annotated[
        bool,
        typer.Option(
            "--nested-members",
            help="Also fit all to members fitted anew without the fold being judged: runs of "
            "features or metadata, and RUN:probe with its --store.",
        ),
    ] = False,
    store_dir: options.StoreDir = Path("store"),
    name: Annotated[str, typer.Option(help="Name of the run.")] = "ensemble",
    runs_dir: options.RunsDir = Path("runs"),
    malignant: options.Malignant = options.MALIGNANT,
    costs: options.Costs = None,
    level: options.Level = 0.95,
    replicates: options.Replicates = 2000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of all draws.")] = 0,
    track: options.Track = None,
    overwrite: options.Overwrite = False,
    as_json: options.Json = False,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
) -> None:
    """Combine and calibrate out-of-fold predictions; no step here is judged on its own rows.

    \b
    ensemble mine                                calibrated, with prediction sets
    ensemble mine mine:probe other --name three  runs and a linear probe
    ensemble --predictions A.csv --predictions B.csv --name both
    """
    from ensemble_kit.cli.cost_tables import print_costs
    from ensemble_kit.cli.ensemble_tables import print_study
    from ensemble_kit.cli.nested_tables import print_nested
    from ensemble_kit.progress.remarks import Remarks
    from ensemble_kit.tracking.registry import open_tracking
    from ensemble_kit.workflows.ensemble import EnsembleSettings
    from ensemble_kit.workflows.ensemble import ensemble as combine
    from ensemble_kit.workflows.ensemble_files import ensemble_record

    changes = options.data_changes(None, None, columns, None, label_level, map_labels, None)
    data = options.study_of(None, {"data": changes}).data
    tracked = open_tracking(track, note)
    done = combine(
        runs or [],
        predictions=predictions or [],
        truth=truth,
        folds_file=folds_file,
        align=align,
        asked=options.asked_of(scale, normalise, rows_per_image, {} if truth else data.columns),
        reading=data,
        settings=EnsembleSettings(
            method, calibrate, objective, _shares(prevalence),
            set_level, set_score, set_scope, set_unit, set_method,
        ),
        evaluation=options.evaluation_settings(malignant, level, replicates),
        name=name,
        runs_dir=runs_dir,
        seed=seed,
        overwrite=overwrite,
        costs=costs,
        nested_members=nested_members,
        store_dir=store_dir,
        tell=Remarks(quiet=quiet).tell,
    )  # fmt: skip
    with tracked:
        tracked.finish(done.run)
    if as_json:
        document = {"folder": str(done.run.folder)} | ensemble_record(done.found).plain()
        if done.costs is not None:
            document["costs"] = done.costs.plain()
        if done.nested is not None:
            document["nested_members"] = done.nested.plain()
        print_json(document)
    else:
        print_study(done.found, done.run.folder)
        if done.nested is not None:
            print_nested(done.nested)
        if done.costs is not None:
            print_costs(done.costs)


def _shares(text: str) -> tuple[tuple[str, float], ...]:
    """``nv=0.8,mel=0.1`` as pairs."""
    from ensemble_kit.core.errors import StudyError

    pairs = []
    for part in text.split(",") if text else ():
        key, _, value = part.partition("=")
        try:
            pairs.append((key.strip(), float(value)))
        except ValueError:
            raise StudyError(f"--prevalence {part!r}: write CLASS=SHARE, as in nv=0.8") from None
    return tuple(pairs)

"""`evaluate`: numbers with intervals for predictions from anywhere, as a run folder."""

from pathlib import Path
from typing import Annotated

import typer

from ensemble_kit.cli import options
from ensemble_kit.cli.console import print_json
from ensemble_kit.progress.remarks import Remarks


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
    malignant: options.Malignant = options.MALIGNANT,
    slice_by: Annotated[
        list[str] | None,
        typer.Option(
            "--slice",
            metavar="COLUMN",
            help="A further metadata column to slice by (sex, age, site, dx_type and source are "
            "always). Repeatable.",
        ),
    ] = None,
    costs: options.Costs = None,
    level: options.Level = 0.95,
    replicates: options.Replicates = 2000,
    interval: Annotated[
        str,
        typer.Option(
            metavar="auto|percentile|bca",
            help="Kind of interval; auto: jackknife-t where few groups limit a figure.",
        ),
    ] = "auto",
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
    """Evaluate predictions: every score with an interval that resamples lesions or patients.

    \b
    evaluate --predictions A.csv                      labels and groups in its columns
    evaluate --predictions A.csv --truth LABELS.csv   ISIC's files, or a data folder
    evaluate --predictions A.csv --predictions B.csv  two models and their difference
    """
    from ensemble_kit.cli.evaluate_tables import document_of, print_evaluated
    from ensemble_kit.workflows.evaluation import evaluate_files

    changes = options.data_changes(None, None, columns, None, label_level, map_labels, None)
    data = options.study_of(None, {"data": changes}).data
    done = evaluate_files(
        predictions,
        truth=truth,
        folds_file=folds_file,
        name=name,
        runs_dir=runs_dir,
        settings=options.evaluation_settings(malignant, level, replicates, slice_by or ()),
        seed=seed,
        interval=interval,
        isic_conventions=isic_conventions,
        overwrite=overwrite,
        asked=options.asked_of(scale, normalise, rows_per_image, {} if truth else data.columns),
        reading=data,
        align=align,
        costs=costs,
        tell=Remarks(quiet=quiet).tell,
    )
    if as_json:
        print_json(document_of(done))
    else:
        print_evaluated(done)

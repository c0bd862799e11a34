"""`predict`: a finished run used on new images."""

from pathlib import Path
from typing import Annotated, Any

import typer

from ensemble_kit.cli import options
from ensemble_kit.cli.console import note, results


def predict(
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN",
            help="Run to predict with: a run of `cv`, or an ensemble of such runs.",
            show_default=False,
        ),
    ],
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[FILE]…", help="Image files to predict.", show_default=False),
    ] = None,
    data: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DIR|CSV",
            help="Folder of images, or a table with a column of paths. Repeatable.",
            show_default=False,
        ),
    ] = None,
    features: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[MEMBER=]FILE",
            help="Features made elsewhere, for a run of `cv --features`; of an ensemble, a file "
            "for each such member. Repeatable.",
            show_default=False,
        ),
    ] = None,
    metadata: Annotated[
        Path | None,
        typer.Option(
            metavar="TABLE",
            help="Metadata by image id, for a run that sees any; without it a network takes it "
            "as missing.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path, typer.Option(metavar="FILE", help="Table to write, .csv or .parquet.")
    ] = Path("predictions.csv"),
    coverage: Annotated[
        float | None,
        typer.Option(
            help="Coverage of the prediction sets, 0.5 to below 1; default: the ensemble's, else "
            "0.9.",
            show_default=False,
        ),
    ] = None,
    reject: Annotated[
        str,
        typer.Option(
            metavar="NAME=BOUND,…",
            help="Mark rows beyond bounds of novelty, spread, set (its size) or below a bound of "
            "confidence, such as novelty=99,confidence=0.5.",
            show_default=False,
        ),
    ] = "",
    drop_rejected: Annotated[
        bool, typer.Option("--drop-rejected", help="Leave such rows out.")
    ] = False,
    fold: Annotated[
        int | None,
        typer.Option(min=0, help="Predict with this fold model alone.", show_default=False),
    ] = None,
    skip_damaged: Annotated[
        bool,
        typer.Option("--skip-damaged", help="Name images that cannot be read and leave them out."),
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a table that is there.")
    ] = False,
    batch_size: Annotated[int, typer.Option(min=1, max=4096, help="Images at a time.")] = 32,
    jobs: Annotated[int, typer.Option(min=0, max=256, help="Decoding threads; 0: one a core.")] = 0,
    executor: Annotated[str | None, options.executor_option("predict")] = None,
    address: options.Address = None,
    runs_dir: options.RunsDir = Path("runs"),
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
    no_progress: options.NoProgress = False,
) -> None:
    """Predict new images: probabilities, decision, set, spread and novelty, a row an image.

    \b
    predict mine IMAGE.jpg
    predict mine --data DIR --out new.csv
    predict mine --data DIR --reject novelty=99,confidence=0.5  marks what to look at
    """
    from ensemble_kit.core.errors import DataError, count
    from ensemble_kit.progress.bars import Bar
    from ensemble_kit.runs.folder import find_run
    from ensemble_kit.workflows.predict import predict_to_file
    from ensemble_kit.workflows.predict_stream import PredictOptions
    from ensemble_kit.workflows.predicted import parse_bounds

    cluster = options.cluster_of(executor, address)
    given = [*(data or ()), *(files or ())]
    if not given and not features and metadata is None:
        raise DataError(
            "nothing to predict: name image files, or a folder with --data DIR (or rows with "
            "--features or --metadata, for runs that see these)"
        )
    chosen = PredictOptions(batch_size, jobs, skip_damaged, parse_bounds(reject), drop_rejected)
    total = 0
    with Bar("predicting", show=not (quiet or no_progress)) as shown:

        def told(kind: str, **facts: Any) -> None:
            nonlocal total
            total = facts["total"] if kind == "begin" else total
            shown.tell(kind, **facts)

        done = predict_to_file(
            find_run(run, runs_dir), given or None, out, features=features, metadata=metadata,
            coverage=coverage, fold=fold, options=chosen, overwrite=overwrite,
            cluster=cluster, tell=told,
        )  # fmt: skip
    for text in done.skipped:
        note(f"skipped: {text}")
    if not quiet:
        for text in done.notes:
            note(text)
        note(f"{count(total - len(done.skipped), 'image')} predicted")
    results.out(str(out), highlight=False)

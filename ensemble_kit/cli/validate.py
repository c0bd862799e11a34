"""`validate`: a run proved on labelled images from elsewhere."""

from pathlib import Path
from typing import Annotated

import typer

from ensemble_kit.cli import options
from ensemble_kit.cli.console import note, results


def validate(
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN",
            help="Run to validate: a run of `cv`, or an ensemble of such runs.",
            show_default=False,
        ),
    ],
    data: Annotated[
        Path,
        typer.Option(
            metavar="DIR", help="Labelled images from elsewhere, as `check --data` reads them."
        ),
    ],
    labels: Annotated[
        Path | None,
        typer.Option(
            metavar="CSV",
            help="Their classes in the run's words: columns from and to; to may be ignore.",
            show_default=False,
        ),
    ] = None,
    features: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[MEMBER=]FILE",
            help="Features of these images, for members that see features. Repeatable.",
            show_default=False,
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(help="Name of the run made; default: <run>-on-<data>.", show_default=False),
    ] = None,
    duplicates: options.Duplicates = None,
    coverage: Annotated[
        float | None,
        typer.Option(
            help="Coverage of the prediction sets, 0.5 to below 1; default: the ensemble's, else "
            "0.9.",
            show_default=False,
        ),
    ] = None,
    replicates: options.Replicates = 2000,
    allow_overlap: Annotated[
        bool,
        typer.Option(
            "--allow-overlap",
            help="Go on, with a warning on the page, where images, lesions or near-duplicates "
            "were in training.",
        ),
    ] = False,
    runs_dir: options.RunsDir = Path("runs"),
    overwrite: options.Overwrite = False,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
    no_progress: options.NoProgress = False,
) -> None:
    """Predict, evaluate and report external data beside the run's own figures.

    \b
    validate mine --data DIR
    validate mine --data DIR --labels MAP.csv    their classes in the run's words
    """
    from ensemble_kit.cli.validate_tables import print_validated
    from ensemble_kit.progress.bars import Bar
    from ensemble_kit.progress.remarks import Remarks
    from ensemble_kit.runs.folder import find_run
    from ensemble_kit.workflows.inputs import run_name
    from ensemble_kit.workflows.page import report
    from ensemble_kit.workflows.validate import validate as validated

    folder = find_run(run, runs_dir)
    chosen = name or run_name(f"{folder.resolve().name}-on-{data.resolve().stem}")
    remarks = Remarks(quiet=quiet)
    with Bar("predicting", show=not (quiet or no_progress)) as shown:

        def told(kind: str, **facts: object) -> None:
            remarks.tell(kind, **facts) if kind == "working" else shown.tell(kind, **facts)

        done = validated(
            folder, data, runs_dir, name=chosen, labels_map=labels, duplicates=duplicates,
            coverage=coverage, replicates=replicates, allow_overlap=allow_overlap,
            overwrite=overwrite, features=features, tell=told,
        )  # fmt: skip
    for text in done.warnings:
        note(f"warning: {text}")
    page = report(folder, external=done.folder, to=Path("reports") / f"{chosen}.html")
    print_validated(done)
    results.out(str(done.folder), highlight=False)
    results.out(str(page.page), highlight=False)

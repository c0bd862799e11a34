"""`export`: a run as one file that predicts, with its card."""

from pathlib import Path
from typing import Annotated

import typer

from ensemble_kit.cli import options
from ensemble_kit.cli.console import note, results
from ensemble_kit.core.wording import size_text


def export(
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN",
            help="Run to export: a run of `cv`, or an ensemble of such runs.",
            show_default=False,
        ),
    ],
    to: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder of the bundle; default: exports/<run>-<format>.",
            show_default=False,
        ),
    ] = None,
    format: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="keras|savedmodel|onnx|litert|openvino",
            help="What the model is written as.",
        ),
    ] = "keras",
    coverage: Annotated[
        float | None,
        typer.Option(
            help="Coverage of the prediction sets, 0.5 to below 1; default: the ensemble's, else "
            "0.9.",
            show_default=False,
        ),
    ] = None,
    quantize: Annotated[
        str,
        typer.Option(
            metavar="int8",
            help="A file of eight-bit weights (onnx): at most 0.01 from the run's probabilities; "
            "what it loses out of fold is measured.",
            show_default=False,
        ),
    ] = "",
    jpeg: Annotated[
        bool, typer.Option("--jpeg", help="Take encoded JPEG files as input too (savedmodel).")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a bundle there.")] = False,
    runs_dir: options.RunsDir = Path("runs"),
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
) -> None:
    """Export fold models and chain as one checked file, with bundle.json, predict.py and a card."""
    from ensemble_kit.progress.remarks import Remarks
    from ensemble_kit.runs.folder import find_run
    from ensemble_kit.workflows.export import export as exported

    folder = find_run(run, runs_dir)
    place = to or Path("exports") / "-".join(
        word for word in (folder.resolve().name, format, quantize) if word
    )
    done = exported(
        folder, place, format, coverage=coverage, quantize=quantize, encoded=jpeg,
        overwrite=overwrite, tell=Remarks(quiet=quiet).tell,
    )  # fmt: skip
    if not quiet:
        note(
            f"largest difference on {done.images} images: {done.largest:.1e}; "
            f"{size_text(done.n_bytes)}; {done.images_per_second:,.1f} images/s "
            f"(the run itself: {done.before:,.1f})"
        )
        if done.quantized:
            note(done.quantized.sentence)
        if done.encoded:
            note(done.encoded.sentence)
    results.out(str(done.folder), highlight=False)

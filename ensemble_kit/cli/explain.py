"""`explain`: heat maps of a run's images, each by the model that never saw the image."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ensemble_kit.cli import options
from ensemble_kit.cli.console import note, results

if TYPE_CHECKING:
    from ensemble_kit.runs.folder import Run

SHOWN = "40"


class Explained(StrEnum):
    """The class whose evidence is drawn."""

    predicted = "predicted"
    true = "true"


def explain(
    run: Annotated[
        str | None,
        typer.Argument(
            metavar="[RUN]",
            help="Run of `cv` to explain: a name or a folder. Default: the latest run.",
            show_default=False,
        ),
    ] = None,
    images: Annotated[
        str,
        typer.Option(
            metavar="N|IDS|all",
            help="About N images, the ones that `report --images N` shows; or ids, parted by "
            "commas (end a single number with a comma); or all.",
        ),
    ] = SHOWN,
    of: Annotated[
        Explained, typer.Option("--of", help="Class explained: the one predicted or the true one.")
    ] = Explained.predicted,
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder of the images; default: where the run found them.",
            show_default=False,
        ),
    ] = None,
    runs_dir: options.RunsDir = Path("runs"),
    store: options.StoreDir = Path("store"),
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
    no_progress: options.NoProgress = False,
) -> None:
    """Draw Grad-CAM heat maps by the fold models that never saw the images."""
    from ensemble_kit.cli.bars import bar
    from ensemble_kit.core.errors import RunError, count, some
    from ensemble_kit.explain.explaining import explain_run
    from ensemble_kit.runs.folder import find_run, read_run
    from ensemble_kit.training.model_cache import warm_up

    if data is not None and not data.is_dir():
        raise RunError(f"{data} is no folder: --data names the folder of the images")
    found = read_run(find_run(run, runs_dir))
    chosen = _chosen(found, images)
    warm_up(0)
    with bar("explaining", len(chosen), show=not (quiet or no_progress)) as advance:
        done = explain_run(
            found, chosen, of=of.value, store_dir=store, images_dir=data, tell=advance
        )
    if not quiet:
        origin = "pixels" if done.depth is None else "stored activations"
        kept = f", {done.kept:,} were there already" if done.kept else ""
        made = f"{count(done.made, 'heat map')} drawn" + (f" from {origin}" if done.made else "")
        note(f"{made}{kept}")
        if done.silent:
            note(f"nothing speaks for the class explained in {some(done.silent)}")
        note(f"report: python cli.py report {found.folder.name}")
    results.print(str(done.folder), markup=False)


def _chosen(run: "Run", text: str) -> list[str]:
    from ensemble_kit.core.errors import DataError
    from ensemble_kit.reporting.collect.gallery import shown_images
    from ensemble_kit.reporting.collect.source import Source

    ids: list[str] = run.table.image_ids.tolist()
    if text == "all":
        return ids
    if text.isdecimal():
        chosen = list(shown_images(Source(run), int(text)))
    else:
        chosen = [text] if text in ids else [name.strip() for name in text.split(",")]
        chosen = list(dict.fromkeys(name for name in chosen if name))
    if not chosen:
        raise DataError(f"--images {text!r} names no image: give a number, ids, or all")
    return chosen

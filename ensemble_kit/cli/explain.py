"""`explain`: heat maps of a run's images, each by the model that never saw the image."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ensemble_kit.cli import options
from ensemble_kit.cli.console import note, results
from ensemble_kit.core.program import program

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
    executor: Annotated[str | None, options.executor_option("explain")] = None,
    address: options.Address = None,
    runs_dir: options.RunsDir = Path("runs"),
    store: options.StoreDir = Path("store"),
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
    no_progress: options.NoProgress = False,
) -> None:
    """Draw Grad-CAM heat maps by the fold models that never saw the images."""
    from ensemble_kit.core.errors import count, some
    from ensemble_kit.progress.bars import Bar
    from ensemble_kit.workflows.explanation import explain as draw

    with Bar("explaining", show=not (quiet or no_progress)) as shown:
        done = draw(
            run, _chosen(images), of=of.value, images_dir=data, runs_dir=runs_dir, store_dir=store,
            cluster=options.cluster_of(executor, address), tell=shown.tell,
        )  # fmt: skip
    if not quiet:
        origin = "pixels" if done.depth is None else "stored activations"
        kept = f", {done.kept:,} were there already" if done.kept else ""
        made = f"{count(done.made, 'heat map')} drawn" + (f" from {origin}" if done.made else "")
        note(f"{made}{kept}")
        if done.silent:
            note(f"nothing speaks for the class explained in {some(done.silent)}")
        note(f"report: {program()} report {done.folder.parent.name}")
    results.out(str(done.folder), highlight=False)


MOST_DIGITS = 9


def _chosen(text: str) -> int | str | list[str]:
    """A number of images, "all", or ids parted by commas."""
    if text == "all":
        return text
    if text.isdecimal():
        return int(text[:MOST_DIGITS])  # a longer number asks for more images than there are
    return [name for name in (part.strip() for part in text.split(",")) if name]

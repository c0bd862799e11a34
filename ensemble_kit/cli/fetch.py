"""`fetch`: a published data set, downloaded by DOI and arranged."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ensemble_kit.cli import options
from ensemble_kit.cli.console import note, say
from ensemble_kit.core.program import program


class Known(StrEnum):
    """The data sets that can be fetched."""

    HAM10000 = "ham10000"


def fetch(
    name: Annotated[Known, typer.Argument(help="The data set: HAM10000, 10,015 images, 2.8 GB.")],
    to: Annotated[Path, typer.Option(metavar="DIR", help="Folder it is arranged in.")] = Path(
        "dataset"
    ),
    server: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="A Dataverse that holds the publication, instead of the one its DOI leads to.",
            show_default=False,
        ),
    ] = None,
    keep_archives: Annotated[
        bool, typer.Option("--keep-archives", help="Keep the zip archives after unpacking.")
    ] = False,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
    no_progress: options.NoProgress = False,
) -> None:
    """Download a published data set, check its sums and arrange it; resumes after a break."""
    from contextlib import ExitStack

    import ensemble_kit.runs.paths  # noqa: F401  (it says which folders are runs)
    from ensemble_kit.core.places import check_output_folder
    from ensemble_kit.data.download import Advance
    from ensemble_kit.data.ham10000 import fetch_ham10000
    from ensemble_kit.progress.bars import bar

    check_output_folder(to, "--to")
    show = not (quiet or no_progress)
    with ExitStack() as bars:

        def begin(file: str, total: int, there: int) -> Advance:
            bars.pop_all().close()
            if not quiet:
                note(f"fetching {file}" + (f", {there / 1e6:,.0f} MB are there" if there else ""))
            advance = bars.enter_context(bar(file, total, unit="B", show=show))
            advance(there)
            return advance

        def begin_unpacking(n_images: int) -> Advance:
            bars.pop_all().close()
            if not quiet:
                note(f"unpacking {n_images:,} images")
            return bars.enter_context(bar("unpacking", n_images, show=show))

        fetched = fetch_ham10000(
            to, begin, begin_unpacking, server=server, keep_archives=keep_archives
        )
    done = "fetched" if fetched.fresh else "already there"
    say(f"{name.value}: {fetched.n_images:,} images, {done}")
    if not quiet:
        note(f"next: {program()} check --data {fetched.folder}")

"""`check`: what a data set holds, whether it would spoil a run, and the folds it would make."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ensemble_kit.cli import options
from ensemble_kit.cli.console import results
from ensemble_kit.cli.survey_tables import print_folds, print_json, print_survey

if TYPE_CHECKING:
    from ensemble_kit.core.records import Folds, ImageTable
    from ensemble_kit.data.survey import Survey


def check(
    data: options.Data = None,
    folds: Annotated[int, typer.Option(help="Folds to draw.")] = 5,
    seed: Annotated[
        int, typer.Option(min=0, max=2**31 - 1, help="First seed tried for the draw.")
    ] = 0,
    split: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Audit a split made elsewhere: CSV whose first column names the training images; "
            "without --split-test, a CSV with a column 'fold'.",
        ),
    ] = None,
    split_test: Annotated[
        Path | None, typer.Option(metavar="FILE", help="CSV that names the test images of --split.")
    ] = None,
    duplicates: options.Duplicates = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Read image headers only, not every pixel.")
    ] = False,
    jobs: options.Jobs = 2,
    as_json: options.Json = False,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
    no_progress: options.NoProgress = False,
) -> None:
    """Read a data set, say what it holds and refuse what would spoil a run."""
    from ensemble_kit.cli.bars import bar
    from ensemble_kit.core.errors import EnsembleKitError
    from ensemble_kit.data.dataset import data_or_default, load_table
    from ensemble_kit.data.survey import survey

    if split_test and not split:
        raise typer.BadParameter("--split-test needs --split, the training side")
    path = data_or_default(data)
    table = load_table(path, duplicates=duplicates)
    with bar("reading images", len(table), show=not (quiet or no_progress)) as advance:
        found = survey(table, quick=quick, jobs=jobs, on_progress=advance)
    layout = _layout_name(path, table)
    if not as_json:
        print_survey(layout, table, found)
    problem: EnsembleKitError | None = _unreadable(found)
    drawn = None
    try:
        if split:
            _audit(table, split, split_test)
        else:
            drawn = _draw(table, folds, seed)
    except EnsembleKitError as error:
        problem = problem or error
    if as_json:
        print_json(layout, table, found, drawn, problem)
    elif drawn:
        print_folds(table, drawn)
    if problem:
        raise problem
    if not (as_json or quiet):
        results.print("sound: nothing here would spoil a run")


def _layout_name(path: str, table: "ImageTable") -> str:
    from ensemble_kit.data.dataset import SAMPLE
    from ensemble_kit.data.layouts import find_layout

    named = Path(path)
    place = named if named.is_file() else Path(table.root)
    return "the built-in sample" if path == SAMPLE else find_layout(place).name


def _unreadable(found: "Survey") -> Any:
    from ensemble_kit.core.errors import DataError, count, some
    from ensemble_kit.data.decode import MEND_ALL

    if not found.unreadable:
        return None
    return DataError(
        f"{count(len(found.unreadable), 'image')} of {found.n_images:,} cannot be used: "
        f"{some(found.unreadable)}; {MEND_ALL}"
    )


def _audit(table: "ImageTable", split: Path, split_test: Path | None) -> None:
    from ensemble_kit.core.errors import SplitError
    from ensemble_kit.splits import audit_split, read_folds_file
    from ensemble_kit.splits.folds_file import read_image_list

    if split_test is None:
        read_folds_file(split, table)
        return
    audit = audit_split(table, read_image_list(split), read_image_list(split_test))
    if audit.leaks:
        raise SplitError(audit.complaint())


def _draw(table: "ImageTable", n_folds: int, seed: int) -> "Folds":
    from ensemble_kit.splits import make_folds

    return make_folds(table, n_folds, seed)[0]

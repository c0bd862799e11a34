"""`check`: what a data set holds, whether it would spoil a run, and the folds it would make."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ensemble_kit.cli import options
from ensemble_kit.cli.console import results
from ensemble_kit.cli.survey_tables import (
    print_folds,
    print_json,
    print_reading,
    print_survey,
)

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
            help="Audit a split made elsewhere: list of the training images, with or without a header "
            "line; "
            "without --split-test, a CSV with a column 'fold'.",
        ),
    ] = None,
    split_test: Annotated[
        Path | None, typer.Option(metavar="FILE", help="CSV that names the test images of --split.")
    ] = None,
    duplicates: options.Duplicates = None,
    columns: options.Columns = None,
    group_pattern: options.GroupPattern = None,
    label_level: options.LabelLevel = None,
    map_labels: options.MapLabels = None,
    min_groups: options.MinGroups = None,
    no_images: Annotated[
        bool,
        typer.Option("--no-images", help="Check the table alone; its images need not be here."),
    ] = False,
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
    from ensemble_kit.data.dataset import SAMPLE, data_or_default, load_data
    from ensemble_kit.data.survey import survey

    if split_test and not split:
        raise typer.BadParameter("--split-test needs --split, the training side")
    path = data_or_default(data)
    changes = options.data_changes(
        data, duplicates, columns, group_pattern, label_level, map_labels, min_groups
    )
    spec = options.study_of(None, {"data": changes}).data
    read = load_data(path, spec, require_images=not no_images)
    table = read.table
    with bar("reading images", len(table), show=not (quiet or no_progress)) as advance:
        found = survey(table, quick=quick, jobs=jobs, on_progress=advance)
    layout = "the built-in sample" if path == SAMPLE else read.layout
    if not as_json:
        print_reading(read, results.print, _seen(found))
        print_survey(layout, table, found, no_images)
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
        print_json(layout, table, found, drawn, problem, read.interpretation(), _seen(found))
    elif drawn:
        print_folds(table, drawn)
    if problem:
        raise problem
    if not (as_json or quiet):
        results.print("sound: nothing here would spoil a run")


def _seen(found: "Survey") -> list[str]:
    """What looking at the pixels showed, as warnings."""
    from ensemble_kit.core.errors import count, some
    from ensemble_kit.data.depth import depth_note

    seen = [depth_note(found.bits)] if found.bits != 16 else []
    for names, what in ((found.constant, "of one colour"), (found.dark, "almost black")):
        if names:
            verb = "is" if len(names) == 1 else "are"
            seen.append(f"{count(len(names), 'image')} {verb} {what}: {some(names, 5)}")
    return seen


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
    audit = audit_split(table, read_image_list(split, table), read_image_list(split_test, table))
    if audit.leaks:
        raise SplitError(audit.complaint())


def _draw(table: "ImageTable", n_folds: int, seed: int) -> "Folds":
    from ensemble_kit.splits import make_folds

    return make_folds(table, n_folds, seed)[0]

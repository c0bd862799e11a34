"""`check`: what a data set holds, whether it would spoil a run, and the folds it would make; with
`--run`, labels and images of a finished run that a person should look at."""

from pathlib import Path
from typing import Annotated

import typer

from ensemble_kit.cli import options
from ensemble_kit.cli.console import say
from ensemble_kit.cli.issue_tables import print_issues, print_issues_json
from ensemble_kit.cli.survey_tables import (
    print_folds,
    print_reading,
    print_survey,
    print_survey_json,
)
from ensemble_kit.core.errors import StudyError


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
            help="Audit a split made elsewhere: a list of the training images, with --split-test; "
            "or a table with a column 'fold', or 'split' of train, val and test.",
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
    run: Annotated[
        str | None,
        typer.Option(
            metavar="RUN",
            help="Look at this finished run instead: labels its probabilities speak against and "
            "near-duplicates across groups, into its issues.csv and near_duplicates.csv.",
            show_default=False,
        ),
    ] = None,
    suspicion: Annotated[
        float,
        typer.Option(help="With --run: list labels that are wrong with at least this probability."),
    ] = 0.5,
    pairs: Annotated[
        int, typer.Option(help="With --run: near-duplicate pairs listed at most.")
    ] = 50,
    store: options.StoreDir = Path("store"),
    runs_dir: options.RunsDir = Path("runs"),
    jobs: options.Jobs = 2,
    as_json: options.Json = False,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
    no_progress: options.NoProgress = False,
) -> None:
    """Read a data set, say what it holds and refuse what would spoil a run.

    \b
    check --data DIR                              images, groups, folds, damaged files
    check --data DIR --split A --split-test B     does a split made elsewhere leak
    check --run mine                              labels and pairs a person should look at
    """
    from ensemble_kit.progress.bars import Bar

    if run is not None:
        if data is not None or split is not None:
            raise StudyError("--run looks at a finished run: leave --data and --split out")
        from ensemble_kit.workflows.issues import find_issues

        with Bar("comparing images", show=not (quiet or no_progress)) as shown:
            found = find_issues(
                run, runs_dir=runs_dir, store_dir=store, suspicion=suspicion, pairs=pairs,
                tell=shown.tell,
            )  # fmt: skip
        (print_issues_json if as_json else print_issues)(found)
        return
    from ensemble_kit.data.groups import independence
    from ensemble_kit.workflows.checking import check as look

    changes = options.data_changes(
        data, duplicates, columns, group_pattern, label_level, map_labels, min_groups
    )
    with Bar("reading images", show=not (quiet or no_progress)) as shown:
        done = look(
            data, folds=folds, seed=seed, split=split, split_test=split_test,
            reading=options.study_of(None, {"data": changes}).data, no_images=no_images,
            quick=quick, jobs=jobs, tell=shown.tell,
        )  # fmt: skip
    if as_json:
        print_survey_json(done.layout, done.images, done.survey, done.folds, done.problem,
                   done.read.interpretation(), done.seen)  # fmt: skip
    else:
        print_reading(done.read, done.seen)
        print_survey(done.layout, done.images, done.survey, no_images)
        if done.folds:
            print_folds(done.images, done.folds)
    if done.problem:
        raise done.problem
    if not (as_json or quiet):
        known = not independence(done.images.lesions, done.images.patients, done.images.groups)[0]
        say(
            "sound: nothing here would spoil a run"
            if known
            else "sound, if every image shows another patient and lesion: no groups are known"
        )

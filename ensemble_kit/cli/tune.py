"""`tune`: search a study's settings on fixed, group-safe folds."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ensemble_kit.cli import options
from ensemble_kit.cli.console import note
from ensemble_kit.cli.interruption import Interruption
from ensemble_kit.cli.options import STUDY_DEFAULT

if TYPE_CHECKING:
    from ensemble_kit.core.records import Folds, ImageTable
    from ensemble_kit.study import StudySpec
    from ensemble_kit.training.preparing import Resources
    from ensemble_kit.tuning.opening import SearchRequest

INTERRUPTED = 130
DEFAULT_STUDY = Path("studies/ham10000.toml")


def tune(
    study: Annotated[
        Path | None,
        typer.Option(
            "--study",
            metavar="FILE.toml",
            help=f"Study file with a search space; default: {DEFAULT_STUDY} below the working "
            "directory.",
            show_default=False,
        ),
    ] = None,
    data: options.Data = None,
    trials: Annotated[
        int | None,
        typer.Option(min=1, help=f"Trials, the study's defaults first; {STUDY_DEFAULT} 20."),
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option(min=0.01, metavar="MINUTES", help="Begin no fold after so long."),
    ] = None,
    folds: Annotated[int | None, typer.Option(help=f"Folds; {STUDY_DEFAULT} 5.")] = None,
    weights: Annotated[
        str | None, typer.Option(help="imagenet, none or a .weights.h5 file; default: the study's.")
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option(help=f"log_loss, macro_auc or balanced_accuracy; {STUDY_DEFAULT} log_loss."),
    ] = None,
    sampler: Annotated[
        str | None, typer.Option(help=f"tpe, gp (needs torch) or random; {STUDY_DEFAULT} tpe.")
    ] = None,
    pruner: Annotated[
        str | None,
        typer.Option(
            help="By folds: paired (stop what is worse beyond doubt); by epochs, Optuna's: median, "
            f"halving, hyperband; or none; {STUDY_DEFAULT} paired."
        ),
    ] = None,
    cost: Annotated[
        bool | None,
        typer.Option(
            "--cost/--no-cost",
            help="Also minimise the cost of inference (two objectives).",
            show_default=False,
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Name of the search; default: the study's name."),
    ] = None,
    storage: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Database for several workers, such as postgresql+psycopg://USER@HOST/DB; "
            "default: a file under studies/store/NAME/.",
        ),
    ] = None,
    heartbeat: Annotated[
        int,
        typer.Option(
            min=1,
            metavar="SECONDS",
            help="Sign of life in a database; a worker silent "
            "for four is taken for dead and its trial tried again.",
        ),
    ] = 30,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue, or join, a search of this name.")
    ] = False,
    nested: Annotated[
        bool,
        typer.Option(
            "--nested",
            help="Also search inside each outer training part: the honest "
            "score of the whole procedure, at folds + 1 times the work.",
        ),
    ] = False,
    plots: Annotated[
        bool, typer.Option("--plots", help="Write Optuna's pictures as SVG beside tuning.json.")
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Print the plan of stores and stop; nothing is written or decoded."
        ),
    ] = False,
    duplicates: options.Duplicates = None,
    columns: options.Columns = None,
    group_pattern: options.GroupPattern = None,
    label_level: options.LabelLevel = None,
    map_labels: options.MapLabels = None,
    min_groups: options.MinGroups = None,
    jobs: Annotated[int, typer.Option(min=1, max=64, help="Folds trained at a time.")] = 1,
    studies_dir: Annotated[
        Path, typer.Option("--studies-dir", help="Folder for NAME.best.toml and store/NAME/.")
    ] = Path("studies"),
    store: options.StoreDir = Path("store"),
    store_limit: options.StoreLimit = 20.0,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
    no_progress: options.NoProgress = False,
) -> None:
    """Search a study's settings; every trial on the same folds, poor ones stopped early."""
    import time
    from dataclasses import replace

    from ensemble_kit.cli.sample_folder import sample_folder
    from ensemble_kit.cli.training_tables import print_not_decoded
    from ensemble_kit.cli.tune_tables import SearchProgress, print_space_cost
    from ensemble_kit.training.preparing import Resources
    from ensemble_kit.tuning.costs import check_jobs, cost_of_space
    from ensemble_kit.tuning.epochs import check_pruner
    from ensemble_kit.tuning.opening import SearchRequest
    from ensemble_kit.tuning.sampling import check_space
    from ensemble_kit.tuning.storage import StoragePlace, reachable

    changes: dict[str, dict[str, Any]] = {
        "data": options.data_changes(data, duplicates, columns, group_pattern, label_level,
                                     map_labels, min_groups),
        "split": {"folds": folds},
        "model": {"weights": weights},
        "search": {"trials": trials, "metric": metric, "sampler": sampler, "pruner": pruner,
                   "cost": cost},
    }  # fmt: skip
    spec = options.study_of(study or _default_study(), changes)
    check_space(spec)
    check_pruner(spec)
    for sentence in spec.search.warnings():
        note(f"warning: {sentence}")
    check_jobs(jobs, _memory())
    with sample_folder(store, keep=not dry_run) as sample:
        table, drawn = _data_and_folds(spec, sample)
        machine = Resources(store, store_limit * 1e9, jobs)
        planned = cost_of_space(table, spec, machine, dry=dry_run)
    print_space_cost(planned, spec, len(table))
    if dry_run:
        print_not_decoded()
        return
    named = _checked_name(name or spec.name)
    place = StoragePlace(studies_dir / "store" / named, storage or "", heartbeat)
    deadline = None if timeout is None else time.monotonic() + 60 * timeout
    request = SearchRequest(named, spec, place, deadline, resume)
    machine = replace(machine, store_limit=planned.store_limit)
    with (
        Interruption() as interruption,
        SearchProgress(spec, bars=not (quiet or no_progress), quiet=quiet) as shown,
        reachable(place),
    ):

        def tell(kind: str, **facts: Any) -> None:
            interruption.check()
            shown.tell(kind, **facts)

        try:
            result = _search(request, table, drawn, machine, tell, nested, plots)
        except KeyboardInterrupt:
            shown.close()
            note("interrupted; finished trials and folds are kept, the same command with --resume "
                 "goes on from there")  # fmt: skip
            raise typer.Exit(INTERRUPTED) from None
    _finish(request, result, studies_dir)


def _default_study() -> Path:
    from ensemble_kit.core.errors import StudyError

    if DEFAULT_STUDY.is_file():
        return DEFAULT_STUDY
    raise StudyError(
        f"no study given, and there is no {DEFAULT_STUDY} in the working directory: `tune` needs a "
        "study file with a search space; give --study FILE"
    )


def _search(
    request: "SearchRequest",
    table: "ImageTable",
    folds: "Folds",
    machine: "Resources",
    tell: Callable[..., None],
    nested: bool,
    plots: bool,
) -> Any:
    from ensemble_kit.stores.locks import reading_stores
    from ensemble_kit.training.workers import Workers
    from ensemble_kit.tuning.evaluating import Evaluator
    from ensemble_kit.tuning.nested import run_nested
    from ensemble_kit.tuning.opening import open_study
    from ensemble_kit.tuning.plots import write_plots
    from ensemble_kit.tuning.search import run_search
    from ensemble_kit.tuning.summary import summarise, write_tuning

    study = open_study(request, table, folds)
    folder = request.place.folder
    events = folder / f".events-{_worker_number()}"
    with (
        reading_stores(machine.store_dir),
        Workers(machine.jobs, events, lambda event: tell(**event)) as workers,
    ):
        workers.alone().warm_up()
        evaluator = Evaluator(table, request.spec, machine, workers, folder / "folds", tell)
        run_search(study, request, evaluator, folds, tell)
        result = summarise(study, request.name, request.spec, table)
        write_tuning(result, folder, request.spec.search)
        estimate = None
        if nested:
            estimate = run_nested(request, table, folds, evaluator, tell)
            metric = request.spec.search.metric
            write_tuning(
                result, folder, request.spec.search, estimate.optimism, estimate.plain(metric)
            )
    if plots:
        write_plots(study, request.spec.search, folder / "plots")
    return result, estimate


def _finish(request: "SearchRequest", outcome: Any, studies_dir: Path) -> None:
    from ensemble_kit.cli.tune_tables import nested_sentence, print_nested, print_search
    from ensemble_kit.tuning.summary import write_best

    result, estimate = outcome
    search = request.spec.search
    path = studies_dir / f"{request.name}.best.toml"
    said = nested_sentence(estimate, search) if estimate else ""
    write_best(result, path, _command(), search, said)
    print_search(result, search, path)
    if estimate:
        print_nested(estimate, search)


def _data_and_folds(spec: "StudySpec", sample: Path) -> "tuple[ImageTable, Folds]":
    from ensemble_kit.cli.survey_tables import print_reading
    from ensemble_kit.data.dataset import data_or_default, load_data
    from ensemble_kit.splits import make_folds, read_folds_file
    from ensemble_kit.training.preparing import check_inner_holdout

    path = data_or_default(spec.data.path or None)
    found = load_data(path, spec.data, sample_dir=sample)
    print_reading(found)
    table = found.table
    if spec.split.folds_file:
        folds = read_folds_file(Path(spec.split.folds_file), table)
    else:
        folds = make_folds(table, spec.split.folds, spec.split.seed)[0]
    check_inner_holdout(table, [folds], spec)
    return table, folds


def _checked_name(name: str) -> str:
    import re

    from ensemble_kit.core.errors import SearchError

    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}", name):
        raise SearchError(
            f"--name {name!r}: a search is named by up to 80 letters, digits, '.', '_' and '-', "
            "beginning with a letter or digit; give another --name"
        )
    return name


def _command() -> str:
    """The command as given, without anybody's password or machine."""
    import shlex
    import sys

    words = sys.argv[1:]
    for place, word in enumerate(words):
        if word.startswith("--storage="):
            words[place] = "--storage=URL"
        elif place and words[place - 1] == "--storage":
            words[place] = "URL"
    return shlex.join(["python", "cli.py", *words])


def _memory() -> float:
    import os

    try:
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (ValueError, OSError, AttributeError):
        return float("inf")


def _worker_number() -> int:
    import os

    return os.getpid()

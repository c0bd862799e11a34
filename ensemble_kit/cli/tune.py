"""`tune`: search a study's settings on fixed, group-safe folds."""

from pathlib import Path
from typing import Annotated, Any

import typer

from ensemble_kit.cli import options
from ensemble_kit.cli.console import note
from ensemble_kit.cli.folders import folder_option
from ensemble_kit.cli.interruption import Interruption, say_kept
from ensemble_kit.cli.options import STUDY_DEFAULT
from ensemble_kit.core.program import program

KEPT = "finished trials and folds are kept, the same command with --resume goes on from there"


def tune(
    study: Annotated[
        Path | None,
        typer.Option(
            "--study",
            metavar="FILE.toml",
            help="Study file with a search space; default: studies/ham10000.toml below the working "
            "directory, with --features the package's own.",
            show_default=False,
        ),
    ] = None,
    data: options.Data = None,
    features: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Features made elsewhere (npz with ids and x, parquet or CSV) in place of images: "
            "search their head.",
            show_default=False,
        ),
    ] = None,
    trials: Annotated[
        int | None,
        typer.Option(min=1, help=f"Trials, the study's defaults first; {STUDY_DEFAULT} 20)"),
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option(min=0.01, metavar="MINUTES", help="Begin no fold after so long."),
    ] = None,
    folds: Annotated[int | None, options.setting("split", "folds")] = None,
    weights: Annotated[str | None, options.setting("model", "weights")] = None,
    metric: Annotated[
        str | None,
        typer.Option(help=f"log_loss, roc_auc_ovr or balanced_accuracy; {STUDY_DEFAULT} log_loss)"),
    ] = None,
    sampler: Annotated[
        str | None, typer.Option(help=f"tpe, gp (needs torch) or random; {STUDY_DEFAULT} tpe)")
    ] = None,
    pruner: Annotated[
        str | None,
        typer.Option(
            help="By folds: paired (stop what is worse, or not worth its folds); by epochs, "
            f"Optuna's: median, halving, hyperband; or none; {STUDY_DEFAULT} paired)"
        ),
    ] = None,
    min_gain: Annotated[
        float | None,
        typer.Option(
            help="A trial with little chance of beating the best by this many standard errors of "
            f"the best's figure is stopped; negative: only what is proven worse; {STUDY_DEFAULT} "
            "0.1)",
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
    settings: options.Set = None,
    duplicates: options.Duplicates = None,
    columns: options.Columns = None,
    group_pattern: options.GroupPattern = None,
    label_level: options.LabelLevel = None,
    map_labels: options.MapLabels = None,
    min_groups: options.MinGroups = None,
    jobs: options.FoldJobs = 1,
    track: options.Track = None,
    executor: Annotated[str | None, options.executor_option("tune")] = None,
    address: options.Address = None,
    gpus_per_fold: Annotated[float | None, options.setting("cluster", "gpus")] = None,
    devices: Annotated[str | None, options.setting("cluster", "devices")] = None,
    stage: options.StageFlag = False,
    stage_dir: Annotated[str | None, options.setting("cluster", "stage_dir")] = None,
    studies_dir: Annotated[
        Path, folder_option("--studies-dir", "Folder for NAME.best.toml and store/NAME/.")
    ] = Path("studies"),
    store: options.StoreDir = Path("store"),
    store_limit: options.StoreLimit = 20.0,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
    no_progress: options.NoProgress = False,
) -> None:
    """Search a study's settings; every trial on the same folds, poor ones stopped early.

    \b
    tune --study S.toml --data DIR --dry-run   which stores, how large, how long
    tune --study S.toml --data DIR --trials 20
    tune --study S.toml --data DIR --resume    goes on where it was interrupted
    """
    from ensemble_kit.cli.training_tables import print_not_decoded
    from ensemble_kit.cli.tune_tables import print_nested, print_search, print_search_plan
    from ensemble_kit.progress.search import SearchProgress
    from ensemble_kit.tracking.registry import open_tracking
    from ensemble_kit.training.preparing import Resources
    from ensemble_kit.workflows.inputs import (
        DEFAULT_SEARCH_STUDY,
        check_model_of,
        default_search_study,
    )
    from ensemble_kit.workflows.search import check_search_places, checked_name, plan_search
    from ensemble_kit.workflows.search import tune as search

    changes: dict[str, dict[str, Any]] = {
        "data": options.data_changes(data, duplicates, columns, group_pattern, label_level,
                                     map_labels, min_groups)
        | {"features": None if features is None else str(features)},
        "split": {"folds": folds},
        "model": {"weights": weights, "inputs": None if features is None else "features"},
        "search": {"trials": trials, "metric": metric, "sampler": sampler, "pruner": pruner,
                   "min_gain": min_gain, "cost": cost},
        "cluster": {"executor": executor, "address": address, "gpus": gpus_per_fold,
                    "devices": devices, "stage": stage or None, "stage_dir": stage_dir},
    }  # fmt: skip
    if study is None:
        default_search_study(of_features=features is not None)
    of_all = DEFAULT_SEARCH_STUDY if features is None else Path("features")
    spec = options.study_of(study or of_all, changes, settings)
    if study and spec.model.inputs == "images" and not spec.members:
        check_model_of(study, spec)
    for sentence in spec.search.warnings():
        note(f"warning: {sentence}")
    resources = Resources(store, store_limit * 1e9, jobs)
    if dry_run:
        check_search_places(checked_name(name or spec.name), studies_dir, storage or "")
        plan = plan_search(None, spec, resources=resources)
        print_search_plan(plan)
        print_not_decoded()
        return
    say_kept(KEPT)
    with (
        open_tracking(track, note) as tracked,
        Interruption() as interruption,
        SearchProgress(spec, bars=not (quiet or no_progress), quiet=quiet) as shown,
    ):

        def tell(kind: str, **facts: Any) -> None:
            interruption.check()
            if kind == "planned":
                print_search_plan(facts["plan"])
            shown.tell(kind, **facts)
            tracked.tell(kind, **facts)

        done = search(
            None, spec, name=name, studies_dir=studies_dir, storage=storage or "",
            heartbeat=heartbeat, minutes=timeout, resume=resume, nested=nested, plots=plots,
            resources=resources, command=_command(), tell=tell,
        )  # fmt: skip
        tracked.finish_search(done)
    print_search(done.result, done.search.search, done.study_file)
    if done.nested:
        print_nested(done.nested, done.search.search)


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
    return f"{program()} {shlex.join(words)}"

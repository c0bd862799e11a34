"""`ensemble`: runs and prediction files into one calibrated, cross-fitted table."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ensemble_kit.cli import options
from ensemble_kit.cli.console import note, results

if TYPE_CHECKING:
    from ensemble_kit.posthoc.selection.fitting import ChainSpec

METHODS = "mean|geometric|best|weights|log-weights|greedy|class-weights|calibrated-mean|stack|ranks"
CALIBRATORS = (
    "none|temperature|bias|vector|dirichlet|matrix|beta|isotonic|venn-abers|histogram"
)  # fmt: skip


def ensemble(
    runs: Annotated[
        list[str] | None, typer.Argument(metavar="[RUN]…", help="Runs whose predictions to use.")
    ] = None,
    predictions: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="CSV",
            help="Out-of-fold probabilities made elsewhere (an image column, a column a class, "
            "label, lesion_id, fold …). Repeatable.",
            show_default=False,
        ),
    ] = None,
    truth: options.Truth = None,
    folds_file: options.PredictionsFolds = None,
    align: Annotated[
        bool, typer.Option("--align", help="Keep the images that all members have.")
    ] = False,
    method: Annotated[
        str, typer.Option(metavar=f"auto|{METHODS}", help="How members are combined.")
    ] = "auto",
    calibrate: Annotated[
        str, typer.Option(metavar=f"auto|{CALIBRATORS}", help="How the result is calibrated.")
    ] = "auto",
    objective: Annotated[
        str,
        typer.Option(
            metavar="log_loss|balanced_accuracy|macro_auc",
            help="What auto and greedy look at; balanced_accuracy also fits a class-weighted "
            "decision.",
        ),
    ] = "log_loss",
    prevalence: Annotated[
        str,
        typer.Option(
            metavar="CLASS=SHARE,…",
            help="Correct to these class frequencies (Saerens 2002); classes not named share the "
            "rest as they do in the data.",
            show_default=False,
        ),
    ] = "",
    set_level: Annotated[
        float, typer.Option(help="Coverage of the prediction sets, 0.5 to 1.")
    ] = 0.9,
    set_score: Annotated[
        str, typer.Option(metavar="lac|aps|raps", help="Score of the prediction sets.")
    ] = "lac",
    set_scope: Annotated[
        str,
        typer.Option(metavar="class|marginal", help="A guarantee for each class, or over all."),
    ] = "class",
    set_unit: Annotated[
        str,
        typer.Option(
            metavar="weighted|drawn", help="Rows of a group share one vote, or one is drawn."
        ),
    ] = "weighted",
    name: Annotated[str, typer.Option(help="Name of the run.")] = "ensemble",
    runs_dir: options.RunsDir = Path("runs"),
    malignant: options.Malignant = "usual",
    level: options.Level = 0.95,
    replicates: options.Replicates = 2000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of all draws.")] = 0,
    overwrite: options.Overwrite = False,
    as_json: options.Json = False,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
) -> None:
    """Combine and calibrate out-of-fold predictions; nothing fitted is judged on its own rows."""
    import json

    from ensemble_kit.cli.ensemble_tables import print_study
    from ensemble_kit.metrics.view import check_names_of_view
    from ensemble_kit.runs.folder import find_run
    from ensemble_kit.workflows.ensemble_files import (
        check_free,
        ensemble_digest,
        ensemble_json,
        write_ensemble,
    )
    from ensemble_kit.workflows.ensembling import study_ensemble
    from ensemble_kit.workflows.members import gather

    _check(method, calibrate, objective, set_score, set_scope, set_unit, set_level)
    study = options.study_of_predictions(name, malignant, level, replicates, seed)
    folders = [find_run(run, runs_dir) for run in runs or ()]
    gathered = gather(folders, predictions or [], truth, folds_file, align, seed)
    check_names_of_view(study.evaluation.malignant, gathered.table.class_names)
    for warning in gathered.warnings:
        note(f"warning: {warning}")
    if not quiet:
        for line in gathered.notes:
            note(line)
    spec = _spec(
        method, calibrate, objective, (set_level, set_score, set_scope, set_unit), seed
    )  # fmt: skip
    spec = _with_prevalence(spec, prevalence, gathered.table.class_names, gathered.table.labels)
    digest = ensemble_digest(gathered.members, spec, study.evaluation.model_dump(), seed)
    check_free(runs_dir, digest, name, overwrite)
    say = (lambda _: None) if quiet else note
    work = study_ensemble(gathered, spec, study, seed, say)
    folder = write_ensemble(runs_dir, work, digest)
    if as_json:
        results.out(json.dumps({"folder": str(folder)} | ensemble_json(work), allow_nan=False))
    else:
        print_study(work, folder)


def _check(
    method: str, calibrate: str, objective: str, score: str, scope: str, unit: str, level: float
) -> None:
    from ensemble_kit.core.errors import StudyError

    for option, value, known in (
        ("--method", method, f"auto|{METHODS}"),
        ("--calibrate", calibrate, f"auto|{CALIBRATORS}"),
        ("--objective", objective, "log_loss|balanced_accuracy|macro_auc"),
        ("--set-score", score, "lac|aps|raps"),
        ("--set-scope", scope, "class|marginal"),
        ("--set-unit", unit, "weighted|drawn"),
    ):
        if value not in known.split("|"):
            raise StudyError(f"{option} {value!r} is not known: give one of {known}")
    if not 0.5 <= level < 1:
        raise StudyError(f"--set-level {level}: coverage lies in [0.5, 1); give 0.9, say")


def _spec(
    method: str, calibrate: str, objective: str, sets: tuple[float, str, str, str], seed: int
) -> "ChainSpec":
    from ensemble_kit.posthoc.conformal.nonconformity import SCORES
    from ensemble_kit.posthoc.conformal.quantiles import UNITS
    from ensemble_kit.posthoc.conformal.sets import SetSpec
    from ensemble_kit.posthoc.selection.fitting import ChainSpec

    level, score, scope, unit = sets
    set_spec = SetSpec(
        level,
        SCORES[SCORES.index(score)],
        scope == "class",
        UNITS[UNITS.index(unit)],
        seed,
    )
    return ChainSpec(method, calibrate, objective, None, set_spec)


def _with_prevalence(
    spec: "ChainSpec", text: str, names: tuple[str, ...], labels: "object"
) -> "ChainSpec":
    from dataclasses import replace

    import numpy as np

    from ensemble_kit.core.errors import StudyError, some

    if not text:
        return spec
    given: dict[str, float] = {}
    for part in text.split(","):
        key, _, value = part.partition("=")
        try:
            given[key.strip()] = float(value)
        except ValueError:
            raise StudyError(f"--prevalence {part!r}: write CLASS=SHARE, as in nv=0.8") from None
    unknown = sorted(set(given) - set(names))
    if unknown:
        raise StudyError(f"--prevalence {some(unknown)}: the classes are {some(names)}")
    total = sum(given.values())
    rest = [c for c, name in enumerate(names) if name not in given]
    bad = any(not 0 < share < 1 for share in given.values())
    if bad or total > 1 + 1e-9 or (not rest and abs(total - 1) > 1e-6) or (rest and total >= 1):
        raise StudyError(
            f"--prevalence {text!r}: each share lies between 0 and 1 and all classes together "
            "make 1"
        )
    counts = np.bincount(np.asarray(labels, dtype=np.int64), minlength=len(names)) + 0.5
    target = np.array([given.get(name, 0.0) for name in names])
    if rest:
        target[rest] = (1 - total) * counts[rest] / counts[rest].sum()
    return replace(spec, prevalence=tuple(float(x) for x in target / target.sum()))

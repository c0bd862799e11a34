"""`evaluate`: figures with intervals of predictions made anywhere, in memory or as run folders."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from ensemble_kit.core.errors import StudyError, some
from ensemble_kit.core.listening import Tell, say_nothing
from ensemble_kit.core.places import check_inputs_outside
from ensemble_kit.data.prediction_rows import Asked
from ensemble_kit.metrics.bootstrap import Method
from ensemble_kit.metrics.comparison import Comparison, compare
from ensemble_kit.metrics.evaluation import Evaluation
from ensemble_kit.metrics.evaluation import evaluate as evaluate_table
from ensemble_kit.metrics.isic import with_isic_rows
from ensemble_kit.metrics.slices import make_slices
from ensemble_kit.metrics.view import check_names_of_view
from ensemble_kit.runs.costs import CostsRecord
from ensemble_kit.study import DataSpec, EvaluationSpec, Study, StudySpec
from ensemble_kit.workflows.costs import (
    calibrated_by_folds,
    judge_costs,
    read_costs,
    write_costs,
)
from ensemble_kit.workflows.evaluating import Evaluated, check_name, write_evaluated
from ensemble_kit.workflows.in_memory import column_names, numbers_of, read_in_memory
from ensemble_kit.workflows.inputs import RUNS_DIR, run_name
from ensemble_kit.workflows.matching import Matched, read_matched

METHODS: tuple[Method, ...] = ("auto", "percentile", "bca")


def evaluate(
    probabilities: Any,
    labels: Any,
    *,
    groups: Any = None,
    class_names: Sequence[str] | None = None,
    folds: Any = None,
    settings: EvaluationSpec | None = None,
    seed: int = 0,
    interval: str = "auto",
) -> Evaluation:
    """Figures with intervals for probabilities in memory; no run folder is read or written.

    probabilities : (n, C) rows that sum to 1; a DataFrame (columns: classes) or an array.
    labels : (n,) names of classes, or integers that number them as the columns do.
    groups : (n,) lesion or patient of each image, the unit that intervals resample; default:
        every image is a group of its own.
    class_names : C names; default: the DataFrame's columns, else "0", "1" …
    folds : (n,) int fold of each image, for figures by fold. settings : replicates, level,
        malignant classes; see ``docs/metrics.md``. interval : "auto"
        (docs/metrics.md), "percentile" or "bca".
    Returns an ``Evaluation``: ``.to_frame()`` (one figure a row), ``.figure(...)``, ``.curves``.
    Raises PredictionsError naming rows that do not fit.
    """
    table, drawn, predictions = read_in_memory(probabilities, labels, groups, class_names, folds)
    return evaluate_table(
        table, drawn, predictions, settings or settings_for(probabilities, class_names), seed,
        method=_method(interval),
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class EvaluatedRun:
    """One evaluated set of predictions: its name, run folder and figures."""

    name: str
    folder: Path
    evaluation: Evaluation
    malignant: tuple[str, ...] = ()
    costs: CostsRecord | None = None


@dataclass(frozen=True, eq=False)
class EvaluatedFiles:
    """What :func:`evaluate_files` found. comparison : paired differences, None for one file."""

    matched: Matched
    runs: tuple[EvaluatedRun, ...]
    comparison: Comparison | None


def evaluate_files(
    predictions: Sequence[Path],
    *,
    truth: Path | None = None,
    folds_file: Path | None = None,
    name: str | None = None,
    runs_dir: Path = RUNS_DIR,
    settings: EvaluationSpec | None = None,
    seed: int = 0,
    interval: str = "auto",
    isic_conventions: bool = False,
    overwrite: bool = False,
    asked: Asked | None = None,
    reading: DataSpec | None = None,
    align: bool = False,
    costs: Path | None = None,
    tell: Tell = say_nothing,
) -> EvaluatedFiles:
    """A run folder for each table of predictions; several are compared in pairs.

    name : of the run, with several files a prefix; default: each file's name. costs : table of
    classes and actions, by which each image gets the action of least expected cost. Raises RunError
    where a name is taken by a run of something else, before anything is computed. tell : hears
    "matched" (the tables read) and "evaluating" (the name of each).
    """
    method = _method(interval)
    settings = settings or EvaluationSpec()
    asked = replace(asked or Asked(), slices=settings.slices)
    matched = read_matched(predictions, truth, folds_file, asked, align=align, data=reading)
    tell("matched", notes=matched.notes, warnings=matched.warnings)
    check_names_of_view(settings.malignant, matched.table.class_names)
    make_slices(matched.table, settings.slices)
    priced = None if costs is None else read_costs(costs, matched.table.class_names)
    table, folds = matched.table, matched.folds
    studies = [
        Study(
            evaluation=settings.model_dump(),
            name=_name(member, name, len(predictions)),
            split={"seed": seed},
        )
        for member, _ in matched.members
    ]
    read = [*predictions, *filter(None, (truth, folds_file, costs))]
    for study, (_, member) in zip(studies, matched.members, strict=True):
        check_inputs_outside(runs_dir / study.name, "--name", read)
        check_name(runs_dir, study, table, folds, member, overwrite)
    comparison = None
    if len(matched.members) > 1:
        comparison = compare(table, folds, matched.members, settings, seed)
    runs = []
    for study, (member_name, member), raw in zip(
        studies, matched.members, matched.raw, strict=True
    ):
        tell("evaluating", name=member_name, replicates=settings.replicates)
        evaluation = evaluate_table(table, folds, member, settings, seed, method=method)
        if isic_conventions:
            evaluation = with_isic_rows(evaluation, table, member, raw)
        work = Evaluated(
            study, table, folds, member, evaluation, seed,
            matched.notes, matched.warnings, comparison,
        )  # fmt: skip
        written = write_evaluated(
            runs_dir, work, partial(check_name, runs_dir, study, table, folds, member, overwrite)
        )
        judged = None
        if priced is not None:
            p, fitted = calibrated_by_folds(table, folds, member)
            judged = judge_costs(table, p, priced, fitted, settings.level)
            write_costs(written, table, p, priced, judged)
        runs.append(EvaluatedRun(member_name, written, evaluation, settings.malignant, judged))
    return EvaluatedFiles(matched, tuple(runs), comparison)


def _name(member: str, name: str | None, members: int) -> str:
    """The run of one member: by the name given, a prefix where there are several, or its own."""
    if name is None:
        return run_name(member)
    return name if members == 1 else f"{name}-{run_name(member)}"


def _method(interval: str) -> Method:
    if interval not in METHODS:
        raise StudyError(f"--interval {interval!r}: give auto, percentile or bca")
    return next(method for method in METHODS if method == interval)


def settings_for(
    probabilities: Any,
    class_names: Sequence[str] | None,
    malignant: Sequence[str] | None = None,
    **settings: Any,
) -> EvaluationSpec:
    """Checked settings; without ``malignant`` those of the default classes that the data has."""
    shape = numbers_of(probabilities).shape
    own = getattr(probabilities, "columns", None) if class_names is None else class_names
    names = column_names(shape[1], own) if len(shape) == 2 else ()
    if malignant is None:
        malignant = [name for name in EvaluationSpec().malignant if name in names]
    elif unknown := sorted(set(malignant) - set(names)):
        raise StudyError(f"malignant {some(unknown)}: the classes are {some(names)}")
    changes = settings | {"malignant": tuple(malignant)}
    return StudySpec().override({"evaluation": changes}).evaluation

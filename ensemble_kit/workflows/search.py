"""`tune`: search a study's settings on fixed, group-safe folds."""

import re
import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import pandas as pd

from ensemble_kit.core.errors import OutputError, SearchError, StudyError
from ensemble_kit.core.folders import named_by_process
from ensemble_kit.core.listening import Tell, say_nothing
from ensemble_kit.core.machine import memory
from ensemble_kit.core.places import check_output, check_output_folder
from ensemble_kit.core.records import Folds, ImageTable
from ensemble_kit.data.giveaways import asked_columns
from ensemble_kit.data.sample.folder import sample_folder
from ensemble_kit.runs.manifest import is_run
from ensemble_kit.runs.paths import TUNING
from ensemble_kit.stores.locks import reading_stores
from ensemble_kit.study import StudySpec
from ensemble_kit.study.members import refuse_members
from ensemble_kit.training.executors import check_place
from ensemble_kit.training.preparing import Resources, check_inner_holdout
from ensemble_kit.training.table_member import TableInputs
from ensemble_kit.training.workers import Workers
from ensemble_kit.tuning.costs import SpaceCost, check_jobs, cost_of_space
from ensemble_kit.tuning.epochs import check_pruner
from ensemble_kit.tuning.evaluating import Evaluator, Judge
from ensemble_kit.tuning.journal import JOURNAL
from ensemble_kit.tuning.nested import Nested, nested_sentence, run_nested
from ensemble_kit.tuning.opening import SearchRequest, open_study
from ensemble_kit.tuning.plots import write_plots
from ensemble_kit.tuning.sampling import check_space
from ensemble_kit.tuning.search import run_search
from ensemble_kit.tuning.storage import StoragePlace, reachable
from ensemble_kit.tuning.summary import SearchResult, is_best, summarise, write_best, write_tuning
from ensemble_kit.tuning.table_evaluating import TableEvaluator
from ensemble_kit.workflows.cv_tables import Frame, read_table_run
from ensemble_kit.workflows.inputs import Images, check_outputs, draws_of, images_of

STUDIES_DIR = Path("studies")


@dataclass(frozen=True, eq=False)
class SearchPlan:
    """What a search would ask of the stores, before anything starts. cost, inputs : the one of
    images, the other (with its notes) of features, which need no store."""

    images: ImageTable
    study: StudySpec
    folds: Folds
    cost: SpaceCost | None
    inputs: TableInputs | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class FinishedSearch:
    """A search that has ended or rests. study_file : the best study, ready for `cv`."""

    result: SearchResult
    search: StudySpec
    nested: Nested | None
    study_file: Path

    @property
    def study(self) -> StudySpec:
        """The best study."""
        return self.result.spec

    @property
    def best_value(self) -> float:
        """Its out-of-fold score: the best of all trials on these images, so it flatters."""
        value = self.result.best.value
        assert value is not None
        return value

    @cached_property
    def trials(self) -> pd.DataFrame:
        """One trial a row: number, state, value, seconds, pruned_after and the parameters."""
        return pd.DataFrame(
            [
                {"number": t.number, "state": t.state, "value": t.value, "seconds": t.seconds,
                 "pruned_after": t.pruned_after} | dict(t.params)
                for t in self.result.trials
            ]
        )  # fmt: skip

    def __repr__(self) -> str:
        return (
            f"<search {self.result.name!r}: {len(self.result.trials)} trials, best "
            f"{self.search.search.metric} {self.best_value:.4f}, {self.study_file}>"
        )


def plan_search(
    images: Images,
    study: StudySpec,
    *,
    folds: Folds | None = None,
    resources: Resources | None = None,
    features: Frame = None,
    dry: bool = True,
) -> SearchPlan:
    """Check the space and say what it can ask for. features : made elsewhere, in place of the
    study's. dry : nothing is remembered on disk.

    Raises StudyError or SearchError for a space, pruner or number of jobs that cannot be.
    """
    resources = resources or Resources()
    refuse_members(study.members, "a search")
    if features is not None:
        study = study.override({"model": {"inputs": "features"}})
    if study.model.inputs == "metadata":
        raise StudyError(
            "metadata alone leaves nothing to search: `cv --metadata-only` chooses its penalty "
            "itself"
        )
    check_outputs(images, study, {"--store": resources.store_dir})
    check_stopping(study)
    check_space(study)
    check_pruner(study)
    if study.model.inputs == "features":
        return _plan_of_features(images, study, folds, resources, features, dry=dry)
    check_jobs(resources.jobs, memory())
    check_place(study.cluster)
    with sample_folder(resources.store_dir, keep=not dry) as sample:
        table = images_of(images, study, sample)
        study, draws = draws_of(table, study.override({"split": {"repeats": 1}}), folds)
        asked_columns(table, study.model.metadata, study.model.metadata_anyway)
        check_inner_holdout(table, draws, study)
        return SearchPlan(table, study, draws[0], cost_of_space(table, study, resources, dry=dry))


def _plan_of_features(
    images: Images, study: StudySpec, folds: Folds | None, resources: Resources, features: Frame,
    *, dry: bool,
) -> SearchPlan:  # fmt: skip
    """The same for features: all of them are read and checked."""
    if study.search.cost:
        raise SearchError("--cost is the cost of networks on images; leave it out with features")
    if isinstance(features, (str, Path)):
        study = study.override({"data": {"features": str(features)}})
    study = study.override({"split": {"repeats": 1}})
    with sample_folder(resources.store_dir, keep=not dry) as sample:
        found = read_table_run(images, study, features, folds, sample)
    told = (*found.warnings, *([found.left_out] if found.left_out else []))
    return SearchPlan(found.table, found.study, found.draws[0], None, found.inputs, told)


def tune(
    images: Images,
    study: StudySpec,
    *,
    folds: Folds | None = None,
    trials: int | None = None,
    name: str | None = None,
    studies_dir: Path = STUDIES_DIR,
    storage: str = "",
    heartbeat: int = 30,
    minutes: float | None = None,
    resume: bool = False,
    nested: bool = False,
    plots: bool = False,
    resources: Resources | None = None,
    features: Frame = None,
    command: str = "tune",
    tell: Tell = say_nothing,
) -> FinishedSearch:
    """Search the study's space; every trial on the same folds, poor ones stopped early.

    trials : default: the study's. storage : database address for several workers; default: a file
    below ``studies_dir``. heartbeat : seconds between signs of life in a database. minutes : begin
    no fold after so long. resume : continue or join a search of this name. nested : also search
    inside each outer training part, for the honest score of the whole procedure. features : made
    elsewhere, in place of the study's. command : what the best study's file says it was chosen by.
    tell : hears every step; "planned" first.
    """
    resources = resources or Resources()
    study = study.override({"search": {"trials": trials}})
    named = checked_name(name or study.name)
    best = check_search_places(named, studies_dir, storage)
    plan = plan_search(
        images, study, folds=folds, resources=resources, features=features, dry=False
    )
    study = plan.study
    tell("planned", plan=plan, name=named)
    place = StoragePlace(studies_dir / "store" / named, storage, heartbeat)
    deadline = None if minutes is None else time.monotonic() + 60 * minutes
    inputs = plan.inputs.digest if plan.inputs else ""
    request = SearchRequest(named, study, place, deadline, resume, inputs)
    if plan.cost is not None:
        resources = replace(resources, store_limit=plan.cost.store_limit)
    with reachable(place):
        result, estimate = _search(request, plan, resources, tell, nested, plots)
    said = nested_sentence(estimate, study.search.metric) if estimate else ""
    write_best(result, best, command, study.search, said)
    return FinishedSearch(result, study, estimate, best)


def check_stopping(study: StudySpec) -> None:
    """SearchError where each trial's epoch would be chosen on the rows that rank it."""
    if study.training.early_stopping == "validation":
        raise SearchError(
            'early_stopping = "validation" chooses each trial\'s epoch on the very images that '
            "score it, so no score of the search would be out of fold (nor the nested one); set "
            'early_stopping = "inner" or "none"'
        )


def _search(
    request: SearchRequest,
    plan: SearchPlan,
    resources: Resources,
    tell: Tell,
    nested: bool,
    plots: bool,
) -> tuple[SearchResult, Nested | None]:
    table, folds, spec = plan.images, plan.folds, request.spec
    study = open_study(request, table, folds)
    folder = request.place.folder
    events = folder / named_by_process(".events")
    with ExitStack() as held:
        evaluator: Judge
        if plan.inputs is not None:
            evaluator = TableEvaluator(table, plan.inputs, spec.search.metric)
        else:
            held.enter_context(reading_stores(resources.store_dir))
            workers = held.enter_context(
                Workers(
                    resources.jobs, events, lambda event: tell(**event), spec.cluster,
                    (resources.store_dir, folder),
                )
            )  # fmt: skip
            workers.alone().warm_up()
            evaluator = Evaluator(table, spec, resources, workers, folder / "folds", tell)
        run_search(study, request, evaluator, folds, tell)
        result = summarise(study, request.name, spec, table)
        write_tuning(result, folder, spec.search)
        estimate = None
        if nested:
            estimate = run_nested(request, table, folds, evaluator, tell)
            nested_record = estimate.record(spec.search.metric)
            write_tuning(result, folder, spec.search, estimate.optimism, nested_record)
    if plots:
        write_plots(study, spec.search, folder / "plots")
    return result, estimate


def check_search_places(name: str, studies_dir: Path, storage: str = "") -> Path:
    """The file of the best study of a search. OutputError where it or the search's folder may not
    be written: in or over a run, a store, or a file that no search wrote."""
    folder = studies_dir / "store" / name
    check_output_folder(folder, "--studies-dir", beside_stores=True)
    if is_run(folder):
        raise OutputError(
            f"{folder} is a run, whose files stay as they were made: give another --name or "
            "--studies-dir"
        )
    if not storage and (folder / TUNING).exists() and not (folder / JOURNAL).exists():
        raise OutputError(
            f"{folder} holds a {TUNING} but no {JOURNAL}, whose search it would be: restore that, "
            "give the --storage of that search, or another --name"
        )
    best = studies_dir / f"{name}.best.toml"
    check_output(best, "--name", ours=is_best)
    return best


def checked_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}", name):
        raise SearchError(
            f"--name {name!r}: a search is named by up to 80 letters, digits, '.', '_' and '-', "
            "beginning with a letter or digit; give another --name"
        )
    return name

"""The listener that hands what it hears to a tracker: a run, a child a fold or trial, figures."""

import math
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ensemble_kit.metrics.evaluation import POOLED, Evaluation
from ensemble_kit.runs.ensembles import EnsembleRecord
from ensemble_kit.runs.folds import COLUMNS, has_history, read_history
from ensemble_kit.runs.paths import METRICS, STUDY, fold_folder
from ensemble_kit.study import StudySpec
from ensemble_kit.tracking.base import Status, TrackedRun, Tracker
from ensemble_kit.workflows.finished import FinishedRun
from ensemble_kit.workflows.page import report
from ensemble_kit.workflows.search import FinishedSearch

OF_AN_EPOCH = tuple(name for name in COLUMNS if name not in ("phase", "epoch"))


@dataclass
class _Fold:
    """A child run. job : what trains it, None until its first epoch, "" where nothing does any
    more; epochs of another job are a variant's (``--fractions``, ``--leak-audit``)."""

    run: TrackedRun
    job: str | None = None
    epochs: set[tuple[object, object]] = field(default_factory=set)

    def epoch(self, facts: Mapping[str, Any]) -> None:
        """Epochs of the head and of the last blocks are counted on; a fold begun anew tells its
        epochs again, the same ones."""
        if (facts["phase"], facts["epoch"]) in self.epochs:
            return
        values = {name: facts[name] for name in OF_AN_EPOCH if name in facts}
        self.run.metrics(_finite(values) | {"epoch_of_phase": facts["epoch"]}, len(self.epochs))
        self.epochs.add((facts["phase"], facts["epoch"]))


class Tracking:
    """Listens as ``progress`` does. Its ``finish…`` adds figures with intervals and the page.

    tracker : None copies nothing. A tracker that fails is given up with one warning: the work
    goes on.
    """

    def __init__(self, tracker: Tracker | None, warn: Callable[[str], None]) -> None:
        self._tracker, self._warn = tracker, warn
        self._parents: dict[str, TrackedRun] = {}
        self._folds: dict[str, dict[tuple[int, int], _Fold]] = {}
        self._now = ""
        self._search, self._outer = "", ""
        self._trial: TrackedRun | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        stopped = kind is not None and not issubclass(kind, Exception)
        status: Status = "finished" if kind is None else "killed" if stopped else "failed"
        self._try(lambda: self._end(status))

    def tell(self, kind: str, **facts: Any) -> None:
        """Take note of one step or event; unknown kinds are ignored."""
        listener = getattr(self, f"_on_{kind}", None)
        if listener is not None:
            self._try(lambda: listener(**facts))

    def finish(self, run: FinishedRun) -> None:
        """Figures, tables and page of a finished run."""
        self._try(lambda: self._finish(run))

    def finish_search(self, found: FinishedSearch) -> None:
        """The best study of a search, its score and its file."""
        self._try(lambda: self._finish_search(found))

    def _on_begin(self, spec: StudySpec, folds: int, name: str) -> None:
        self._now = name
        self._begin(name, "cv", parameters_of(spec))

    def _on_fold_started(self, repeat: int, fold: int) -> None:
        if self._now:
            self._fold(self._now, repeat, fold)

    def _on_fold_kept(self, repeat: int, fold: int) -> None:
        kept = self._fold(self._now, repeat, fold)
        if kept.job is None:
            kept.job = ""

    def _on_epoch(self, **facts: Any) -> None:
        if not self._now:
            return
        fold = self._fold(self._now, facts["repeat"], facts["fold"])
        if fold.job is None:
            fold.job = facts["job"]
        if fold.job == facts["job"]:
            fold.epoch(facts)

    def _on_planned(self, plan: Any, name: str) -> None:
        self._search = name
        self._begin(name, "tune", parameters_of(plan.study))

    def _on_outer_fold(self, fold: int, folds: int) -> None:
        self._outer = f"outer fold {fold}, "

    def _on_trial_started(self, number: int, spec: StudySpec, params: Mapping[str, Any]) -> None:
        assert self._tracker is not None
        parent = self._parents[self._search]
        self._trial = self._tracker.begin(f"{self._outer}trial {number}", "trial", parent)
        self._trial.parameters({name: str(value) for name, value in params.items()})

    def _on_fold_judged(self, number: int, folds: int, score: float) -> None:
        if self._trial is not None:
            self._trial.metrics(_finite({"score": score}), folds)

    def _on_trial_ended(self, trials: Sequence[Any], number: int) -> None:
        if self._trial is None:
            return
        trial = next((t for t in trials if t.number == number), None)
        state = "FAIL" if trial is None else trial.state
        if trial is not None:
            self._trial.metrics(_finite({"value": trial.value, "seconds": trial.seconds}))
            self._trial.parameters({"state": state.lower()})
        self._trial.end("failed" if state == "FAIL" else "finished")
        self._trial = None

    def _begin(self, name: str, kind: str, parameters: Mapping[str, str]) -> TrackedRun:
        assert self._tracker is not None
        self._parents[name] = begun = self._tracker.begin(name, kind)
        self._folds[name] = {}
        begun.parameters(parameters)
        return begun

    def _fold(self, name: str, repeat: int, fold: int) -> _Fold:
        assert self._tracker is not None
        children = self._folds[name]
        if (repeat, fold) not in children:
            called = f"fold {fold}" + (f" of repeat {repeat}" if repeat else "")
            run = self._tracker.begin(called, "fold", self._parents[name])
            run.parameters({"fold": str(fold), "repeat": str(repeat)})
            children[repeat, fold] = _Fold(run)
        return children[repeat, fold]

    def _finish(self, run: FinishedRun) -> None:
        parent = self._parents.get(run.name)
        if parent is None:
            parent = self._begin(run.name, run.kind, _chain_of(run) | parameters_of(run.study))
        evaluation = run.evaluation
        if run.kind == "cv":
            for fold in range(run.record.folds.n_folds):
                child = self._fold(run.name, 0, fold)
                folder = fold_folder(run.folder, 0, fold)
                if not child.epochs and has_history(folder):
                    for epoch in read_history(folder):
                        child.epoch(asdict(epoch))
                child.run.metrics(figures_of(evaluation, f"fold {fold}"))
        parent.metrics(figures_of(evaluation, POOLED))
        for name in (STUDY, METRICS):
            if (run.folder / name).is_file():
                parent.artefact(run.folder / name)
        with tempfile.TemporaryDirectory() as place:
            parent.artefact(report(run, to=Path(place) / f"{run.name}.html").page)

    def _finish_search(self, found: FinishedSearch) -> None:
        parent = self._parents[self._search]
        best = found.result.best
        parent.metrics(_finite({"best_value": best.value, "best_trial": best.number}))
        parent.artefact(found.study_file)

    def _end(self, status: Status) -> None:
        if self._trial is not None:
            self._trial.end(status)
        for name, parent in self._parents.items():
            for child in self._folds[name].values():
                child.run.end(status)
            parent.end(status)

    def _try(self, work: Callable[[], None]) -> None:
        if self._tracker is None:
            return
        try:
            work()
        except Exception as error:
            self._tracker = None
            self._warn(
                f"warning: tracking stopped ({type(error).__name__}: {error}); the work goes on, "
                "and what was told so far is in the tracker"
            )


def parameters_of(study: StudySpec) -> dict[str, str]:
    """A study's settings by section and name, as in ``model.backbone``, but for where it runs;
    empty ones left out."""
    return dict(_flat(study.model_dump(mode="json", exclude={"search", "cluster"})))


def _chain_of(run: FinishedRun) -> dict[str, str]:
    """What an ensemble was made of and how."""
    if run.kind != "ensemble":
        return {}
    made = EnsembleRecord.read(run.folder)
    members = ", ".join(member.name for member in made.members)
    asked = {"method": made.method, "calibrator": made.calibrator, "objective": made.objective}
    return asked | {"members": members}


def _flat(values: Mapping[str, Any], before: str = "") -> Iterable[tuple[str, str]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{name}.")
        elif value not in (None, "", [], ()):
            yield f"{before}{name}", str(value)


def figures_of(evaluation: Evaluation, scope: str) -> dict[str, float]:
    """Figures of a scope by name, those of a class as ``CLASS/name``, each with the bounds of its
    interval as ``name.low`` and ``name.high``."""
    found: dict[str, float | None] = {}
    for row in evaluation.rows:
        name = f"{row.class_name}/{row.metric}" if row.class_name else row.metric
        if row.scope == scope and name not in found:
            e = row.estimate
            found |= {name: e.value, f"{name}.low": e.low, f"{name}.high": e.high}
    return _finite(found)


def _finite(values: Mapping[str, Any]) -> dict[str, float]:
    return {k: float(v) for k, v in values.items() if v is not None and math.isfinite(v)}

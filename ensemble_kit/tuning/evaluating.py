"""A study judged on fixed folds, one fold after another, every fold trained at most once."""

import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import wait
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from ensemble_kit.core.listening import Tell
from ensemble_kit.core.records import Bools, Floats, Folds, ImageTable, Predictions
from ensemble_kit.models.draws import FoldSeed
from ensemble_kit.runs.folds import fold_predictions
from ensemble_kit.study import StudySpec
from ensemble_kit.study.space import Metric
from ensemble_kit.training.events import Event
from ensemble_kit.training.fold import (
    FoldCancelled,
    fold_epochs,
    read_done,
)
from ensemble_kit.training.jobs import FoldJob
from ensemble_kit.training.preparing import Prepared, Resources, fold_job, prepare_study
from ensemble_kit.training.workers import Workers
from ensemble_kit.tuning.losses import FoldLoss, fold_loss, score
from ensemble_kit.tuning.sampling import values_of

Heard = Callable[[Event], bool]
MOST_MEMORY = 2.2e9
"""Bytes a worker may have grown to: each network of other settings leaves some behind."""


@dataclass(frozen=True, eq=False)
class FoldResult:
    """A study after some of its folds. loss : of the last fold. score : pooled over all so far.
    known : (n,) mask of the rows predicted; probabilities : (n, C), 0 elsewhere."""

    folds: int
    loss: FoldLoss
    score: float
    known: Bools
    probabilities: Floats


class Judge(Protocol):
    """What a search asks of whatever fits the folds of its studies."""

    def after_each_fold(
        self, spec: StudySpec, folds: Folds, heard: Heard | None = None
    ) -> Iterator[FoldResult]: ...

    def predict_fold(self, spec: StudySpec, folds: Folds, fold: int) -> Predictions: ...


def judged(
    table: ImageTable, folds: Folds, metric: Metric, parts: Iterable[Predictions]
) -> Iterator[FoldResult]:
    """A study after one fold, after two, and so on. parts : held-out rows of fold 0, of fold 1 …"""
    known = np.zeros(len(table), np.bool_)
    probabilities = np.zeros((len(table), table.n_classes))
    for fold, part in enumerate(parts):
        held = folds.held_out(fold)
        probabilities[held] = part.in_order_of(table.image_ids[held]).probabilities
        known |= held
        groups = table.group_codes[held]
        loss = fold_loss(metric, table.labels[held], probabilities[held], groups)
        pooled = score(metric, table.labels[known], probabilities[known])
        yield FoldResult(fold + 1, loss, pooled, known.copy(), probabilities.copy())


class Evaluator:
    """Trains the folds of any study of a search; keeps workers warm and stores shared.

    folds : rows of fold -1 are in no fold and never seen. scratch : folder of fold results, named
    by what determines them, so that a trial tried again or drawn twice is read back.
    """

    def __init__(
        self,
        table: ImageTable,
        space: StudySpec,
        resources: Resources,
        workers: Workers,
        scratch: Path,
        tell: Tell,
    ) -> None:
        self.table, self._space, self._resources = table, space, resources
        self._workers, self._scratch, self._tell = workers, scratch, tell
        self._prepared: dict[tuple[object, ...], Prepared] = {}

    def after_each_fold(
        self, spec: StudySpec, folds: Folds, heard: Heard | None = None
    ) -> Iterator[FoldResult]:
        """The study after one fold, after two, and so on; folds of one wave train side by side.

        heard : gets every epoch's event, also of folds trained before; once it says True the
        training ends and FoldCancelled is raised.
        """
        prepared, jobs = self._stores(spec), self._workers.jobs
        waves = [
            range(first, min(first + jobs, folds.n_folds))
            for first in range(0, folds.n_folds, jobs)
        ]
        parts = (p for wave in waves for p in self._train(prepared, spec, folds, wave, heard))
        return judged(self.table, folds, self._space.search.metric, parts)

    def predict_fold(self, spec: StudySpec, folds: Folds, fold: int) -> Predictions:
        """What a model trained outside one fold says of that fold."""
        return self._train(self._stores(spec), spec, folds, range(fold, fold + 1))[0]

    def _train(
        self,
        prepared: Prepared,
        spec: StudySpec,
        folds: Folds,
        wave: range,
        heard: Heard | None = None,
    ) -> list[Predictions]:
        jobs = []
        for fold in wave:
            seed = FoldSeed(spec.split.seed, 0, fold)
            job = fold_job(
                prepared, spec, folds, seed, self._scratch, self._workers, keep_model=False
            )
            jobs.append(replace(job, folder=job.folder / job.digest[:16] / f"fold_{fold}"))
        missing = []
        for job in jobs:
            if read_done(job.folder, job.digest) is None:
                missing.append(job)
            elif heard is not None and any(heard(event) for event in fold_epochs(job)):
                raise FoldCancelled
        self._order(missing, heard)
        return [fold_predictions(job.folder) for job in jobs]

    def _order(self, jobs: Sequence[FoldJob], heard: Heard | None) -> None:
        """Have folds trained. None of them is left at work, whatever ends the wait, but Ctrl-C."""
        stop = self._workers.events.absolute() / f"stop-{uuid.uuid4().hex}"
        mine = {job.digest for job in jobs}
        orders = [self._workers.train(replace(job, stop=stop)) for job in jobs]

        told = set()

        def listen(event: Event) -> None:
            if heard is None or event.get("job") not in mine:
                return
            epoch = event["job"], event.get("phase"), event.get("epoch")
            if epoch not in told and heard(event):  # a fold begun anew tells its epochs again
                stop.touch()
            told.add(epoch)

        try:
            self._workers.finish(orders, listen)
            if stop.exists():
                raise FoldCancelled
        except Exception:
            stop.touch()
            wait(orders)
            raise
        finally:
            stop.unlink(missing_ok=True)
        done = [read_done(job.folder, job.digest) for job in jobs]
        if any(fold is not None and fold.peak_memory > MOST_MEMORY for fold in done):
            self._workers.renew()

    def _stores(self, spec: StudySpec) -> Prepared:
        """Pixels and activations for a study, with every cut the search can ask for at its size."""
        model, training = spec.model, spec.training
        key = (model.backbone, model.image_size, training.augment, training.views)
        if key not in self._prepared:
            depths = values_of(self._space, "unfreeze_depth")
            self._prepared[key] = prepare_study(
                self.table, spec, self._resources, self._workers, depths=depths, tell=self._tell
            )
        return self._prepared[key]

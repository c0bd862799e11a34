"""The search itself: trials taken from a queue, judged fold by fold, stopped when beyond hope."""

import time
from collections.abc import Iterator
from typing import Any

import optuna
from optuna.trial import TrialState

from ensemble_kit.core.errors import OutputError, StoreError, WeightsError
from ensemble_kit.core.listening import Tell
from ensemble_kit.core.records import Folds
from ensemble_kit.models import find_backbone
from ensemble_kit.study import StudySpec
from ensemble_kit.training.fold import FoldCancelled
from ensemble_kit.tuning.epochs import EpochWatch, make_pruner, prunes_epochs
from ensemble_kit.tuning.evaluating import FoldResult, Judge
from ensemble_kit.tuning.losses import FoldLoss
from ensemble_kit.tuning.opening import WAIT_SECONDS, SearchRequest
from ensemble_kit.tuning.pruning import Rival, judge, make_rival
from ensemble_kit.tuning.sampling import make_sampler, suggest
from ensemble_kit.tuning.storage import (
    FAILURE,
    SLOT,
    WORKER,
    queue_again,
    retry_orphans,
    signed_on,
)
from ensemble_kit.tuning.trials import (
    FOLDS,
    PRUNED_AFTER,
    SCORE,
    SURPLUS,
    best_trial,
    complete_trials,
    current_trials,
    keep_losses,
    losses_of,
    read_trials,
)

STOPPED = (KeyboardInterrupt, OutputError, StoreError, WeightsError)


class _OutOfTimeError(Exception):
    """The time given to a search is over; what has begun is queued again."""


class _SurplusError(Exception):
    """A trial that another worker's haste left without a slot."""


def run_search(
    study: optuna.Study,
    request: SearchRequest,
    evaluator: Judge,
    folds: Folds,
    tell: Tell,
) -> None:
    """Work through the queue until it is empty and no worker has a trial in hand.

    tell : receives "trial_started", "trial_ended". A trial that fails is told and counted; what
    would fail every trial (no store, no weights, no disk) or Ctrl-C queues the trial again and is
    raised.
    """
    with signed_on(request.place.folder) as worker:
        attempt = _Attempt(study, request, evaluator, folds, worker, tell)
        while not _over(request):
            if not request.place.url:
                retry_orphans(study, request.place.folder, worker)
            states = [trial.state for trial in study.get_trials(deepcopy=False)]
            if TrialState.WAITING not in states or _enough(study, request.spec.search.trials):
                if TrialState.RUNNING not in states:
                    break
                _fail_silent_workers(study)
                time.sleep(WAIT_SECONDS)
                continue
            study.sampler = make_sampler(request.spec, states)
            study.pruner = make_pruner(request.spec)
            try:
                study.optimize(attempt, n_trials=1, catch=(Exception,))
            except optuna.exceptions.UpdateFinishedTrialError:
                tell("trial_lost")
            finally:
                attempt.close()
            if attempt.fatal is not None:
                raise attempt.fatal


def inference_cost(spec: StudySpec) -> float:
    """Milliseconds an image on two cores, by the backbone's speed and the square of the size: for
    comparing trials, not for promising."""
    speed = find_backbone(spec.model.backbone).speed
    return 1000 / speed * (spec.model.image_size / 128) ** 2


class _Attempt:
    """The objective: one trial from its parameters to its score."""

    def __init__(
        self,
        study: optuna.Study,
        request: SearchRequest,
        evaluator: Judge,
        folds: Folds,
        worker: str,
        tell: Tell,
    ) -> None:
        self._study, self._request, self._evaluator = study, request, evaluator
        self._folds, self._worker, self._tell = folds, worker, tell
        self._running: optuna.Trial | None = None
        self.fatal: BaseException | None = None

    def __call__(self, trial: optuna.Trial) -> float | tuple[float, ...]:
        self._running, self.fatal = trial, None
        if trial.user_attrs.get(SLOT) is None:
            trial.set_user_attr(SURPLUS, True)
            raise _SurplusError
        try:
            trial.set_user_attr(WORKER, self._worker)
            return self._judge(trial)
        except optuna.TrialPruned:
            raise
        except (*STOPPED, _OutOfTimeError, OSError) as error:
            self.fatal = error
            raise
        except Exception as error:
            trial.set_user_attr(FAILURE, _sentence(error))
            raise

    def close(self) -> None:
        """After a trial: queue it again if it was stopped from outside, and tell how it ended."""
        if self._running is None:
            return
        number, self._running = self._running.number, None
        trial = next(t for t in self._study.get_trials(deepcopy=False) if t.number == number)
        stopped = trial.state == TrialState.FAIL and not (
            trial.user_attrs.get(FAILURE) or trial.user_attrs.get(SURPLUS)
        )
        if stopped:
            queue_again(self._study, trial, blame=False)
        if isinstance(self.fatal, _OutOfTimeError):
            self.fatal = None
        if not stopped:
            self._tell("trial_ended", trials=read_trials(self._study), number=number)

    def _judge(self, trial: optuna.Trial) -> float | tuple[float, ...]:
        spec = suggest(trial, self._request.spec)
        search, cost = self._request.spec.search, inference_cost(spec)
        self._tell("trial_started", number=trial.number, spec=spec, params=dict(trial.params))
        rival = self._rival(cost if search.cost else None)
        watch = EpochWatch(trial, self._request.spec) if prunes_epochs(spec) else None
        losses: list[FoldLoss] = []
        result = None
        for result in self._after_each_fold(trial, spec, watch):
            losses.append(result.loss)
            keep_losses(trial, result.folds - 1, result.loss)
            trial.set_user_attr(SCORE, result.score)
            trial.set_user_attr(FOLDS, result.folds)
            self._tell("fold_judged", number=trial.number, folds=result.folds, score=result.score)
            if not search.cost and watch is None:
                trial.report(result.score, result.folds)
            if result.folds == self._folds.n_folds:
                break
            if rival is not None and judge(losses, rival, min_gain=search.min_gain).prune:
                trial.set_user_attr(PRUNED_AFTER, result.folds)
                raise optuna.TrialPruned
            if _over(self._request):
                raise _OutOfTimeError
        assert result is not None
        return (result.score, cost) if search.cost else result.score

    def _after_each_fold(
        self, trial: optuna.Trial, spec: StudySpec, watch: EpochWatch | None
    ) -> Iterator[FoldResult]:
        """The trial's folds one after another, until one of Optuna's pruners stops an epoch."""
        if watch is None:
            yield from self._evaluator.after_each_fold(spec, self._folds)
            return
        folds = 0
        try:
            for result in self._evaluator.after_each_fold(spec, self._folds, watch.heard):
                folds = result.folds
                yield result
        except FoldCancelled:
            trial.set_user_attr(PRUNED_AFTER, folds)
            raise optuna.TrialPruned from None

    def _rival(self, within_cost: float | None) -> Rival | None:
        if self._request.spec.search.pruner != "paired":
            return None
        best = best_trial(self._study, within_cost)
        if best is None:
            return None
        n = self._folds.n_folds
        others = [t for t in complete_trials(self._study) if t.number != best.number]
        return make_rival(losses_of(best, n), [losses_of(other, n) for other in others])


def _enough(study: optuna.Study, wanted: int) -> bool:
    """Whether the trials asked for have ended or are in hand, whatever else still waits."""
    taken = [t for t in current_trials(study) if t.state != TrialState.WAITING]
    return len(taken) >= wanted


def _fail_silent_workers(study: optuna.Study) -> None:
    from ensemble_kit.tuning.storage import experimental

    with experimental():
        optuna.storages.fail_stale_trials(study)


def _over(request: SearchRequest) -> bool:
    return request.deadline is not None and time.monotonic() >= request.deadline


def _sentence(error: BaseException) -> str:
    text = " ".join(str(error).split())[:300]
    return text or type(error).__name__


def failures(trials: Any) -> list[str]:
    """``trial 3: reason`` of each failed trial."""
    return [f"trial {t.number}: {t.failure or 'its worker died'}" for t in trials
            if t.state == "FAIL"]  # fmt: skip

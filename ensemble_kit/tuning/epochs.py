"""Optuna's own pruners, asked after every epoch: they compare the learning curves of fold 0."""

from collections.abc import Mapping
from typing import Any

import optuna

from ensemble_kit.core.errors import SearchError
from ensemble_kit.study import StudySpec
from ensemble_kit.study.space import Metric
from ensemble_kit.tuning.sampling import values_of

EPOCH_FIGURES: Mapping[Metric, str] = {
    "log_loss": "val_loss",
    "roc_auc_ovr": "val_auc",
    "balanced_accuracy": "val_accuracy",
}
"""Figure of an epoch's early-stopping rows that goes with each metric, in its direction."""
STARTUP_TRIALS = 4


def prunes_epochs(spec: StudySpec) -> bool:
    return spec.search.pruner not in ("paired", "none")


def check_pruner(spec: StudySpec) -> None:
    """Raise SearchError where the study gives Optuna's pruners nothing to compare."""
    search = spec.search
    if not prunes_epochs(spec):
        return
    if spec.model.inputs == "features":
        raise SearchError(
            f"the pruner {search.pruner!r} compares epochs of networks on images, and features are "
            "stopped by folds: give --pruner paired"
        )
    if spec.training.early_stopping != "inner":
        raise SearchError(
            f"the pruner {search.pruner!r} compares epochs by rows held out of training, and "
            f"training.early_stopping is {spec.training.early_stopping!r}: set it to 'inner', or "
            "give --pruner paired"
        )
    if search.cost:
        raise SearchError(
            f"the pruner {search.pruner!r} knows one objective and --cost asks for two: give "
            "--pruner paired, or --no-cost"
        )


def make_pruner(spec: StudySpec) -> optuna.pruners.BasePruner:
    """The Optuna pruner of a study; none that ever prunes for "paired" and "none"."""
    last = sum(_most_epochs(spec))
    if spec.search.pruner == "median":
        return optuna.pruners.MedianPruner(n_startup_trials=STARTUP_TRIALS)
    if spec.search.pruner == "halving":
        return optuna.pruners.SuccessiveHalvingPruner()
    if spec.search.pruner == "hyperband":
        return optuna.pruners.HyperbandPruner(min_resource=1, max_resource=last)
    return optuna.pruners.NopPruner()


class EpochWatch:
    """Reports a trial's epochs to Optuna, in their order, until its pruner says to stop.

    Only fold 0 is reported: a later fold begins anew, and its first epochs would be compared with
    finished models. A step is an epoch's place in fold 0's head phase and then its fine-tuning, by
    the most epochs that the space allows.
    """

    def __init__(self, trial: optuna.Trial, spec: StudySpec) -> None:
        self._trial = trial
        self._figure = EPOCH_FIGURES[spec.search.metric]
        self._head, _ = _most_epochs(spec)
        self.stopped = False

    def heard(self, event: Mapping[str, Any]) -> bool:
        """Take note of an event; True once the trial should stop."""
        first = event["kind"] == "epoch" and event["fold"] == 0
        value = event.get(self._figure) if first else None
        if value is not None and not self.stopped:
            stage = 0 if event["phase"] == "head" else self._head
            self._trial.report(float(value), stage + event["epoch"] + 1)
            self.stopped = self._trial.should_prune()
        return self.stopped


def _most_epochs(spec: StudySpec) -> tuple[int, int]:
    return max(values_of(spec, "head_epochs")), max(values_of(spec, "fine_tune_epochs"))

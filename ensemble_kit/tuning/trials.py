"""Trials as this project sees them, read from and written to Optuna's storage."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import optuna
from optuna.trial import FrozenTrial, TrialState

from ensemble_kit.study.space import Scalar
from ensemble_kit.tuning.losses import FoldLoss, pack, unpack, unpack_mean
from ensemble_kit.tuning.storage import FAILURE, SLOT

CHUNK = 40_000
FOLDS, SCORE, PRUNED_AFTER, SURPLUS = "folds", "score", "pruned_after", "surplus"
COUNTED = ("COMPLETE", "PRUNED", "RUNNING", "WAITING")


@dataclass(frozen=True)
class TrialRecord:
    """One trial. state : Optuna's, upper case. value : its score so far, pooled over the folds it
    has (final if complete); None before the first. cost : of inference, relative, where searched.
    pruned_after : folds. seconds : from start to end. failure : why it failed, in a sentence."""

    number: int
    state: str
    value: float | None
    params: Mapping[str, Scalar]
    cost: float | None = None
    pruned_after: int | None = None
    seconds: float | None = None
    failure: str = ""


def read_trials(study: optuna.Study) -> tuple[TrialRecord, ...]:
    """Every trial but those queued again under another number and those nobody asked for."""
    return tuple(_record(trial) for trial in current_trials(study))


def current_trials(study: optuna.Study) -> list[FrozenTrial]:
    """The last trial of each slot, by number."""
    newest: dict[object, FrozenTrial] = {}
    for trial in study.get_trials(deepcopy=False):
        if not trial.user_attrs.get(SURPLUS) and trial.user_attrs.get(SLOT) is not None:
            newest[trial.user_attrs[SLOT]] = trial
    return sorted(newest.values(), key=lambda trial: trial.number)


def best_trial(study: optuna.Study, within_cost: float | None = None) -> FrozenTrial | None:
    """The complete trial of best score, the earliest of equals; of those not dearer, if asked."""
    complete = [
        trial
        for trial in complete_trials(study)
        if within_cost is None or (trial.values[1] <= within_cost)
    ]
    sign = 1 if study.directions[0] == optuna.study.StudyDirection.MINIMIZE else -1
    return min(complete, key=lambda t: (sign * t.values[0], t.number), default=None)


def complete_trials(study: optuna.Study) -> list[FrozenTrial]:
    return list(study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)))


def judged_study(study: optuna.Study) -> optuna.Study:
    """A copy in memory in which every trial with a score counts as complete, a pruned one with the
    score of its folds: for pictures and importance, which otherwise see survivors alone."""
    copy = optuna.create_study(study_name=study.study_name, direction=study.directions[0])
    for trial in current_trials(study):
        complete = trial.state == TrialState.COMPLETE and trial.values
        value = trial.values[0] if complete else trial.user_attrs.get(SCORE)
        if value is not None and trial.state.is_finished():
            copy.add_trial(
                optuna.create_trial(
                    value=value, params=trial.params, distributions=trial.distributions
                )
            )
    return copy


def keep_losses(trial: optuna.Trial, fold: int, loss: FoldLoss) -> None:
    """Store a fold's loss with its groups, in parts that every database holds."""
    text = pack(loss)
    parts = [text[first : first + CHUNK] for first in range(0, len(text), CHUNK)]
    for number, part in enumerate(parts):
        trial.set_user_attr(f"losses_{fold}_{number}", part)
    trial.set_user_attr(f"losses_{fold}", len(parts))


def losses_of(trial: FrozenTrial, n_folds: int) -> Sequence[FoldLoss]:
    """The losses of a complete trial, one a fold."""
    kept = trial.user_attrs
    return [
        unpack("".join(kept[f"losses_{fold}_{n}"] for n in range(kept[f"losses_{fold}"])))
        for fold in range(n_folds)
    ]


def means_of(trial: FrozenTrial, n_folds: int) -> list[tuple[float, float]]:
    """Loss and rows of each fold of a trial."""
    return [unpack_mean(trial.user_attrs[f"losses_{fold}_0"]) for fold in range(n_folds)]


def _record(trial: FrozenTrial) -> TrialRecord:
    kept = trial.user_attrs
    complete = trial.state == TrialState.COMPLETE
    seconds = trial.duration.total_seconds() if trial.duration else None
    costs = trial.values[1:] if complete and trial.values else []
    return TrialRecord(
        number=trial.number,
        state=trial.state.name,
        value=trial.values[0] if complete and trial.values else kept.get(SCORE),
        params=dict(trial.params) or json.loads(json.dumps(_fixed(trial))),
        cost=costs[0] if costs else None,
        pruned_after=kept.get(PRUNED_AFTER),
        seconds=seconds,
        failure=kept.get(FAILURE, ""),
    )


def _fixed(trial: FrozenTrial) -> Mapping[str, Scalar]:
    fixed: Mapping[str, Scalar] = trial.system_attrs.get("fixed_params", {})
    return fixed

"""Scores of a search against what else was kept of it: a value changed by hand is told of."""

import math

import optuna

from ensemble_kit.core.errors import EnsembleKitError, SearchError
from ensemble_kit.runs.search import TuningRecord
from ensemble_kit.study.space import Metric
from ensemble_kit.tuning.storage import StoragePlace
from ensemble_kit.tuning.trials import FOLDS, SCORE, complete_trials, means_of

TOLERANCE = 1e-6
"""Relative, of a log loss pooled from its folds' instead of from all rows."""


def check_scores(study: optuna.Study, metric: Metric, place: StoragePlace) -> None:
    """SearchError where a complete trial's value is not the score that its folds were given, or,
    of log loss, that they have."""
    for trial in complete_trials(study):
        said = trial.user_attrs.get(SCORE)
        if said is None:
            continue
        try:
            value = float((trial.values or [math.nan])[0])
            sound = value == float(said)
            if metric == "log_loss":
                folds = means_of(trial, int(trial.user_attrs[FOLDS]))
                pooled = sum(mean * rows for mean, rows in folds) / sum(rows for _, rows in folds)
                near = math.isclose(value, pooled, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
                sound = sound and near
        except (LookupError, TypeError, ValueError, ArithmeticError) as error:
            raise SearchError(
                f"{place.shown}: trial {trial.number} is damaged ({type(error).__name__}); restore "
                "it, or start again with another --name"
            ) from None
        if not sound:
            raise SearchError(
                f"{place.shown}: the value of trial {trial.number} is {value:g}, but its folds "
                "scored otherwise: it was changed; restore it, or start again with another --name"
            )


def check_record(name: str, study: optuna.Study | None, place: StoragePlace) -> None:
    """SearchError where the search's ``tuning.json`` tells of a complete trial that the journal
    lacks or has with another value. A record that cannot be read is written anew."""
    if place.url:
        return
    try:
        record = TuningRecord.find(place.folder)
    except EnsembleKitError:
        return
    # The record first: what it tells of is in the journal by then, whoever writes both.
    there = {t.number: t.values for t in complete_trials(study)} if study else {}
    for told in record.trials if record and record.name == name else ():
        values = there.get(told.number) or [None]
        if told.state == "COMPLETE" and values[0] != told.value:
            raise SearchError(
                f"{place.shown} and {place.folder / TuningRecord.FILE} differ in trial "
                f"{told.number}: one of them was changed or emptied; restore it, or start again "
                "with another --name"
            )

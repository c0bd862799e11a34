"""What a search is asked for, and its study in the storage: created, joined or refused."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import optuna
from filelock import FileLock
from optuna.trial import TrialState

from ensemble_kit.core.digests import digest_of
from ensemble_kit.core.errors import SearchError, count
from ensemble_kit.core.records import Folds, ImageTable
from ensemble_kit.study import StudySpec
from ensemble_kit.tuning.epochs import prunes_epochs
from ensemble_kit.tuning.losses import direction
from ensemble_kit.tuning.sampling import own_params
from ensemble_kit.tuning.storage import SLOT, StoragePlace, open_storage
from ensemble_kit.tuning.trials import complete_trials
from ensemble_kit.tuning.verifying import check_record, check_scores

IDENTITY = "identity"
WAIT_SECONDS = 0.5
PATIENCE = 4
"""Times that a study to which nothing is added is looked at."""


@dataclass(frozen=True)
class SearchRequest:
    """What to search and how far. deadline : ``time.monotonic()`` after which nothing begins.
    inputs : digest of the features that are seen in place of images; "" for images."""

    name: str
    spec: StudySpec
    place: StoragePlace
    deadline: float | None = None
    resume: bool = False
    inputs: str = ""


def open_study(request: SearchRequest, table: ImageTable, folds: Folds) -> optuna.Study:
    """Create the study with its queue of trials, the study's own values first; or join it.

    Raises SearchError if it is there and was not to be resumed, or was made from something else.
    """
    storage = open_storage(request.place)
    search = request.spec.search
    directions = [direction(search.metric), *(["minimize"] if search.cost else [])]
    identity = _identity(request, table, folds)
    with _alone(request.place):
        study, known = _created_or_there(request, storage, directions)
        if known is None:
            study.set_user_attr(IDENTITY, identity)
        else:
            _check_same(known, study, request, identity)
            check_scores(study, request.spec.search.metric, request.place)
            check_record(request.name, study, request.place)
        _top_up(study, request.spec)
    return study


def _created_or_there(
    request: SearchRequest, storage: optuna.storages.BaseStorage, directions: list[str]
) -> tuple[optuna.Study, Mapping[str, str] | None]:
    """The study and what it was made from; None where it is new. One that is there is looked for
    first: an attempt to create it would be written into its journal."""
    with suppress(KeyError):
        study = optuna.load_study(study_name=request.name, storage=storage)
        return study, _recorded_identity(study, request.place)
    check_record(request.name, None, request.place)
    try:
        study = optuna.create_study(study_name=request.name, storage=storage, directions=directions)
    except optuna.exceptions.DuplicatedStudyError:  # by a worker elsewhere, just now
        study = optuna.load_study(study_name=request.name, storage=storage)
        return study, _recorded_identity(study, request.place)
    return study, None


@contextmanager
def _alone(place: StoragePlace) -> Iterator[None]:
    """One process of this machine at a time creates a search or joins it; in a database
    :func:`_recorded_identity` waits for a creator elsewhere."""
    if place.url:
        yield
        return
    with FileLock(place.folder / "opening.lock"):
        yield


def _identity(request: SearchRequest, table: ImageTable, folds: Folds) -> Mapping[str, str]:
    """What all trials of a study must share, by the words an error uses."""
    spec, search = request.spec, request.spec.search
    space = json.dumps(search.model_dump(mode="json")["space"], sort_keys=True)
    of_features = {"hidden_units"} if spec.model.inputs == "images" else set()
    model = spec.model.model_dump(exclude=of_features)
    return {
        "data": table.digest,
        "folds": folds.digest,
        "search space": digest_of(space),
        "metric": search.metric + (" and cost" if search.cost else ""),
        "kind of pruner": "by epochs" if prunes_epochs(spec) else "by folds",
        **({"features": request.inputs} if request.inputs else {}),
        "settings": digest_of(spec.split.seed, model, spec.training.model_dump()),
    }


def _check_same(
    known: Mapping[str, str],
    study: optuna.Study,
    request: SearchRequest,
    identity: Mapping[str, str],
) -> None:
    differing = [name for name, value in identity.items() if known.get(name) != value]
    if differing:
        raise SearchError(
            f"search {request.name!r} in {request.place.shown} differs from what is asked "
            f"in {_joined(differing)}: its trials cannot be compared with new ones; give another "
            "--name, or the study and data it was made with"
        )
    if not request.resume:
        done = len(complete_trials(study))
        raise SearchError(
            f"search {request.name!r} exists in {request.place.shown} with "
            f"{count(done, 'complete trial')}; give --resume to continue or join it, or another "
            "--name"
        )


def _joined(words: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _recorded_identity(study: optuna.Study, place: StoragePlace) -> Mapping[str, str] | None:
    """What the study was made from; None where its creator was ended before it said so.

    In a database, waits for a worker elsewhere that is just creating it, as long as it queues
    trials.
    """
    waited, queued = 0, -1
    while place.url and waited < PATIENCE:
        trials = study.get_trials(deepcopy=False)
        if any(trial.state != TrialState.WAITING for trial in trials):
            break
        waited = waited + 1 if len(trials) == queued else 0
        queued = len(trials)
        time.sleep(WAIT_SECONDS)
    found: Mapping[str, str] | None = study.user_attrs.get(IDENTITY)
    return found


def _top_up(study: optuna.Study, spec: StudySpec) -> None:
    """Queue trials up to the number wanted: the study's own values first, then empty ones, whose
    parameters are drawn when they begin."""
    trials = study.get_trials(deepcopy=False)
    slots = [int(t.user_attrs[SLOT]) for t in trials if t.user_attrs.get(SLOT) is not None]
    for slot in range(max(slots, default=-1) + 1, spec.search.trials):
        study.enqueue_trial({} if slot else own_params(spec), user_attrs={SLOT: slot})

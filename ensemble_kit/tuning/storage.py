"""Where a search keeps its trials: a journal file of its own, or a database for many machines."""

import os
import uuid
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from filelock import FileLock, Timeout
from optuna.trial import FrozenTrial, TrialState

from ensemble_kit.core.disk import make_folder, room_for
from ensemble_kit.core.errors import SearchError
from ensemble_kit.core.regular import check_regular
from ensemble_kit.tuning.journal import JOURNAL, JournalFile, check_order, damage

WORKER, FAILURE, SLOT, RETRIES = "worker", "failure", "slot", "retries"
MAX_RETRIES = 3
GRACE = 4
DAMAGE = (ValueError, LookupError, TypeError, AttributeError, AssertionError, RecursionError)
"""What Optuna raises for lines of a journal that it did not write."""


@dataclass(frozen=True)
class StoragePlace:
    """url : database, "" for the journal file in ``folder``. heartbeat : seconds between signs of
    life in a database; a worker silent for four of them is taken for dead."""

    folder: Path
    url: str = ""
    heartbeat: int = 30

    @property
    def shown(self) -> str:
        """The place without its password."""
        if not self.url:
            return str(self.folder / JOURNAL)
        from sqlalchemy.engine import make_url

        return make_url(self.url).render_as_string(hide_password=True)


def open_storage(place: StoragePlace) -> Any:
    """Optuna's storage of a place. Raises SearchError where it cannot be reached or used."""
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    if not place.url:
        make_folder(place.folder)
        journal = place.folder / JOURNAL
        if journal.exists():
            check_regular(journal, SearchError)
        try:
            storage = optuna.storages.JournalStorage(JournalFile(journal))
            check_order(journal)
            return storage
        except DAMAGE as error:
            raise damage(journal, error) from None
    return _open_database(place)


@contextmanager
def experimental() -> Iterator[None]:
    """Use a part of Optuna that it calls experimental or gives hints about, on purpose."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        yield


@contextmanager
def signed_on(folder: Path) -> Iterator[str]:
    """A name for this worker, held by a lock that the system drops if the process dies."""
    locks = folder / "workers"
    make_folder(locks)
    name = f"{os.uname().nodename}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
    lock = FileLock(locks / f"{name}.lock")
    with lock:
        yield name
    (locks / f"{name}.lock").unlink(missing_ok=True)


def retry_orphans(study: optuna.Study, folder: Path, me: str) -> int:
    """Queue again the running trials whose worker is no more; how many. A trial that does not
    name its worker yet is an orphan if no other worker is there."""
    locks = [path for path in (folder / "workers").glob("*.lock") if path.stem != me]
    alive = {path.stem for path in locks if not _is_free(path)}
    orphans = 0
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        worker = trial.user_attrs.get(WORKER)
        if worker not in alive if worker else not alive:
            study.tell(trial.number, state=TrialState.FAIL)
            queue_again(study, trial)
            orphans += 1
    for path in locks:
        if path.stem not in alive:
            path.unlink(missing_ok=True)
    return orphans


def queue_again(study: optuna.Study, trial: FrozenTrial, *, blame: bool = True) -> None:
    """Add a waiting copy of a trial that did not come to its end, same slot and parameters.

    blame : count it as a death; after three a trial is not tried again, lest it kill every worker.
    """
    deaths = int(trial.user_attrs.get(RETRIES, 0)) + blame
    if deaths > MAX_RETRIES:
        return
    kept = {SLOT: trial.user_attrs.get(SLOT), RETRIES: deaths}
    study.add_trial(
        optuna.create_trial(
            state=TrialState.WAITING,
            params=trial.params,
            distributions=trial.distributions,
            user_attrs=kept,
            system_attrs={k: v for k, v in trial.system_attrs.items() if k == "fixed_params"},
        )
    )


@contextmanager
def reachable(place: StoragePlace) -> Iterator[None]:
    """A storage lost on the way is the user's to mend, and says so."""
    try:
        with room_for(place.folder / JOURNAL):
            yield
    except optuna.exceptions.StorageInternalError as error:
        raise SearchError(
            f"storage {place.shown} was lost ({_first_line(error.__cause__ or error)}); what was "
            "finished is kept: mend it and give the command again with --resume"
        ) from None


def _is_free(path: Path) -> bool:
    try:
        with FileLock(path, timeout=0):
            return True
    except Timeout:
        return False


def _open_database(place: StoragePlace) -> Any:
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
    from sqlalchemy.pool import NullPool

    try:
        url = make_url(place.url)
    except ArgumentError:
        raise SearchError(
            "--storage is no database address: give it as "
            "postgresql+psycopg://USER@HOST:PORT/DATABASE"
        ) from None
    shown = place.shown
    retry: Callable[[optuna.Study, FrozenTrial], None] = queue_again
    try:
        with experimental():
            return optuna.storages.RDBStorage(
                url.render_as_string(hide_password=False),
                engine_kwargs={"poolclass": NullPool},
                heartbeat_interval=place.heartbeat,
                grace_period=GRACE * place.heartbeat,
                heartbeat_stale_trial_callback=retry,
            )
    except (ImportError, NoSuchModuleError) as error:
        raise SearchError(
            f"storage {shown}: its driver is not installed ({_first_line(error)}); "
            "pip install 'ensemble-kit[postgres]', or the driver of your database"
        ) from None
    except RuntimeError as error:
        raise SearchError(
            f"storage {shown} holds tables of another Optuna version ({_first_line(error)}); "
            "`optuna storage upgrade --storage URL` brings them up to date"
        ) from None
    except (SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
        why = _first_line(error.__cause__ or error)
        raise SearchError(
            f"storage {shown} cannot be used ({why}); check that the server runs, that the "
            "database exists and is Optuna's, and that you may write to it"
        ) from None


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__

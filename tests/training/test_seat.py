"""The process beside a cluster's worker, and what a worker is asked, without any cluster."""

import os
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from ensemble_kit.core.errors import RunError, StoreError, StudyError
from ensemble_kit.data.new_images import NewImage
from ensemble_kit.study.cluster import ClusterSpec
from ensemble_kit.training.executors import open_executor
from ensemble_kit.training.executors.base import (
    Need,
    Task,
    TaskLostError,
    Terms,
    environment_of,
    first_line,
)
from ensemble_kit.training.executors.greeting import complaint_here, marked, versions_here
from ensemble_kit.training.executors.seat import end_seats, run_in_seat
from ensemble_kit.workflows import predict_elsewhere
from ensemble_kit.workflows.predict_stream import PredictOptions


def kill_twice(mark: Path) -> int:
    """End this process by SIGKILL, but for the third time."""
    with mark.open("a") as file:
        file.write("x")
    if len(mark.read_text()) < 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return os.getpid()


def end_lease(lease: Path) -> int:
    lease.unlink()
    return os.getpid()


def refuse() -> None:
    raise StoreError("no room")


@pytest.fixture
def terms(tmp_path):
    lease = tmp_path / "lease"
    lease.touch()
    yield Terms(versions_here(), marked([tmp_path]), lease, tmp_path.name)
    end_seats(tmp_path.name)


def task(terms: Terms, work, *arguments, threads: int = 1) -> Task:
    return Task(work, arguments, Need(threads), terms, environment_of(threads))


def test_a_process_stays_for_the_next_task_and_has_the_drivers_variables(terms, monkeypatch):
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "7")  # as a cluster sets it for its workers
    asked = replace(task(terms, os.getpid), environment={"OPENBLAS_NUM_THREADS": None})
    first = run_in_seat(asked).value()
    assert first not in (os.getpid(), None)
    assert run_in_seat(asked).value() == first
    named = replace(asked, work=os.getenv, arguments=("OPENBLAS_NUM_THREADS",))
    assert run_in_seat(named).value() is None
    assert run_in_seat(task(terms, os.getenv, "OMP_NUM_THREADS", threads=3)).value() == "3"


def test_a_new_generation_gets_a_new_process(terms):
    first = run_in_seat(task(terms, os.getpid)).value()
    newer = replace(terms, generation=1)
    assert run_in_seat(task(newer, os.getpid)).value() != first
    with pytest.raises(ProcessLookupError):
        os.kill(first, 0)


def test_what_a_task_raises_comes_back_as_it_is(terms):
    error = run_in_seat(task(terms, refuse)).error
    assert (type(error), str(error)) == (StoreError, "no room")
    assert "in refuse" in error.__notes__[0]


def test_a_process_that_is_killed_is_begun_again_but_not_for_ever(terms, tmp_path):
    assert run_in_seat(task(terms, kill_twice, tmp_path / "mark")).value() > 0
    with pytest.raises(TaskLostError, match="ended 3 times"):
        run_in_seat(task(terms, os._exit, 9)).value()


def test_a_task_ends_with_its_driver(terms):
    threading.Timer(1.0, terms.lease.unlink).start()
    began = time.monotonic()
    outcome = run_in_seat(task(terms, time.sleep, 100))
    assert "no more" in str(outcome.error)
    assert time.monotonic() - began < 30


def test_no_process_is_kept_for_a_driver_that_went_while_a_task_ended(terms):
    busy = run_in_seat(task(terms, end_lease, terms.lease)).value()
    with pytest.raises(ProcessLookupError):
        os.kill(busy, 0)


def test_a_worker_of_another_version_or_without_the_folder_is_named(terms, tmp_path):
    assert complaint_here(terms, "0.0") is not None
    other = replace(terms, versions={"keras": "1.0"})
    assert "this command keras 1.0" in str(complaint_here(other, ""))
    assert "has no ensemble-kit-none" in str(
        complaint_here(replace(terms, versions={"ensemble-kit-none": "1"}), "")
    )
    for unseen in ({tmp_path / "elsewhere": "x"}, {tmp_path: "another folder's"}):
        said = run_in_seat(task(replace(terms, places=unseen, token="new"), os.getpid)).error
        assert isinstance(said, RunError)
        assert f"does not see the folder {next(iter(unseen))}" in str(said)


def test_an_executor_that_is_not_there_is_refused():
    with pytest.raises(StudyError, match=r"'spark' \(--executor\): there are local, dask, ray"):
        open_executor(ClusterSpec(executor="spark"), 1)


def test_an_error_that_says_nothing_is_told_by_its_kind():
    assert first_line(TimeoutError()) == "TimeoutError"
    assert first_line(OSError("lost\nhere")) == "lost"


def test_predictions_elsewhere_need_no_folder_but_that_of_the_run(tmp_path, monkeypatch):
    """The driver's sign of life lies in a folder that workers are asked for."""
    given = []

    class Asking(predict_elsewhere.Workers):
        def __enter__(self):
            given.append((self.events, self._shared))
            raise RunError("asked")

    monkeypatch.setattr(predict_elsewhere, "Workers", Asking)
    asked = predict_elsewhere.Asked(tmp_path / "runs/mine", None, None)
    images = [NewImage("a", tmp_path / "a.jpg")]
    with pytest.raises(RunError, match="asked"):
        list(predict_elsewhere.stream_elsewhere(ClusterSpec(), asked, images, PredictOptions()))
    ((events, shared),) = given
    assert events.parent in shared
    assert shared == (tmp_path / "runs",)

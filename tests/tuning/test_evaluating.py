"""Workers of a search: one killed by the system costs one trial, not the search."""

import os

import pytest

from ensemble_kit.core.errors import RunError, SearchError
from ensemble_kit.training.workers import Workers
from ensemble_kit.tuning.costs import check_jobs


def test_a_killed_process_fails_its_work_alone(tmp_path):
    with Workers(1, tmp_path / "events", lambda event: None) as workers:
        with pytest.raises(RunError, match="killed from outside, most often for want of memory"):
            workers.finish([workers.submit(os._exit, 9)])
        assert workers.finish([workers.submit(os.getpid)])[0] != os.getpid()


def test_jobs_beyond_memory_are_refused_with_what_would_fit():
    check_jobs(2, 8e9)
    with pytest.raises(SearchError, match=r"--jobs 9 needs about 14 GB .* has 8 GB; give --jobs 5"):
        check_jobs(9, 8e9)


def test_processes_can_be_renewed(tmp_path):
    with Workers(1, tmp_path / "events", lambda event: None) as workers:
        first = workers.finish([workers.submit(os.getpid)])[0]
        assert workers.finish([workers.submit(os.getpid)])[0] == first
        workers.renew()
        assert workers.finish([workers.submit(os.getpid)])[0] != first

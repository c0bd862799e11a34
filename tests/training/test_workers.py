"""Worker processes: none is restarted for having grown, and one that dies is a sentence."""

import os
import signal

import pytest

from ensemble_kit.core.errors import RunError
from ensemble_kit.training.workers import Workers


def grow(megabytes: int) -> int:
    """Hold memory for good, as mapped files and a framework do; the process's id."""
    os.held = bytearray(os.urandom(1)) * (megabytes * 2**20)
    return os.getpid()


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def limit() -> float:
    from loky import process_executor

    return process_executor._MAX_MEMORY_LEAK_SIZE


def test_a_worker_may_grow(tmp_path):
    with Workers(1, tmp_path / "events", lambda event: None) as workers:
        assert workers.finish([workers.submit(limit)])[0] > 1e12
        assert workers.finish([workers.submit(grow, 8)]) == workers.finish(
            [workers.submit(os.getpid)]
        )


def test_a_worker_killed_from_outside_is_a_sentence(tmp_path):
    with (
        pytest.raises(RunError, match="killed from outside"),
        Workers(1, tmp_path / "events", lambda event: None) as workers,
    ):
        workers.finish([workers.submit(die)])

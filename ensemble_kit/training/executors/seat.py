"""The process that a cluster's worker keeps beside it for training.

A worker of a cluster runs tasks in threads or in processes with settings of its own. Here each
task gets a process begun for it: its threads and variables are those that the driver asked for, a
fold that dies costs no worker, and it ends at once when the driver is no more. It stays warm for
the next task of the same command.
"""

import os
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any

from ensemble_kit.core.errors import RunError
from ensemble_kit.core.orphans import end_with
from ensemble_kit.training.executors.base import (
    AbandonedError,
    Task,
    TaskLostError,
    Terms,
)
from ensemble_kit.training.executors.file_client import Stage, alive
from ensemble_kit.training.executors.greeting import check_here

POLL_SECONDS, CALL_SECONDS = 0.5, 2.0
SILENT_SECONDS = 180
"""The driver is taken for dead once its lease has not been touched for so long; more than the
minute for which a network disk may show an old time."""
IDLE_SECONDS = SILENT_SECONDS
"""A process that got no task for so long ends by itself."""
TRIES = 3
BEGIN = "from ensemble_kit.training.executors.seat import serve; serve({handle}, {parent})"


@dataclass(frozen=True, eq=False)
class Outcome:
    """What became of a task: its answer, or what it raised."""

    answer: Any = None
    error: BaseException | None = None

    def value(self) -> Any:
        if self.error is not None:
            raise self.error
        return self.answer


def run_in_seat(task: Task) -> Outcome:
    """Run a task in a process of its own; called by a cluster's worker, never raises."""
    assert task.terms is not None
    try:
        check_here(task.terms)
        return _run(task, task.terms)
    except Exception as error:
        return Outcome(error=error)


def end_seats(token: str) -> None:
    """End the processes kept for a command on this worker."""
    for seat in _kept.taken(lambda seat: seat.terms.token == token):
        seat.end()


class Lease:
    """Whether the driver lives, by its own clock: it touches a file every second."""

    def __init__(self, path: Path) -> None:
        self._path, self._seen, self._since = path, 0, time.monotonic()

    def kept(self) -> bool:
        try:
            touched = self._path.stat().st_mtime_ns
        except FileNotFoundError:
            return False
        except OSError:  # a network disk that is away for a moment
            touched = self._seen
        if touched != self._seen:
            self._seen, self._since = touched, time.monotonic()
        return time.monotonic() - self._since < SILENT_SECONDS


class CallLease:
    """The same by asking the driver, where no folder is shared."""

    def __init__(self, stage: Stage) -> None:
        self._stage, self._asked, self._heard = stage, 0.0, time.monotonic()

    def kept(self) -> bool:
        now = time.monotonic()
        if now - self._asked < CALL_SECONDS:
            return True
        self._asked = now
        if (answer := alive(self._stage)) is None:
            return now - self._heard < SILENT_SECONDS
        self._heard = now
        return answer


def lease_of(terms: Terms) -> Lease | CallLease:
    return Lease(terms.lease) if terms.stage is None else CallLease(terms.stage)


class Seat:
    """A process, and the pipe to it."""

    def __init__(self, terms: Terms, environment: Mapping[str, str | None]) -> None:
        self.terms, self.environment = terms, dict(environment)
        self._pipe, theirs = Pipe()
        variables = dict(os.environ) | {k: v for k, v in environment.items() if v is not None}
        for name in [name for name, value in environment.items() if value is None]:
            variables.pop(name, None)
        begin = BEGIN.format(handle=theirs.fileno(), parent=os.getpid())
        self._process = subprocess.Popen(
            [sys.executable, "-c", begin], pass_fds=(theirs.fileno(),), env=variables,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        theirs.close()

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def do(self, task: Task) -> Outcome:
        """Raises EOFError or OSError where the process ends, AbandonedError."""
        lease = lease_of(self.terms)
        self._pipe.send((task.work, task.arguments))
        while not self._pipe.poll(POLL_SECONDS):
            if not lease.kept():
                raise AbandonedError("the driver of this task is no more")
        found: Outcome = self._pipe.recv()
        return found

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        self._pipe.close()


class _Kept:
    """The processes at rest of this worker."""

    def __init__(self) -> None:
        self._lock, self._seats = threading.Lock(), list[Seat]()

    def taken(self, chosen: Callable[[Seat], bool]) -> list[Seat]:
        with self._lock:
            found = [seat for seat in self._seats if chosen(seat)]
            self._seats = [seat for seat in self._seats if seat not in found]
            return found

    def keep(self, *seats: Seat) -> None:
        with self._lock:
            self._seats += seats


_kept = _Kept()


def _take(task: Task, terms: Terms) -> Seat:
    """A process at rest that fits, else a new one. What no task can use any more is ended."""
    found = None
    for seat in _kept.taken(lambda seat: True):
        ours = seat.terms.token == terms.token
        fits = seat.environment == task.environment and seat.terms.generation >= terms.generation
        if not seat.alive or (ours and not fits):
            seat.end()
        elif ours and found is None:
            found = seat
        else:
            _kept.keep(seat)
    return found or Seat(terms, task.environment)


def _run(task: Task, terms: Terms) -> Outcome:
    for _ in range(TRIES):
        seat = _take(task, terms)
        try:
            outcome = seat.do(task)
        except (EOFError, OSError):
            seat.end()
            continue
        except BaseException:
            seat.end()
            raise
        if lease_of(terms).kept():
            _kept.keep(seat)
        else:  # the driver has gone since, and nobody would end it any more
            seat.end()
        return outcome
    raise TaskLostError(f"its process ended {TRIES} times")


def serve(handle: int, parent: int) -> None:
    """The life of such a process: calls in, outcomes out, until nobody asks any more."""
    end_with(parent)
    pipe = Connection(handle)
    while pipe.poll(IDLE_SECONDS):
        try:
            work, arguments = pipe.recv()
        except EOFError:
            return
        try:
            outcome = Outcome(work(*arguments))
        except Exception as error:
            outcome = Outcome(error=_portable(error))
        pipe.send(outcome)


def _portable(error: Exception) -> BaseException:
    """An exception that another process can read, with the place where it was raised."""
    error.add_note(traceback.format_exc())
    try:
        ForkingPickler.loads(ForkingPickler.dumps(error))
    except Exception:
        return RunError(f"{type(error).__name__}: {error}")
    return error

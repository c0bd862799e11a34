"""The executor of this machine: warm processes of a loky pool."""

import os
import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from loky import get_reusable_executor

from ensemble_kit.core import machine
from ensemble_kit.core.orphans import end_with
from ensemble_kit.study.cluster import ClusterSpec
from ensemble_kit.training.executors.base import Need, Task, environment_of
from ensemble_kit.training.executors.cards import begin_on_a_card, cards_of

IDLE_SECONDS = 600
NEVER = "1e15"
"""Loky restarts a worker that grew by so many bytes; mapped pixel files alone exceed 3e8."""


class LocalExecutor:
    """``jobs`` processes, each with its share of the cores; on each card where cards are named."""

    remote, most, near = False, None, None

    @staticmethod
    def check(cluster: ClusterSpec) -> None:
        cards_of(cluster.devices)

    def __init__(self, cluster: ClusterSpec, jobs: int) -> None:
        self._cards, self._on_each = cards_of(cluster.devices), jobs
        self.jobs, self.widest = jobs * max(1, len(self._cards)), machine.cores()
        self.threads = max(1, self.widest // self.jobs)
        self._locks: tempfile.TemporaryDirectory[str] | None = None
        self._begun: list[Any] = []

    def submit(self, task: Task) -> "Future[Any]":
        future: Future[Any] = self._running(task.need).submit(task.work, *task.arguments)
        return future

    def ask(self, work: Callable[..., Any], *arguments: object) -> Mapping[str, Any]:
        return {}

    def renew(self) -> None:
        for pool in self._begun:
            pool.shutdown(wait=True)
        self._begun.clear()

    def close(self, *, kill: bool) -> None:
        for pool in self._begun:
            pool.shutdown(wait=True, kill_workers=kill)
        if self._locks is not None:
            self._locks.cleanup()

    def _running(self, need: Need) -> Any:
        """The pool; a task with more than a process's share takes the place of all."""
        wide = need.cores > self.threads
        variables = environment_of(need.cores) | {"LOKY_MAX_MEMORY_LEAK_SIZE": NEVER}
        pool = get_reusable_executor(
            max_workers=1 if wide else self.jobs,
            timeout=IDLE_SECONDS,
            **self._beginning(),
            env={name: value for name, value in variables.items() if value is not None},
        )
        self._begun[:] = [pool]
        return pool

    def _beginning(self) -> dict[str, Any]:
        """What a process does before its first task."""
        if not self._cards:
            return {"initializer": end_with, "initargs": (os.getpid(),)}
        if self._locks is None:
            self._locks = tempfile.TemporaryDirectory(prefix="ensemble_kit_cards_")
        folder = Path(self._locks.name)
        given = (os.getpid(), self._cards, self._on_each, folder)
        return {"initializer": begin_on_a_card, "initargs": given}

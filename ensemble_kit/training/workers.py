"""Processes that train: started once, kept between folds, followed through their event files."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from loky import BrokenProcessPool, get_reusable_executor

from ensemble_kit.core.disk import free_bytes, make_folder
from ensemble_kit.core.errors import OutputError, RunError
from ensemble_kit.core.machine import cores
from ensemble_kit.core.orphans import end_with
from ensemble_kit.models.device import Device
from ensemble_kit.training.events import Event, EventReader
from ensemble_kit.training.model_cache import warm_up

T = TypeVar("T")
POLL_SECONDS = 0.1
IDLE_SECONDS = 600
NO_ROOM = 1 << 20
"""Bytes free below which a process that was killed is taken to have died of a full disk."""
NEVER = "1e15"
"""Loky restarts a worker that grew by so many bytes; mapped pixel files alone exceed 3e8."""


class Workers:
    """``jobs`` processes, each with its share of the cores. A context that ends them."""

    def __init__(self, jobs: int, events: Path, watch: Callable[[Event], None]) -> None:
        self.jobs, self.events = jobs, events
        self.threads = max(1, cores() // jobs)
        self._watch, self._reader = watch, EventReader(events)
        self._device: Future[Device] | None = None
        self._begun: list[Any] = []

    def __enter__(self) -> Self:
        make_folder(self.events)
        for stale in self.events.glob("*.jsonl"):
            stale.unlink()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for executor in self._begun:
            executor.shutdown(wait=True, kill_workers=kind is not None)
        for path in self.events.glob("*.jsonl"):
            path.unlink(missing_ok=True)
        for folder in (self.events, self.events.parent):
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()

    def submit(self, work: Callable[..., T], *arguments: object) -> "Future[T]":
        """Hand ``work`` (a module's function, plain arguments) to the next free process."""
        future: Future[T] = self._running().submit(work, *arguments)
        return future

    def warm_up(self) -> None:
        """Start loading the framework in a worker, while this process decodes images."""
        self._device = self.submit(warm_up, self.threads)

    def device(self) -> Device:
        """What the processes train on."""
        if self._device is None:
            self.warm_up()
        assert self._device is not None
        return self.finish([self._device])[0]

    def renew(self) -> None:
        """Shut the processes down; the next task starts new ones. Frees the memory they hold."""
        for executor in self._begun:
            executor.shutdown(wait=True)
        self._begun.clear()

    def alone(self) -> "Workers":
        """A single process with all cores, which takes the place of these until their next task."""
        if self.jobs == 1:
            return self
        single = Workers(1, self.events, self._watch)
        single._begun = self._begun
        return single

    def finish(
        self,
        futures: "Sequence[Future[T]]",
        on_event: Callable[[Event], None] | None = None,
    ) -> list[T]:
        """Wait for all, passing events on as they come; results in the order given.

        on_event : hears them too.

        The first failure cancels what has not begun and is raised.
        """
        waiting = set(futures)
        try:
            while waiting:
                done, waiting = wait(waiting, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED)
                for event in self._reader.new():
                    self._watch(event)
                    if on_event is not None:
                        on_event(event)
                for future in done:
                    future.result()
        except BrokenProcessPool as error:
            if (left := free_bytes(self.events)) < NO_ROOM:
                raise OutputError(
                    f"a training process ended while the disk of {self.events.parent} was full "
                    f"({left:,} bytes free); free some space there and give the command again to "
                    "resume"
                ) from None
            raise RunError(
                "a training process was killed from outside, most often for want of memory; give "
                "the same command again to resume, with fewer --jobs or a smaller --batch-size "
                f"({str(error).splitlines()[0]})"
            ) from None
        except FloatingPointError as error:
            raise RunError(str(error)) from None
        finally:
            for future in waiting:
                future.cancel()
        return [future.result() for future in futures]

    def _running(self) -> Any:
        threads = str(self.threads)
        executor = get_reusable_executor(
            max_workers=self.jobs,
            timeout=IDLE_SECONDS,
            initializer=end_with,
            initargs=(os.getpid(),),
            env={
                "OMP_NUM_THREADS": threads,
                "TF_NUM_INTRAOP_THREADS": threads,
                "TF_CPP_MIN_LOG_LEVEL": "3",
                "LOKY_MAX_MEMORY_LEAK_SIZE": NEVER,
            },
        )
        self._begun[:] = [executor]
        return executor

"""Processes that train: begun once, kept between folds, followed through their event files."""

import os
import secrets
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from loky import BrokenProcessPool

from ensemble_kit.core.disk import free_bytes, make_folder
from ensemble_kit.core.errors import OutputError, RunError
from ensemble_kit.core.folders import remove_those_of_the_dead
from ensemble_kit.models.device import Device
from ensemble_kit.runs.folds import FoldDone
from ensemble_kit.study.cluster import ClusterSpec
from ensemble_kit.training.events import Event, EventReader
from ensemble_kit.training.executors import open_executor
from ensemble_kit.training.executors.base import (
    AbandonedError,
    ClusterLostError,
    Executor,
    Need,
    Task,
    TaskLostError,
    Terms,
    environment_of,
    first_line,
)
from ensemble_kit.training.executors.file_server import FileServer
from ensemble_kit.training.executors.greeting import greet, marked, versions_here
from ensemble_kit.training.fold import train_once
from ensemble_kit.training.jobs import FoldJob, packed
from ensemble_kit.training.model_cache import warm_up
from ensemble_kit.training.staging import stage_job, train_staged

T = TypeVar("T")
POLL_SECONDS = 0.1
LEASE, LEASE_SECONDS = "driver.alive", 1.0
NO_ROOM = 1 << 20
"""Bytes free below which a process that was killed is taken to have died of a full disk."""
HERE = ClusterSpec()


class Workers:
    """The processes of one command, through the executor that its study names. A context.

    jobs : tasks at a time, on each machine of a cluster. events : folder of event files.
    shared : folders, that one's parent among them, that workers must see.
    """

    def __init__(
        self,
        jobs: int,
        events: Path,
        watch: Callable[[Event], None],
        cluster: ClusterSpec = HERE,
        shared: Sequence[Path] = (),
    ) -> None:
        self.events, self._asked, self._cluster, self._shared = events, jobs, cluster, shared
        self._watch, self._reader = watch, EventReader(events)
        self._executor: Executor | None = None
        self._terms: Terms | None = None
        self._lease = threading.Event()
        self._device: Future[Device] | None = None
        self._alone = False
        self._server: FileServer | None = None

    def __enter__(self) -> Self:
        make_folder(self.events)
        remove_those_of_the_dead(self.events)
        for stale in self.events.glob("*.jsonl"):
            stale.unlink()
        try:
            self._executor = open_executor(self._cluster, self._asked)
            if self._executor.remote:
                self._meet(self._executor)
        except BaseException as error:
            self.__exit__(type(error), error, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._lease.set()
        (self.events / LEASE).unlink(missing_ok=True)
        if self._executor is not None:
            self._executor.close(kill=kind is not None)
        if self._server is not None:
            self._server.close()
        for path in (*self.events.glob("*.jsonl"), *self.events.glob("*.npz")):
            path.unlink(missing_ok=True)
        for folder in (self.events, self.events.parent):
            with suppress(OSError):  # another command's events are there, or nothing
                folder.rmdir()

    @property
    def jobs(self) -> int:
        """Tasks at a time."""
        return 1 if self._alone else self._open.jobs

    @property
    def threads(self) -> int:
        """Threads that each task computes with."""
        return self._open.widest if self._alone else self._open.threads

    def submit(self, work: Callable[..., T], *arguments: object) -> "Future[T]":
        """Hand ``work`` (a module's function, plain arguments) to the next free process."""
        gpus, memory = self._cluster.gpus, int(self._cluster.memory * 1e9)
        task = Task(
            work, arguments, Need(self.threads, gpus, memory), self._terms,
            environment_of(self.threads),
        )  # fmt: skip
        return self._open.submit(task)

    @property
    def staged(self) -> bool:
        """Whether workers see none of this command's folders."""
        return self._server is not None

    def train(self, job: FoldJob) -> "Future[FoldDone]":
        """Have a fold trained, unless it is by then."""
        if self._open.remote:
            job = packed(job, self.events.absolute() / f"{secrets.token_hex(8)}.npz")
        if self._server is None:
            return self.submit(train_once, job)
        return self.submit(train_staged, stage_job(job, self._server), self._server.stage)

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
        if self._terms is not None:
            self._terms = replace(self._terms, generation=self._terms.generation + 1)
        self._open.renew()

    def alone(self) -> "Workers":
        """A single process with all cores, which takes the place of these until their next task."""
        if self.jobs == 1 and self.threads == self._open.widest:
            return self
        single = Workers(1, self.events, self._watch, self._cluster)
        single._reader, single._executor, single._terms = self._reader, self._executor, self._terms
        single._server, single._alone = self._server, True
        return single

    def several(self, most: int) -> int:
        """Tasks with all of a worker to themselves that machines of a cluster may do at a time,
        at most ``most``; where all is this machine, one."""
        return 1 if self._open.near is None else max(1, min(most, self._open.jobs))

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
        except (BrokenProcessPool, TaskLostError) as error:
            raise self._killed(error) from None
        except (ClusterLostError, CancelledError) as error:
            raise RunError(
                f"the cluster at {self._cluster.address or 'this machine'} was lost ({error}); "
                "what was finished is kept: mend it and give the same command again to resume"
            ) from None
        except AbandonedError:
            raise RunError(
                "this command gave no sign of life for minutes (machine asleep, disk away?) "
                "and the workers ended its folds; give it again to resume"
            ) from None
        except FloatingPointError as error:
            raise RunError(str(error)) from None
        finally:
            for future in waiting:
                future.cancel()
        return [future.result() for future in futures]

    @property
    def _open(self) -> Executor:
        assert self._executor is not None, "workers are used inside their context"
        return self._executor

    def _meet(self, executor: Executor) -> None:
        """Hold the workers of a cluster to this command's terms and show them that it lives."""
        lease, cluster = self.events.absolute() / LEASE, self._cluster
        lease.touch()
        threading.Thread(target=self._touch, args=(lease,), daemon=True).start()
        if cluster.stage:
            self._server = FileServer(executor.near, lease.parent, cluster.stage_dir)
        self._terms = Terms(
            versions_here(),
            {} if self._server else marked(self._shared),
            lease,
            secrets.token_hex(8),
            stage=self._server.stage if self._server else None,
        )
        greet(executor, self._terms)
        most = executor.most
        if most is not None and (cluster.gpus > most.gpus or cluster.memory * 1e9 > most.memory):
            raise RunError(
                f"a fold asks for {cluster.gpus:g} GPUs and {cluster.memory:g} GB, and no worker "
                f"of {cluster.address or 'this machine'} offers more than {most.gpus:g} GPUs and "
                f"{most.memory / 1e9:.1f} GB; ask for less, or start workers that declare them"
            )

    def _touch(self, lease: Path) -> None:
        while not self._lease.wait(LEASE_SECONDS):
            try:
                os.utime(lease)
            except OSError:  # a network disk that is away for a moment
                continue

    def _killed(self, error: BaseException) -> RunError | OutputError:
        if (left := free_bytes(self.events)) < NO_ROOM:
            return OutputError(
                f"a training process ended while the disk of {self.events.parent} was full "
                f"({left:,} bytes free); free some space there and give the command again to "
                "resume"
            )
        return RunError(
            "a training process was killed from outside, most often for want of memory; give "
            "the same command again to resume, with fewer --jobs or a smaller --batch-size "
            f"({first_line(error)})"
        )

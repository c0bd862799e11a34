"""What an executor is: it runs tasks in processes, here or elsewhere, and says what became of them.

A task is a module's function with plain arguments. What it needs while it runs is declared, so
that a cluster's own scheduler finds it a place.
"""

import os
import socket
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit

from ensemble_kit.core.errors import RunError, StudyError
from ensemble_kit.models.device import configured_backend
from ensemble_kit.study.cluster import ClusterSpec
from ensemble_kit.training.executors.file_client import Stage

T = TypeVar("T")
CONNECT_SECONDS = 5.0
BLAS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""Clusters set these for their workers, and they would overrule OMP_NUM_THREADS."""


class TaskLostError(Exception):
    """The process of a task ended without an answer, more often than it is tried."""


class AbandonedError(Exception):
    """The driver of a task gives no sign of life; its worker ended it."""


class ClusterLostError(Exception):
    """The executor itself can no longer be reached."""


@dataclass(frozen=True)
class Need:
    """What a task takes while it runs. cores : threads it computes with. memory : bytes; 0 of
    GPUs or memory is not declared."""

    cores: int
    gpus: float = 0.0
    memory: int = 0


@dataclass(frozen=True)
class Terms:
    """What the workers of a command are held to.

    versions : package -> version. places : folder -> content of its mark, by which a worker tells
    that it sees the same folder. lease : file that the driver touches while it lives. token : of
    this command. generation : processes begun for an earlier one are not used again. stage : how
    the command is reached where no folder is shared.
    """

    versions: Mapping[str, str]
    places: Mapping[Path, str]
    lease: Path
    token: str
    generation: int = 0
    stage: Stage | None = None


@dataclass(frozen=True, eq=False)
class Task:
    """One call. terms : None where the driver's own machine runs it."""

    work: Callable[..., Any]
    arguments: tuple[object, ...]
    need: Need
    terms: Terms | None = None
    environment: Mapping[str, str | None] = field(default_factory=dict)


class Executor(Protocol):
    """jobs : tasks at a time. threads : of each. widest : threads of a task that has all of a
    worker to itself. most : what the best provided worker can give a task; None where that is not
    known. remote : whether tasks need ``terms``, for workers may be other machines. near : host and
    port of the cluster as this machine reaches it; None where it is this machine."""

    jobs: int
    threads: int
    widest: int
    most: Need | None
    remote: bool
    near: tuple[str, int] | None

    @staticmethod
    def check(cluster: ClusterSpec) -> None:
        """StudyError where it can be told without beginning anything that it would not work."""
        ...

    def submit(self, task: Task) -> "Future[Any]":
        """Hand a task over. The future holds the answer, what the task raised, TaskLostError or
        ClusterLostError."""
        ...

    def ask(self, work: Callable[..., Any], *arguments: object) -> Mapping[str, Any]:
        """Call a function once on every worker there is: name -> answer, or the exception."""
        ...

    def renew(self) -> None:
        """End idle processes of this command, so that the next task begins a new one."""
        ...

    def close(self, *, kill: bool) -> None:
        """Give back what was begun. kill : do not wait for running tasks."""
        ...


def environment_of(threads: int) -> dict[str, str | None]:
    """Variables of a process that computes with so many threads; None: not to be set."""
    return {
        "OMP_NUM_THREADS": str(threads),
        "TF_NUM_INTRAOP_THREADS": str(threads),
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "KERAS_BACKEND": configured_backend(),
        **{name: os.environ.get(name) for name in BLAS},
    }


def place_of(address: str, usual_port: int) -> tuple[str, int]:
    """Host and port of an address such as ``tcp://host:8786``; StudyError where it has none."""
    parts = urlsplit(address if "//" in address else f"//{address}")
    try:
        host, port = parts.hostname, parts.port or usual_port
    except ValueError:
        host, port = None, 0
    if not host:
        raise StudyError(
            f"--address {address!r} names no host: write it as tcp://HOST:{usual_port}"
        )
    return host, port


def check_listening(address: str, usual_port: int) -> tuple[str, int]:
    """Host and port of an address; StudyError where nobody listens there."""
    host, port = place_of(address, usual_port)
    try:
        socket.create_connection((host, port), timeout=CONNECT_SECONDS).close()
    except OSError as error:
        reason = error.strerror or str(error) or type(error).__name__
        raise StudyError(
            f"--address {address}: nobody listens at {host}:{port} ({reason.lower()}); start the "
            "cluster, or name the address that its scheduler printed"
        ) from None
    return host, port


def within(seconds: float, call: Callable[[], T]) -> T:
    """What a call gives; TimeoutError where that takes longer (the call is left to itself)."""
    found: Future[T] = Future()
    threading.Thread(target=settled, args=(found, call), daemon=True).start()
    return found.result(seconds)


def missing(executor: str, package: str) -> StudyError:
    """The package of an executor is not installed."""
    return StudyError(
        f"--executor {executor} needs the package {package}, which is not installed; "
        f"pip install 'ensemble-kit[{executor}]', or leave the option out"
    )


def first_line(error: BaseException) -> str:
    """What an error says, in one line; its kind where it says nothing."""
    return next(iter(str(error).splitlines()), type(error).__name__)


def settled(found: "Future[Any]", outcome: Callable[[], Any]) -> None:
    """Give a future the value of ``outcome()``, or what that raises."""
    try:
        value = outcome()
    except BaseException as error:
        found.set_exception(error)
    else:
        found.set_result(value)


def no_worker(address: str, seconds: float) -> RunError:
    return RunError(
        f"the cluster at {address} has had no worker for {seconds:.0f} s; start workers and give "
        "the command again"
    )

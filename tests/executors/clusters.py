"""Real clusters of two workers on loopback, each begun and ended by whoever asked for it."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from ensemble_kit.training.executors.ray import ON_LOOPBACK

WAIT_SECONDS = 300
NONE: Mapping[str, str] = {}
AGENTS = ("ray::DashboardA", "ray::RuntimeEnv")
FEW = "import os; os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2]); "
"""Two cores wherever the tests run: the number of threads has a bearing on the last digits."""


@dataclass(frozen=True)
class Cluster:
    """A cluster that runs. pids : of its processes begun directly. jobs : folds on each of
    its workers or nodes that make two in all, of one thread."""

    executor: str
    address: str
    pids: tuple[int, ...]
    jobs: int

    @property
    def options(self) -> list[str]:
        return ["--executor", self.executor, "--address", self.address]

    @property
    def side_by_side(self) -> list[str]:
        return [*self.options, "--jobs", str(self.jobs)]

    def trainers(self) -> list[psutil.Process]:
        """The processes beside its workers that train."""
        found = []
        for pid in self.pids:
            found += [p for p in psutil.Process(pid).children(recursive=True) if trains(p)]
        return found


def trains(process: psutil.Process) -> bool:
    try:
        return "executors.seat" in " ".join(process.cmdline())
    except psutil.Error:
        return False


def agents(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Ray's own agents, which notice only after minutes that their node is no more."""
    return [p for p in processes if p.is_running() and p.name().startswith(AGENTS)]


def listening(processes: list[psutil.Process]) -> set[str]:
    """Addresses that these processes listen at."""
    found = set()
    for process in processes:
        with suppress(psutil.Error):
            bound = process.net_connections(kind="inet")
            found |= {c.laddr.ip for c in bound if c.status == psutil.CONN_LISTEN}
    return found


@contextmanager
def dask_cluster(
    folder: Path, variables: Mapping[str, str] | None = None, of_all: Mapping[str, str] = NONE
) -> Iterator[Cluster]:
    """A scheduler and two workers of one thread. variables : of the second worker alone."""
    file, of_second = folder / "scheduler.json", {**of_all, **(variables or {})}
    file.unlink(missing_ok=True)
    with begun(folder) as begin:
        common = ["--scheduler-file", str(file), "--no-dashboard"]
        module = "distributed.cli.dask_scheduler"
        first = begin(module, "--host", "127.0.0.1", "--port", "0", *common)
        wait_until(lambda: file.is_file() and file.stat().st_size > 0)
        worker = ["distributed.cli.dask_worker", "--nthreads", "1", "--host", "127.0.0.1", *common]
        pids = [begin(*worker, variables=of_all), begin(*worker, variables=of_second)]
        logs = [folder / f"{worker[0]}-{number}.log" for number in (1, 2)]
        wait_until(lambda: all("Registered to:" in log.read_text() for log in logs))
        yield Cluster("dask", json.loads(file.read_text())["address"], (first, *pids), 1)


@contextmanager
def ray_cluster(
    folder: Path, variables: Mapping[str, str] | None = None, of_all: Mapping[str, str] = NONE
) -> Iterator[Cluster]:
    """A node of two cores, on which two worker processes run; no token, for it is on loopback."""
    os.environ["RAY_AUTH_MODE"] = "disabled"
    os.environ[ON_LOOPBACK] = "0"
    port = free_port()
    with begun(folder) as begin:
        pid = begin(
            "ray.scripts.scripts", "start", "--head", "--block", "--num-cpus", "2",
            "--node-ip-address", "127.0.0.1", "--port", str(port), "--include-dashboard", "false",
            "--ray-client-server-port", str(free_port()), "--disable-usage-stats",
            variables={"RAY_worker_niceness": "0", **(variables or {}), **of_all},
        )  # fmt: skip
        wait_until(lambda: listens(port))
        yield Cluster("ray", f"127.0.0.1:{port}", (pid,), 2)


CLUSTERS = {"dask": dask_cluster, "ray": ray_cluster}


@contextmanager
def begun(folder: Path) -> Iterator:
    """A function that begins a module in a session of its own; all are ended on the way out."""
    processes: list[subprocess.Popen] = []

    def begin(module: str, *words: str, variables: Mapping[str, str] | None = None) -> int:
        text = f"{FEW}import sys, runpy; runpy.run_module({module!r}, run_name='__main__')"
        with (folder / f"{module}-{len(processes)}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-c", text, *words], cwd=folder, stdout=log, stderr=log,
                env=os.environ | dict(variables or {}), start_new_session=True,
            )  # fmt: skip
        processes.append(process)
        return process.pid

    try:
        yield begin
    finally:
        end([p.pid for p in processes])
        for process in processes:
            process.wait(timeout=30)


def end(pids: list[int]) -> None:
    """End processes and all that they began."""
    doomed = []
    for pid in pids:
        if psutil.pid_exists(pid):
            process = psutil.Process(pid)
            doomed += [process, *process.children(recursive=True)]
    for process in doomed:
        try:
            process.send_signal(signal.SIGKILL)
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(doomed, timeout=30)


def wait_until(there, seconds: float = WAIT_SECONDS) -> None:
    """Wait for a condition; fails where it does not come."""
    limit = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < limit, f"waited {seconds} s in vain"
        time.sleep(0.1)


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return bound.getsockname()[1]


def listens(port: int) -> bool:
    with socket.socket() as asked:
        return asked.connect_ex(("127.0.0.1", port)) == 0

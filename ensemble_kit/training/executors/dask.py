"""Dask: a cluster by its scheduler's address, or one of our own on this machine."""

import logging
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from functools import partial
from importlib.util import find_spec
from typing import Any

from ensemble_kit.core import machine
from ensemble_kit.core.errors import RunError
from ensemble_kit.study.cluster import ClusterSpec
from ensemble_kit.training.executors.base import (
    ClusterLostError,
    Need,
    Task,
    TaskLostError,
    check_listening,
    first_line,
    missing,
    no_worker,
    place_of,
    settled,
    within,
)
from ensemble_kit.training.executors.seat import end_seats, run_in_seat

PORT, HERE = 8786, "127.0.0.1"
WAIT_SECONDS = 60.0
CORES, GPUS, MEMORY = "ensemble_kit_cores", "GPU", "ensemble_kit_memory"
"""Names of resources. Workers declare GPUs themselves (``--resources GPU=1``); cores and memory
are declared for them, for Dask counts a task as one thread whatever it uses."""
CLOSE_SECONDS = 10


class DaskExecutor:
    """Tasks through ``dask.distributed``. An address: of a scheduler that runs already."""

    remote = True

    @staticmethod
    def check(cluster: ClusterSpec) -> None:
        if find_spec("distributed") is None:
            raise missing(cluster.executor, "distributed")
        if cluster.address:
            check_listening(cluster.address, PORT)

    def __init__(self, cluster: ClusterSpec, jobs: int) -> None:
        self.check(cluster)
        import distributed

        logging.getLogger("distributed").setLevel(logging.CRITICAL)
        self._address = cluster.address
        self._client: Any = None
        self._own: Any = None
        self._tokens: set[str] = set()
        self._waiting: list[Any] = []
        self.near = place_of(self._address, PORT) if self._address else None
        cores = machine.cores()
        if not self._address:
            self._own = distributed.LocalCluster(
                n_workers=jobs, threads_per_worker=max(1, cores // jobs), processes=True,
                host=HERE, dashboard_address=f"{HERE}:0", worker_dashboard_address=f"{HERE}:0",
                silence_logs=logging.CRITICAL, memory_limit=0,
            )  # fmt: skip
        try:
            self._client = distributed.Client(
                self._address or self._own, timeout=WAIT_SECONDS, set_as_default=False
            )
            self._client.register_plugin(_plugin())
            workers = self._workers()
        except OSError as error:
            self._leave()
            raise RunError(
                f"the scheduler at {self._address} does not answer as one of Dask ({error}); check "
                "--address"
            ) from None
        except BaseException:
            self._leave()
            raise
        threads = [int(worker["nthreads"]) for worker in workers]
        gpus = max(float(worker["resources"].get(GPUS, 0)) for worker in workers)
        memory = max(int(worker["resources"].get(MEMORY, 0)) for worker in workers)
        self.most = Need(max(threads), gpus, memory)
        self._least = min(threads)
        self.threads = max(1, self._least // (jobs if self._address else 1))
        self.jobs = sum(n // self.threads for n in threads)
        self.widest = self._least if self._address else cores

    def submit(self, task: Task) -> "Future[Any]":
        assert task.terms is not None
        need = task.need
        resources = {CORES: min(need.cores, self._least), GPUS: need.gpus, MEMORY: need.memory}
        key = f"{task.work.__name__}-{uuid.uuid4().hex}"
        self._tokens.add(task.terms.token)
        sent = self._client.submit(
            run_in_seat, task, key=key, pure=False,
            resources={name: amount for name, amount in resources.items() if amount},
        )  # fmt: skip
        self._waiting.append(sent)
        found: Future[Any] = Future()
        found.set_running_or_notify_cancel()
        sent.add_done_callback(partial(self._settle, found))
        return found

    def ask(self, work: Callable[..., Any], *arguments: object) -> Mapping[str, Any]:
        try:
            answers: Mapping[str, Any] = within(
                WAIT_SECONDS, partial(self._client.run, work, *arguments, on_error="return")
            )
        except TimeoutError:
            raise RunError(
                f"a worker of {self._address or 'this machine'} has not answered for "
                f"{WAIT_SECONDS:.0f} s; end it, or wait for it, and give the command again"
            ) from None
        return answers

    def renew(self) -> None:
        """Nothing: the next task's generation tells its worker."""

    def close(self, *, kill: bool) -> None:
        import distributed

        try:
            self._client.cancel(list(self._waiting), force=True)
            for token in self._tokens:
                ask = partial(self._client.run, end_seats, token, on_error="ignore")
                within(CLOSE_SECONDS, ask)
        except (OSError, RuntimeError, distributed.TimeoutError):
            pass  # the scheduler is gone, or a worker silent: what there is ends by its lease
        self._leave()

    def _leave(self) -> None:
        for begun in (self._client, self._own):
            if begun is not None:
                begun.close(timeout=CLOSE_SECONDS)

    def _workers(self) -> list[dict[str, Any]]:
        from distributed import TimeoutError as LateError

        try:
            self._client.wait_for_workers(1, timeout=WAIT_SECONDS)
        except LateError:
            raise no_worker(self._address, WAIT_SECONDS) from None
        return list(self._client.scheduler_info(n_workers=-1)["workers"].values())

    def _settle(self, found: "Future[Any]", sent: Any) -> None:
        from distributed import KilledWorker

        def outcome() -> Any:
            if sent.status == "cancelled":
                raise ClusterLostError("the task was taken back by the scheduler")
            try:
                returned = sent.result()
            except KilledWorker as error:
                raise TaskLostError(first_line(error)) from None
            except Exception as error:  # no task raises: the scheduler or a worker could not
                raise ClusterLostError(first_line(error)) from None
            return returned.value()

        settled(found, outcome)
        self._waiting.remove(sent)


def _plugin() -> Any:
    from distributed import WorkerPlugin

    class Declared(WorkerPlugin):  # type: ignore[misc]
        """Declares a worker's threads and memory as resources, also of workers that join later."""

        name = "ensemble_kit"
        idempotent = True

        async def setup(self, worker: Any) -> None:
            limit = worker.memory_manager.memory_limit or 1 << 60
            await worker.set_resources(**{CORES: worker.state.nthreads, MEMORY: limit})

    return Declared()

"""Ray: a cluster by its address, or one of our own on this machine."""

import logging
import os
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
)
from ensemble_kit.training.executors.seat import run_in_seat

PORT = 10001
HERE = "127.0.0.1"
ON_LOOPBACK = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
"""At 0, Ray keeps a cluster of this machine on its loopback, whatever address it is given; read
when Ray is imported."""
ASK_SECONDS = 60.0
RETRIES = 3


class RayExecutor:
    """Tasks through ``ray``. An address: ``ray://host:10001``, or host:6379 on a node itself."""

    remote = True

    @staticmethod
    def check(cluster: ClusterSpec) -> None:
        if find_spec("ray") is None:
            raise missing(cluster.executor, "ray")
        if cluster.address:
            check_listening(cluster.address, PORT)

    def __init__(self, cluster: ClusterSpec, jobs: int) -> None:
        self.check(cluster)
        if not cluster.address:
            os.environ[ON_LOOPBACK] = "0"
        import ray

        self._ray, self._address = ray, cluster.address
        self._waiting: set[Any] = set()
        self.near = place_of(self._address, PORT) if self._address else None
        cores = machine.cores()
        asked: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.CRITICAL}
        if not self._address:
            self.threads = max(1, cores // jobs)
            asked |= {
                "num_cpus": jobs * self.threads,
                "include_dashboard": False,
                "_node_ip_address": HERE,
                "_system_config": {"worker_niceness": 0},
            }
        try:
            ray.init(address=self._address or "local", **asked)
        except (RuntimeError, ConnectionError, ValueError) as error:
            raise RunError(
                f"the cluster at {self._address or 'this machine'} does not let this command in "
                f"({first_line(error)}); check --address, that Ray and Python have the "
                "same versions there, and, where the cluster asks for a token, RAY_AUTH_MODE=token"
            ) from None
        offers = [node["Resources"] for node in self._nodes()]
        if not offers:
            ray.shutdown()
            raise no_worker(self._address, 0)
        nodes = [int(offer["CPU"]) for offer in offers]
        self.most = Need(
            max(nodes),
            max(offer.get("GPU", 0.0) for offer in offers),
            max(int(offer.get("memory", 0)) for offer in offers),
        )
        if self._address:
            self.threads = max(1, min(nodes) // jobs)
        self.jobs = sum(n // self.threads for n in nodes)
        self._least = min(nodes)
        self.widest = self._least if self._address else cores

    def submit(self, task: Task) -> "Future[Any]":
        need = task.need
        wanted = {
            "num_cpus": min(need.cores, self._least), "num_gpus": need.gpus, "memory": need.memory,
            "max_retries": RETRIES, "name": task.work.__name__,
        }  # fmt: skip
        sent = self._remote(run_in_seat, **{k: v for k, v in wanted.items() if v}).remote(task)
        self._waiting.add(sent)
        found: Future[Any] = Future()
        found.set_running_or_notify_cancel()
        sent.future().add_done_callback(partial(self._settle, found, sent))
        return found

    def ask(self, work: Callable[..., Any], *arguments: object) -> Mapping[str, Any]:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        asked = {}
        for node in self._nodes():
            there = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            remote = self._remote(work, num_cpus=0, scheduling_strategy=there)
            asked[node["NodeManagerAddress"]] = remote.remote(*arguments)
        answers: dict[str, Any] = {}
        for name, sent in asked.items():
            try:
                answers[name] = self._ray.get(sent, timeout=ASK_SECONDS)
            except self._ray.exceptions.RayTaskError as error:
                answers[name] = error.cause
            except self._ray.exceptions.RayError as error:
                answers[name] = error
        return answers

    def renew(self) -> None:
        """Nothing: the next task's generation tells its worker."""

    def close(self, *, kill: bool) -> None:
        for sent in tuple(self._waiting) if kill else ():
            self._ray.cancel(sent, force=True)
        self._ray.shutdown()

    def _nodes(self) -> list[dict[str, Any]]:
        """The machines that compute; a head without cores is none."""
        alive = [node for node in self._ray.nodes() if node["Alive"]]
        return [node for node in alive if node["Resources"].get("CPU")]

    def _remote(self, work: Callable[..., Any], **wanted: Any) -> Any:
        return self._ray.remote(**wanted)(work)

    def _settle(self, found: "Future[Any]", sent: Any, done: "Future[Any]") -> None:
        errors = self._ray.exceptions

        def outcome() -> Any:
            try:
                return done.result().value()
            except (errors.WorkerCrashedError, errors.OutOfMemoryError) as error:
                raise TaskLostError(first_line(error)) from None
            except errors.RayError as error:
                raise ClusterLostError(first_line(error)) from None

        settled(found, outcome)
        self._waiting.discard(sent)

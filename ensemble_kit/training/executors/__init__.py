"""Executors: one file and one line of the registry each; nobody else knows their names."""

from importlib import import_module
from typing import Any

from ensemble_kit.core.errors import StudyError, some
from ensemble_kit.study.cluster import ClusterSpec
from ensemble_kit.training.executors.base import Executor

EXECUTORS = {
    "local": "ensemble_kit.training.executors.local:LocalExecutor",
    "dask": "ensemble_kit.training.executors.dask:DaskExecutor",
    "ray": "ensemble_kit.training.executors.ray:RayExecutor",
}
"""Name of an executor -> where its class is; it is imported when it is asked for."""


def runs_here(cluster: ClusterSpec) -> bool:
    """Whether it is this machine and nothing else."""
    return cluster.executor == ClusterSpec().executor


def check_executor(cluster: ClusterSpec) -> None:
    """StudyError where there is no executor of that name, or what is asked is not of it."""
    if cluster.executor not in EXECUTORS:
        raise StudyError(
            f"cluster.executor = {cluster.executor!r} (--executor): there are {some(EXECUTORS)}"
        )
    if runs_here(cluster):
        _check_of_this_machine(cluster)
    elif cluster.devices:
        raise StudyError(
            f"--devices {cluster.devices} names cards of this machine, and --executor "
            f"{cluster.executor} finds folds their places: declare --gpus-per-fold instead"
        )


def _check_of_this_machine(cluster: ClusterSpec) -> None:
    if cluster.address:
        raise StudyError(
            f"--address {cluster.address}: the executor {cluster.executor!r} is this machine; "
            "name the cluster's with --executor, or leave the address out"
        )
    if cluster.stage or cluster.stage_dir:
        raise StudyError(
            f"--stage is for workers of a cluster, and the executor {cluster.executor!r} is this "
            "machine: name --executor, or leave it out"
        )
    if cluster.gpus or cluster.memory:
        name, value = ("gpus", cluster.gpus) if cluster.gpus else ("memory", cluster.memory)
        raise StudyError(
            f"cluster.{name} = {value:g} is what a fold declares to a cluster, and the executor "
            f"{cluster.executor!r} is this machine: name --executor, or leave it out; cards of "
            "this machine are named with --devices"
        )


def check_place(cluster: ClusterSpec) -> None:
    """As :func:`check_executor`, and StudyError where cards, a package or a cluster are not there;
    nothing is begun."""
    check_executor(cluster)
    _class_of(cluster).check(cluster)


def open_executor(cluster: ClusterSpec, jobs: int) -> Executor:
    """Begin or reach what a study names. jobs : tasks at a time on each machine."""
    check_executor(cluster)
    made: Executor = _class_of(cluster)(cluster, jobs)
    return made


def _class_of(cluster: ClusterSpec) -> Any:
    module, _, name = EXECUTORS[cluster.executor].partition(":")
    return getattr(import_module(module), name)

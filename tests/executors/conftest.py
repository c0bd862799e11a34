"""A data set, a run of it by this machine's processes, and clusters by name."""

import pytest

from tests.executors.clusters import CLUSTERS
from tests.executors.giving import cv, give
from tests.training.conftest import write_squares

NEEDED = {"dask": "distributed", "ray": "ray"}


@pytest.fixture(
    params=[
        pytest.param("dask", marks=pytest.mark.dask),
        pytest.param("ray", marks=pytest.mark.ray),
    ],
    scope="session",
)
def executor(request) -> str:
    pytest.importorskip(NEEDED[request.param])
    return request.param


@pytest.fixture
def begin(executor):
    """The context of a cluster of the executor under test."""
    return CLUSTERS[executor]


@pytest.fixture(scope="session")
def place(tmp_path_factory):
    """A folder with the data set ``squares``."""
    folder = tmp_path_factory.mktemp("executors")
    write_squares(folder / "squares")
    return folder


@pytest.fixture(scope="session")
def local(place) -> bytes:
    """The rows of the run ``local`` by two processes of this machine."""
    done = give(place, cv("--run", "local", "--jobs", "2"))
    assert done.returncode == 0, done.stderr
    return (place / "runs/local/oof.csv").read_bytes()

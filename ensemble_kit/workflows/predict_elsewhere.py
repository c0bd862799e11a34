"""New images predicted by the workers of a cluster: so many batches a task, rows in order."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from socket import gethostname

from ensemble_kit.core.errors import DataError, RunError
from ensemble_kit.core.folders import named_by_process
from ensemble_kit.data.new_images import NewImage
from ensemble_kit.study.cluster import ClusterSpec
from ensemble_kit.training.workers import Workers
from ensemble_kit.workflows.beside import Beside
from ensemble_kit.workflows.predict_stream import PredictOptions, stream
from ensemble_kit.workflows.predicted import Predicted
from ensemble_kit.workflows.shipped import Shipped, open_shipped

BATCHES = 16
"""Of a task: a worker opens the fold models once, and a lost task is soon done again."""
AHEAD = 2
"""Tasks handed over for each that runs."""


@dataclass(frozen=True)
class Asked:
    """What is predicted with, as a worker opens it."""

    run_folder: Path
    coverage: float | None
    fold: int | None


def check_elsewhere(shipped: Shipped, images: Sequence[NewImage], given: Beside) -> None:
    """DataError where the images are not files, or the models see more than pixels."""
    if given.features or given.metadata is not None:
        raise DataError(
            f"run {shipped.run.name!r} sees tables beside images: predict on this machine, without "
            "--executor"
        )
    if any(image.path is None for image in images):
        raise DataError("images in memory are predicted on this machine, without --executor")


def stream_elsewhere(
    cluster: ClusterSpec, asked: Asked, images: Sequence[NewImage], options: PredictOptions
) -> Iterator[Predicted]:  # fmt: skip
    """The pieces of :func:`stream`, computed by workers that see the run and the images."""
    asked = Asked(asked.run_folder.absolute(), asked.coverage, asked.fold)
    runs = asked.run_folder.parent  # workers see it; where ``out`` is they need not
    events = runs / named_by_process(".predict")
    size, fill = BATCHES * options.batch, len(images) > options.batch
    here = [NewImage(i.image_id, i.path.absolute() if i.path else None) for i in images]
    chunks = deque(here[start : start + size] for start in range(0, len(here), size))
    with Workers(1, events, lambda event: None, cluster, (runs,)) as workers:
        waiting: deque[Future[list[Predicted]]] = deque()
        while chunks or waiting:
            while chunks and len(waiting) < AHEAD * workers.jobs:
                waiting.append(
                    workers.submit(predict_piece, asked, chunks.popleft(), options, fill)
                )
            yield from workers.finish([waiting.popleft()])[0]


def predict_piece(
    asked: Asked, images: Sequence[NewImage], options: PredictOptions, fill: bool
) -> list[Predicted]:
    """Some images; runs in a worker."""
    unseen = next((i.path for i in images if i.path and not i.path.exists()), None)
    if unseen is not None:
        raise RunError(
            f"worker {gethostname()} does not see {unseen}: images lie where driver and workers "
            "see them under one path"
        )
    return list(stream(_opened(asked), images, options, fill=fill))


@lru_cache(maxsize=1)
def _opened(asked: Asked) -> Shipped:
    return open_shipped(asked.run_folder, coverage=asked.coverage, fold=asked.fold)

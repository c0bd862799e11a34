"""Where a phase takes its rows from: stored activations, or pixels for end-to-end training."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from ensemble_kit.core.records import Ints
from ensemble_kit.models.draws import EpochDraw
from ensemble_kit.models.views import view_of
from ensemble_kit.stores.activations import ActivationStore

T = TypeVar("T")
U = TypeVar("U")


class Source(Protocol):
    """Rows of input for a model, by position in the table."""

    def drawn(self, rows: Ints, views: Ints, stream: np.random.Generator) -> NDArray[Any]:
        """(m, ...) training rows in the views drawn; ``stream`` serves further augmentation."""
        ...

    def seen(self, rows: Ints, view: int) -> NDArray[Any]:
        """(m, ...) rows in one view, without further augmentation, for predictions."""
        ...


@dataclass(frozen=True)
class StoredSource:
    """Activations at a cut."""

    store: ActivationStore

    def drawn(self, rows: Ints, views: Ints, stream: np.random.Generator) -> NDArray[Any]:
        return self.store.read(rows, views)

    def seen(self, rows: Ints, view: int) -> NDArray[Any]:
        if view == 0:
            return self.store.read_exact(rows)
        return self.store.read(rows, np.full(len(rows), view)).astype(np.float32)


@dataclass(frozen=True, eq=False)
class PixelSource:
    """Pixels 0..255 (n, S, S, 3); ``online`` adds random exposure, contrast and colour cast."""

    pixels: NDArray[np.uint8]
    online: bool = False

    def drawn(self, rows: Ints, views: Ints, stream: np.random.Generator) -> NDArray[Any]:
        images = self.pixels[rows]
        for view in np.unique(views):
            chosen = views == view
            images[chosen] = view_of(images[chosen], int(view))
        return _recoloured(images, stream) if self.online else images

    def seen(self, rows: Ints, view: int) -> NDArray[Any]:
        return view_of(np.asarray(self.pixels[rows]), view)


def _recoloured(images: NDArray[np.uint8], stream: np.random.Generator) -> NDArray[np.float32]:
    """Contrast ×[0.8, 1.2] about the mean, each channel ×[0.9, 1.1], exposure ×[0.85, 1.15]."""
    m = len(images)
    contrast = stream.uniform(0.8, 1.2, (m, 1, 1, 1)).astype(np.float32)
    gain = stream.uniform(0.9, 1.1, (m, 1, 1, 3)) * stream.uniform(0.85, 1.15, (m, 1, 1, 1))
    pixels = images.astype(np.float32)
    mean = pixels.mean(axis=(1, 2), keepdims=True)
    recoloured = ((pixels - mean) * contrast + mean) * gain.astype(np.float32)
    return np.asarray(np.clip(recoloured, 0, 255), np.float32)


@dataclass(frozen=True, eq=False)
class Batch:
    """Inputs (B, ...), one-hot targets (B, C), weights (B,); ``size`` rows are real.

    A last, short batch is filled up with rows of weight 0, so every step has one shape.
    """

    inputs: NDArray[Any]
    targets: NDArray[np.float32]
    weights: NDArray[np.float32]
    size: int


def training_batches(
    source: Source,
    draw: EpochDraw,
    targets: NDArray[np.float32],
    weights: NDArray[np.float32],
    batch_size: int,
    stream: np.random.Generator,
) -> Iterator[Batch]:
    """The batches of one epoch, read in the background one ahead of the trainer.

    targets : (n, C) and weights : (n,) of all rows of the table.
    """

    def read(start: int) -> Batch:
        rows = draw.rows[start : start + batch_size]
        inputs = source.drawn(rows, draw.views[start : start + batch_size], stream)
        return _filled_up(inputs, targets[rows], weights[rows], batch_size)

    return _ahead(read, range(0, len(draw.rows), batch_size))


def prediction_batches(
    source: Source, rows: Ints, batch_size: int, view: int = 0
) -> Iterator[Batch]:
    """Batches of rows in one view (targets and weights are empty)."""
    empty, none = np.empty((0, 0), np.float32), np.empty(0, np.float32)

    def read(start: int) -> Batch:
        chosen = rows[start : start + batch_size]
        return _filled_up(source.seen(chosen, view), empty, none, batch_size)

    return _ahead(read, range(0, len(rows), batch_size))


def _filled_up(
    inputs: NDArray[Any],
    targets: NDArray[np.float32],
    weights: NDArray[np.float32],
    batch_size: int,
) -> Batch:
    size = len(inputs)
    missing = batch_size - size
    if missing:
        inputs = np.concatenate([inputs, np.repeat(inputs[:1], missing, axis=0)])
        if len(targets):
            targets = np.concatenate([targets, np.repeat(targets[:1], missing, axis=0)])
            weights = np.concatenate([weights, np.zeros(missing, np.float32)])
    return Batch(inputs, targets, weights, size)


def _ahead(read: Callable[[T], U], items: Iterable[T]) -> Iterator[U]:
    """``map`` that computes the next item in a thread while the current one is used."""
    with ThreadPoolExecutor(1) as reader:
        pending = None
        for item in items:
            following = reader.submit(read, item)
            if pending is not None:
                yield pending.result()
            pending = following
        if pending is not None:
            yield pending.result()

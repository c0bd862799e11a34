"""New images decoded batch by batch, a little ahead of their use."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from ensemble_kit.core.errors import DataError
from ensemble_kit.core.machine import available_cores
from ensemble_kit.data.decode import Aspect, Pixels
from ensemble_kit.data.new_images import NewImage, read_new_image

AHEAD = 2
"""Batches decoded before they are needed."""


@dataclass(frozen=True, eq=False)
class Piece:
    """Images of one batch as every input size asks for them, and what could not be read."""

    images: tuple[NewImage, ...]
    pixels: Mapping[tuple[int, Aspect], Pixels]
    damaged: tuple[str, ...]


def decoded(
    images: Sequence[NewImage], inputs: Sequence[tuple[int, Aspect]], batch_size: int, jobs: int
) -> Iterator[Piece]:
    """Decoded batches, read by threads a little ahead of their use. jobs : 0 for one a core."""

    def read(image: NewImage) -> dict[tuple[int, Aspect], Pixels] | str:
        try:
            return {key: read_new_image(image, *key) for key in inputs}
        except DataError as error:
            return str(error)

    batches = [images[i : i + batch_size] for i in range(0, len(images), batch_size)]
    with ThreadPoolExecutor(jobs or available_cores()) as pool:
        waiting: deque[
            tuple[Sequence[NewImage], list[Future[dict[tuple[int, Aspect], Pixels] | str]]]
        ]
        waiting = deque()
        for batch in batches:
            waiting.append((batch, [pool.submit(read, image) for image in batch]))
            if len(waiting) > AHEAD:
                yield _piece(*waiting.popleft(), inputs)
        while waiting:
            yield _piece(*waiting.popleft(), inputs)


def _piece(
    batch: Sequence[NewImage],
    futures: "list[Future[dict[tuple[int, Aspect], Pixels] | str]]",
    inputs: Sequence[tuple[int, Aspect]],
) -> Piece:
    results = [future.result() for future in futures]
    good = [(i, r) for i, r in zip(batch, results, strict=True) if not isinstance(r, str)]
    damaged = tuple(r for r in results if isinstance(r, str))
    pixels = {
        key: np.stack([r[key] for _, r in good])
        if good
        else np.empty((0, key[0], key[0], 3), np.uint8)
        for key in inputs
    }
    return Piece(tuple(image for image, _ in good), pixels, damaged)

"""New images decoded batch by batch, a little ahead of their use."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ensemble_kit.core.errors import DataError
from ensemble_kit.core.machine import cores
from ensemble_kit.data.decode import Aspect, Pixels
from ensemble_kit.data.new_images import NewImage, is_deep, read_new_image

DEEP_NOTE = (
    "16-bit grey pictures are scaled by the bits that each of them uses, since the training saw no "
    "such picture"
)
AHEAD = 2
"""Batches decoded before they are needed."""


class Input(NamedTuple):
    """How a member sees an image.

    bits : of the 16-bit grey pictures it was trained on; 0: it was trained on none.
    """

    size: int
    aspect: Aspect
    bits: int


@dataclass(frozen=True, eq=False)
class Piece:
    """Images of one batch as every input asks for them, and what could not be read. deep : whether
    one is 16-bit grey where a member was trained on no such picture."""

    images: tuple[NewImage, ...]
    pixels: Mapping[Input, Pixels]
    damaged: tuple[str, ...]
    deep: bool = False

    @property
    def notes(self) -> tuple[str, ...]:
        """What was supposed in reading them."""
        return (DEEP_NOTE,) if self.deep else ()


Read = tuple[dict[Input, Pixels], bool]
"""One image for every input, and whether it is 16-bit grey that no training saw."""


def decoded(
    images: Sequence[NewImage], inputs: Sequence[Input], batch_size: int, jobs: int
) -> Iterator[Piece]:
    """Decoded batches, read by threads a little ahead of their use. jobs : 0 for one a core."""

    unseen = any(not seen.bits for seen in inputs)

    def read(image: NewImage) -> Read | str:
        try:
            return {seen: read_new_image(image, *seen) for seen in inputs}, (
                unseen and is_deep(image)
            )
        except DataError as error:
            return str(error)

    batches = [images[i : i + batch_size] for i in range(0, len(images), batch_size)]
    with ThreadPoolExecutor(jobs or cores()) as pool:
        waiting: deque[tuple[Sequence[NewImage], list[Future[Read | str]]]] = deque()
        for batch in batches:
            waiting.append((batch, [pool.submit(read, image) for image in batch]))
            if len(waiting) > AHEAD:
                yield _piece(*waiting.popleft(), inputs)
        while waiting:
            yield _piece(*waiting.popleft(), inputs)


def _piece(
    batch: Sequence[NewImage],
    futures: "list[Future[Read | str]]",
    inputs: Sequence[Input],
) -> Piece:
    results = [future.result() for future in futures]
    good = [(i, r) for i, r in zip(batch, results, strict=True) if not isinstance(r, str)]
    damaged = tuple(r for r in results if isinstance(r, str))
    pixels = {
        seen: np.stack([r[0][seen] for _, r in good])
        if good
        else np.empty((0, seen.size, seen.size, 3), np.uint8)
        for seen in inputs
    }
    deep = any(r[1] for _, r in good)
    return Piece(tuple(image for image, _ in good), pixels, damaged, deep)

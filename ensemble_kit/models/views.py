"""The eight dihedral views of a square image: flips and quarter turns lose nothing."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

N_VIEWS = 8


def view_of(images: NDArray[Any], view: int) -> NDArray[Any]:
    """One view of square images (n, S, S, ...), contiguous.

    0 identity, 1 left-right, 2 top-bottom, 3 half turn, 4-7 the transposes of 0-3.
    """
    if not 0 <= view < N_VIEWS:
        raise ValueError(f"view {view} is not one of 0..{N_VIEWS - 1}")
    result = images.swapaxes(1, 2) if view & 4 else images
    if view & 1:
        result = result[:, :, ::-1]
    if view & 2:
        result = result[:, ::-1]
    return np.ascontiguousarray(result)

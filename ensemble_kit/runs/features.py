"""The pooled features a fold keeps of the images it held out: ``fold_k/features.npy``."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble_kit.core.atomic import write_atomically
from ensemble_kit.core.errors import RunError, reason


def write_features(path: Path, features: NDArray[Any]) -> None:
    """Write (m, F) features as float16, each row scaled to length 1."""
    rows = unit_rows(features).astype(np.float16)
    write_atomically(path, lambda file: np.save(file, rows, allow_pickle=False))


def read_features(path: Path, rows: int) -> NDArray[np.float32]:
    """(m, F) float32 rows of length 1; RunError where the file is not that of ``rows`` images."""
    try:
        found = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise RunError(f"{path}: cannot be read ({reason(error)}); the run is damaged") from None
    if found.ndim != 2 or len(found) != rows:
        raise RunError(
            f"{path}: features of shape {found.shape} for {rows:,} images; the run is damaged"
        )
    return unit_rows(found)


def unit_rows(features: NDArray[Any]) -> NDArray[np.float32]:
    """Each row divided by its length; a row of zeros stays one."""
    values = np.asarray(features, np.float32)
    length = np.sqrt((values**2).sum(axis=1, keepdims=True))
    return np.asarray(values / np.where(length > 0, length, 1.0), np.float32)

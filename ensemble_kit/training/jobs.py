"""What a process needs to train one fold, as plain values."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble_kit.core.atomic import write_atomically
from ensemble_kit.core.records import Ints, Strings
from ensemble_kit.models.draws import FoldSeed
from ensemble_kit.stores.activations import ActivationKey
from ensemble_kit.study import StudySpec

ARRAYS = ("image_ids", "labels", "groups", "train", "stopping_rows", "held")
METADATA = "metadata "


@dataclass(frozen=True)
class PixelFile:
    """A pixel store as a worker opens it: a plain uint8 file of the shape (n, S, S, 3)."""

    path: Path
    shape: tuple[int, int, int, int]

    def open(self) -> NDArray[np.uint8]:
        return np.memmap(self.path, dtype=np.uint8, mode="r", shape=self.shape)


@dataclass(frozen=True, eq=False)
class FoldJob:
    """All that a process needs to train one fold; plain values, so any machine can take it.

    train, stopping_rows, held : (m,) int rows of the table; labels, groups : (n,) int.
    keys : activation stores of the head (pooled features) and of the cut; a phase whose store is
    not among them trains from pixels.
    stop : once this file exists, the training ends with its running epoch.
    metadata : columns joined to the pooled features, name -> (n,) str. rows : file of all arrays,
    where they are not in the job itself (:func:`packed`).
    folder : where the fold's files go. digest : of the study, folds and pixels behind it.
    """

    spec: StudySpec
    seed: FoldSeed
    image_ids: Strings
    class_names: tuple[str, ...]
    labels: Ints
    groups: Ints
    train: Ints
    stopping_rows: Ints
    held: Ints
    pixels: PixelFile
    weights: Path | None
    store_dir: Path
    keys: tuple[ActivationKey, ...]
    views: int
    folder: Path
    events: Path
    digest: str
    threads: int
    keep_model: bool = True
    tensorboard: bool = False
    stop: Path | None = None
    metadata: Mapping[str, Strings] = field(default_factory=dict)
    rows: Path | None = None


def packed(job: FoldJob, path: Path) -> FoldJob:
    """The job with its arrays in a file, so that a scheduler passes on nothing large."""
    arrays = {name: np.asarray(getattr(job, name)) for name in ARRAYS}
    arrays |= {f"{METADATA}{name}": column for name, column in job.metadata.items()}
    write_atomically(path, lambda file: np.savez(file, allow_pickle=False, **arrays))
    none: dict[str, Any] = {name: array[:0] for name, array in arrays.items() if name in ARRAYS}
    return replace(job, rows=path, metadata={}, **none)


def unpacked(job: FoldJob) -> FoldJob:
    """The job with the arrays of its file, if it has one."""
    if job.rows is None:
        return job
    with np.load(job.rows, allow_pickle=False) as arrays:
        found: dict[str, Any] = {name: arrays[name] for name in arrays.files}
    metadata = {
        name.removeprefix(METADATA): found.pop(name)
        for name in arrays.files
        if name.startswith(METADATA)
    }
    return replace(job, rows=None, metadata=metadata, **found)

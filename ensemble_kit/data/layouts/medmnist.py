"""MedMNIST (Yang et al. 2023): an npz with train_images, train_labels, val_…, test_…."""

import numpy as np
import pandas as pd

from ensemble_kit.core.errors import DataError
from ensemble_kit.data.binary_tables import open_npz
from ensemble_kit.data.layouts.base import How, Layout, LayoutRows, Place
from ensemble_kit.data.references import MARK

SPLITS = ("train", "val", "test")


def recognise(place: Place) -> Layout | None:
    """One npz and no other table."""
    files = [t for t in place.tables if t.suffix.lower() == ".npz"]
    if len(files) != 1 or len(place.tables) != 1:
        return None
    return Layout("MedMNIST npz", files[0].parent, files[0], read)


def read(layout: Layout, how: How) -> LayoutRows:
    arrays = open_npz(layout.table)
    prefixes = [f"{s}_" for s in SPLITS if f"{s}_images" in arrays] or [""]
    frames = []
    for prefix in prefixes:
        images, labels = arrays.get(f"{prefix}images"), arrays.get(f"{prefix}labels")
        if images is None or labels is None:
            raise DataError(
                f"{layout.table}: no arrays {prefix}images and {prefix}labels; it has "
                f"{', '.join(arrays)}"
            )
        if images.dtype != np.uint8 or images.ndim not in (3, 4):
            raise DataError(
                f"{layout.table}: {prefix}images is {images.dtype} {images.shape}: images are "
                "uint8 "
                "(n, h, w) or (n, h, w, 3)"
            )
        flat = labels.reshape(len(labels), -1)
        if flat.shape[1] != 1 or len(flat) != len(images):
            raise DataError(
                f"{layout.table}: {prefix}labels is {labels.shape} for {len(images):,} images: one "
                "label an image is needed (sets with several findings an image are not read)"
            )
        width = max(5, len(str(len(images))))
        split = prefix.rstrip("_") or "image"
        frames.append(
            pd.DataFrame(
                {
                    "image_id": [f"{split}_{k:0{width}d}" for k in range(len(images))],
                    "dx": [str(value) for value in flat[:, 0].tolist()],
                    "lesion_id": "",
                    "patient_id": "",
                    "reference": [
                        f"{layout.table.name}{MARK}{prefix}images{MARK}{k}"
                        for k in range(len(images))
                    ],
                    "split": split,
                },
                dtype="str",
            )
        )
    frame = pd.concat(frames, ignore_index=True)
    told = f"{layout.table.name}: image = split and row, label = …_labels, split = array"
    notes = ("label: the numbers are the classes' names (--map-labels gives words)",)
    return LayoutRows(frame, f"{told}; no column for patient or lesion", notes)

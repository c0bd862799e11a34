"""MILK10k (ISIC 2025): a ground truth with a row a lesion, a metadata table with a row an image."""

from pathlib import Path

import numpy as np
import pandas as pd

from ensemble_kit.core.errors import DataError, some
from ensemble_kit.data.layouts.base import How, Layout, LayoutRows, Place, header_of, tables_in
from ensemble_kit.data.layouts.reading import FALSE, TRUE, canonical
from ensemble_kit.data.tables import read_table

INPUT = frozenset({"lesion_id", "isic_id"})


def recognise(place: Place) -> Layout | None:
    """A table by image (isic_id, lesion_id) and one by lesion whose other columns are classes."""
    tables = tables_in(place.root) if place.named else place.tables
    truths = [t for t in tables if "groundtruth" in t.stem.lower() and _by_lesion(t)]
    if len(truths) != 1:
        return None
    start = truths[0].stem.lower().partition("groundtruth")[0]
    images = [t for t in tables if t.stem.lower() == f"{start}metadata" and header_of(t) >= INPUT]
    if len(images) != 1 or place.named not in (None, truths[0], images[0]):
        return None
    return Layout("MILK10k", place.root, truths[0], read, (images[0],))


def read(layout: Layout, how: How) -> LayoutRows:
    """Every image of a lesion has the lesion's label."""
    truth, images = read_table(layout.table), read_table(layout.extra[0])
    labels = _labels(truth.frame, layout.table)
    frame = images.frame
    key = next(str(name) for name in frame.columns if str(name).lower() == "lesion_id")
    missing = sorted(set(frame[key]) - set(labels.index))
    if missing:
        raise DataError(
            f"{layout.table}: no row for lesion {some(missing)} of {layout.extra[0].name}: every "
            "image needs its lesion's diagnosis; add the rows or drop the images"
        )
    frame = frame.assign(dx=frame[key].map(labels))
    rows = canonical(frame, layout.extra[0], how)
    note = f"label: by lesion, from {layout.table.name}"
    return LayoutRows(rows.frame, rows.told, (*truth.notes, *images.notes, *rows.notes, note))


def _by_lesion(table: Path) -> bool:
    header = header_of(table)
    return "lesion_id" in header and not header & {"isic_id", "image", "image_id"}


def _labels(frame: pd.DataFrame, path: Path) -> "pd.Series[str]":
    key = next(str(name) for name in frame.columns if str(name).lower() == "lesion_id")
    names = [str(name) for name in frame.columns if name != key]
    ones = np.column_stack([frame[name].str.lower().isin(TRUE) for name in names])
    zeros = np.column_stack([frame[name].str.lower().isin(FALSE) for name in names])
    wrong = frame[key][(ones.sum(axis=1) != 1) | ~(ones | zeros).all(axis=1)]
    if len(wrong):
        raise DataError(
            f"{path}: lesion {some(wrong)} must have exactly one 1 and otherwise 0 in the columns "
            f"{some(names)}; mend or drop these rows"
        )
    if frame[key].duplicated().any():
        raise DataError(f"{path}: lesion {some(frame[key][frame[key].duplicated()])} listed twice")
    return pd.Series(np.array(names)[ones.argmax(axis=1)], index=frame[key])

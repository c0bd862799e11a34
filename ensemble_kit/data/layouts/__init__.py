"""Recognising how a data set lies on disk: one module a layout, asked in turn."""

from collections.abc import Callable
from pathlib import Path

from ensemble_kit.core.errors import DataError
from ensemble_kit.data.layouts import (
    class_folders,
    ddi,
    derm7pt,
    fitzpatrick17k,
    isic2024,
    isic_archive,
    medmnist,
    milk10k,
    pad_ufes,
    parquet_images,
    tables,
)
from ensemble_kit.data.layouts.base import HOW, TABLES, How, Layout, LayoutRows, Place

__all__ = ["REGISTRY", "How", "Layout", "LayoutRows", "find_layout"]

REGISTRY: dict[str, Callable[[Place], Layout | None]] = {
    "medmnist": medmnist.recognise,
    "parquet images": parquet_images.recognise,
    "isic 2024": isic2024.recognise,
    "milk10k": milk10k.recognise,
    "derm7pt": derm7pt.recognise,
    "ddi": ddi.recognise,
    "fitzpatrick17k": fitzpatrick17k.recognise,
    "pad-ufes-20": pad_ufes.recognise,
    "isic archive": isic_archive.recognise,
    "a folder a class": class_folders.recognise,
    "tables": tables.recognise,
}
"""Layouts in the order they are asked; the first that recognises a folder reads it."""


def find_layout(path: Path, *, images: bool = True) -> Layout:
    """Recognise a data folder, a data set named by its table, or a glob. Raises DataError.

    images : False where the labels alone are wanted.
    """
    if set(str(path)) & set("*?[") and not path.exists():
        return class_folders.of_glob(str(path))
    if path.is_file():
        if path.suffix.lower() not in TABLES:
            raise DataError(f"{path} is not a folder or a CSV file: {HOW}")
        place = Place(path.parent, path, images)
    elif path.is_dir():
        place = Place(path)
    elif path.exists():
        raise DataError(f"{path} is a pipe, device or socket, neither folder nor file: {HOW}")
    else:
        raise DataError(f"{path} does not exist: {HOW}")
    for recognise in REGISTRY.values():
        layout = recognise(place)
        if layout:
            return layout
    raise DataError(f"{path} has no CSV with the diagnoses: {HOW}")

"""``explain/index.json``: what each heat map of a run folder shows."""

from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from ensemble_kit.core.digests import digest_of
from ensemble_kit.runs.paths import EXPLAIN_INDEX
from ensemble_kit.runs.records import Part, Record

METHOD = "Grad-CAM"
LONGEST = 180


class Overlay(Part):
    """One heat map. ``class_name``: what it is evidence for; ``model``: sha256 of its model."""

    image: str
    fold: int
    file: str
    predicted: str
    true: str
    model: str
    class_name: str = Field(alias="class")


class ExplainIndex(Record):
    """The contents of ``explain/index.json``; images in the order of their ids."""

    FILE: ClassVar[str] = EXPLAIN_INDEX
    VERSION_KEY: ClassVar[str] = "format"
    REMEDY: ClassVar[str] = "remove it and give `explain` again"

    format: int = 1
    method: str = METHOD
    images: tuple[Overlay, ...]


def overlay_file(image: str) -> str:
    """``<image>.png``; a digest in place of an id too long for a file system."""
    return f"{image if len(image.encode()) <= LONGEST else digest_of(image)[:32]}.png"


def read_overlays(run_folder: Path) -> dict[str, Overlay]:
    """Image -> heat map; empty where nothing was explained yet."""
    index = ExplainIndex.find(run_folder)
    return {entry.image: entry for entry in index.images} if index else {}


def write_overlays(run_folder: Path, overlays: Iterable[Overlay]) -> str:
    """Write the index; its name."""
    listed = tuple(sorted(overlays, key=lambda overlay: overlay.image))
    return ExplainIndex(images=listed).write(run_folder)

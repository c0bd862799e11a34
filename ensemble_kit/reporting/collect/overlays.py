"""Grad-CAM overlays that `explain` left in the run folder."""

from dataclasses import dataclass
from pathlib import Path

from ensemble_kit.reporting.collect.thumbnails import Thumbnail, make_thumbnail
from ensemble_kit.runs import explained
from ensemble_kit.runs.paths import EXPLAIN


@dataclass(frozen=True)
class Overlay:
    """A heat map over its image: the folder and the file in it, and the class it explains."""

    folder: Path
    file: str
    class_name: str

    def thumbnail(self) -> Thumbnail | None:
        """The picture reduced; None where it is absent, no image, or outside the folder."""
        return make_thumbnail(str(self.folder), self.file)


def read_overlays(run_folder: Path) -> dict[str, Overlay]:
    """image -> overlay; empty where `explain` was not run."""
    folder = run_folder / EXPLAIN
    return {
        image: Overlay(folder, entry.file, entry.class_name)
        for image, entry in explained.read_overlays(run_folder).items()
    }

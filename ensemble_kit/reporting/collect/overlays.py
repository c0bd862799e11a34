"""Grad-CAM overlays that `explain` left in the run folder."""

from dataclasses import dataclass
from pathlib import Path

from ensemble_kit.core.atomic import sha256_of_file
from ensemble_kit.core.errors import RunError
from ensemble_kit.reporting.collect.thumbnails import Thumbnail, make_thumbnail
from ensemble_kit.runs import explained
from ensemble_kit.runs.manifest import read_manifest
from ensemble_kit.runs.paths import EXPLAIN, EXPLAIN_INDEX, overlay


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
    """image -> overlay; empty where `explain` was not run. A picture that was changed is left out;
    RunError for a changed list."""
    folder, recorded = run_folder / EXPLAIN, read_manifest(run_folder).files

    def as_written(name: str) -> bool:
        path = run_folder / name
        return name not in recorded or not path.is_file() or recorded[name] == sha256_of_file(path)

    if not as_written(EXPLAIN_INDEX):
        raise RunError(
            f"{run_folder / EXPLAIN_INDEX} is not the file the run wrote (its sha256 differs from "
            "the manifest's); give `explain` again"
        )
    return {
        image: Overlay(folder, entry.file, entry.class_name)
        for image, entry in explained.read_overlays(run_folder).items()
        if as_written(overlay(entry.file))
    }

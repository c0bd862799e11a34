"""Grad-CAM overlays that `explain` left in the run folder."""

import json
from dataclasses import dataclass
from pathlib import Path

from ensemble_kit.core.errors import RunError
from ensemble_kit.reporting.collect.thumbnails import Thumbnail, make_thumbnail

FOLDER, INDEX = "explain", "index.json"


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
    folder = run_folder / FOLDER
    index = folder / INDEX
    if not index.is_file():
        return {}
    try:
        entries = json.loads(index.read_text(encoding="utf-8"))["images"]
        return {str(e["image"]): Overlay(folder, str(e["file"]), str(e["class"])) for e in entries}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{index}: cannot be read ({error}); give `explain` again") from None

"""Grad-CAM overlays that `explain` left in the run folder."""

import base64
import json
from dataclasses import dataclass
from pathlib import Path

from ensemble_kit.errors import RunError

FOLDER, INDEX = "explain", "index.json"
MEDIA = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg"}


@dataclass(frozen=True)
class Overlay:
    """base64 of the picture, its media type, the class it explains."""

    data: str
    media: str
    class_name: str


def read_overlays(run_folder: Path) -> dict[str, Overlay]:
    """image -> overlay; empty where `explain` was not run. Files outside the folder are left."""
    folder = run_folder / FOLDER
    index = folder / INDEX
    if not index.is_file():
        return {}
    try:
        entries = json.loads(index.read_text(encoding="utf-8"))["images"]
        named = [(str(e["image"]), str(e["class"]), folder / str(e["file"])) for e in entries]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{index}: cannot be read ({error}); give `explain` again") from None
    found = {}
    for image, class_name, path in named:
        media = MEDIA.get(path.suffix.lower())
        inside = path.resolve().is_relative_to(folder.resolve())
        if media and inside and path.is_file():
            data = base64.b64encode(path.read_bytes()).decode("ascii")
            found[image] = Overlay(data, media, class_name)
    return found

"""``explain/index.json``: what each heat map of a run folder shows."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from ensemble_kit.core.atomic import write_json
from ensemble_kit.core.errors import RunError
from ensemble_kit.core.records import digest_of

FOLDER, INDEX = "explain", "index.json"
FORMAT, METHOD = 1, "Grad-CAM"
LONGEST = 180


@dataclass(frozen=True)
class Entry:
    """One heat map. ``class_name``: what it is evidence for; ``model``: sha256 of its model."""

    image: str
    fold: int
    class_name: str
    file: str
    predicted: str
    true: str
    model: str


def file_name(image: str) -> str:
    """``<image>.png``; a digest in place of an id too long for a file system."""
    return f"{image if len(image.encode()) <= LONGEST else digest_of(image)[:32]}.png"


def read_index(run_folder: Path) -> dict[str, Entry]:
    """Image -> entry; empty where nothing was explained yet."""
    path = run_folder / FOLDER / INDEX
    if not path.is_file():
        return {}
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        version = values["format"]
        listed = [_entry(item) for item in values["images"]] if version == FORMAT else []
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path}: cannot be read ({error}); remove it and explain again") from None
    if version != FORMAT:
        raise RunError(
            f"{path}: format version {version!r}, but this program reads {FORMAT}; use the version "
            "of ensemble_kit that wrote it"
        )
    return {entry.image: entry for entry in listed}


def write_index(run_folder: Path, entries: Iterable[Entry]) -> None:
    listed = [asdict(entry) for entry in sorted(entries, key=lambda entry: entry.image)]
    for item in listed:
        item["class"] = item.pop("class_name")
    content = {"format": FORMAT, "method": METHOD, "images": listed}
    write_json(run_folder / FOLDER / INDEX, content)


def _entry(item: dict[str, Any]) -> Entry:
    values = item | {"class_name": item["class"]}
    return Entry(**{field.name: values[field.name] for field in fields(Entry)})

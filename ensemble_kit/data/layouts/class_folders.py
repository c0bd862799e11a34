"""A folder a class, perhaps within train, val and test; also the files of a glob."""

import os
from pathlib import Path, PurePosixPath

import pandas as pd

from ensemble_kit.core.errors import DataError, count, some
from ensemble_kit.data.images import EXTENSIONS, strip_extension
from ensemble_kit.data.layouts.base import How, Layout, LayoutRows, Place

SPLITS = frozenset({"train", "training", "val", "valid", "validation", "test", "testing", "dev"})


def recognise(place: Place) -> Layout | None:
    """Folders of images and no table: each folder is a class, train/val/test are splits."""
    if place.named or place.tables:
        return None
    files = _files(place.root)
    classes = {_place_of(name)[1] for name in files} - {""}
    if len(classes) < 2 and not (classes and any(_place_of(name)[0] for name in files)):
        return None
    splits = {_place_of(name)[0] for name in files} - {""}
    name = "a folder a class" + (f" within {some(sorted(splits))}" if splits else "")
    return Layout(name, place.root, place.root, read)


def of_glob(pattern: str) -> Layout:
    """The files of a pattern such as ``pictures/**/*.png``; each file's folder is its class."""
    whole = Path(pattern)
    fixed = next((k for k, part in enumerate(whole.parts) if set(part) & set("*?[")), 0)
    root = Path(*whole.parts[:fixed]) if fixed else Path()
    if not root.is_dir():
        raise DataError(f"{pattern}: there is no folder {root}")
    tail = str(Path(*whole.parts[fixed:]))
    files = sorted(
        p.relative_to(root).as_posix()
        for p in root.glob(tail)
        if p.is_file() and p.suffix.lower() in EXTENSIONS
    )
    if not files:
        raise DataError(f"{pattern}: no image file fits it; quote the pattern: --data '…'")
    return Layout(
        "the files of a pattern, a folder a class", root, root,
        lambda layout, how: _rows(layout, files),
    )  # fmt: skip


def read(layout: Layout, how: How) -> LayoutRows:
    return _rows(layout, _files(layout.root))


def _rows(layout: Layout, files: list[str]) -> LayoutRows:
    splits, classes = zip(*(_place_of(name) for name in files), strict=True)
    loose = [name for name, c in zip(files, classes, strict=True) if not c]
    kept = [name for name, c in zip(files, classes, strict=True) if c]
    stems = [strip_extension(PurePosixPath(name).name) for name in kept]
    notes = []
    if len(set(stems)) < len(stems):
        stems = [strip_extension(name).replace("/", "-") for name in kept]
        notes.append("image: names repeat in several folders, so the folders are part of the ids")
    if loose:
        notes.append(f"{count(len(loose), 'image')} in no class folder left out: {some(loose, 3)}")
    frame = pd.DataFrame(
        {
            "image_id": stems,
            "dx": [c for c in classes if c],
            "lesion_id": "",
            "patient_id": "",
            "reference": kept,
        },
        dtype="str",
    )
    if any(splits):
        frame["split"] = [s for s, c in zip(splits, classes, strict=True) if c]
    told = f"{layout.root.name or '.'}: image = the file's name, label = its folder"
    return LayoutRows(frame, f"{told}; no column for patient or lesion", tuple(notes))


def _place_of(name: str) -> tuple[str, str]:
    """(split, class) of a file by its folders; "" where there is none."""
    folders = PurePosixPath(name).parts[:-1]
    split = next((part for part in folders if part.lower() in SPLITS), "")
    rest = [part for part in folders if part.lower() not in SPLITS]
    return split.lower(), rest[-1] if rest else ""


def _files(root: Path) -> list[str]:
    """Image files up to three folders deep (split, class, person), posix, sorted."""
    files = []
    for folder, folders, names in os.walk(root, followlinks=True):
        relative = Path(folder).relative_to(root)
        if len(relative.parts) >= 3:
            folders.clear()
        folders[:] = [n for n in folders if not n.startswith((".", "__MACOSX"))]
        files += [
            (relative / n).as_posix()
            for n in names
            if not n.startswith(".") and Path(n).suffix.lower() in EXTENSIONS
        ]
    return sorted(files)

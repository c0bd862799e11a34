"""Finding image files. A name is looked up among the files that are there, never made a path."""

import filecmp
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from unicodedata import normalize

import pandas as pd

from ensemble_kit.core.errors import DataError, count, some

EXTENSIONS = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".dcm")
ASIDE = ("mask", "segmentation", "annotation")
"""Folders whose names begin so hold no pictures of the data set where others do."""
DEPTH, DEEPEST = 2, 8
LONGEST = 255
PLAIN = re.compile(r"[^/\\\x00-\x1f\x7f]+")
USUAL = r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*"
"""What nearly all ids are made of; the others are looked at one by one."""
ENDING = rf"(?i)\.(?:{'|'.join(end[1:] for end in EXTENSIONS)})$"


def stems(cells: "pd.Series[str]") -> "pd.Series[str]":
    """:func:`strip_extension` of every cell."""
    return cells.str.normalize("NFC").str.replace(ENDING, "", regex=True)


def strip_extension(name: str) -> str:
    """``ISIC_0024306`` for ``ISIC_0024306.JPG``; other names as they are. A letter and its accent
    are one (NFC): systems differ in how they write file names."""
    name = normalize("NFC", name)
    stem, dot, extension = name.rpartition(".")
    return stem if dot and f".{extension.lower()}" in EXTENSIONS else name


def id_of(cell: str) -> str:
    """The id that a cell of a list means: without folder (``/`` or ``\\``) and file ending."""
    return strip_extension(cell.replace("\\", "/").rpartition("/")[2])


def case_note(source: str, whose: str, changed: Sequence[str]) -> str:
    """What is said where ids of a file were matched without regard to case."""
    return f"{source}: ids differ from {whose} in case only: {some(changed, 3)}"


def check_ids(ids: Iterable[str], source: str) -> None:
    """Raise DataError unless every id is a plain, unique file stem.

    An id may hold no slash, backslash, ``..``, NUL or other control character.
    """
    names = pd.Series(ids if isinstance(ids, pd.Series) else list(ids), dtype="str")
    odd = names[~(names.str.fullmatch(USUAL) & (names.str.len() <= LONGEST // 4))]
    unsafe = [repr(name) for name in odd.tolist() if not _is_plain(name)]
    twice = [] if names.is_unique else names[names.duplicated()].tolist()
    if unsafe:
        raise DataError(
            f"{source}: image id {some(unsafe)} cannot be used: an id is a plain file name "
            "without slashes, '..' or control characters; rename these rows"
        )
    if twice:
        raise DataError(
            f"{source}: {some(sorted(set(twice)))} listed more than once: one row an image; "
            "drop the repeated rows"
        )


def find_images(root: Path) -> dict[str, str]:
    """Image id -> path relative to ``root`` (posix) of every image file up to two folders deep.

    Files of the same stem must hold the same bytes (Kaggle ships both parts twice); the first in
    sorted order is taken. Raises DataError where they differ or one cannot be read.
    """
    return look_for_images(root)[0]


def look_for_images(root: Path) -> tuple[dict[str, str], list[str]]:
    """:func:`find_images` and what was left out: folders of masks beside the images."""
    found: dict[str, str] = {}
    differing = []
    files = sorted(_image_files(root))
    aside = sorted({PurePosixPath(f).parts[0] for f in files if _is_aside(f)})
    if aside and not all(_is_aside(f) for f in files):
        files = [f for f in files if not _is_aside(f)]
    else:
        aside = []
    for relative in files:
        stem = strip_extension(PurePosixPath(relative).name)
        first = found.setdefault(stem, relative)
        if first != relative and not _same(root, first, relative):
            differing.append((first, relative))
    if differing:
        pairs = some(f"{first} and {second}" for first, second in differing)
        folders = sorted({PurePosixPath(f).parent.as_posix() for pair in differing for f in pair})
        raise DataError(
            f"{root}: {pairs} are different images of one name (copies of another size, or masks, "
            f"in {some(folders)}?); keep one of each, or give a table whose image column has the "
            "folder (images/a.jpg)"
        )
    return found, [f"the folder {name}/ is left out: masks or annotations" for name in aside]


def find_wanted(
    wanted: Iterable[str], found: Mapping[str, str], root: Path
) -> tuple[dict[str, str], list[str]]:
    """``found`` with the names it lacks that lie deeper, or differ in the case of letters alone."""
    more, notes = dict(found), []
    missing = {name for name in wanted if name not in more}
    if missing:
        deep: dict[str, list[str]] = {}
        for relative in sorted(_image_files(root, DEEPEST)):
            stem = strip_extension(PurePosixPath(relative).name)
            if stem in missing and not _is_aside(relative):
                deep.setdefault(stem, []).append(relative)
        torn = [
            files for files in deep.values() if not all(_same(root, files[0], f) for f in files)
        ]
        if torn:
            raise DataError(
                f"{root}: {some(' and '.join(files[:2]) for files in torn)} are different images "
                "of one name; keep one of each, or give a table whose image column has the folder"
            )
        if deep:
            notes.append(f"{count(len(deep), 'image')} found more than two folders deep")
        more |= {stem: files[0] for stem, files in deep.items()}
        missing -= set(deep)
    lower: dict[str, list[str]] = {}
    for name in more if missing else ():
        lower.setdefault(name.lower(), []).append(name)
    alike = {
        name: lower[name.lower()][0]
        for name in sorted(missing)
        if len(lower.get(name.lower(), ())) == 1
    }
    if alike and not set(alike.values()) & set(wanted) and len(set(alike.values())) == len(alike):
        listed = some((f"{a} = {b}" for a, b in alike.items()), 3)
        notes.append(f"image: ids differ from file names in case only: {listed}")
        more |= {name: more[other] for name, other in alike.items()}
    return more, notes


def image_names(root: Path) -> set[str]:
    """Stems of the image files below ``root``, without those of masks."""
    files = [f for f in _image_files(root) if not _is_aside(f)]
    return {strip_extension(PurePosixPath(f).name) for f in files}


def is_safe_path(path: str) -> bool:
    """Whether a table's path stays below the data folder: relative, without ``..``."""
    parts = path.split("/")
    return all(_is_plain(part) and ":" not in part for part in parts)


def _is_aside(relative: str) -> bool:
    parts = PurePosixPath(relative).parts
    return len(parts) > 1 and parts[0].lower().startswith(ASIDE)


def paths_of(ids: Iterable[str], found: Mapping[str, str], root: Path, source: str) -> list[str]:
    """The path of each id; an id without a file is an error."""
    ids = list(ids)
    missing = [name for name in ids if name not in found]
    if missing:
        where = (
            "no JPEG or PNG at all, nor another image"
            if not found
            else f"{count(len(found), 'image')} found"
        )
        raise DataError(
            f"{source} lists {some(missing)} but {root} has no such "
            f"{'image' if len(missing) == 1 else 'images'} ({where}): every row needs "
            "<image_id>.jpg or .png; add the files or drop the rows, or `check --no-images` "
            "reads the "
            "table alone"
        )
    return [found[name] for name in ids]


def _same(root: Path, first: str, second: str) -> bool:
    try:
        return filecmp.cmp(root / first, root / second, shallow=False)
    except OSError as error:
        raise DataError(
            f"{root}: {first} and {second} have one name and cannot be compared ({error.filename}: "
            f"{error.strerror}); mend or remove the broken one"
        ) from None


def _is_plain(name: str) -> bool:
    if not PLAIN.fullmatch(name) or ".." in name or name == ".":
        return False
    return len(name) <= LONGEST // 4 or len(name.encode()) <= LONGEST


def _image_files(root: Path, depth: int = DEPTH) -> list[str]:
    files = []
    for folder, folders, names in os.walk(root, followlinks=True):
        relative = Path(folder).relative_to(root)
        if len(relative.parts) >= depth:
            folders.clear()
        folders[:] = [name for name in folders if not name.startswith(".")]
        files += [
            (relative / name).as_posix()
            for name in names
            if not name.startswith(".") and Path(name).suffix.lower() in EXTENSIONS
        ]
    return files

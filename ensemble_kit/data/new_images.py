"""Images without labels: files, folders, tables of paths or arrays, found and read one by one."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ensemble_kit.core.checked import check_path
from ensemble_kit.core.errors import DataError, some
from ensemble_kit.core.formulas import check_no_formula
from ensemble_kit.core.names import LONGEST_PATH, check_shown
from ensemble_kit.data.decode import Aspect, Header, Pixels, decode_bytes, fit, read_header
from ensemble_kit.data.depth import bits_used
from ensemble_kit.data.images import EXTENSIONS, strip_extension
from ensemble_kit.data.layouts.base import TABLES
from ensemble_kit.data.references import read_image
from ensemble_kit.data.tables import read_rows

PATH_COLUMNS = ("path", "file", "filename", "file_name", "image", "image_id", "isic_id", "img_id")
LIKE_IMAGES = (".gif", ".jpe", ".jfif", ".heic", ".heif", ".avif", ".jp2")
"""Further endings that pictures have: such files of a folder are read, or told of, by what is in
them."""
DEEP = (".png", ".tif", ".tiff")
"""Files that may hold grey of 16 bits."""
LARGEST_SCALE = 8
"""An image whose shorter side would have to grow more than this to fill the input is of no use."""

Given = Path | str | NDArray[Any] | Sequence[Path | str]


@dataclass(frozen=True, eq=False)
class NewImage:
    """One image to predict: a file, an entry of a container (``set.npz::images::3``), or pixels
    (h, w, 3) uint8 in memory."""

    image_id: str
    path: Path | None = None
    pixels: Pixels | None = None

    @property
    def name(self) -> str:
        """What errors call it."""
        return str(self.path) if self.path else f"array {self.image_id}"


def find_new_images(given: Given) -> list[NewImage]:
    """The images named by a folder, files, a table with a column of paths, or an array.

    given : a folder (searched to its end), a CSV, one image file, several of these, or uint8
        pixels (n, h, w, 3) or a list of (h, w, 3).
    An image's id is its file's stem; where two share one, the path below the folder without its
    extension, then with it, then the path as given. A file given twice is one image. Raises
    DataError where there is nothing to predict.
    """
    if isinstance(given, np.ndarray) and given.dtype.kind not in "UO":
        return _arrays(given)
    unread: object = given
    if isinstance(unread, (bytes, Mapping)) or not isinstance(unread, (str, Path, Iterable)):
        raise DataError(
            f"images are {type(given).__name__}: give a folder, files, a table of paths or uint8 "
            "pixels (n, h, w, 3)"
        )
    items: list[Any] = [given] if isinstance(given, (str, Path)) else list(given)
    if items and all(isinstance(item, np.ndarray) for item in items):
        return _arrays(items)
    found: list[tuple[str, Path]] = []
    for item in items:
        if not isinstance(item, (str, Path)) or not str(item).strip():
            raise DataError(f"images: {item!r} is no path: name a folder, image files or a table")
        check_path("images", item)
        found += _found(Path(item))
    if not found:
        raise DataError(f"no JPEG or PNG in {some(items) or 'what was given'}: name images")
    check_shown([str(path) for _, path in found], "file", DataError, LONGEST_PATH)
    once: dict[str, tuple[str, Path]] = {}
    for name, path in found:
        once.setdefault(os.path.realpath(path), (name, path))  # links in circles do not end it
    named = _named(list(once.values()))
    check_no_formula([name for name, _ in named], "image id", DataError)
    return [NewImage(name, path) for name, path in named]


def _named(found: Sequence[tuple[str, Path]]) -> list[tuple[str, Path]]:
    """(id, file): the shortest of a file's names that tell all of them apart."""
    ways = (
        [strip_extension(PurePosixPath(name).name) for name, _ in found],
        [strip_extension(name) for name, _ in found],
        [name for name, _ in found],
        [path.as_posix() for _, path in found],
    )
    names = next((names for names in ways if len(set(names)) == len(names)), ways[-1])
    return [(name, path) for name, (_, path) in zip(names, found, strict=True)]


def read_new_image(image: NewImage, size: int, aspect: Aspect, bits: int = 16) -> Pixels:
    """``(size, size, 3)`` uint8 RGB, as the same image would be read for training.

    bits : of the 16-bit grey pictures of the training; 0: there were none, so that such a picture
    is scaled by the bits it uses itself. Raises DataError for files that are missing, empty,
    damaged, too large, of more bits, or so small that nothing could be seen in them.
    """
    if image.pixels is not None:
        height, width = image.pixels.shape[:2]
        _check_size(image.name, width, height, size)
        if (height, width) == (size, size):
            return image.pixels
        return fit(Image.fromarray(image.pixels), Header("PNG", width, height), size, aspect)
    path = image.path
    assert path is not None
    name = short(path)
    if path.exists() and not path.is_file():
        raise DataError(f"{name}: not a regular file")
    try:
        data = read_image("", str(path))
    except OSError as error:
        raise DataError(f"{name}: cannot be read ({error.strerror})") from None
    header = read_header(data, name)
    _check_size(name, header.width, header.height, size)
    used = bits_used(data)
    pixels = decode_bytes(data, size, aspect, name, bits or used or 16)
    if bits and used > bits:
        raise DataError(
            f"{name}: 16-bit grey that uses {used} bits, but the pictures of the training use "
            f"{bits}: scale it as they are"
        )
    return pixels


def is_deep(image: NewImage) -> bool:
    """Whether a file holds 16-bit grey; one that cannot be read does not."""
    if image.path is None or image.path.suffix.lower() not in DEEP:
        return False
    try:
        return bits_used(read_image("", str(image.path))) > 0
    except OSError:
        return False


def short(path: Path) -> str:
    """The path as given, or from the working folder where that is shorter."""
    try:
        return min(str(path), os.path.relpath(path), key=len)
    except ValueError:  # another drive
        return str(path)


def _check_size(name: str, width: int, height: int, size: int) -> None:
    least = -(-size // LARGEST_SCALE)
    if min(width, height) < least:
        raise DataError(
            f"{name}: {width}×{height} pixels are too few for a model of {size} px: "
            f"at least {least} a side"
        )


def _found(path: Path) -> list[tuple[str, Path]]:
    """(name below the folder, file) of every image of a folder, table or file."""
    if path.is_dir():
        files = sorted(
            file
            for file in path.rglob("*")
            if file.suffix.lower() in (*EXTENSIONS, *LIKE_IMAGES)
            and not any(part.startswith(".") for part in file.relative_to(path).parts)
            and not file.is_dir()
        )
        return [(file.relative_to(path).as_posix(), file) for file in files]
    if not path.exists():
        raise DataError(f"{path} does not exist: name a folder, image files or a table of paths")
    if not path.is_file():
        raise DataError(f"{path} is neither a regular file nor a folder: name image files")
    if path.suffix.lower() in TABLES:
        return _of_table(path)
    return [(path.as_posix(), path)]


def _of_table(table: Path) -> list[tuple[str, Path]]:
    frame = read_rows(table)
    column = next((name for name in PATH_COLUMNS if name in frame.columns), None)
    if column is None:
        raise DataError(
            f"{table}: no column of image paths ({some(PATH_COLUMNS)}); it has "
            f"{some(frame.columns)}: name the column path"
        )
    names = [str(name) for name in frame[column]]
    found, missing = [], []
    by_stem: dict[str, Path] | None = None
    for name in names:
        path = table.parent / name
        if not path.is_file():
            if by_stem is None:
                by_stem = {strip_extension(f.name): f for _, f in _found(table.parent)}
            path = by_stem.get(strip_extension(PurePosixPath(name).name), path)
        if path.is_file():
            found.append((name, path))
        else:
            missing.append(name)
    if missing:
        raise DataError(
            f"{table}: no file for {some(missing)}: paths are relative to the table's folder; "
            "mend the paths or drop the rows"
        )
    return found


def _arrays(given: Any) -> list[NewImage]:
    width = len(str(max(len(given) - 1, 0)))
    images, wrong = [], []
    for place, pixels in enumerate(given):
        array = np.asarray(pixels)
        if array.ndim != 3 or array.shape[2] != 3 or array.dtype != np.uint8 or not array.size:
            wrong.append(f"{place} ({array.dtype} {array.shape})")
        else:
            images.append(NewImage(f"{place:0{width}d}", pixels=np.ascontiguousarray(array)))
    if wrong or not images:
        raise DataError(
            f"array {some(wrong) or 'without images'}: give uint8 RGB pixels 0..255 of the shape "
            "(n, h, w, 3), or a list of (h, w, 3)"
        )
    return images

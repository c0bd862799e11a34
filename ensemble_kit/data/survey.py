"""What a data set holds, counted: numbers for `check` and for the report's flow diagram."""

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ensemble_kit.core.errors import DataError, count, some
from ensemble_kit.core.records import ImageTable, Strings
from ensemble_kit.data.decode import decode_bytes, read_header
from ensemble_kit.data.depth import TIFF, bits_used
from ensemble_kit.data.images import image_names, strip_extension
from ensemble_kit.data.references import container_of, read_file, read_image

HEADER_BYTES = 1 << 20
LOOK = 32
DARK = 8.0
"""Mean of 255 below which an image is almost black."""
PIECE = 256
FLAT = 1
"""Largest range of levels of an image of one colour."""


@dataclass(frozen=True)
class ClassCount:
    """One class: its images, lesions known and groups."""

    name: str
    n_images: int
    n_lesions: int
    n_groups: int


@dataclass(frozen=True)
class Survey:
    """A data set in numbers.

    classes : in the table's order. group_sizes : images a group -> number of such groups.
    unknown : metadata column -> images without a value. unreadable : a complaint a file.
    unlisted : image files that no row names. image_sizes : "600×450" -> images, commonest first.
    dark, constant : images that are almost black, or one colour (empty with ``quick``).
    bits : significant bits of 16-bit grey pictures (16 where there are none).
    """

    n_images: int
    n_groups: int
    n_lesions: int
    n_patients: int
    classes: tuple[ClassCount, ...]
    group_sizes: dict[int, int]
    unknown: dict[str, int]
    unreadable: tuple[str, ...]
    unlisted: int
    image_sizes: dict[str, int]
    dark: tuple[str, ...] = ()
    constant: tuple[str, ...] = ()
    bits: int = 16


def survey(
    table: ImageTable,
    *,
    quick: bool = False,
    jobs: int = 2,
    on_progress: Callable[[int], None] | None = None,
) -> Survey:
    """Count, and look at every image file: decode it whole, or with ``quick`` its header only.

    on_progress : called with the number of images just looked at.
    """
    tell = on_progress or (lambda done: None)
    sizes: Counter[str] = Counter()
    unreadable = []
    paths = [path for path in table.paths.tolist() if path]
    dark, constant, depth = [], [], 0
    with ThreadPoolExecutor(max(1, jobs)) as pool:
        for look, path in zip(
            pool.map(lambda path: _look(table.root, path, quick), paths), paths, strict=True
        ):
            tell(1)
            depth = max(depth, look.bits)
            if look.complaint:
                unreadable.append(look.complaint)
                continue
            sizes[look.size] += 1
            if look.constant:
                constant.append(path)
            elif look.dark:
                dark.append(path)
    files = [path for path in paths if not container_of(path)]
    used = {strip_extension(path.rpartition("/")[2]) for path in files}
    unlisted = len(image_names(Path(table.root)) - used) if files else 0
    return Survey(
        n_images=len(table),
        n_groups=table.n_groups,
        n_lesions=_n_known(table.lesions),
        n_patients=_n_known(table.patients),
        classes=tuple(_class_count(table, c) for c in range(table.n_classes)),
        group_sizes=dict(sorted(Counter(np.bincount(table.group_codes).tolist()).items())),
        unknown={name: int((values == "").sum()) for name, values in table.slices.items()},
        unreadable=tuple(unreadable),
        unlisted=unlisted,
        image_sizes=dict(sizes.most_common()),
        dark=tuple(dark),
        constant=tuple(constant),
        bits=depth or 16,
    )


def dull_warnings(constant: Sequence[str], dark: Sequence[str]) -> list[str]:
    """Sentences on images of one colour and almost black ones."""
    said = []
    for names, what in ((constant, "of one colour"), (dark, "almost black")):
        if names:
            verb = "is" if len(names) == 1 else "are"
            said.append(f"{count(len(names), 'image')} {verb} {what}: {some(names, 5)}")
    return said


def look_at_pixels(ids: Strings, pixels: NDArray[np.uint8]) -> list[str]:
    """:func:`dull_warnings` of decoded images, (n, S, S, 3) uint8, read in pieces."""
    constant: list[str] = []
    dark: list[str] = []
    for start in range(0, len(ids), PIECE):
        part = np.asarray(pixels[start : start + PIECE]).reshape(
            len(ids[start : start + PIECE]), -1
        )
        flat = part.max(axis=1).astype(int) - part.min(axis=1) <= FLAT
        black = ~flat & (part.mean(axis=1) < DARK)
        constant += ids[start : start + PIECE][flat].tolist()
        dark += ids[start : start + PIECE][black].tolist()
    return dull_warnings(constant, dark)


@dataclass(frozen=True)
class _Look:
    """size : "width×height" of a readable image; complaint : what is wrong with another."""

    size: str = ""
    complaint: str = ""
    bits: int = 0
    dark: bool = False
    constant: bool = False


def _look(root: str, reference: str, quick: bool) -> _Look:
    name = reference.rpartition("/")[2]
    try:
        if quick and not container_of(reference):
            data = read_file(Path(root) / reference, HEADER_BYTES)
            if data.startswith((*TIFF, b"BM")):
                data = read_file(Path(root) / reference)
        else:
            data = read_image(root, reference)
        header = read_header(data, name)
        size = f"{header.width}×{header.height}"
        if quick:
            return _Look(size)
        bits = bits_used(data)
        pixels = decode_bytes(data, LOOK, "stretch", name, bits or 16)
    except OSError as error:
        return _Look(complaint=f"{name}: cannot be read ({error.strerror})")
    except DataError as error:
        return _Look(complaint=str(error))
    constant = bool(int(pixels.max()) - int(pixels.min()) <= FLAT)
    return _Look(size, "", bits, float(pixels.mean()) < DARK, constant)


def _n_known(names: Strings) -> int:
    return _distinct(names[names != ""])


def _distinct(names: Strings) -> int:
    return len(pd.unique(names.astype(object)))


def _class_count(table: ImageTable, c: int) -> ClassCount:
    rows = table.labels == c
    return ClassCount(
        table.class_names[c],
        int(rows.sum()),
        _n_known(table.lesions[rows]),
        len(np.unique(table.group_codes[rows])),
    )

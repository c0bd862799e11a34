"""What a data set holds, counted: numbers for `check` and for the report's flow diagram."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ensemble_kit.core.errors import DataError
from ensemble_kit.core.records import ImageTable, Strings
from ensemble_kit.data.decode import decode_bytes, read_header
from ensemble_kit.data.images import find_images

HEADER_BYTES = 1 << 20
LOOK = 32


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
    paths = [Path(table.root) / path for path in table.paths.tolist()]
    with ThreadPoolExecutor(max(1, jobs)) as pool:
        for size, complaint in pool.map(lambda path: _look(path, quick), paths):
            tell(1)
            if complaint:
                unreadable.append(complaint)
            else:
                sizes[size] += 1
    found = find_images(Path(table.root))
    return Survey(
        n_images=len(table),
        n_groups=table.n_groups,
        n_lesions=_n_known(table.lesions),
        n_patients=_n_known(table.patients),
        classes=tuple(_class_count(table, c) for c in range(table.n_classes)),
        group_sizes=dict(sorted(Counter(np.bincount(table.group_codes).tolist()).items())),
        unknown={name: int((values == "").sum()) for name, values in table.slices.items()},
        unreadable=tuple(unreadable),
        unlisted=len(set(found) - set(table.image_ids.tolist())),
        image_sizes=dict(sizes.most_common()),
    )


def _look(path: Path, quick: bool) -> tuple[str, str]:
    """("width×height", "") of a readable image, ("", complaint) of another."""
    try:
        with path.open("rb") as file:
            data = file.read(HEADER_BYTES) if quick else file.read()
        header = read_header(data, path.name)
        if not quick:
            decode_bytes(data, LOOK, "stretch", path.name)
    except OSError as error:
        return "", f"{path.name}: cannot be read ({error.strerror})"
    except DataError as error:
        return "", str(error)
    return f"{header.width}×{header.height}", ""


def _n_known(names: Strings) -> int:
    return len(np.unique(names[names != ""]))


def _class_count(table: ImageTable, c: int) -> ClassCount:
    rows = table.labels == c
    return ClassCount(
        table.class_names[c],
        int(rows.sum()),
        _n_known(table.lesions[rows]),
        len(np.unique(table.groups[rows])),
    )

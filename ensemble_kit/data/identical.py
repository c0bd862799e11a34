"""The same image under two ids: found by the bytes of its file."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ensemble_kit.core.errors import DataError
from ensemble_kit.core.records import Ints, Strings
from ensemble_kit.data.references import container_of, read_image
from ensemble_kit.data.sources import content_digest

MOST = 50_000
"""Entries of an HDF5, npz or parquet file that are compared: each has to be read."""


@dataclass(frozen=True)
class Identical:
    """Ids of one image, and the label each has."""

    image_ids: tuple[str, ...]
    labels: tuple[str, ...]


def not_compared(paths: Strings) -> str:
    """A sentence where the entries of containers are too many to be compared; else empty."""
    entries = sum(bool(path and container_of(path)) for path in paths.tolist())
    if entries <= MOST:
        return ""
    return (
        f"the {entries:,} images inside container files were not compared with each other (at most "
        f"{MOST:,} are): the same image under two ids is not found; --duplicates names known pairs"
    )


def find_identical(
    root: Path, paths: Strings, ids: Strings, labels: Strings
) -> tuple[tuple[Identical, ...], Ints | None]:
    """Sets of images whose files have the same bytes, and (m, 2) int rows that belong together.

    Only files of the same size are read; entries of containers are all read, up to ``MOST``.
    """
    by_size: dict[int, list[int]] = defaultdict(list)
    for row, path in enumerate(paths.tolist()):
        if path and container_of(path):
            by_size[-1].append(row)
        elif path:
            try:
                by_size[(root / path).stat().st_size].append(row)
            except OSError:
                continue
    by_digest: dict[str, list[int]] = defaultdict(list)
    for size, rows in by_size.items():
        if len(rows) > 1 and (size >= 0 or len(rows) <= MOST):
            for row, digest in _digests(root, paths, rows):
                by_digest[digest].append(row)
    sets = [rows for rows in by_digest.values() if len(rows) > 1]
    if not sets:
        return (), None
    found = tuple(
        Identical(tuple(ids[rows].tolist()), tuple(labels[rows].tolist())) for rows in sets
    )
    pairs = [(rows[0], other) for rows in sets for other in rows[1:]]
    return found, np.array(pairs, np.int64)


def _digests(root: Path, paths: Strings, rows: list[int]) -> Iterable[tuple[int, str]]:
    for row in rows:
        try:
            yield row, content_digest(read_image(root, str(paths[row])))
        except (OSError, DataError):
            continue

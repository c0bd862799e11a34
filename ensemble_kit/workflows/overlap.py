"""Images of an external set that a run has seen: by id, group, file contents, and likeness."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble_kit.core.errors import DataError, some
from ensemble_kit.core.records import ImageTable
from ensemble_kit.data.references import container_of, read_image
from ensemble_kit.data.sources import content_digest
from ensemble_kit.workflows.shipped_members import Member

LIKENESS = 0.4
"""Two images are taken for one where they lie closer than this share of the median distance that
images of a run have to those of other groups, in the features of the fold that held it out."""


@dataclass(frozen=True)
class Overlap:
    """What both sets share. ids, lesions, patients : names. files : pairs of equal contents.
    alike : pairs (external, internal) that look the same. unchecked : what could not be compared,
    in sentences."""

    ids: tuple[str, ...] = ()
    lesions: tuple[str, ...] = ()
    patients: tuple[str, ...] = ()
    files: tuple[tuple[str, str], ...] = ()
    alike: tuple[tuple[str, str], ...] = ()
    unchecked: tuple[str, ...] = ()

    @property
    def found(self) -> bool:
        return bool(self.ids or self.lesions or self.patients or self.files or self.alike)

    def words(self) -> str:
        """What was found, with names."""
        said = []
        for what, names in (
            ("image id", self.ids), ("lesion", self.lesions), ("patient", self.patients),
        ):  # fmt: skip
            if names:
                said.append(f"{what} {some(names)} in both")
        if self.files:
            said.append(f"the same file as {_pairs(self.files)}")
        if self.alike:
            said.append(f"near-duplicates {_pairs(self.alike)}")
        return "; ".join(said)

    def plain(self) -> dict[str, Any]:
        return asdict(self)


def named_overlap(internal: Sequence[ImageTable], external: ImageTable) -> Overlap:
    """By image id, lesion, patient and file contents: what needs no network."""
    ids, lesions, patients, files = set(), set(), set(), {}
    missing = 0
    sizes = _sizes(external)
    digests: dict[str, str] | None = None
    for table in internal:
        ids |= _shared(table.image_ids, external.image_ids)
        lesions |= _shared(table.lesions, external.lesions)
        patients |= _shared(table.patients, external.patients)
        for name, path in _paths(table):
            try:
                if _size(path) not in sizes:
                    continue
                data = read_image("", str(path))
            except (OSError, DataError):
                missing += 1
                continue
            digests = _digests(external) if digests is None else digests
            twin = digests.get(content_digest(data))
            if twin is not None:
                files[twin] = name
    unchecked = []
    if missing:
        unchecked.append(
            f"{missing:,} image files of the run are not where it found them: their contents were "
            "not compared"
        )
    return Overlap(
        tuple(sorted(ids)), tuple(sorted(lesions)), tuple(sorted(patients)),
        tuple(sorted(files.items())), (), tuple(unchecked),
    )  # fmt: skip


def alike_pairs(
    members: Sequence[Member], features: Sequence[NDArray[np.float32]], ids: Sequence[str]
) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...]]:
    """(external, internal) pairs that look the same, and what could not be compared.

    features : (K, n, F) unit rows of each member's fold models.
    """
    pairs, unchecked = {}, []
    for member, by_fold in zip(members, features, strict=True):
        if not member.sees_images:
            continue
        if not member.novelty:
            unchecked.append(f"{member.name} kept no features: near-duplicates were not looked for")
        for novelty, source, rows in zip(member.novelty, member.folds, by_fold, strict=False):
            nearest, gaps = novelty.nearest(rows)
            limit = LIKENESS * float(np.median(novelty.ordinary)) if len(novelty.ordinary) else 0.0
            for row in np.flatnonzero(gaps <= limit).tolist():
                pairs[str(ids[row])] = source.images[int(nearest[row])]
    return tuple(sorted(pairs.items())), tuple(unchecked)


def _shared(here: NDArray[Any], there: NDArray[Any]) -> set[str]:
    both = set(here.tolist()) & set(there.tolist())
    return {str(name) for name in both if name}


def _paths(table: ImageTable) -> list[tuple[str, Path]]:
    root = Path(table.root)
    pairs = zip(table.image_ids.tolist(), table.paths.tolist(), strict=True)
    return [(str(name), root / str(path)) for name, path in pairs if path]


def _size(path: Path) -> int:
    """Bytes of an image: a file, or an entry of a container, which is read. Raises OSError."""
    inside = container_of(str(path))
    return len(read_image("", str(path))) if inside else path.stat().st_size


def _sizes(table: ImageTable) -> set[int]:
    return {_size(path) for _, path in _paths(table)}


def _digests(table: ImageTable) -> dict[str, str]:
    return {content_digest(read_image("", str(path))): name for name, path in _paths(table)}


def _pairs(pairs: Sequence[tuple[str, str]]) -> str:
    return some(f"{a} (in the run: {b})" for a, b in pairs)

"""Auditing a train/test split that was made elsewhere."""

from dataclasses import dataclass

import numpy as np

from ensemble_kit.core.alignment import align_rows
from ensemble_kit.core.errors import SHOWN, SplitError, count, some
from ensemble_kit.core.records import ImageTable, Ints, Strings
from ensemble_kit.splits.checking import crossing

TRAIN, TEST = 0, 1


@dataclass(frozen=True)
class SplitAudit:
    """What a split parts.

    n_train, n_test : images of each side. shared : images on both sides.
    groups : names of the groups on both sides. train_images, test_images : ids of those groups'
    images. examples : a sentence part a group, at most ten. sides : what the two are called.
    """

    n_train: int
    n_test: int
    shared: tuple[str, ...]
    groups: tuple[str, ...]
    train_images: tuple[str, ...]
    test_images: tuple[str, ...]
    examples: tuple[str, ...]
    sides: tuple[str, str] = ("training", "test")

    @property
    def leaks(self) -> bool:
        return bool(self.groups)

    def complaint(self) -> str:
        """Why the split is refused, in one sentence; ``""`` for a sound one."""
        if not self.leaks:
            return ""
        rest = len(self.groups) - len(self.examples)
        more = f" and {rest:,} more" if rest else ""
        both = f"; {count(len(self.shared), 'image')} on both sides" if self.shared else ""
        verb = "is" if len(self.groups) == 1 else "are"
        return (
            f"the split leaks: {count(len(self.groups), 'group')} {verb} on both sides, with "
            f"{len(self.test_images):,} of the {count(self.n_test, f'{self.sides[1]} image')} and "
            f"{len(self.train_images):,} of the {count(self.n_train, f'{self.sides[0]} image')}"
            f"{both}: "
            f"{'; '.join(self.examples)}{more}. No patient, lesion or near-duplicate may be on "
            "both sides; split by group (`cv` draws such folds)"
        )


def audit_split(
    table: ImageTable,
    train_ids: Strings,
    test_ids: Strings,
    sides: tuple[str, str] = ("training", "test"),
) -> SplitAudit:
    """Compare two lists of image ids with the table's groups.

    An id the table does not have, or one listed twice on a side, is a SplitError; images in
    neither list are left alone.
    """
    first, second = sides
    train, test = _rows_of(table, train_ids, first), _rows_of(table, test_ids, second)
    side = np.concatenate([np.full(len(train), TRAIN), np.full(len(test), TEST)])
    part = table.take(np.concatenate([train, test]))
    leaking = crossing(part, side)
    ids, groups = part.image_ids, part.groups
    names = np.unique(groups[leaking])
    examples = []
    for name in names[:SHOWN]:
        member = groups == name
        examples.append(
            f"{name} ({first} {some(ids[member & (side == TRAIN)], 2)}; "
            f"{second} {some(ids[member & (side == TEST)], 2)})"
        )
    shared = np.intersect1d(table.image_ids[train], table.image_ids[test])
    return SplitAudit(
        n_train=len(train),
        n_test=len(test),
        shared=tuple(shared.tolist()),
        groups=tuple(names.tolist()),
        train_images=tuple(ids[leaking & (side == TRAIN)].tolist()),
        test_images=tuple(ids[leaking & (side == TEST)].tolist()),
        examples=tuple(examples),
        sides=sides,
    )


def _rows_of(table: ImageTable, ids: Strings, side: str) -> Ints:
    unique, counts = np.unique(ids, return_counts=True)
    if (counts > 1).any():
        raise SplitError(
            f"{some(unique[counts > 1])} listed more than once on the {side} side; one row an image"
        )

    def refuse(unknown: list[str]) -> SplitError:
        return SplitError(
            f"the {side} side lists {some(unknown)}, not in the data set: its image column, or "
            "else its first, holds image ids or file names; give the data set the split was made "
            "from"
        )

    return align_rows(table.image_ids, ids, refuse)

"""Parts of a training set: whole groups, nested, every class in each part."""

import numpy as np

from ensemble_kit.core.errors import StudyError
from ensemble_kit.core.records import Bools, Folds, ImageTable

LEAST = 0.0001


def parse_fractions(text: str) -> tuple[float, ...]:
    """``0.25,0.5,1`` as ascending shares below 1 (the whole is always there), none below
    ``LEAST``. Raises StudyError."""
    found = []
    for part in text.split(","):
        try:
            share = float(part if part.isascii() else "nan")
        except ValueError:
            share = float("nan")
        if not LEAST <= share <= 1:
            raise StudyError(
                f"--fractions {text!r}: {part.strip() or 'nothing'!r} is no share from {LEAST} "
                "to 1; write 0.25,0.5,1"
            )
        found.append(share)
    return tuple(sorted({share for share in found if share < 1}))


def share_of_groups(table: ImageTable, share: float, seed: int) -> Bools:
    """(n,) rows of a share of the groups, at least one of each class they are mostly of.

    Groups are shuffled within their most frequent class; the rows of a smaller share are among
    those of a larger one with the same seed.
    """
    codes = table.group_codes
    counts = np.zeros((table.n_groups, table.n_classes), np.int64)
    np.add.at(counts, (codes, table.labels), 1)
    kept = np.zeros(table.n_groups, bool)
    order = np.random.default_rng(seed).permutation(table.n_groups)
    main = counts.argmax(axis=1)
    for code in range(table.n_classes):
        own = order[main[order] == code]
        kept[own[: int(np.ceil(share * len(own) - 1e-9))]] = True
    return np.asarray(kept[codes])


def with_fraction(table: ImageTable, folds: Folds, k: int, share: float, seed: int) -> Folds:
    """The folds with fold ``k`` held out whole and only a share of the other groups in the rest;
    the others are in no fold (-1)."""
    kept = share_of_groups(table, share, seed) | folds.held_out(k)
    fold = np.where(kept, folds.fold, -1)
    return Folds(folds.image_ids, folds.groups, fold, folds.n_folds, folds.seed)


def by_image(table: ImageTable, folds: Folds, seed: int) -> Folds:
    """Folds as a split by image draws them, as many and stratified by class: groups are parted, so
    figures are flattered. For an audit alone."""
    random = np.random.default_rng(seed)
    fold = np.full(len(table), -1, np.int64)
    start = 0
    for code in range(table.n_classes):
        rows = random.permutation(np.flatnonzero(table.labels == code))
        fold[rows] = (start + np.arange(len(rows))) % folds.n_folds
        start += len(rows)
    return Folds(table.image_ids, table.image_ids, fold, folds.n_folds, seed)

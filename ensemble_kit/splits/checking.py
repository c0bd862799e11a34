"""The leakage check: run on every draw and on every load."""

import numpy as np

from ensemble_kit.core.errors import SHOWN, SplitError, count, some
from ensemble_kit.core.records import Bools, Folds, ImageTable, Ints


def check_folds(table: ImageTable, folds: Folds) -> None:
    """Raise SplitError unless ``folds`` is a group-safe partition of the table's images.

    The groups are the table's. Every fold holds an image out and trains on every class.
    """
    if len(table) != len(folds) or (table.image_ids != folds.image_ids).any():
        other = set(table.image_ids.tolist()) ^ set(folds.image_ids.tolist())
        what = f"{some(sorted(other))} in only one of them" if other else "their order differs"
        raise SplitError(f"folds and data set do not have the same images ({what})")
    outside = (folds.fold < 0) | (folds.fold >= folds.n_folds)
    if outside.any():
        raise SplitError(
            f"{some(table.image_ids[outside])} in no fold from 0 to {folds.n_folds - 1}: "
            "every image is held out exactly once"
        )
    _check_groups(table, folds)
    sizes = np.bincount(folds.fold, minlength=folds.n_folds)
    if folds.n_folds < 2 or (sizes == 0).any():
        raise SplitError(
            f"{count(folds.n_folds, 'fold')}, of which {int((sizes == 0).sum())} hold no image "
            "out: at least two folds are needed and none may be empty"
        )
    _check_training(table, folds)


def crossing(table: ImageTable, side: Ints) -> Bools:
    """(n,) mask of the images whose group is on more than one side; side : (n,) int."""
    n_sides = int(side.max(initial=-1)) + 2
    pairs = np.unique(table.group_codes * n_sides + side + 1)
    sides = np.bincount(pairs // n_sides, minlength=table.n_groups)
    return np.asarray(sides[table.group_codes] > 1)


def _check_groups(table: ImageTable, folds: Folds) -> None:
    leaking = crossing(table, folds.fold)
    if not leaking.any():
        return
    names = np.unique(table.groups[leaking])
    examples = []
    for name in names[:SHOWN]:
        rows = np.flatnonzero(table.groups == name)
        places = ", ".join(f"{table.image_ids[r]} in fold {folds.fold[r]}" for r in rows[:3])
        examples.append(f"{name} ({places}{' …' if len(rows) > 3 else ''})")
    rest = len(names) - len(examples)
    raise SplitError(
        f"{count(len(names), 'group')} with {count(int(leaking.sum()), 'image')} cross folds: "
        f"{'; '.join(examples)}{f' and {rest:,} more' if rest else ''}. No patient, lesion or "
        "near-duplicate may be in two folds; draw folds by group (leave out --folds-file)"
    )


def _check_training(table: ImageTable, folds: Folds) -> None:
    total = table.class_counts()
    for k in range(folds.n_folds):
        held = np.bincount(table.labels[folds.held_out(k)], minlength=table.n_classes)
        gone = [table.class_names[c] for c in np.flatnonzero((held == total) & (total > 0))]
        if gone:
            raise SplitError(
                f"fold {k} holds every image of {some(gone)} out, so its model cannot learn it: "
                "spread each class over at least two folds"
            )

"""Drawing folds: stratified by class, never parting a group."""

import numpy as np

from ensemble_kit.core.errors import SplitError, count, some
from ensemble_kit.core.records import Folds, ImageTable, Ints
from ensemble_kit.splits.checking import check_folds
from ensemble_kit.splits.drawing import stratified_group_folds

TRIES = 100
"""Seeds tried for one draw; draw ``r`` starts at ``seed + r * TRIES``."""


def make_folds(table: ImageTable, n_folds: int, seed: int = 0, repeats: int = 1) -> list[Folds]:
    """Draw ``repeats`` independent sets of ``n_folds`` folds over the table's groups.

    The folds of scikit-learn's StratifiedGroupKFold with shuffled groups; seeds are tried in order
    until every class is in the training and in the held-out part of every fold. ``Folds.seed`` is
    the seed that did it. Raises SplitError where no draw can do it.
    """
    _check_feasible(table, n_folds)
    return [_draw(table, n_folds, seed + repeat * TRIES) for repeat in range(repeats)]


def fold_class_counts(table: ImageTable, folds: Folds) -> Ints:
    """(K, C) held-out images of each class in each fold."""
    counts = np.zeros((folds.n_folds, table.n_classes), np.int64)
    np.add.at(counts, (folds.fold, table.labels), 1)
    return counts


def _draw(table: ImageTable, n_folds: int, first_seed: int) -> Folds:
    absent: dict[str, int] = {}
    for seed in range(first_seed, first_seed + TRIES):
        fold = stratified_group_folds(table.labels, table.group_codes, n_folds, seed)
        folds = Folds(table.image_ids, table.groups, fold, n_folds, seed)
        counts = fold_class_counts(table, folds)
        lacking = (counts == 0).any(axis=0) | (counts == table.class_counts()).any(axis=0)
        if not lacking.any():
            check_folds(table, folds)
            return folds
        for c in np.flatnonzero(lacking):
            absent[table.class_names[c]] = absent.get(table.class_names[c], 0) + 1
    raise SplitError(
        f"no draw of {n_folds} folds with seeds {first_seed} to {first_seed + TRIES - 1} has every "
        f"class in every fold: {some(absent)} came to lack in one; use fewer folds"
    )


def _check_feasible(table: ImageTable, n_folds: int) -> None:
    if n_folds < 2:
        raise SplitError(f"{n_folds} folds: cross-validation needs at least 2; give --folds 5")
    pairs = np.unique(table.group_codes * table.n_classes + table.labels)
    groups = np.bincount(pairs % table.n_classes, minlength=table.n_classes)
    few = [
        f"{table.class_names[c]} ({count(int(groups[c]), 'group')}, "
        f"{count(int(table.class_counts()[c]), 'image')})"
        for c in np.flatnonzero(groups < n_folds)
    ]
    if few:
        raise SplitError(
            f"class {some(few)} cannot be in each of {n_folds} folds: every class needs as many "
            "groups (patients or lesions) as folds; use fewer folds, or add or drop that class "
            "(`predict` and `validate` need no folds)"
        )

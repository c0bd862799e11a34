"""Holding groups out of a training part, to choose the epoch by."""

import numpy as np
from numpy.typing import NDArray

from ensemble_kit.core.errors import SplitError
from ensemble_kit.core.records import Bools, ImageTable, Ints


def hold_out_groups(table: ImageTable, rows: NDArray[np.int64], share: float, seed: int) -> Bools:
    """Which of ``rows`` to hold out: whole groups, about ``share`` of every class.

    rows : (m,) int indices into the table. Returns an (m,) mask. Every class keeps a group in
    the part that trains; a class with two groups or more gets one held out where that is
    possible. Groups are visited in random order, classes with few images first, and taken if
    that brings the class shares nearer to ``share``. The same arguments give the same mask.
    """
    if not 0 < share < 1:
        raise SplitError(f"share {share:g} of groups to hold out: it lies between 0 and 1")
    rows = np.asarray(rows, np.int64)
    names, member = np.unique(table.group_codes[rows], return_inverse=True)
    sizes = np.zeros((len(names), table.n_classes), np.int64)
    np.add.at(sizes, (member, table.labels[rows]), 1)
    return np.asarray(_chosen(sizes, share, seed)[member])


def _chosen(sizes: Ints, share: float, seed: int) -> Bools:
    """(g,) mask of the groups held out; sizes : (g, C) images of each class in each group."""
    total = sizes.sum(axis=0)
    scale = np.maximum(total, 1)
    target = np.where(total > 0, np.maximum(share * total, 1.0), 0.0)
    rarest = np.where(sizes > 0, total, total.max(initial=0) + 1).min(axis=1)
    order = np.random.default_rng(seed).permutation(len(sizes))
    order = order[np.argsort(rarest[order], kind="stable")]
    held = np.zeros(sizes.shape[1], np.int64)
    training_groups = (sizes > 0).sum(axis=0)
    chosen = np.zeros(len(sizes), np.bool_)
    for group in order:
        after = held + sizes[group]
        better = (((after - target) / scale) ** 2).sum() <= (((held - target) / scale) ** 2).sum()
        if better and (training_groups - (sizes[group] > 0) > 0)[total > 0].all():
            chosen[group], held = True, after
            training_groups = training_groups - (sizes[group] > 0)
    return chosen

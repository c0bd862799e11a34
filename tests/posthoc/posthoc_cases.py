"""Made-up members whose truth is known: several photos a lesion, members that err together."""

import numpy as np

from ensemble_kit.core.records import Folds, ImageTable
from ensemble_kit.posthoc.convex.simplex import softmax
from ensemble_kit.posthoc.crossfit import Members, Rows


def made_rows(
    seed: int = 0, groups: int = 240, classes: int = 4, members: int = 3, folds: int = 4
) -> Rows:
    """Imbalanced classes, 1-3 rows a group, members of different skill, one over-confident."""
    random = np.random.default_rng(seed)
    share = np.arange(classes, 0, -1, dtype=float) ** 1.5
    of_group = random.choice(classes, size=groups, p=share / share.sum())
    of_group[: 3 * classes] = np.tile(np.arange(classes), 3)
    sizes = random.integers(1, 4, groups)
    codes = np.repeat(np.arange(groups), sizes)
    labels = of_group[codes].astype(np.int64)
    shared = random.normal(0, 1.0, (groups, classes))[codes]
    tables = []
    for m in range(members):
        logits = shared + random.normal(0, 1.0, (len(codes), classes))
        logits[np.arange(len(codes)), labels] += 1.5 + 0.4 * m
        tables.append(softmax(logits * (1.0 + 0.8 * (m == 0))))
    fold = (np.argsort(np.argsort(of_group, kind="stable")) % folds)[codes]
    return Rows(np.stack(tables), labels, codes.astype(np.int64), fold.astype(np.int64))


def as_table(rows: Rows) -> tuple[Members, ImageTable, Folds]:
    """The rows with names, as the outer functions take them."""
    n, c = len(rows), rows.n_classes
    ids = np.array([f"img_{i:05d}" for i in range(n)])
    groups = np.array([f"g{g:04d}" for g in rows.groups])
    names = tuple("abcdefghij"[:c])
    blank = np.full(n, "")
    table = ImageTable(ids, groups, rows.labels, names, groups, blank, blank)
    folds = Folds(ids, groups, rows.fold, int(rows.fold.max()) + 1)
    kinds = tuple(f"m{k}" for k in range(len(rows.members)))
    return Members(kinds, ids, names, rows.members), table, folds

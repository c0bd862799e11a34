"""Cases drawn for tests: lesions of several images, imbalanced classes, ties."""

import numpy as np

from ensemble_kit.core.records import Folds, ImageTable, Predictions
from ensemble_kit.metrics.cases import Cases


def drawn_cases(
    seed: int = 0, n_groups: int = 120, n_classes: int = 4, ties: bool = False, skill: float = 1.5
) -> Cases:
    """About twice as many images as groups; a group has one class."""
    random = np.random.default_rng(seed)
    groups = np.repeat(np.arange(n_groups), random.integers(1, 4, n_groups))
    shares = 1 / np.arange(1, n_classes + 1)
    of_group = random.choice(n_classes, size=n_groups, p=shares / shares.sum())
    of_group[: 2 * n_classes] = np.arange(2 * n_classes) % n_classes
    labels = of_group[groups]
    x = random.normal(size=(n_groups, n_classes))[groups] + random.normal(
        size=(len(groups), n_classes)
    )
    x[np.arange(len(labels)), labels] += skill
    p = np.exp(x)
    if ties:
        p = np.round(p) + 1
    p /= p.sum(axis=1, keepdims=True)
    names = tuple("abcdefgh"[:n_classes])
    malignant = np.arange(n_classes) >= n_classes - 2
    return Cases(labels, p, groups, n_groups, names, malignant & (n_classes > 2))


def as_records(cases: Cases, n_folds: int = 3) -> tuple[ImageTable, Folds, Predictions]:
    """The cases as the records that `evaluate` takes."""
    ids = np.array([f"i{k:05d}" for k in range(len(cases))])
    groups = np.array([f"g{k:05d}" for k in cases.groups])
    empty = np.full(len(ids), "")
    sex = np.array(["male", "female", ""])[cases.groups % 3]
    age = np.array(["25", "50", "80"])[cases.groups % 3]
    table = ImageTable(
        ids, groups, cases.labels, cases.class_names, groups, empty, empty,
        {"sex": sex, "age": age},
    )  # fmt: skip
    folds = Folds(ids, groups, (cases.groups % n_folds).astype(np.int64), n_folds)
    return table, folds, Predictions(ids, cases.class_names, cases.probabilities)

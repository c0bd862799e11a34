"""Histogram gradient boosting (scikit-learn); its trees are kept as plain arrays, no pickle."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble_kit.core.records import Floats, Ints

ROUNDS, RATE, LEAVES, LEAST_ROWS, L2 = 80, 0.06, 8, 20, 1.0


@dataclass(frozen=True, eq=False)
class Trees:
    """Boosted trees. All nodes stand one after another; tree t's begin at ``start[t]``.

    feature, left, right : (N,) int; children counted from the tree's first node. threshold, value :
    (N,) float; a row goes left where its feature is at most the threshold. leaf : (N,) bool.
    start : (T,). column : (T,) which score a tree adds to. baseline : (K,) scores before any tree
    (K = 1 for two classes). classes : (c,) the classes seen in training, of ``n_classes``.
    """

    feature: Ints
    threshold: Floats
    left: Ints
    right: Ints
    value: Floats
    leaf: NDArray[np.bool_]
    start: Ints
    column: Ints
    baseline: Floats
    classes: Ints
    n_classes: int

    def probabilities(self, x: Floats) -> Floats:
        """(n, C) of rows (n, F); a class that training never saw has probability 0."""
        scores = np.tile(self.baseline, (len(x), 1))
        rows = np.arange(len(x))
        for start, column in zip(self.start.tolist(), self.column.tolist(), strict=True):
            at = np.full(len(x), start)
            while not (done := self.leaf[at]).all():
                goes = x[rows, self.feature[at]] <= self.threshold[at]
                child = start + np.where(goes, self.left[at], self.right[at])
                at = np.where(done, at, child)
            scores[:, column] += self.value[at]
        if scores.shape[1] == 1:
            scores = np.column_stack([np.zeros(len(x)), scores[:, 0]])
        scores -= scores.max(axis=1, keepdims=True)
        seen = np.exp(scores)
        p = np.zeros((len(x), self.n_classes))
        p[:, self.classes] = seen / seen.sum(axis=1, keepdims=True)
        return p

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What is written, each under its field's name."""
        return {name: np.asarray(value) for name, value in vars(self).items()}

    @staticmethod
    def of_arrays(arrays: Mapping[str, NDArray[Any]]) -> "Trees":
        fields = {name: arrays[name] for name in Trees.__dataclass_fields__ if name != "n_classes"}
        return Trees(**fields, n_classes=int(arrays["n_classes"]))


def fit_trees(x: Floats, labels: Ints, weights: Floats, n_classes: int, seed: int) -> Trees:
    """Boost on rows (m, F) without missing values (they have a column of their own).

    Small trees with a fixed number of rounds: no row is kept aside, so groups need no care.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier

    model = HistGradientBoostingClassifier(
        learning_rate=RATE, max_iter=ROUNDS, max_leaf_nodes=LEAVES, min_samples_leaf=LEAST_ROWS,
        l2_regularization=L2, early_stopping=False, random_state=seed,
    ).fit(x, labels, weights)  # fmt: skip
    grown = [(tree.nodes, k) for step in model._predictors for k, tree in enumerate(step)]
    nodes = np.concatenate([n for n, _ in grown])
    sizes = np.array([len(n) for n, _ in grown])
    return Trees(
        nodes["feature_idx"].astype(np.int64),
        nodes["num_threshold"].astype(np.float64),
        nodes["left"].astype(np.int64),
        nodes["right"].astype(np.int64),
        nodes["value"].astype(np.float64),
        nodes["is_leaf"].astype(np.bool_),
        np.cumsum(sizes) - sizes,
        np.array([k for _, k in grown], dtype=np.int64),
        np.asarray(model._baseline_prediction, np.float64).ravel(),
        np.asarray(model.classes_, np.int64),
        n_classes,
    )

"""Cross-conformal prediction sets: a new row is judged by the model of each fold.

The score of a label, by the model that was fitted without fold k, is compared with the scores of
fold k's own rows by that same model; the comparisons are pooled over the folds (Vovk 2015, eq. 12):

    p(x, c) = (1 + Σ_k Σ_{i in fold k, y_i = c} w_i [s_i >= s_k(x, c)]) / (G_c + 1)

with a vote of 1 for each of the G_c groups, shared by its rows (w_i). Label c is in the set where
p > 1 - level. For classification with labels' scores this is CV+ (Barber, Candès, Ramdas and
Tibshirani 2021): coverage is at least 1 - 2 (1 - level), less a term below √(2 / G_c), if groups
are exchangeable, folds were drawn without looking at them, and no model of fold k saw fold k.
"""

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from ensemble_kit.core.records import Bools, Floats, Ints
from ensemble_kit.posthoc.conformal.nonconformity import nonconformity
from ensemble_kit.posthoc.conformal.quantiles import ROUNDING, groups_needed, votes
from ensemble_kit.posthoc.conformal.spec import SetSpec


@dataclass(frozen=True, eq=False)
class FoldScores:
    """The rows of one fold. labels : (m,) their class, 0 throughout where classes are pooled.
    scores : (m,) nonconformity of the true class. votes : (m,) share of a group's vote."""

    fold: int
    labels: Ints
    scores: Floats
    votes: Floats


@dataclass(frozen=True, eq=False)
class CrossSets:
    """Label c of a row is in its set when the pooled p-value exceeds 1 - level.

    folds : calibration scores by fold, in the order in which models are given. n_groups : (C,)
    groups behind each class; with fewer than ``needed`` the class is in every set.
    """

    kind: ClassVar[str] = "cross-conformal prediction sets"
    spec: SetSpec
    folds: tuple[FoldScores, ...]
    n_groups: Ints

    @property
    def needed(self) -> int:
        return groups_needed(self.spec.level)

    @property
    def finite(self) -> Bools:
        """(C,) whether the class can be left out of a set at all."""
        return np.asarray(self.n_groups >= self.needed)

    def at_level(self, level: float) -> "CrossSets":
        """The same scores asked for another coverage."""
        return replace(self, spec=replace(self.spec, level=level))

    def p_values(self, by_fold: Floats) -> Floats:
        """(n, C) p-value of each label from the models of the folds, (K, n, C)."""
        if len(by_fold) != len(self.folds):
            raise ValueError(f"{len(by_fold)} models for {len(self.folds)} folds")
        above = np.ones(by_fold.shape[1:])
        for part, probabilities in zip(self.folds, by_fold, strict=True):
            given = nonconformity(probabilities, self.spec.score)
            for c in range(given.shape[1]):
                rows = part.labels == (c if self.spec.by_class else 0)
                order = np.argsort(part.scores[rows], kind="stable")
                scores, votes_ = part.scores[rows][order], part.votes[rows][order]
                upward = np.r_[np.cumsum(votes_[::-1])[::-1], 0.0]
                above[:, c] += upward[np.searchsorted(scores, given[:, c], side="left")]
        return np.asarray(above / (self.n_groups + 1.0))

    def sets(self, by_fold: Floats, probabilities: Floats) -> Bools:
        """(n, C) membership. by_fold : (K, n, C) by the model of each fold. probabilities : (n, C)
        those shown; their likeliest class is always in, so no set is empty."""
        inside = self.p_values(by_fold) > 1 - self.spec.level + ROUNDING
        inside[np.arange(len(inside)), probabilities.argmax(axis=1)] = True
        return np.asarray(inside)

    def to_json(self) -> dict[str, Any]:
        return {
            **self.spec.to_json(),
            "n_groups": self.n_groups.tolist(),
            "groups_needed": self.needed,
            "folds": [
                {
                    "fold": part.fold,
                    "labels": part.labels.tolist(),
                    "scores": part.scores.tolist(),
                    "votes": part.votes.tolist(),
                }
                for part in self.folds
            ],
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "CrossSets":
        folds = tuple(
            FoldScores(
                int(part["fold"]),
                np.array(part["labels"], dtype=np.int64),
                np.array(part["scores"], dtype=np.float64),
                np.array(part["votes"], dtype=np.float64),
            )
            for part in values["folds"]
        )
        return cls(SetSpec.from_json(values), folds, np.array(values["n_groups"], np.int64))


def fit_cross(
    probabilities: Floats, labels: Ints, groups: Ints, fold: Ints, spec: SetSpec
) -> CrossSets:
    """Calibration scores by fold.

    probabilities : (n, C) each row by the model of its fold, which was fitted without it. labels,
    groups, fold : (n,) codes; no group crosses a fold.
    """
    n_classes = probabilities.shape[1]
    own = nonconformity(probabilities, spec.score)[np.arange(len(labels)), labels]
    cells = labels if spec.by_class else np.zeros_like(labels)
    vote, n_groups = np.zeros(len(labels)), np.zeros(n_classes, dtype=np.int64)
    for cell in range(n_classes if spec.by_class else 1):
        rows = np.flatnonzero(cells == cell)
        vote[rows] = votes(groups[rows], spec.unit, spec.seed)
        found = len(np.unique(groups[rows]))
        n_groups[cell if spec.by_class else slice(None)] = found
    folds = []
    for k in np.unique(fold):
        rows = np.flatnonzero((fold == k) & (vote > 0))
        folds.append(FoldScores(int(k), cells[rows], own[rows], vote[rows]))
    return CrossSets(spec, tuple(folds), n_groups)

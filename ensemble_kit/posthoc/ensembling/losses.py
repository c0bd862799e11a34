"""What greedy selection minimises, evaluated for all candidates at once from running sums."""

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from ensemble_kit.core.errors import PredictionsError
from ensemble_kit.core.records import Floats, Ints
from ensemble_kit.metrics.losses import auc
from ensemble_kit.posthoc.convex.simplex import true_class

OBJECTIVES = ("log_loss", "accuracy", "balanced_accuracy", "roc_auc_ovr")
FLOOR = 1e-15
CHUNK = 8
REACH = 1.0 + 1e-9


class SelectionLoss(Protocol):
    """The loss of (members taken so far + one more) / count, for each candidate."""

    @property
    def n_members(self) -> int: ...

    def candidates(self, pool: Ints) -> Floats: ...

    def with_member(self, member: int) -> "SelectionLoss": ...


def selection_loss(objective: str, members: Floats, labels: Ints) -> SelectionLoss:
    """The loss of an objective over members (M, n, C), with nothing taken yet."""
    n = len(labels)
    if objective == "log_loss":
        return _LogLoss(np.ascontiguousarray(true_class(members, labels)), np.zeros(n), 0)
    if objective in ("accuracy", "balanced_accuracy"):
        return _Accuracy.of(members, labels, balanced=objective == "balanced_accuracy")
    if objective == "roc_auc_ovr":
        columns = np.ascontiguousarray(members.transpose(0, 2, 1))
        return _MacroAuc(columns, labels, np.zeros(columns.shape[1:]))
    raise PredictionsError(
        f"{objective!r} is not an objective: choose from {', '.join(OBJECTIVES)}"
    )


@dataclass(frozen=True, eq=False)
class _LogLoss:
    """Only the true class's probability matters: (M, n) values and their running sum (n,)."""

    values: Floats
    total: Floats
    taken: int

    @property
    def n_members(self) -> int:
        return len(self.values)

    def candidates(self, pool: Ints) -> Floats:
        mixed = self.values[pool] if len(pool) < len(self.values) else self.values
        mixed = (mixed + self.total) * (1.0 / (self.taken + 1))
        np.maximum(mixed, FLOOR, out=mixed)
        n = mixed.shape[1]
        whole = n - n % CHUNK
        product = mixed[:, :whole]
        while product.shape[1] > whole // CHUNK:
            half = product.shape[1] // 2
            product = product[:, :half] * product[:, half:]
        rest = np.log(mixed[:, whole:]).sum(axis=1)
        return np.asarray(-(np.log(product).sum(axis=1) + rest) / n)

    def with_member(self, member: int) -> "_LogLoss":
        return replace(self, total=self.total + self.values[member], taken=self.taken + 1)


@dataclass(frozen=True, eq=False)
class _Accuracy:
    """Margins of the true class over each other one; a tie goes to the class listed first.

    One more member moves a margin by at most 1, so rows whose least summed margin is beyond that
    are settled whoever comes next, and only the others are looked at. Rows are sorted by label, in
    one block a class. margins : per block (rows, C-1, M), one row's together. totals : (rows, C-1).
    """

    margins: tuple[Floats, ...]
    labels: tuple[int, ...]
    totals: tuple[Floats, ...]
    weights: tuple[float, ...]

    @classmethod
    def of(cls, members: Floats, labels: Ints, balanced: bool) -> "_Accuracy":
        present = [int(c) for c in np.unique(labels)]
        margins, weights = [], []
        for c in present:
            block = members[:, labels == c].transpose(1, 2, 0)
            others = np.delete(np.arange(block.shape[1]), c)
            margins.append(np.ascontiguousarray(block[:, c : c + 1]) - block[:, others])
            weights.append(1 / (len(present) * len(block)) if balanced else 1 / len(labels))
        totals = tuple(np.zeros(block.shape[:2]) for block in margins)
        packed = tuple(np.ascontiguousarray(block) for block in margins)
        return cls(packed, tuple(present), totals, tuple(weights))

    @property
    def n_members(self) -> int:
        return int(self.margins[0].shape[2])

    def candidates(self, pool: Ints) -> Floats:
        right = np.zeros(len(pool))
        blocks = zip(self.margins, self.labels, self.totals, self.weights, strict=True)
        for margins, label, total, weight in blocks:
            least = total.min(axis=1)
            right += weight * np.count_nonzero(least > REACH)
            open_rows = np.flatnonzero(np.abs(least) <= REACH)
            mixed = margins[open_rows]
            if len(pool) < self.n_members:
                mixed = mixed[:, :, pool]
            mixed += total[open_rows][:, :, None]
            hit = np.ones((len(open_rows), len(pool)), dtype=bool)
            for place in range(mixed.shape[1]):
                hit &= mixed[:, place] > 0 if place < label else mixed[:, place] >= 0
            right += weight * np.count_nonzero(hit, axis=0)
        return 1.0 - right

    def with_member(self, member: int) -> "_Accuracy":
        pairs = zip(self.totals, self.margins, strict=True)
        return replace(self, totals=tuple(total + m[:, :, member] for total, m in pairs))


@dataclass(frozen=True, eq=False)
class _MacroAuc:
    """1 - macro one-vs-rest AUC; columns (M, C, n), running sum (C, n)."""

    columns: Floats
    labels: Ints
    total: Floats

    @property
    def n_members(self) -> int:
        return len(self.columns)

    def candidates(self, pool: Ints) -> Floats:
        n_classes = self.columns.shape[1]
        positives = [self.labels == c for c in range(n_classes)]
        usable = [c for c in range(n_classes) if 0 < positives[c].sum() < len(self.labels)]
        if not usable:
            return np.zeros(len(pool))
        areas = [
            np.mean([auc(self.total[c] + self.columns[m, c], positives[c]) for c in usable])
            for m in pool
        ]
        return 1.0 - np.array(areas)

    def with_member(self, member: int) -> "_MacroAuc":
        return replace(self, total=self.total + self.columns[member])

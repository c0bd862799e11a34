"""What every figure is computed from: labels, probabilities and groups of the same rows."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sparse
from numpy.typing import NDArray

from ensemble_kit.core.errors import PredictionsError, some
from ensemble_kit.core.records import Bools, Floats, ImageTable, Ints, Predictions
from ensemble_kit.metrics.view import NAME, view_mask, view_name

Key = tuple[str, str]
Figures = dict[Key, Floats]

MALIGNANT = NAME


@dataclass(frozen=True, eq=False)
class Cases:
    """The rows that are scored.

    labels : (n,) int in [0, C). probabilities : (n, C). groups : (n,) int in [0, n_groups);
    ``n_groups`` counts all groups of the study, so that subsets share the draws of the whole.
    malignant : (C,) bool, classes of the malignant-versus-benign view; all False: no such view.
    """

    labels: Ints
    probabilities: Floats
    groups: Ints
    n_groups: int
    class_names: tuple[str, ...]
    malignant: Bools

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def n_classes(self) -> int:
        return len(self.class_names)

    @property
    def has_malignant_view(self) -> bool:
        """Whether there is such a view: both sides are there, and it is more than the
        class called malignant."""
        both = bool(self.malignant.any() and not self.malignant.all())
        only_itself = self.malignant.sum() == 1 and MALIGNANT in self._malignant_names
        return both and not only_itself

    @property
    def view_name(self) -> str:
        """What the view is called in figures: not like a class."""
        return view_name(self.class_names)

    @property
    def _malignant_names(self) -> list[str]:
        pairs = zip(self.class_names, self.malignant, strict=True)
        return [name.lower() for name, bad in pairs if bad]

    @cached_property
    def predicted(self) -> Ints:
        """(n,) the most probable class; the first of several that tie."""
        return np.asarray(self.probabilities.argmax(axis=1), dtype=np.int64)

    @cached_property
    def groups_with(self) -> Mapping[str, tuple[int, int]]:
        """class name (or "malignant") -> groups with an image of it, groups with one of others."""
        counts = {
            name: self._sides(self.labels == code) for code, name in enumerate(self.class_names)
        }
        if self.has_malignant_view:
            counts[self.view_name] = self._sides(self.malignant[self.labels])
        return counts

    @cached_property
    def n_groups_here(self) -> int:
        """Groups with at least one of these rows."""
        return len(np.unique(self.groups))

    def take(self, rows: NDArray[Any]) -> "Cases":
        """Some rows (indices or a mask); groups keep their numbers."""
        return Cases(
            self.labels[rows],
            self.probabilities[rows],
            self.groups[rows],
            self.n_groups,
            self.class_names,
            self.malignant,
        )

    def sums(self, cells: Ints, n_cells: int, values: Floats | None = None) -> sparse.csr_array:
        """(n_cells, n_groups) sums of ``values`` (default 1) of the rows, by cell and group.

        Rows with a negative cell are left out. Times (n_groups, B) weights it gives the cell sums
        of every replicate.
        """
        return cell_sums(cells, n_cells, self.groups, self.n_groups, values)

    def _sides(self, positive: Bools) -> tuple[int, int]:
        return len(np.unique(self.groups[positive])), len(np.unique(self.groups[~positive]))


def cell_sums(
    cells: Ints, n_cells: int, groups: Ints, n_groups: int, values: Floats | None = None
) -> sparse.csr_array:
    """(n_cells, n_groups) sums of ``values`` (default 1) by cell and group; see Cases.sums."""
    data = np.ones(len(cells)) if values is None else np.asarray(values, dtype=np.float64)
    inside = (cells >= 0) & (data != 0)
    matrix = sparse.coo_array(
        (data[inside], (cells[inside], groups[inside])), shape=(n_cells, n_groups)
    )
    return matrix.tocsr()


def make_cases(
    table: ImageTable, predictions: Predictions, malignant: tuple[str, ...] = ()
) -> Cases:
    """Match a table and predictions on the same images; names of ``malignant`` not among the
    classes are ignored, so a data set without any of them has no malignant view."""
    if predictions.class_names != table.class_names:
        raise PredictionsError(
            f"the predictions' classes are {some(predictions.class_names)} but the truth's are "
            f"{some(table.class_names)}: give the same classes in the same order"
        )
    matched = predictions
    if not np.array_equal(predictions.image_ids, table.image_ids):
        matched = predictions.in_order_of(table.image_ids)
    return Cases(
        labels=np.asarray(table.labels, dtype=np.int64),
        probabilities=np.asarray(matched.probabilities),
        groups=table.group_codes,
        n_groups=table.n_groups,
        class_names=table.class_names,
        malignant=view_mask(malignant, table.class_names),
    )

"""The one function through which every step fitted after training passes.

A step is fitted on the rows of all folds but one and applied to that one. The rows it is fitted on
are copies without the held-out fold, so no fit can see a label it will be judged on.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from ensemble_kit.core.errors import PredictionsError, SplitError, count
from ensemble_kit.core.records import Floats, Folds, Ints, Predictions, Strings, read_only


@dataclass(frozen=True, eq=False)
class Members:
    """Out-of-fold probabilities of several models on the same images.

    names : M names. image_ids : (n,) str. probabilities : (M, n, C) float64, rows on the simplex.
    """

    names: tuple[str, ...]
    image_ids: Strings
    class_names: tuple[str, ...]
    probabilities: Floats

    def __post_init__(self) -> None:
        object.__setattr__(self, "probabilities", read_only(self.probabilities))
        expected = (len(self.names), len(self.image_ids), len(self.class_names))
        if self.probabilities.shape != expected:
            raise PredictionsError(
                f"members of shape {self.probabilities.shape}, expected {expected}: "
                "one table of images × classes a member"
            )


@dataclass(frozen=True, eq=False)
class Rows:
    """All that a fit may see: the rows of some folds.

    members : (M, n, C) probabilities. labels : (n,) int in [0, C). groups : (n,) int codes.
    fold : (n,) int, the fold of each row, for cross-fitting inside.
    """

    members: Floats
    labels: Ints
    groups: Ints
    fold: Ints

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def n_classes(self) -> int:
        return int(self.members.shape[2])

    def take(self, rows: NDArray[Any]) -> "Rows":
        """A copy of some rows (mask or indices)."""
        members = np.ascontiguousarray(self.members[:, rows])
        return Rows(members, self.labels[rows], self.groups[rows], self.fold[rows])

    def with_inner_folds(self, parts: int = 4) -> "Rows":
        """These rows with at least two folds: given as they are, else groups dealt into parts.

        Groups are dealt in the order of their class and code, so each part has every class whose
        groups suffice; labels of other rows play no role.
        """
        if len(np.unique(self.fold)) > 1:
            return self
        codes, first = np.unique(self.groups, return_index=True)
        order = np.lexsort((codes, self.labels[first]))
        part = np.empty(len(codes), dtype=np.int64)
        part[order] = np.arange(len(codes)) % parts
        return Rows(
            self.members, self.labels, self.groups, part[np.searchsorted(codes, self.groups)]
        )


class Step(Protocol):
    """Something fitted: ``apply`` maps members (M, n, C) to an array with n rows."""

    def apply(self, members: Floats) -> NDArray[Any]: ...


S = TypeVar("S", bound=Step)


@dataclass(frozen=True, eq=False)
class CrossFitted(Generic[S]):
    """output : (n, …) each row from the step that did not see its fold. steps : fold -> step."""

    output: NDArray[Any]
    steps: dict[int, S]


class Run(Protocol):
    """How the folds are worked off: ``map``, or a pool's ``map``, which keeps their order."""

    def __call__(self, function: Callable[[Any], Any], items: Any, /) -> Iterable[Any]: ...


def crossfit_rows(fit: Callable[[Rows], S], rows: Rows, run: Run = map) -> CrossFitted[S]:
    """Fit on all folds but k, apply to k, for every fold k that has rows."""
    present = [int(k) for k in np.unique(rows.fold)]
    if len(present) < 2:
        raise SplitError(
            "cross-fitting needs at least two folds and there is one: give members made with "
            "folds, or a folds file"
        )
    steps = dict(zip(present, run(lambda k: fit(rows.take(rows.fold != k)), present), strict=True))
    parts = {k: step.apply(rows.take(rows.fold == k).members) for k, step in steps.items()}
    first = parts[present[0]]
    output = np.empty((len(rows), *first.shape[1:]), dtype=first.dtype)
    for k, part in parts.items():
        output[rows.fold == k] = part
    return CrossFitted(output, steps)


def crossfit_nested(
    fit: Callable[[Rows], Step], rows: Rows, nested: Mapping[int, Floats]
) -> NDArray[Any]:
    """:func:`crossfit_rows` where the step for fold k is fitted to members that never saw fold k.

    nested : fold k -> (M, n, C) probabilities of each row outside k by members fitted without fold
    k and without the row's own fold; its rows of fold k are not looked at. The step is applied to
    ``rows.members`` of fold k, whose members were fitted to all other folds.
    """
    parts: dict[int, NDArray[Any]] = {}
    for k in (int(k) for k in np.unique(rows.fold)):
        seen = Rows(nested[k], rows.labels, rows.groups, rows.fold).take(rows.fold != k)
        parts[k] = fit(seen).apply(rows.take(rows.fold == k).members)
    first = next(iter(parts.values()))
    output = np.empty((len(rows), *first.shape[1:]), dtype=first.dtype)
    for k, part in parts.items():
        output[rows.fold == k] = part
    return output


def crossfit(
    fit: Callable[[Rows], Step], members: Members, labels: Ints, folds: Folds
) -> Predictions:
    """Out-of-fold probabilities of a step: fitted on all folds but k, applied to k.

    labels : (n,) int in [0, C). folds : over the same images in the same order; their groups
    must not cross folds. Permuting the labels of fold k cannot change the output of fold k.
    """
    fitted = crossfit_rows(fit, rows_of(members, labels, folds))
    return Predictions(members.image_ids, members.class_names, fitted.output)


def rows_of(members: Members, labels: Ints, folds: Folds) -> Rows:
    """Members, labels and folds as rows, checked to belong together."""
    n = len(members.image_ids)
    if len(labels) != n or len(folds) != n:
        raise PredictionsError(
            f"{count(n, 'prediction')}, {count(len(labels), 'label')} and "
            f"{count(len(folds), 'fold')}: every image needs one of each"
        )
    if not np.array_equal(members.image_ids, folds.image_ids):
        raise PredictionsError("the folds list other images, or another order, than the members")
    codes = np.unique(folds.groups, return_inverse=True)[1].astype(np.int64)
    lowest = np.full(int(codes.max(initial=-1)) + 1, np.iinfo(np.int64).max)
    highest = np.full_like(lowest, -1)
    np.minimum.at(lowest, codes, folds.fold)
    np.maximum.at(highest, codes, folds.fold)
    crossing = int((lowest != highest).sum())
    if crossing:
        raise SplitError(
            f"{count(crossing, 'group')} in more than one fold: no group may cross a fold; "
            "redraw the folds by group"
        )
    return Rows(
        members.probabilities,
        np.asarray(labels, dtype=np.int64),
        codes,
        np.asarray(folds.fold, dtype=np.int64),
    )
